//! A body that is written while the database is read.
//!
//! The writer is a task of its own that holds the snapshot, and with it a connection and the dead rows of the database. So
//! it is bounded three ways: how many write at the same time, how long a client may leave a part unread, and how long the
//! whole may take. It also ends as soon as the client has left.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use http::header::CONTENT_TYPE;
use recount_service_kit::problem::Problem;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::questions::QuestionError;
use crate::read::LongRead;

/// A part of the body is sent once it has this length.
const PART_BYTES: usize = 32 * 1024;
/// The number of parts that may be written before the client has read them.
const PARTS_MAX: usize = 2;
/// How long to wait for the client to read the next part.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the whole body may take: 100 MB at 3 Mbit/s. Its snapshot keeps the database from cleaning up.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(300);

/// Takes what is written to the body.
#[derive(Debug)]
pub(super) struct Sink {
    buffer: Vec<u8>,
    parts: mpsc::Sender<Part>,
}

/// What the writer sends to the body.
#[derive(Debug)]
enum Part {
    Bytes(Bytes),
    /// The body is complete. Without it the client must notice that something is missing.
    End,
    Failure(Problem),
}

/// Why a body was not completed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    #[error("the client has gone or has stopped reading")]
    ClientGone,
    #[error("the client did not read everything within {} s", BODY_TIMEOUT.as_secs())]
    TooSlow,
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
        send(&self.parts, Part::Bytes(part.into())).await
    }
}

async fn send(parts: &mpsc::Sender<Part>, part: Part) -> Result<(), StreamError> {
    parts.send_timeout(part, READ_TIMEOUT).await.map_err(|_| StreamError::ClientGone)
}

/// The response with the body that the writer writes. If the writer fails before the first part, the response is a problem;
/// if it fails later, the body ends early with an error that the client notices.
pub(super) async fn answer<F>(
    media_type: &'static str,
    turn: LongRead,
    writer: impl FnOnce(Sink) -> F,
) -> Response
where
    F: Future<Output = Result<(), StreamError>> + Send + 'static,
{
    let (parts, mut written) = mpsc::channel(PARTS_MAX);
    let writer = writer(Sink { buffer: Vec::with_capacity(PART_BYTES), parts: parts.clone() });
    tokio::spawn(async move {
        let outcome = write(&parts, writer).await;
        // Its snapshot has ended with it; telling the client how it ended may take longer.
        drop(turn);
        let last = match outcome {
            Ok(()) => Part::End,
            Err(StreamError::Question(error)) => Part::Failure(Problem::from(error)),
            Err(StreamError::ClientGone | StreamError::TooSlow) => return,
        };
        // An error here means that the client has gone.
        let _ = send(&parts, last).await;
    });
    let first = match written.recv().await {
        Some(Part::Failure(problem)) => return problem.into_response(),
        first => first,
    };
    let rest = stream::unfold(Some(written), async |written| {
        let mut written = written?;
        let part = written.recv().await;
        Some((part, Some(written)))
    });
    let parts = stream::once(async { first }).chain(rest).scan(false, |ended, part| {
        let next = if *ended { None } else { body_part(part) };
        *ended = !matches!(next, Some(Ok(_)));
        std::future::ready(next)
    });
    ([(CONTENT_TYPE, media_type)], Body::from_stream(parts)).into_response()
}

/// The next part of the body, an error if it does not come, or `None` at its end.
fn body_part(part: Option<Part>) -> Option<Result<Bytes, io::Error>> {
    match part {
        Some(Part::Bytes(bytes)) => Some(Ok(bytes)),
        Some(Part::End) => None,
        Some(Part::Failure(problem)) => {
            tracing::debug!(%problem, "a trial balance could not be completed");
            Some(Err(io::Error::other(problem)))
        }
        None => Some(Err(io::Error::other("the trial balance is not complete"))),
    }
}

/// Runs the writer within the time of a body, and only while there is a client.
async fn write(
    parts: &mpsc::Sender<Part>,
    writer: impl Future<Output = Result<(), StreamError>>,
) -> Result<(), StreamError> {
    tokio::select! {
        written = timeout(BODY_TIMEOUT, writer) => written.unwrap_or(Err(StreamError::TooSlow)),
        () = parts.closed() => Err(StreamError::ClientGone),
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_body_is_complete_only_if_the_writer_has_finished() {
        let finished = answer("text/csv", LongRead::default(), |mut sink| async move {
            sink.write(b"all").await?;
            sink.flush().await
        })
        .await;
        assert_eq!(finished.into_body().collect().await.unwrap().to_bytes(), "all");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_takes_too_long_ends_in_an_error_and_its_writer_with_it() {
        let (held, released) = tokio::sync::oneshot::channel::<()>();
        let slow = answer("text/csv", LongRead::default(), |mut sink| async move {
            let _held = held;
            sink.write(b"some").await?;
            sink.flush().await?;
            std::future::pending().await
        })
        .await;
        slow.into_body().collect().await.unwrap_err();
        released.await.unwrap_err();
    }

    #[tokio::test]
    async fn a_writer_ends_when_its_client_leaves() {
        let (held, released) = tokio::sync::oneshot::channel::<()>();
        let left = answer("text/csv", LongRead::default(), |mut sink| async move {
            let _held = held;
            sink.write(b"some").await?;
            sink.flush().await?;
            std::future::pending().await
        })
        .await;
        drop(left);
        released.await.unwrap_err();
    }
}
