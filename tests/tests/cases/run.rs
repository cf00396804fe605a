//! A case from its setup to its end.

use chrono::{DateTime, Utc};
use recount_command_service::ledger::{CommandKind, LedgerDomain, read_request};
use recount_domain::{Command, Rejection, Request};
use recount_events::ledger::{self, LedgerEvent};
use recount_service_kit::problem::Problem;
use recount_tests::cases::{Case, NOWHERE, Step, Told, Written, compare, compare_changes, setup};
use recount_writer::Domain;
use recount_writer::Domain;
use serde_json::{Value, json};

use crate::book::Book;

/// Some noon.
fn clock() -> DateTime<Utc> {
    "2026-03-15T12:00:00Z".parse().unwrap()
}

pub(crate) fn run(written: &Written) -> Result<(), String> {
    let case = written.at(clock());
    let named = |failure: String| format!("{}: \"{}\": {failure}", written.subject, case.name);
    let mut book = begin(&case).map_err(named)?;
    tell(&case, &mut book).map_err(named)?;
    book.check().map_err(named)?;
    assert_eq!(book.through_snapshots(), book.entities, "{}", case.name);
    for (balance, expected) in &case.balances {
        let (account, asset) = balance.rsplit_once(' ').unwrap();
        let actual = book.balance(account, asset).map_err(named)?;
        if actual != *expected {
            return Err(named(format!("{balance}: expected {expected:?}, and there is {actual:?}")));
        }
    }
    Ok(())
}

/// The book with everything in it that is given.
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

/// What is asked, in its order, and whether it is answered as it should be.
fn tell(case: &Case, book: &mut Book) -> Result<(), String> {
    let before = book.clone();
    let (steps, is_batch) = case.when.steps();
    let dry_run = case.when.says("dry_run");
    let told = if is_batch {
        batch(&steps, case.when.says("atomic"), book)?
    } else {
        single(case, &steps[0], book)?
    };
    compare(&case.then, &told)?;
    let nothing_changes = dry_run || matches!(told, Told::Rejected(_));
    if dry_run {
        *book = before.clone();
    }
    if nothing_changes && book.entities != before.entities {
        return Err("it changed something".to_owned());
    }
    Ok(())
}

fn single(case: &Case, step: &Step, book: &mut Book) -> Result<Told, String> {
    let decided = one(step, book)?;
    if let Ok((_, events)) = &decided {
        let balances: Vec<Value> = explained(book, events);
        compare_changes(case.changes.as_ref(), &Value::Array(balances))?;
        book.apply(events);
        repeats(step, book)?;
    }
    Ok(told(decided))
}

/// What comes of a command: the request that it was, with its events, or a problem document.
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

fn told(decided: Decided) -> Told {
    match decided {
        Err(problem) => Told::Rejected(problem),
        Ok((_, events)) => Told::Accepted(events.iter().map(event_json).collect()),
    }
}

fn event_json(event: &LedgerEvent) -> Value {
    let ledger::codec::Encoded { event_type, data, .. } = ledger::encode(event);
    json!({"type": event_type, "data": serde_json::from_str::<Value>(&data).unwrap()})
}

/// The problem document of a rejection, as far as the domain has a say in it.
fn document(rejection: &Rejection) -> Value {
    let code = rejection.code();
    let status = match code.code {
        // The ledger is found by its address, before anything is decided.
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

/// The balances of a dry run's answer.
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

/// What was done is so already: a repeat is accepted, and nothing happens.
fn repeats(step: &Step, book: &Book) -> Result<(), String> {
    if !step.can_be_told_again() {
        return Ok(());
    }
    match one(step, book)? {
        Ok((_, events)) if events.is_empty() => Ok(()),
        other => Err(format!("a repeat is {other:?}")),
    }
}

fn batch(steps: &[Step], atomic: bool, book: &mut Book) -> Result<Told, String> {
    let before = book.clone();
    let mut outcomes = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        match one(step, book)? {
            Err(mut problem) if atomic => {
                *book = before;
                problem["failed_command"] = index.into();
                return Ok(Told::Rejected(problem));
            }
            decided => {
                if let Ok((_, events)) = &decided {
                    book.apply(events);
                }
                outcomes.push(told(decided));
            }
        }
    }
    Ok(Told::Outcomes(outcomes))
}
