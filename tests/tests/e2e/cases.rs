//! The cases of `tests/cases` through the real binary: a ledger of its own for each.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use recount_service_kit::clock;
use recount_test_support::eventually;
use recount_tests::cases::{
    self, Case, CaseTemplate, Figures, NOWHERE, Outcome, Step, compare, compare_changes, compare_members,
    setup,
};
use recount_tests::http::{Answer, Ask, Client};
use recount_tests::ledger::LedgerClient;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Up;

/// Cases that run at the same time: enough for commands of several ledgers to overlap.
const CONCURRENT_CASES_MAX: usize = 8;
/// The longest time that a case may let pass over HTTP. Cases with a longer time run in memory only.
const PASSES_TIMEOUT: Duration = Duration::from_secs(3);
/// A case that starts this close to midnight might end on another day.
const MIDNIGHT_MARGIN_SECONDS: i64 = 90;
/// How long the given commands of a case may take on a slow machine. The time that has to pass counts from then on.
const GIVEN_TIMEOUT: TimeDelta = TimeDelta::seconds(10);
const KEY: &str = "the-one-key";

#[tokio::test(flavor = "multi_thread")]
async fn the_service_passes_every_case_over_http() {
    let up = Up::start().await;
    let permits = Arc::new(Semaphore::new(CONCURRENT_CASES_MAX));
    let mut running = JoinSet::new();
    for (number, case) in cases::all().into_iter().enumerate() {
        let (client, permits) = (up.client.clone(), Arc::clone(&permits));
        running.spawn(async move {
            let _permit = permits.acquire().await.unwrap();
            run(&client, number, &case).await
        });
    }
    let results = running.join_all().await;
    let failed: Vec<&String> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert!(failed.is_empty(), "{} of {} cases:\n{failed:#?}", failed.len(), results.len());
}

async fn run(client: &Client, number: usize, written: &CaseTemplate) -> Result<(), String> {
    wait_while_close_to_midnight().await;
    let mut now = clock::now();
    let mut case = written.at(now);
    if case.in_memory_only.is_some() || case.passes.is_some_and(|passes| passes > PASSES_TIMEOUT) {
        return Ok(());
    }
    if case.passes.is_some() {
        now += GIVEN_TIMEOUT;
        case = written.at(now);
    }
    let ledger = LedgerClient::at(client, &format!("{}-{number}", written.subject));
    let named =
        |failure: String| format!("{}: \"{}\" in {}: {failure}", written.subject, case.name, ledger.name);
    let before = begin(&case, &ledger).await.map_err(named)?;
    wait_until(now + case.passes.unwrap_or_default()).await;
    run_command(&case, &ledger, before).await.map_err(named)
}

/// Runs the setup and the given commands. Returns the head of the log after them.
async fn begin(case: &Case, ledger: &LedgerClient) -> Result<i64, String> {
    if case.on == NOWHERE {
        return Ok(0);
    }
    let created = ledger.commands.ask(Method::PUT, ledger.path("")).ok().await.position();
    let steps: Vec<Value> = setup(&case.on).iter().chain(&case.given).map(item).collect();
    if steps.is_empty() {
        return Ok(created);
    }
    let answer = ledger.commands.post(ledger.path("/commands"), &Value::Array(steps)).ok().await;
    let outcomes = answer.json()["outcomes"].as_array().unwrap().clone();
    let idle = |outcome: &&Value| outcome["accepted"]["events"].as_array().is_none_or(Vec::is_empty);
    match outcomes.iter().find(idle) {
        Some(outcome) => Err(format!("a given command has no events: {outcome}")),
        None => Ok(answer.position()),
    }
}

fn item(Step { command, data }: &Step) -> Value {
    json!({"command": command, "data": data})
}

/// Sends the command twice with one key, and compares the outcome and its effects with the expected ones.
async fn run_command(case: &Case, ledger: &LedgerClient, before: i64) -> Result<(), String> {
    let answer = ask(case, ledger).answer().await;
    check_repeat(case, ledger, &answer).await?;
    let outcome = outcome_of(case, ledger, &answer).await?;
    compare(&case.then, &outcome)?;
    compare_changes(case.changes.as_ref(), &answer.json()["balances"])?;
    if case.on == NOWHERE {
        return Ok(());
    }
    let head = ledger.head().await;
    // If time has passed, the service may have submitted commands of deadlines.
    if case.passes.is_none() {
        let happened = if case.when.says("dry_run") { 0 } else { count(&outcome) };
        if head != before + happened {
            return Err(format!(
                "the log grew from {before} to {head}, but the answer has {happened} events"
            ));
        }
    }
    for (name, expected) in &case.balances {
        let actual = balance(ledger, name, head).await?;
        if actual != *expected {
            return Err(format!("{name}: expected {expected:?} but got {actual:?}"));
        }
    }
    for (path, expected) in &case.shows {
        let shown = shown(ledger, path, head).await;
        compare_members(expected, &shown).map_err(|difference| format!("{path}: {difference}"))?;
    }
    Ok(())
}

