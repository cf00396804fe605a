//! The log of a ledger: its events, exactly as they were recorded.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use recount_core::{LogName, NameError, Position, Tag};
use recount_service_kit::http::{Path, Query, invalid_parameter};
use recount_service_kit::problem::{Problem, kinds};
use recount_store::LogReader;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::questions::events::{self, EventPage, EventsRequest};
use crate::rest::answer::POSITION;
use crate::rest::parameters::LedgerPath;
use crate::rest::problems::EventsProblems;

const LIMIT_MAX: u32 = 1_000;
const LIMIT_DEFAULT: i64 = 100;

/// The events that are asked for. A page starts behind a position, which is no secret, so there is no cursor.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::rest) struct Parameters {
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

/// Reads the log: its events in order of position, with their data byte for byte.
#[utoipa::path(get, path = "/v1/ledgers/{ledger}/events", tag = "log", operation_id = "list_events",
    params(LedgerPath, Parameters),
    responses((status = 200, description = "Events in order", body = EventPage,
        headers(("Recount-Position" = i64, description = "The position of the last event in the log"))), EventsProblems))]
pub(in crate::rest) async fn list(
    State(reader): State<LogReader>,
    Path(LedgerPath { ledger }): Path<LedgerPath>,
    Query(Parameters { after, limit, tag }): Query<Parameters>,
) -> Result<Response, Problem> {
    let ledger = ledger_name(&ledger)?;
    let limit = page_limit(limit)?;
    let after = page_start(after)?;
    let log = events::find_log(&reader, &ledger).await?;
    let tag = tag.as_deref().map(entity_tag).transpose()?;
    let page = events::page(&reader, &log, &EventsRequest { after, limit, tag }).await?;
    Ok(([(POSITION, log.tip.position.to_string())], Json(page)).into_response())
}

fn ledger_name(name: &str) -> Result<LogName, Problem> {
    name.parse().map_err(|error: NameError| {
        let NameError { name, rule, .. } = error;
        Problem::new(&kinds::INVALID_REQUEST, format!("`{name}` is not a valid ledger name: {rule}."))
    })
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
