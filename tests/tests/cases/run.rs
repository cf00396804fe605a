//! Runs a case, from its setup to its checks.

use chrono::{DateTime, Utc};
use recount_command_service::ledger::{CommandKind, LedgerDomain, read_request};
use recount_domain::{Command, Rejection, Request};
use recount_events::ledger::{self, LedgerEvent};
use recount_service_kit::problem::Problem;
use recount_tests::cases::{Case, CaseTemplate, NOWHERE, Outcome, Step, compare, compare_changes, setup};
use recount_writer::Domain;
use serde_json::{Value, json};

use crate::book::Book;

/// The initial time of every case.
fn clock() -> DateTime<Utc> {
    "2026-03-15T12:00:00Z".parse().unwrap()
}

pub(crate) fn run(template: &CaseTemplate) -> Result<(), String> {
    let case = template.at(clock());
    let named = |failure: String| format!("{}: \"{}\": {failure}", template.subject, case.name);
    let mut book = begin(&case).map_err(named)?;
    run_command(&case, &mut book).map_err(named)?;
    book.check().map_err(named)?;
    assert_eq!(book.through_snapshots(), book.entities, "{}", case.name);
    for (balance, expected) in &case.balances {
        let (account, asset) = balance.rsplit_once(' ').unwrap();
        let actual = book.balance(account, asset).map_err(named)?;
        if actual != *expected {
            return Err(named(format!("{balance}: expected {expected:?}, actual {actual:?}")));
        }
    }
    Ok(())
}

/// The book after the setup and the given commands.
fn begin(case: &Case) -> Result<Book, String> {
    let mut book = Book::new(clock());
    if case.on == NOWHERE {
        return Ok(book);
    }
    let created = book.decide(&Command::CreateLedger { ledger: "main".to_owned() }.into())?;
    book.apply(&created.unwrap());
    for step in setup(&case.on).iter().chain(&case.given) {
        match one(step, &book)? {
            Ok((_, events)) if !events.is_empty() => book.apply(&events),
            other => return Err(format!("given {step:?}: {other:?}")),
        }
    }
    book.now += case.passes.unwrap_or_default();
    Ok(book)
}

/// Sends the command or batch, and compares its outcome.
fn run_command(case: &Case, book: &mut Book) -> Result<(), String> {
    let before = book.clone();
    let (steps, is_batch) = case.when.steps();
    let dry_run = case.when.says("dry_run");
    let outcome = if is_batch {
        batch(&steps, case.when.says("atomic"), book)?
    } else {
        single(case, &steps[0], book)?
    };
    compare(&case.then, &outcome)?;
    let nothing_changes = dry_run || matches!(outcome, Outcome::Rejected(_));
    if dry_run {
        *book = before.clone();
    }
    if nothing_changes && book.entities != before.entities {
        return Err("the command changed the book".to_owned());
    }
    Ok(())
}

fn single(case: &Case, step: &Step, book: &mut Book) -> Result<Outcome, String> {
    let decided = one(step, book)?;
    if let Ok((_, events)) = &decided {
        let balances: Vec<Value> = explained(book, events);
        compare_changes(case.changes.as_ref(), &Value::Array(balances))?;
        book.apply(events);
        check_repeat(step, book)?;
    }
    Ok(outcome(decided))
}

/// The request with its events, or a problem document.
type Decided = Result<(Request, Vec<LedgerEvent>), Value>;

fn one(step: &Step, book: &Book) -> Result<Decided, String> {
    let kind =
        CommandKind::named(&step.command).ok_or_else(|| format!("no command is `{}`", step.command))?;
    let request = match read_request(kind, step.data.to_string().as_bytes()) {
        Ok(request) => request,
        Err(problem) => return Ok(Err(Problem::body_json(&problem))),
    };
    Ok(match book.decide(&request)? {
        Ok(events) => Ok((request, events)),
        Err(rejection) => Err(document(&rejection)),
    })
}

fn outcome(decided: Decided) -> Outcome {
    match decided {
        Err(problem) => Outcome::Rejected(problem),
        Ok((_, events)) => Outcome::Accepted(events.iter().map(event_json).collect()),
    }
}

fn event_json(event: &LedgerEvent) -> Value {
    let ledger::codec::Encoded { event_type, data, .. } = ledger::encode(event);
    json!({"type": event_type, "data": serde_json::from_str::<Value>(&data).unwrap()})
}

/// The members of a problem document that the domain determines.
fn document(rejection: &Rejection) -> Value {
    let code = rejection.code();
    let status = match code.code {
        // An unknown ledger is detected from the URL, before anything is decided.
        "ledger-unknown" => 404,
        _ if code.conflict => 409,
        _ => 422,
    };
    let mut document =
        json!({"code": code.code, "status": status, "detail": LedgerDomain::refusal(rejection).detail});
    let details = rejection.details().into_iter();
    document.as_object_mut().unwrap().extend(details.map(|(name, value)| (name.to_owned(), value.into())));
    document
}

/// The balances in the answer to a dry run.
fn explained(book: &Book, events: &[LedgerEvent]) -> Vec<Value> {
    let figures = |figures: recount_domain::Figures| {
        let recount_domain::Figures { posted, held, incoming, available } = figures;
        let texts = [posted, held, incoming, available].map(|figure| figure.to_string());
        json!({"posted": texts[0], "held": texts[1], "incoming": texts[2], "available": texts[3]})
    };
    let changes = book.explained(events).into_iter();
    let changes = changes.map(|change| {
        json!({
            "account": change.account, "asset": change.asset,
            "before": figures(change.before), "after": figures(change.after),
        })
    });
    changes.collect()
}

/// Checks that a repeat is accepted without events.
fn check_repeat(step: &Step, book: &Book) -> Result<(), String> {
    if !step.is_idempotent() {
        return Ok(());
    }
    match one(step, book)? {
        Ok((_, events)) if events.is_empty() => Ok(()),
        other => Err(format!("a repeat has the outcome {other:?}")),
    }
}

fn batch(steps: &[Step], atomic: bool, book: &mut Book) -> Result<Outcome, String> {
    let before = book.clone();
    let mut outcomes = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        match one(step, book)? {
            Err(mut problem) if atomic => {
                *book = before;
                problem["failed_command"] = index.into();
                return Ok(Outcome::Rejected(problem));
            }
            decided => {
                if let Ok((_, events)) = &decided {
                    book.apply(events);
                }
                outcomes.push(outcome(decided));
            }
        }
    }
    Ok(Outcome::Outcomes(outcomes))
}
