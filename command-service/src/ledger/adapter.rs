//! The ledger as a domain of the engine.

use chrono::{DateTime, Utc};
use recount_core::Tag;
use recount_domain::{BalanceChange, Command, Entity, Figures, HoldStatus, Rejection, Request, States};
use recount_events::ledger::{self, HoldId, LedgerEvent, MetadataOwner};
use serde_json::{Map, Value, json};

use recount_writer::{DeadlineChange, Domain, Encoded, Find, Refusal, Undecodable};

/// The double-entry ledger.
#[derive(Clone, Copy, Debug)]
pub struct Ledger;

impl Domain for Ledger {
    type Command = Request;
    type Event = LedgerEvent;
    type Entity = Entity;
    type Rejection = Rejection;
    type Answer = Map<String, Value>;
    type Explanation = Map<String, Value>;

    const SNAPSHOT_VERSION: i16 = 3;

    fn needs(request: &Request, find: Find<'_, Entity>) -> Vec<Tag> {
        recount_domain::needs(request, &States::new(find))
    }

    fn needs_more_when_loaded(request: &Request) -> bool {
        recount_domain::needs_more_when_loaded(request)
    }

    fn decide(
        request: &Request,
        find: Find<'_, Entity>,
        now: DateTime<Utc>,
    ) -> Result<Vec<LedgerEvent>, Rejection> {
        recount_domain::decide(request, &States::new(find), now)
    }

    fn evolve(tag: &Tag, state: &mut Option<Entity>, event: &LedgerEvent) {
        recount_domain::evolve(tag, state, event);
    }

    /// A transaction is read again only when it is reversed or repeated, which few are; a hold as long as it is open.
    fn is_read_again(entity: &Entity) -> bool {
        match entity {
            Entity::Ledger(_) | Entity::Asset(_) | Entity::Account(_) | Entity::Customer(_) => true,
            Entity::Hold(hold) => hold.status == HoldStatus::Open,
            Entity::Transaction(_) | Entity::Reference(_) | Entity::Link(_) => false,
        }
    }

    /// A customer's profile is personal, and shall be gone once the customer is forgotten.
    fn is_snapshotted(entity: &Entity) -> bool {
        !matches!(entity, Entity::Customer(_))
    }

    fn encode(event: &LedgerEvent) -> Encoded {
        let ledger::codec::Encoded { event_type, version, data } = ledger::encode(event);
        Encoded { event_type, version, tags: event.tags(), data }
    }

    fn decode(event_type: &str, version: i16, data: &str) -> Result<LedgerEvent, Undecodable> {
        ledger::decode(event_type, version, data).map_err(|error| Undecodable(Box::new(error)))
    }

    fn answer(request: &Request) -> Map<String, Value> {
        let named = names(&request.command).into_iter();
        named.map(|(member, name)| (member.to_owned(), Value::String(name))).collect()
    }

    fn refusal(rejection: &Rejection) -> Refusal {
        let details =
            rejection.details().into_iter().map(|(name, value)| (name.to_owned(), Value::String(value)));
        Refusal {
            code: rejection.code().code.to_owned(),
            detail: super::sentence(&rejection.to_string()),
            details: details.collect(),
        }
    }

    /// A hold falls due at its deadline, as long as it is open.
    fn deadlines(event: &LedgerEvent) -> Vec<DeadlineChange> {
        let clear = |hold: &HoldId| vec![DeadlineChange::Clear { name: hold.as_str().to_owned() }];
        match event {
            LedgerEvent::HoldPlaced(placed) => {
                let set = |at| DeadlineChange::Set { name: placed.hold.as_str().to_owned(), at };
                placed.expires_at.map(set).into_iter().collect()
            }
            LedgerEvent::HoldReleased(event) => clear(&event.hold),
            LedgerEvent::HoldExpired(event) => clear(&event.hold),
            LedgerEvent::TransactionPosted(event) => match &event.captures {
                Some(capture) if capture.remaining.is_none() => clear(&capture.hold),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    fn when_due(name: &str) -> Option<Request> {
        Some(Command::Expire { hold: HoldId::from_stored(name) }.into())
    }

    fn explain(
        events: &[LedgerEvent],
        before: Find<'_, Entity>,
        after: Find<'_, Entity>,
    ) -> Map<String, Value> {
        let changes = recount_domain::explain(events, &States::new(before), &States::new(after));
        let balances: Vec<Value> = changes.iter().map(change_json).collect();
        Map::from_iter([("balances".to_owned(), Value::Array(balances))])
    }
}

/// The ids that the command brought or concerns, as members of its answer.
fn names(command: &Command) -> Vec<(&'static str, String)> {
    match command {
        Command::CreateLedger { ledger } => vec![("ledger", ledger.clone())],
        Command::RegisterAsset { asset } => vec![("asset", asset.to_string())],
        Command::SetEffectiveWindow { .. }
        | Command::ClosePeriod { .. }
        | Command::ReopenPeriod { .. }
        | Command::SetChart { .. }
        | Command::RemoveChart => vec![],
        Command::OpenAccount(open) => vec![("account", open.account.to_string())],
        Command::FreezeAccount { account, .. }
        | Command::UnfreezeAccount { account, .. }
        | Command::CloseAccount { account }
        | Command::SetOverdraftPolicy { account, .. }
        | Command::SetBalanceLimits { account, .. } => vec![("account", account.to_string())],
        Command::PostTransaction(post) => vec![("transaction", post.transaction.to_string())],
        Command::ReverseTransaction(reverse) => vec![("transaction", reverse.reversal.to_string())],
        Command::Hold(place) => vec![("hold", place.hold.to_string())],
        Command::Capture(capture) => {
            vec![("transaction", capture.transaction.to_string()), ("hold", capture.hold.to_string())]
        }
        Command::Release { hold } | Command::Expire { hold } => vec![("hold", hold.to_string())],
        Command::SetMetadata { of, .. } | Command::RemoveMetadata { of, .. } => match of {
            MetadataOwner::Account(account) => vec![("account", account.to_string())],
            MetadataOwner::Transaction(transaction) => vec![("transaction", transaction.to_string())],
        },
        Command::RegisterCustomer { customer, .. }
        | Command::UpdateCustomer { customer, .. }
        | Command::ForgetCustomer { customer } => vec![("customer", customer.to_string())],
        Command::LinkAccount { customer, account } | Command::UnlinkAccount { customer, account } => {
            vec![("customer", customer.to_string()), ("account", account.to_string())]
        }
    }
}

fn change_json(change: &BalanceChange) -> Value {
    json!({
        "account": change.account,
        "asset": change.asset,
        "before": figures_json(change.before),
        "after": figures_json(change.after),
    })
}

fn figures_json(figures: Figures) -> Value {
    let Figures { posted, held, incoming, available } = figures;
    json!({
        "posted": posted.to_string(),
        "held": held.to_string(),
        "incoming": incoming.to_string(),
        "available": available.to_string(),
    })
}