fn ask(case: &Case, ledger: &LedgerClient) -> Ask {
    let (steps, is_batch) = case.when.steps();
    let query = if case.when.query.is_empty() { String::new() } else { format!("?{}", case.when.query) };
    let ask = if is_batch {
        let body = steps.iter().map(item).collect();
        ledger.commands.post(ledger.path(&format!("/commands{query}")), &body)
    } else {
        ledger.command(&format!("{}{query}", steps[0].command), &steps[0].data)
    };
    ask.header("idempotency-key", KEY)
}

/// Checks that a repeat has the same answer, byte for byte, and that the key cannot be used for another command.
async fn check_repeat(case: &Case, ledger: &LedgerClient, first: &Answer) -> Result<(), String> {
    if case.when.says("dry_run") {
        // A dry run records nothing, so a repeat is decided again.
        return Ok(());
    }
    let again = ask(case, ledger).answer().await;
    if (again.status, &again.body) != (first.status, &first.body) {
        return Err(format!("the first answer was {first}, but the second {again}"));
    }
    if ["invalid-request", "ledger-unknown"].contains(&&*first.code()) {
        return Ok(());
    }
    let other = ledger.command("register-asset", &json!({"asset": "OTHER/0"}));
    let other = other.header("idempotency-key", KEY).answer().await;
    match (other.status.as_u16(), other.code().as_str()) {
        (422, "idempotency-key-reused") => Ok(()),
        _ => Err(format!("another command under the same key was answered {other}")),
    }
}

/// The outcome in the answer, with the events as they are in the log.
async fn outcome_of(case: &Case, ledger: &LedgerClient, answer: &Answer) -> Result<Outcome, String> {
    let body = answer.json();
    if !answer.status.is_success() {
        if body["status"] != answer.status.as_u16() {
            return Err(format!("the status in the body is not that of the answer: {answer}"));
        }
        return Ok(Outcome::Rejected(body));
    }
    let log = if case.on == NOWHERE { Vec::new() } else { ledger.events().await };
    match body["outcomes"].as_array() {
        None => accepted(&body, &log),
        Some(outcomes) => {
            let parsed = outcomes.iter().map(|outcome| match &outcome["rejected"] {
                Value::Null => accepted(&outcome["accepted"], &log),
                problem => Ok(Outcome::Rejected(problem.clone())),
            });
            parsed.collect::<Result<_, _>>().map(Outcome::Outcomes)
        }
    }
}

fn accepted(body: &Value, log: &[Value]) -> Result<Outcome, String> {
    let events = body["events"].as_array().ok_or_else(|| format!("no events in {body}"))?;
    let event = |listed: &Value| {
        if body["dry_run"] == true {
            return Ok(listed.clone());
        }
        let position = listed["position"].as_u64().and_then(|position| usize::try_from(position).ok());
        let event = position.and_then(|position| log.get(position - 1));
        match event {
            Some(event) if (&event["id"], &event["type"]) == (&listed["id"], &listed["type"]) => {
                Ok(event.clone())
            }
            _ => Err(format!("{listed} is not in the log")),
        }
    };
    events.iter().map(event).collect::<Result<_, _>>().map(Outcome::Accepted)
}

fn count(outcome: &Outcome) -> i64 {
    match outcome {
        Outcome::Accepted(events) => i64::try_from(events.len()).unwrap(),
        Outcome::Rejected(_) => 0,
        Outcome::Outcomes(outcomes) => outcomes.iter().map(count).sum(),
    }
}

/// The balance that `name` gives by account and asset, at the head. It is zero if there is none.
async fn balance(ledger: &LedgerClient, name: &str, head: i64) -> Result<Figures, String> {
    let (account, asset) = name.rsplit_once(' ').unwrap();
    let shown = ledger.answer_at(&format!("/accounts/{account}"), head).await.json();
    let balances = shown["balances"].as_array().ok_or_else(|| format!("no balances in {shown}"))?;
    let Some(balance) = balances.iter().find(|balance| balance["asset"] == asset) else {
        return Ok(Figures::default());
    };
    let [posted, held, incoming, available] = ["posted", "held", "incoming", "available"]
        .map(|figure| balance[figure].as_str().and_then(|text| text.parse().ok()));
    let figures =
        (|| Some(Figures { posted: posted?, held: held?, incoming: incoming?, available: available? }))();
    figures.ok_or_else(|| format!("a figure is missing in {balance}"))
}

/// The answer to a query at the head, also if it is a problem.
async fn shown(ledger: &LedgerClient, path: &str, head: i64) -> Value {
    let ask = ledger.queries.get(ledger.path(path.trim_end_matches('/'))).header("recount-at-least", head);
    ask.header("prefer", "wait=30").answer().await.json()
}

async fn wait_until(time: DateTime<Utc>) {
    eventually(Duration::from_secs(60), "time passes", || async { clock::now() >= time }).await;
}

async fn wait_while_close_to_midnight() {
    let margin = TimeDelta::seconds(MIDNIGHT_MARGIN_SECONDS);
    let timeout = Duration::from_secs(180);
    eventually(timeout, "midnight is over", || async {
        let now = clock::now();
        now.date_naive() == (now + margin).date_naive()
    })
    .await;
}
