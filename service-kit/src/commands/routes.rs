//! A whole command API for a domain whose commands are `serde` types.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use recount_core::{LogName, NameError, Position, RecordedEvent};
use recount_writer::{CommandEngine, Domain};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::batch::BATCH_COMMANDS_MAX;
use super::{Caller, CommandEndpoint, ProblemCatalogue, SubmitOptions, store_problem};
use crate::http::{JsonBody, NoParameters, Path, Query, invalid_at, invalid_parameter, parse_json};
use crate::problem::{Problem, kinds};

/// Events on a page.
const PAGE_EVENTS_MAX: u32 = 1_000;
const PAGE_EVENTS_DEFAULT: u32 = 100;

/// The command API of a domain:
///
/// - `PUT /{log}` creates a log;
/// - `POST /{log}/commands` submits a command, or a list of commands that are committed together. `?atomic=true` makes
///   the list all or nothing, `?dry_run=true` only decides;
/// - `GET /{log}/events?after=POSITION&limit=N` reads the log.
///
/// Nest them under a path of their own, such as `/logs`: the pages of the process (`/metrics`, `/problems` …) are at the
/// root. A command is the JSON of `D::Command`. An `Idempotency-Key` header makes a request safe to repeat. The process has to
/// add an [`Actor`](crate::http::Actor) to each request: who the caller is.
pub fn routes<D: Domain>(engine: CommandEngine<D>, catalogue: &'static ProblemCatalogue) -> Router
where
    D::Command: DeserializeOwned,
{
    Router::new()
        .route("/{log}", put(create_log::<D>))
        .route("/{log}/commands", axum::routing::post(submit::<D>))
        .route("/{log}/events", get(read_events::<D>))
        .with_state(Arc::new(Service { engine, catalogue }))
}

struct Service<D: Domain> {
    engine: CommandEngine<D>,
    catalogue: &'static ProblemCatalogue,
}

async fn create_log<D: Domain>(
    State(service): State<Arc<Service<D>>>,
    Path(log): Path<String>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<StatusCode, Problem> {
    service.engine.create_log(&log_name(&log)?).await.map_err(store_problem)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubmitQuery {
    #[serde(default)]
    atomic: bool,
    #[serde(default)]
    dry_run: bool,
}

async fn submit<D: Domain>(
    State(service): State<Arc<Service<D>>>,
    Path(log): Path<String>,
    Query(SubmitQuery { atomic, dry_run }): Query<SubmitQuery>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem>
where
    D::Command: DeserializeOwned,
{
    let log = log_name(&log)?;
    let endpoint = CommandEndpoint { engine: &service.engine, catalogue: service.catalogue };
    let options = SubmitOptions { atomic, dry_run };
    let is_list = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let commands = if is_list { read_list(&body)? } else { vec![read(&body)?] };
    let kind: &[u8] = if atomic { b"atomic" } else { b"independent" };
    let outcome = endpoint.submit(&log, &caller, commands, options, &[kind, &body]).await?;
    Ok(if is_list { endpoint.answer_batch(outcome) } else { endpoint.answer_single(outcome, StatusCode::OK) })
}

/// Tracking the place of an error takes time, so it is done only for a body that fails.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    serde_json::from_slice(body).or_else(|_| parse_json(body))
}

fn read_list<C: DeserializeOwned>(body: &Bytes) -> Result<Vec<C>, Problem> {
    let commands: Vec<C> = read(body)?;
    if (1..=BATCH_COMMANDS_MAX).contains(&commands.len()) {
        return Ok(commands);
    }
    let reason =
        format!("a batch has 1 to {BATCH_COMMANDS_MAX} commands, and this one has {}", commands.len());
    Err(invalid_at("", &reason))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    #[serde(default)]
    after: i64,
    limit: Option<u32>,
}

/// An event as clients see it.
#[derive(Serialize)]
struct EventBody {
    position: Position,
    id: Uuid,
    #[serde(rename = "type")]
    event_type: String,
    version: i16,
    recorded_at: chrono::DateTime<chrono::Utc>,
    data: Box<RawValue>,
}

async fn read_events<D: Domain>(
    State(service): State<Arc<Service<D>>>,
    Path(log): Path<String>,
    Query(EventsQuery { after, limit }): Query<EventsQuery>,
) -> Result<Response, Problem> {
    let log = log_name(&log)?;
    let reader = service.engine.reader();
    if reader.log(log.key()).await.map_err(store_problem)?.is_none_or(|found| found.name != log) {
        let ProblemCatalogue { log_unknown, log_unknown_detail, .. } = service.catalogue;
        return Err(Problem::new(log_unknown, *log_unknown_detail));
    }
    if after < 0 {
        return Err(invalid_parameter(
            "after",
            "The parameter `after`: a position is not negative.".to_owned(),
        ));
    }
    let limit = limit.unwrap_or(PAGE_EVENTS_DEFAULT);
    if !(1..=PAGE_EVENTS_MAX).contains(&limit) {
        let reason = format!("The parameter `limit`: expected a number from 1 to {PAGE_EVENTS_MAX}.");
        return Err(invalid_parameter("limit", reason));
    }
    let events = reader.read(log.key(), Position(after), limit).await.map_err(store_problem)?;
    let events: Vec<EventBody> = events.into_iter().map(event_body).collect::<Result<_, _>>()?;
    Ok(Json(events).into_response())
}

fn event_body(event: RecordedEvent) -> Result<EventBody, Problem> {
    let RecordedEvent { position, id, event_type, version, recorded_at, data, .. } = event;
    let data = RawValue::from_string(data).map_err(|error| Problem::internal(&error))?;
    Ok(EventBody { position, id, event_type, version, recorded_at, data })
}

/// The log that a path names.
pub fn log_name(name: &str) -> Result<LogName, Problem> {
    name.parse().map_err(|error: NameError| Problem::new(&kinds::INVALID_REQUEST, format!("{error}.")))
}
