//! A body that is written while the database is read.
//!
//! The writer is a task of its own that holds the snapshot; a client that does not read on is given up, so that it
//! cannot keep a connection for good.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::CONTENT_TYPE;
use recount_service_kit::problem::Problem;
use tokio::sync::mpsc;

/// A part of the body is sent when it has this length.
const PART_BYTES: usize = 32 * 1024;
/// Parts that are written and not yet read.
const PARTS_MAX: usize = 2;
/// How long a client may leave the next part unread.
const READ_WAIT_MAX: Duration = Duration::from_secs(30);

/// Where the body is written to.
#[derive(Debug)]
pub(super) struct Sink {
    buffer: Vec<u8>,
    parts: mpsc::Sender<Result<Bytes, Problem>>,
}

/// Why a body was not written to its end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The client has gone, or does not read.
    Unread,
    Failed(Problem),
}

impl Sink {
    /// Adds to the body.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PART_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// Sends what has been added.
    pub(super) async fn flush(&mut self) -> Result<(), Stopped> {
        let part = std::mem::take(&mut self.buffer);
        self.parts.send_timeout(Ok(part.into()), READ_WAIT_MAX).await.map_err(|_| Stopped::Unread)
    }
}

/// The answer with the body that the writer writes. A failure before the first part is a problem like any other; one
/// after it breaks the body off, which the client notices.
pub(super) async fn answer<F>(media_type: &'static str, writer: impl FnOnce(Sink) -> F) -> Response
where
    F: Future<Output = Result<(), Stopped>> + Send + 'static,
{
    let (parts, mut written) = mpsc::channel(PARTS_MAX);
    let failures = parts.clone();
    let writer = writer(Sink { buffer: Vec::with_capacity(PART_BYTES), parts });
    tokio::spawn(async move {
        if let Err(Stopped::Failed(problem)) = writer.await {
            tracing::debug!(%problem, "a trial balance was broken off");
            // An error here says that the client has gone.
            let _ = failures.send_timeout(Err(problem), READ_WAIT_MAX).await;
        }
    });
    let first = match written.recv().await {
        Some(Ok(part)) => part,
        Some(Err(problem)) => return problem.into_response(),
        None => Bytes::new(),
    };
    let rest = stream::unfold(written, async |mut written| {
        let part = written.recv().await?.map_err(io::Error::other);
        Some((part, written))
    });
    let first = stream::once(async { Ok(first) });
    let body = Body::from_stream(stream::StreamExt::chain(first, rest));
    ([(CONTENT_TYPE, media_type)], body).into_response()
}
