//! From a command and the states it needs to events or a rejection.

use chrono::{DateTime, Utc};
use recount_events::Tag;
use recount_events::ledger::{Entry, LedgerCreated, LedgerEvent, tag};

use crate::command::{Command, PostTransaction, ReverseTransaction};
use crate::entity::States;
use crate::rejection::Rejection;
use crate::transactions::ENTRIES_MAX;
use crate::{accounts, assets, transactions};

/// The entities that must be known to decide the command.
///
/// What is needed may depend on what is known: a reversal needs the accounts of the transaction that it takes back.
/// So ask again once the answer is loaded, until it names nothing new.
pub fn needs(command: &Command, states: &States<'_>) -> Vec<Tag> {
    let mut tags = vec![tag::ledger()];
    match command {
        Command::CreateLedger { .. } => {}
        Command::RegisterAsset { asset } => tags.push(tag::asset(asset)),
        Command::OpenAccount(open) => {
            tags.push(tag::account(&open.account));
            tags.extend(accounts::assets_of(&open.overdraft).map(tag::asset));
        }
        Command::FreezeAccount { account, .. }
        | Command::UnfreezeAccount { account, .. }
        | Command::CloseAccount { account } => tags.push(tag::account(account)),
        Command::SetOverdraftPolicy { account, overdraft } => {
            tags.push(tag::account(account));
            tags.extend(accounts::assets_of(overdraft).map(tag::asset));
        }
        Command::PostTransaction(post) => post.needs(&mut tags),
        Command::ReverseTransaction(reverse) => reverse.needs(states, &mut tags),
    }
    tags
}

impl PostTransaction {
    fn needs(&self, tags: &mut Vec<Tag>) {
        tags.push(tag::transaction(&self.transaction));
        tags.extend(self.reference.iter().map(tag::reference));
        needs_of_entries(&self.entries, tags);
    }
}

impl ReverseTransaction {
    fn needs(&self, states: &States<'_>, tags: &mut Vec<Tag>) {
        tags.push(tag::transaction(&self.transaction));
        tags.push(tag::transaction(&self.reversal));
        tags.extend(self.reference.iter().map(tag::reference));
        if let Some(original) = states.transaction(&self.transaction) {
            needs_of_entries(&original.entries, tags);
        }
    }
}

fn needs_of_entries(entries: &[Entry], tags: &mut Vec<Tag>) {
    if entries.len() > ENTRIES_MAX {
        // Refused for their number, whatever they name.
        return;
    }
    for (n, entry) in entries.iter().enumerate() {
        tags.push(tag::account(&entry.account));
        // Most transactions are in one asset throughout.
        if n == 0 || entries[n - 1].asset != entry.asset {
            tags.push(tag::asset(&entry.asset));
        }
    }
}

/// Decides a command. No events means: it is so already.
pub fn decide(
    command: &Command,
    states: &States<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<LedgerEvent>, Rejection> {
    if let Command::CreateLedger { ledger } = command {
        let created = LedgerEvent::LedgerCreated(LedgerCreated { ledger: ledger.clone() });
        return Ok(if states.ledger_exists() { vec![] } else { vec![created] });
    }
    if !states.ledger_exists() {
        return Err(Rejection::LedgerUnknown);
    }
    match command {
        Command::CreateLedger { .. } => Ok(vec![]),
        Command::RegisterAsset { asset } => assets::register(asset, states),
        Command::OpenAccount(open) => accounts::open(open, states),
        Command::FreezeAccount { account, scope } => accounts::freeze(account, *scope, states),
        Command::UnfreezeAccount { account, scope } => accounts::unfreeze(account, *scope, states),
        Command::CloseAccount { account } => accounts::close(account, states),
        Command::SetOverdraftPolicy { account, overdraft } => {
            accounts::set_overdraft(account, overdraft, states)
        }
        Command::PostTransaction(post) => transactions::post(post, states, now),
        Command::ReverseTransaction(reverse) => transactions::reverse(reverse, states, now),
    }
}
