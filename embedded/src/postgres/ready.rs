//! Checks whether a server accepts connections, as `pg_isready` does: with a start-up message.
//!
//! This is not a client: it reads the first answer and closes the connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::USER;
use super::socket::Socket;

const PROTOCOL_3_0: u32 = 196_608;

/// A server that accepts the connection but sends nothing counts as silent.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// SQLSTATE `cannot_connect_now`: starting, recovering or stopping.
const NOT_NOW: &[u8] = b"C57P03\0";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Ready,
    NotNow,
    Silent,
}

pub(super) async fn ask(socket: &Socket) -> Answer {
    let asked = tokio::time::timeout(ANSWER_TIMEOUT, exchange(socket)).await;
    match asked {
        Ok(Ok(answer)) => interpret(&answer),
        Ok(Err(_)) | Err(_) => Answer::Silent,
    }
}

async fn exchange(socket: &Socket) -> std::io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket.path()).await?;
    stream.write_all(&startup_message()).await?;
    let mut answer = vec![0; 1024];
    let length = stream.read(&mut answer).await?;
    answer.truncate(length);
    // Terminate, so that the server does not report a lost connection.
    let _ = stream.write_all(b"X\0\0\0\x04").await;
    Ok(answer)
}

fn startup_message() -> Vec<u8> {
    let mut body = PROTOCOL_3_0.to_be_bytes().to_vec();
    for text in ["user", USER, "database", "postgres"] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).expect("the message has a few dozen bytes");
    let mut message = length.to_be_bytes().to_vec();
    message.append(&mut body);
    message
}

/// Any error except "not now", such as too many connections, comes from a server that is up.
fn interpret(answer: &[u8]) -> Answer {
    match answer.first() {
        Some(b'R') => Answer::Ready,
        Some(b'E') if answer.windows(NOT_NOW.len()).any(|part| part == NOT_NOW) => Answer::NotNow,
        Some(b'E') => Answer::Ready,
        _ => Answer::Silent,
    }
}
