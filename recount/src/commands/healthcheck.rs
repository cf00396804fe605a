//! `recount healthcheck`: checks whether a process is ready, for container images without curl.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Check whether a process is ready; the exit code is the answer
#[derive(Debug, Args)]
pub(crate) struct HealthcheckArgs {
    /// The address to check, as http://HOST:PORT/PATH
    #[arg(long, default_value = "http://127.0.0.1:8080/readyz")]
    url: String,
}

pub(crate) async fn run(args: HealthcheckArgs) -> anyhow::Result<()> {
    let rest = args.url.strip_prefix("http://").context("the address must start with http://")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let answer =
        tokio::time::timeout(REQUEST_TIMEOUT, ask(authority, path)).await.context("no answer in time")??;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    if status != "200" {
        bail!("{} answers {status}: {body}", args.url);
    }
    Ok(())
}

async fn ask(authority: &str, path: &str) -> anyhow::Result<String> {
    let mut stream =
        TcpStream::connect(authority).await.with_context(|| format!("{authority} cannot be reached"))?;
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
