//! Reads the log: its events, exactly as they were recorded.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderName;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use recount_core::{Position, RecordedEvent, Tag};
use recount_service_kit::http::{Path, Query, invalid_parameter};
use recount_service_kit::problem::{Problem, kinds};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::ledger_name::ledger_name;
use super::problems::{EventsProblems, LEDGER_UNKNOWN};
use super::state::LedgerState;
use recount_service_kit::commands::store_problem;

const LIMIT_MAX: u32 = 1_000;
const LIMIT_DEFAULT: i64 = 100;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Return the events after this position: `next` of the previous page.
    #[serde(default)]
    #[param(minimum = 0, default = 0)]
    after: i64,
    /// The maximum number of events, from 1 to 1,000. Default 100.
    #[serde(default = "limit_default")]
    #[param(minimum = 1, maximum = 1_000, default = 100)]
    limit: i64,
    /// Return only the events that concern the entity with this tag: the history of an account, a transaction, a hold
    /// or a customer; or, with `ledger:`, of the ledger's settings.
    #[param(example = "account:users:alice:main")]
    tag: Option<String>,
}

fn limit_default() -> i64 {
    LIMIT_DEFAULT
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventsBody {
    events: Vec<EventRecord>,
    /// The `after` of the next page; null at the end of the log.
    next: Option<i64>,
}

/// An event of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventRecord {
    position: i64,
    id: uuid::Uuid,
    #[serde(rename = "type")]
    event_type: String,
    version: i16,
    /// The entities that the event concerns.
    #[schema(value_type = Vec<String>)]
    tags: Vec<Tag>,
    /// The data, exactly as it was recorded.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
    /// The actor that caused the event, and the trace.
    #[schema(value_type = Object)]
    meta: Box<RawValue>,
    recorded_at: DateTime<Utc>,
}

/// Reads the log: its events in order of position, with their data byte for byte.
#[utoipa::path(
    get, path = "/v1/ledgers/{ledger}/events", tag = "log",
    params(("ledger" = String, Path, description = "The ledger's name"), EventsQuery),
    responses(
        (status = 200, description = "Events in order", body = EventsBody,
            headers(("Recount-Position" = i64, description = "The position of the last event in the log"))),
        EventsProblems,
    )
)]
pub(super) async fn list_events(
    State(state): State<LedgerState>,
    Path(ledger): Path<String>,
    Query(EventsQuery { after, limit, tag }): Query<EventsQuery>,
) -> Result<Response, Problem> {
    let log = ledger_name(&ledger)?;
    let limit = page_limit(limit)?;
    let after = page_start(after)?;
    let store = state.engine.reader();
    let unknown = || Problem::new(&LEDGER_UNKNOWN, format!("There is no ledger `{log}`."));
    let head = store.log(log.key()).await.map_err(store_problem)?.ok_or_else(unknown)?.head;
    let events = match tag.as_deref().map(entity_tag).transpose()? {
        None => store.read(log.key(), after, limit).await,
        Some(tag) => store.read_tagged(log.key(), &tag, after, limit).await,
    };
    let events = events.map_err(store_problem)?;
    // An empty page is the end: the last event of an entity's history may lie far before the head.
    let last = events.last().map(|event| event.position);
    let body = EventsBody {
        next: last.filter(|last| *last < head).map(|last| last.0),
        events: events.into_iter().map(body_of).collect::<Result<_, _>>()?,
    };
    Ok(([(HeaderName::from_static("recount-position"), head.to_string())], Json(body)).into_response())
}

fn page_limit(limit: i64) -> Result<u32, Problem> {
    let in_range = u32::try_from(limit).ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    in_range.ok_or_else(|| {
        invalid_parameter("limit", format!("`limit` is {limit}; it must be from 1 to {LIMIT_MAX}."))
    })
}

fn page_start(after: i64) -> Result<Position, Problem> {
    if after >= 0 {
        return Ok(Position(after));
    }
    let detail = format!("`after` is {after}; it must be a position: an integer, 0 or greater.");
    Err(invalid_parameter("after", detail))
}

fn entity_tag(text: &str) -> Result<Tag, Problem> {
    if text.contains(':') && !text.contains(['\n', '\0']) {
        return Ok(Tag::from_stored(text));
    }
    let detail =
        "`tag` must be an entity's kind, a colon and its name, for example `account:users:alice:main`.";
    Err(invalid_parameter("tag", detail.to_owned()))
}

fn body_of(event: RecordedEvent) -> Result<EventRecord, Problem> {
    let raw = |text: String| {
        RawValue::from_string(text)
            .map_err(|_| Problem::new(&kinds::INTERNAL, "An event's data is not JSON."))
    };
    Ok(EventRecord {
        position: event.position.0,
        id: event.id,
        event_type: event.event_type,
        version: event.version,
        tags: event.tags,
        data: raw(event.data)?,
        meta: raw(event.meta)?,
        recorded_at: event.recorded_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid_parameter_of(problem: &Problem) -> String {
        assert_eq!(problem.kind().code, "invalid-request");
        problem.body_json()["parameter"].as_str().unwrap().to_owned()
    }

    #[test]
    fn an_invalid_page_is_refused_and_the_parameter_named() {
        for limit in [-1, 0, 1_001, i64::MAX] {
            let problem = page_limit(limit).unwrap_err();
            assert_eq!(invalid_parameter_of(&problem), "limit");
            assert!(
                problem.detail().contains("from 1 to 1000") && !problem.detail().contains("after"),
                "{problem}"
            );
        }
        let problem = page_start(-1).unwrap_err();
        assert_eq!(invalid_parameter_of(&problem), "after");
        assert!(!problem.detail().contains("limit"), "{problem}");
        for tag in ["alice", "account:\0", ""] {
            assert_eq!(invalid_parameter_of(&entity_tag(tag).unwrap_err()), "tag");
        }
        assert_eq!(
            (page_limit(1).unwrap(), page_limit(1_000).unwrap(), page_start(0).unwrap()),
            (1, 1_000, Position(0))
        );
    }
}
