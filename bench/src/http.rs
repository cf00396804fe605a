//! A minimal keep-alive HTTP/1.1 connection: it shares its cores with the service that it measures.
//!
//! It only talks to our own service: responses have a content length, and requests are not pipelined.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Large enough for the response to a single command.
const READ_BYTES_MIN: usize = 4 * 1024;

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// The parts of a response that the load generator uses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Response<'_> {
    /// Status and body as text.
    pub(crate) fn to_text(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(self.body))
    }
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Connection> {
        let stream =
            TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, received: Vec::with_capacity(READ_BYTES_MIN) })
    }

    /// Sends a complete request and waits for the complete response.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Response<'_>> {
        self.stream.write_all(request).await?;
        self.received.clear();
        let head = loop {
            self.receive(READ_BYTES_MIN).await?;
            if let Some(head) = parse_head(&self.received)? {
                break head;
            }
        };
        let end = head.bytes + head.body_bytes;
        while self.received.len() < end {
            self.receive(end - self.received.len()).await?;
        }
        Ok(Response { status: head.status, body: &self.received[head.bytes..end] })
    }

    async fn receive(&mut self, bytes: usize) -> anyhow::Result<()> {
        self.received.reserve(bytes);
        if self.stream.read_buf(&mut self.received).await? == 0 {
            bail!("the service closed the connection");
        }
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    bytes: usize,
    body_bytes: usize,
}

/// Parses the head of a response, if it has arrived completely.
fn parse_head(received: &[u8]) -> anyhow::Result<Option<Head>> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(end) = received.windows(END.len()).position(|bytes| bytes == END) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&received[..end]).context("the head of a response is not text")?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|line| line.get(..3)?.parse().ok())
        .with_context(|| format!("not an HTTP/1.1 response: {text}"))?;
    let body_bytes = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .with_context(|| format!("a response without a content length: {text}"))?;
    Ok(Some(Head { status, bytes: end + END.len(), body_bytes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_response_is_parsed_once_it_is_complete() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nContent-Length: 2\r\n\r\n{}";
        let body = answer.len() - 2;
        assert_eq!(parse_head(&answer[..body - 1]).unwrap(), None);
        let head = Head { status: 200, bytes: body, body_bytes: 2 };
        assert_eq!(parse_head(&answer[..body]).unwrap(), Some(head));
    }

    #[test]
    fn a_malformed_response_is_an_error() {
        for answer in [
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 2\r\ncontent-length: 0\r\n\r\n",
            "SMTP\r\n\r\n",
        ] {
            assert!(parse_head(answer.as_bytes()).is_err(), "{answer}");
        }
    }
}
