//! Checks whether a broker serves, with a metadata request whose answer must name a live broker.
//!
//! A broker accepts connections, and even answers with its API versions, before the controller lets it serve. Only after
//! that does it appear in its own metadata.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A metadata answer without topics is small. A larger one does not come from Kafka.
const ANSWER_BYTES_MAX: u32 = 64 * 1024;

const CORRELATION: i32 = 7;

pub(super) async fn is_serving(port: u16) -> bool {
    let asked = tokio::time::timeout(ANSWER_TIMEOUT, living_brokers(port)).await;
    matches!(asked, Ok(Ok(brokers)) if brokers > 0)
}

async fn living_brokers(port: u16) -> std::io::Result<i32> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(&request()).await?;
    let size = stream.read_u32().await?;
    if !(8..=ANSWER_BYTES_MAX).contains(&size) {
        return Err(std::io::Error::other("the answer is not from Kafka"));
    }
    let correlation = stream.read_i32().await?;
    if correlation != CORRELATION {
        return Err(std::io::Error::other("the answer is to another request"));
    }
    stream.read_i32().await
}

/// Metadata, version 1: header (key, version, correlation, client id), then an empty list of topics.
fn request() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&3_i16.to_be_bytes());
    body.extend_from_slice(&1_i16.to_be_bytes());
    body.extend_from_slice(&CORRELATION.to_be_bytes());
    body.extend_from_slice(&7_i16.to_be_bytes());
    body.extend_from_slice(b"recount");
    body.extend_from_slice(&0_i32.to_be_bytes());
    let length = i32::try_from(body.len()).expect("the request has a few dozen bytes");
    [length.to_be_bytes().as_slice(), &body].concat()
}
