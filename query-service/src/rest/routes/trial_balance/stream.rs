//! A body that is written while the database is read.
//!
//! The writer is a task of its own that holds the snapshot. A client that stops reading is dropped after a timeout, so that
//! it cannot hold a database connection forever.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::CONTENT_TYPE;
use recount_service_kit::problem::Problem;
use tokio::sync::mpsc;

use crate::questions::QuestionError;

/// A part of the body is sent once it has this length.
const PART_BYTES: usize = 32 * 1024;
/// The number of parts that may be written before the client has read them.
const PARTS_MAX: usize = 2;
/// How long to wait for the client to read the next part.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Takes what is written to the body.
#[derive(Debug)]
pub(super) struct Sink {
    buffer: Vec<u8>,
    parts: mpsc::Sender<Result<Bytes, Problem>>,
}

/// Why a body was not completed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    #[error("the client has gone or has stopped reading")]
    ClientGone,
    #[error(transparent)]
    Question(#[from] QuestionError),
}

impl Sink {
    /// Adds to the body.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PART_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// Sends what has been added since the last part.
    pub(super) async fn flush(&mut self) -> Result<(), StreamError> {
        let part = std::mem::take(&mut self.buffer);
        self.parts.send_timeout(Ok(part.into()), READ_TIMEOUT).await.map_err(|_| StreamError::ClientGone)
    }
}

/// The response with the body that the writer writes. If the writer fails before the first part, the response is a problem;
/// if it fails later, the body ends early with an error that the client notices.
pub(super) async fn answer<F>(media_type: &'static str, writer: impl FnOnce(Sink) -> F) -> Response
where
    F: Future<Output = Result<(), StreamError>> + Send + 'static,
{
    let (parts, mut written) = mpsc::channel(PARTS_MAX);
    let failures = parts.clone();
    let writer = writer(Sink { buffer: Vec::with_capacity(PART_BYTES), parts });
    tokio::spawn(async move {
        if let Err(StreamError::Question(error)) = writer.await {
            let problem = Problem::from(error);
            tracing::debug!(%problem, "a trial balance could not be completed");
            // An error here means that the client has gone.
            let _ = failures.send_timeout(Err(problem), READ_TIMEOUT).await;
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
