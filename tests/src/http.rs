//! A small HTTP client. It opens a connection for each request, so that a server may restart between two requests.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Longer than any answer takes.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);

/// A client of one server, with or without an API key.
#[derive(Clone, Debug)]
pub struct Client {
    address: SocketAddr,
    key: Option<String>,
}

/// There was no answer. The request may have been executed or not.
#[derive(Debug)]
pub struct NoAnswer(pub String);

/// The answer of a server.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A request under construction.
#[derive(Debug)]
pub struct Ask {
    client: Client,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Client {
    /// A client without a key.
    pub fn new(address: SocketAddr) -> Client {
        Client { address, key: None }
    }

    /// A client of the same server with this key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Client {
        Client { address: self.address, key: Some(key.to_owned()) }
    }

    pub fn ask(&self, method: Method, path: impl Into<String>) -> Ask {
        let authorization =
            self.key.as_ref().map(|key| ("authorization".to_owned(), format!("Bearer {key}")));
        let headers = authorization.into_iter().collect();
        Ask { client: self.clone(), method, path: path.into(), headers, body: Bytes::new() }
    }

    pub fn get(&self, path: impl Into<String>) -> Ask {
        self.ask(Method::GET, path)
    }

    /// A POST of JSON.
    pub fn post(&self, path: impl Into<String>, body: &Value) -> Ask {
        self.ask(Method::POST, path).json(body)
    }
}

impl Ask {
    #[must_use]
    pub fn header(mut self, name: &str, value: impl ToString) -> Ask {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    #[must_use]
    pub fn json(self, body: &Value) -> Ask {
        self.header("content-type", "application/json").body(body.to_string())
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Ask {
        self.body = body.into();
        self
    }

    /// Sends the request. An answer with any status is a success.
    pub async fn send(self) -> Result<Answer, NoAnswer> {
        let address = self.client.address;
        match tokio::time::timeout(ANSWER_TIMEOUT, self.exchange()).await {
            Ok(answer) => answer.map_err(|error| NoAnswer(format!("{address}: {error}"))),
            Err(_) => Err(NoAnswer(format!("{address}: nothing within {ANSWER_TIMEOUT:?}"))),
        }
    }

    /// The answer, of any status. Fails the test if there is none.
    pub async fn answer(self) -> Answer {
        let what = format!("{} {}", self.method, self.path);
        self.send().await.unwrap_or_else(|NoAnswer(reason)| panic!("{what}: no answer from {reason}"))
    }

    /// The answer, which must have a status of success.
    pub async fn ok(self) -> Answer {
        let what = format!("{} {}", self.method, self.path);
        let answer = self.answer().await;
        assert!(answer.status.is_success(), "{what}: {answer}");
        answer
    }

    async fn exchange(self) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect(self.client.address).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let mut request = Request::builder().method(self.method).uri(&self.path);
        request = request.header("host", self.client.address.to_string());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(self.body))?;
        let answered = async {
            let response = sender.send_request(request).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, hyper::Error>(Answer { status: parts.status, headers: parts.headers, body })
        };
        tokio::pin!(answered);
        // A server may answer and close the connection before it has read the whole body.
        tokio::select! {
            biased;
            answer = &mut answered => Ok(answer?),
            ended = connection => match answered.await {
                Ok(answer) => Ok(answer),
                Err(error) => Err(ended.err().unwrap_or(error).into()),
            },
        }
    }
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self}"))
    }

    /// The code of a problem document; empty for anything else.
    pub fn code(&self) -> String {
        let problem: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        problem["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The position in the header of the answer.
    pub fn position(&self) -> i64 {
        let position = self.headers.get("recount-position").and_then(|value| value.to_str().ok());
        position.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no position: {self}"))
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.text())
    }
}
