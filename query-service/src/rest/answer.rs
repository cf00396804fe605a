//! The headers that answers about a ledger have: which position they reflect, and whether a preference was applied.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue};
use recount_service_kit::problem::Problem;

use crate::questions::QuestionError;
use crate::read::Snapshot;

/// The header with the position that an answer reflects.
pub(super) const POSITION: HeaderName = HeaderName::from_static("recount-position");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The answer to a question that was asked of this snapshot. A problem is true of the snapshot's position as well, so it
/// has the same headers as a result.
pub(super) fn answer<T: IntoResponse>(snapshot: &Snapshot, result: Result<T, QuestionError>) -> Response {
    SnapshotHeaders::of(snapshot).add_to(result.map_err(Problem::from).into_response())
}

/// The headers of answers that were read from one snapshot.
#[derive(Clone, Copy, Debug)]
pub(super) struct SnapshotHeaders {
    position: i64,
    applied_wait_seconds: Option<u64>,
}

impl SnapshotHeaders {
    pub(super) fn of(snapshot: &Snapshot) -> SnapshotHeaders {
        SnapshotHeaders {
            position: snapshot.position(),
            applied_wait_seconds: snapshot.freshness().applied_wait_seconds(),
        }
    }

    pub(super) fn add_to(self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        headers.insert(POSITION, HeaderValue::from(self.position));
        if let Some(seconds) = self.applied_wait_seconds {
            let applied = HeaderValue::try_from(format!("wait={seconds}")).expect("digits are visible");
            headers.insert(PREFERENCE_APPLIED, applied);
        }
        response
    }
}
