//! The ledger as a domain of the engine: the adapter between the two.

use chrono::{DateTime, Utc};
use recount_core::Tag;
use recount_domain::{Command, Entity, HoldStatus, Rejection, Request, States};
use recount_events::ledger::{self, HoldId, LedgerEvent, TimeCorrected};
use serde::Serialize;
use serde_json::Value;

use super::bodies::BalanceChangeBody;
use super::ids::CommandIds;
use recount_writer::{DeadlineChange, Domain, Encoded, Find, Refusal, Undecodable};

/// The double-entry ledger.
#[derive(Clone, Copy, Debug)]
pub struct LedgerDomain;

impl Domain for LedgerDomain {
    type Command = Request;
    type Event = LedgerEvent;
    type Entity = Entity;
    type Rejection = Rejection;
    type Answer<'a> = CommandIds<'a>;
    type Explanation = Explanation;

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

    /// Few transactions are reversed or repeated, so most are not read again; a hold is while it is open.
    fn is_read_again(entity: &Entity) -> bool {
        match entity {
            Entity::Ledger(_) | Entity::Asset(_) | Entity::Account(_) | Entity::Customer(_) => true,
            Entity::Hold(hold) => hold.status == HoldStatus::Open,
            Entity::Transaction(_) | Entity::Reference(_) | Entity::Link(_) => false,
        }
    }

    /// A customer's profile is personal data: no copy of it may outlive the command that forgets the customer.
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

    fn answer(request: &Request) -> CommandIds<'_> {
        CommandIds::of(&request.command)
    }

    fn refusal(rejection: &Rejection) -> Refusal {
        let details =
            rejection.details().into_iter().map(|(name, value)| (name.to_owned(), Value::String(value)));
        Refusal {
            code: rejection.code().code.to_owned(),
            detail: sentence(&rejection.to_string()),
            details: details.collect(),
        }
    }

    fn time_corrected(from: DateTime<Utc>, to: DateTime<Utc>) -> Option<LedgerEvent> {
        Some(LedgerEvent::TimeCorrected(TimeCorrected { from, to }))
    }

    /// A hold falls due at its deadline while it is open.
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

    fn explain(events: &[LedgerEvent], before: Find<'_, Entity>, after: Find<'_, Entity>) -> Explanation {
        let changes = recount_domain::explain(events, &States::new(before), &States::new(after));
        Explanation { balances: changes.iter().map(BalanceChangeBody::from).collect() }
    }
}

/// The effects of the events of a dry run.
#[derive(Debug, Default, Serialize)]
pub struct Explanation {
    balances: Vec<BalanceChangeBody>,
}

/// A clause as a sentence: with a capital letter where it starts with a letter, and a full stop.
fn sentence(clause: &str) -> String {
    let mut characters = clause.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}
