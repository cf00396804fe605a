//! The ledger as a domain of the engine.

use chrono::{DateTime, Utc};
use recount_domain::{Command, Entity, Rejection, States};
use recount_events::Tag;
use recount_events::ledger::{self, LedgerEvent};
use serde_json::{Map, Value};

use crate::engine::{Domain, Encoded, Find, Refusal, Undecodable};

/// The double-entry ledger.
#[derive(Clone, Copy, Debug)]
pub struct Ledger;

impl Domain for Ledger {
    type Command = Command;
    type Event = LedgerEvent;
    type Entity = Entity;
    type Rejection = Rejection;

    const SNAPSHOT_VERSION: i16 = 1;

    fn needs(command: &Command, find: Find<'_, Entity>) -> Vec<Tag> {
        recount_domain::needs(command, &States::new(find))
    }

    /// A reversal needs the accounts of the transaction that it takes back.
    fn needs_more_when_loaded(command: &Command) -> bool {
        matches!(command, Command::ReverseTransaction(_))
    }

    fn decide(
        command: &Command,
        find: Find<'_, Entity>,
        now: DateTime<Utc>,
    ) -> Result<Vec<LedgerEvent>, Rejection> {
        recount_domain::decide(command, &States::new(find), now)
    }

    fn evolve(tag: &Tag, state: &mut Option<Entity>, event: &LedgerEvent) {
        recount_domain::evolve(tag, state, event);
    }

    /// A transaction is read again only when it is reversed or repeated, which few are.
    fn is_read_again(entity: &Entity) -> bool {
        match entity {
            Entity::Ledger | Entity::Asset(_) | Entity::Account(_) => true,
            Entity::Transaction(_) | Entity::Reference(_) => false,
        }
    }

    fn encode(event: &LedgerEvent) -> Encoded {
        let ledger::codec::Encoded { event_type, version, data } = ledger::encode(event);
        Encoded { event_type, version, tags: event.tags(), data }
    }

    fn decode(event_type: &str, version: i16, data: &str) -> Result<LedgerEvent, Undecodable> {
        ledger::decode(event_type, version, data).map_err(|error| Undecodable(Box::new(error)))
    }

    fn answer(command: &Command) -> Map<String, Value> {
        let (member, name) = match command {
            Command::CreateLedger { ledger } => ("ledger", ledger.clone()),
            Command::RegisterAsset { asset } => ("asset", asset.to_string()),
            Command::OpenAccount(open) => ("account", open.account.to_string()),
            Command::FreezeAccount { account, .. }
            | Command::UnfreezeAccount { account, .. }
            | Command::CloseAccount { account }
            | Command::SetOverdraftPolicy { account, .. } => ("account", account.to_string()),
            Command::PostTransaction(post) => ("transaction", post.transaction.to_string()),
            Command::ReverseTransaction(reverse) => ("transaction", reverse.reversal.to_string()),
        };
        Map::from_iter([(member.to_owned(), Value::String(name))])
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
}
