//! A client of a ledger: commands, the log, balances, and a fold of the log that is independent of Recount's code.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use http::Method;
use recount_test_support::eventually_some;
use serde_json::{Value, json};

use crate::http::{Answer, Ask, Client};

const PAGE_EVENTS_MAX: usize = 1_000;
/// How long read models may take to catch up, in seconds, whatever was killed.
const CATCH_UP_TIMEOUT_SECONDS: u64 = 60;
/// How long it may take until a service that was killed or paused answers again.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(400);

/// Debits and credits, by account and asset.
pub type Sums = BTreeMap<(String, String), (i128, i128)>;

/// A ledger behind a service that accepts commands and one that answers every GET, which may be the same.
#[derive(Clone, Debug)]
pub struct LedgerClient {
    pub commands: Client,
    pub queries: Client,
    pub name: String,
}

/// An acknowledged transaction: from then on, it must be in the log at this position.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    pub transaction: String,
    pub position: i64,
}

impl LedgerClient {
    /// A client of a single process with all roles.
    pub fn at(client: &Client, name: &str) -> LedgerClient {
        LedgerClient { commands: client.clone(), queries: client.clone(), name: name.to_owned() }
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/v1/ledgers/{}{rest}", self.name)
    }

    /// Creates the ledger, with an asset and the two accounts that transactions run between.
    pub async fn set_up(&self) {
        self.commands.ask(Method::PUT, self.path("")).ok().await;
        self.command("register-asset", &json!({"asset": "USD/2"})).ok().await;
        for (account, kind) in [("bank", "asset"), ("users:alice", "liability"), ("users:bob", "liability")] {
            self.command("open-account", &json!({"account": account, "kind": kind})).ok().await;
        }
    }

    pub fn command(&self, command: &str, data: &Value) -> Ask {
        self.commands.post(self.path(&format!("/commands/{command}")), data)
    }

    /// Posts a transaction of some money for Alice or for Bob.
    pub async fn pay(&self, transaction: &str) -> Acknowledged {
        let answer = self.command("post-transaction", &payment(transaction)).ok().await;
        acknowledged(transaction, &answer)
    }

    /// All events of the log. Checks that the positions have no gaps.
    pub async fn events(&self) -> Vec<Value> {
        let mut events: Vec<Value> = Vec::new();
        loop {
            let path = self.path(&format!("/events?after={}&limit={PAGE_EVENTS_MAX}", events.len()));
            let body = self.queries.get(path).ok().await.json();
            let page = body["events"].as_array().expect("a page has events").clone();
            for event in page {
                let position = events.len() as i64 + 1;
                assert_eq!(event["position"], position, "there is a gap in the log: {event}");
                events.push(event);
            }
            if body["next"].is_null() {
                return events;
            }
            assert_eq!(body["next"], events.len() as i64);
        }
    }

    /// The last position of the log.
    pub async fn head(&self) -> i64 {
        self.queries.get(self.path("/events?limit=1")).ok().await.position()
    }

    /// The trial balance once it reflects this position.
    pub async fn trial_balance(&self, at_least: i64) -> Sums {
        let answer = self.answer_at("/trial-balance", at_least).await;
        assert!(answer.position() >= at_least, "{answer}");
        let rows = answer.json()["rows"].as_array().expect("a trial balance has rows").clone();
        rows.iter()
            .map(|row| {
                ((text(row, "account"), text(row, "asset")), (amount(row, "debits"), amount(row, "credits")))
            })
            .collect()
    }

    /// The answer to a query once it reflects this position.
    pub async fn answer_at(&self, path: &str, at_least: i64) -> Answer {
        let ask = self.queries.get(self.path(path)).header("recount-at-least", at_least);
        ask.header("prefer", format!("wait={CATCH_UP_TIMEOUT_SECONDS}")).ok().await
    }

    /// Checks that every acknowledged transaction is in the log at its position, that no transaction is there twice,
    /// and that the read models match the log. Returns the events.
    pub async fn check(&self, acknowledged: &[Acknowledged]) -> Vec<Value> {
        let events = self.events().await;
        let mut posted: HashMap<String, i64> = HashMap::new();
        for event in events.iter().filter(|event| event["type"] == "transaction-posted") {
            let position = event["position"].as_i64().expect("a position is a number");
            let before = posted.insert(text(&event["data"], "transaction"), position);
            assert_eq!(before, None, "a transaction is in the log twice: {event}");
        }
        for Acknowledged { transaction, position } in acknowledged {
            assert_eq!(posted.get(transaction), Some(position), "{transaction} was acknowledged");
        }
        assert_eq!(self.trial_balance(events.len() as i64).await, fold(&events));
        events
    }
}

/// A payment whose content follows from its name, so that a repeat is the same.
pub fn payment(transaction: &str) -> Value {
    let length = transaction.len();
    let (account, amount) = if length.is_multiple_of(2) { ("users:alice", 100) } else { ("users:bob", 7) };
    let transfer =
        json!({"debit": "bank", "credit": account, "asset": "USD/2", "amount": amount.to_string()});
    json!({"transaction": transaction, "transfers": [transfer]})
}

/// Posts the payment with one idempotency key until a service acknowledges it.
pub async fn pay_until_done(services: &[LedgerClient], first: usize, transaction: &str) -> Acknowledged {
    let mut service = first;
    let what = format!("{transaction} is acknowledged");
    eventually_some(RECOVERY_TIMEOUT, &what, || {
        let ledger = &services[service % services.len()];
        service += 1;
        let ask = ledger.command("post-transaction", &payment(transaction));
        let ask = ask.header("idempotency-key", format!("\"{transaction}\""));
        async move {
            let answer = ask.send().await.ok()?;
            match answer.status.as_u16() {
                200 => Some(acknowledged(transaction, &answer)),
                503 => None,
                _ => panic!("{transaction} was answered with {answer}"),
            }
        }
    })
    .await
}

fn acknowledged(transaction: &str, answer: &Answer) -> Acknowledged {
    let body = answer.json();
    let event = &body["events"][0];
    assert_eq!(event["type"], "transaction-posted", "{transaction}: {answer}");
    let position = event["position"].as_i64().expect("a position is a number");
    Acknowledged { transaction: transaction.to_owned(), position }
}

/// The sums that follow from the events.
pub fn fold(events: &[Value]) -> Sums {
    let mut sums = Sums::new();
    for event in events.iter().filter(|event| event["type"] == "transaction-posted") {
        for entry in event["data"]["entries"].as_array().expect("a transaction has entries") {
            let (debits, credits) = sums.entry((text(entry, "account"), text(entry, "asset"))).or_default();
            match entry["direction"].as_str() {
                Some("debit") => *debits += amount(entry, "amount"),
                Some("credit") => *credits += amount(entry, "amount"),
                _ => panic!("an entry is a debit or a credit: {entry}"),
            }
        }
    }
    sums
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_else(|| panic!("`{member}` is not a text in {value}")).to_owned()
}

fn amount(value: &Value, member: &str) -> i128 {
    text(value, member).parse().unwrap_or_else(|_| panic!("`{member}` is not an amount in {value}"))
}
