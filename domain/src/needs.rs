//! Which entities deciding a command takes.

use recount_core::Tag;
use recount_events::ledger::{AccountName, Entry, MetadataOwner, tag};

use crate::command::{
    CaptureHold, Command, PlaceHold, PostTransaction, Request, ReverseTransaction, ReversedPart,
};
use crate::entity::States;
use crate::transactions::ENTRIES_MAX;
use crate::{accounts, chart};

/// The entities that must be known to decide the request.
///
/// What is needed may depend on what is known: a reversal needs the accounts of the transaction that it takes back. So
/// where [`needs_more_when_loaded`] says so, ask again once the answer is loaded, until it names nothing new.
pub fn needs(request: &Request, states: &States<'_>) -> Vec<Tag> {
    let mut tags = vec![tag::ledger()];
    of_command(&request.command, states, &mut tags);
    for expectation in &request.expect {
        tags.extend([tag::account(&expectation.account), tag::asset(&expectation.asset)]);
    }
    tags
}

/// Whether what the request needs depends on what is known.
pub fn needs_more_when_loaded(request: &Request) -> bool {
    matches!(request.command, Command::ReverseTransaction(_) | Command::Capture(_))
}

fn of_command(command: &Command, states: &States<'_>, tags: &mut Vec<Tag>) {
    match command {
        Command::CreateLedger { .. }
        | Command::SetEffectiveWindow { .. }
        | Command::ClosePeriod { .. }
        | Command::ReopenPeriod { .. }
        | Command::RemoveChart => {}
        Command::RegisterAsset { asset } => tags.push(tag::asset(asset)),
        Command::SetChart { rules } => tags.extend(chart::assets_of(rules).map(tag::asset)),
        Command::OpenAccount(open) => {
            tags.push(tag::account(&open.account));
            tags.extend(accounts::assets_of(open).map(tag::asset));
        }
        Command::FreezeAccount { account, .. }
        | Command::UnfreezeAccount { account, .. }
        | Command::CloseAccount { account } => tags.push(tag::account(account)),
        Command::SetOverdraftPolicy { account, overdraft } => {
            tags.push(tag::account(account));
            tags.extend(accounts::assets_of_overdraft(overdraft).map(tag::asset));
        }
        Command::SetBalanceLimits { account, limits } => {
            tags.push(tag::account(account));
            tags.extend(limits.iter().map(|limit| tag::asset(&limit.asset)));
        }
        Command::PostTransaction(post) => of_posting(post, tags),
        Command::ReverseTransaction(reverse) => of_reversal(reverse, states, tags),
        Command::Hold(place) => of_hold(place, tags),
        Command::Capture(capture) => of_capture(capture, states, tags),
        Command::Release { hold } | Command::Expire { hold } => tags.push(tag::hold(hold)),
        Command::SetMetadata { of, .. } | Command::RemoveMetadata { of, .. } => {
            tags.push(MetadataOwner::tag(of))
        }
        Command::RegisterCustomer { customer, .. }
        | Command::UpdateCustomer { customer, .. }
        | Command::ForgetCustomer { customer } => tags.push(tag::customer(customer)),
        Command::LinkAccount { customer, account } | Command::UnlinkAccount { customer, account } => {
            tags.extend([tag::customer(customer), tag::account(account), tag::link(customer, account)]);
        }
    }
}

fn of_posting(post: &PostTransaction, tags: &mut Vec<Tag>) {
    tags.push(tag::transaction(&post.transaction));
    tags.extend(post.reference.iter().map(tag::reference));
    of_entries(&post.entries, tags);
}

fn of_reversal(reverse: &ReverseTransaction, states: &States<'_>, tags: &mut Vec<Tag>) {
    tags.push(tag::transaction(&reverse.transaction));
    tags.push(tag::transaction(&reverse.reversal));
    tags.extend(reverse.reference.iter().map(tag::reference));
    if let ReversedPart::Entries(entries) = &reverse.part {
        of_entries(entries, tags);
    } else if let Some(original) = states.transaction(&reverse.transaction) {
        of_entries(&original.posted.entries, tags);
    }
}

fn of_hold(place: &PlaceHold, tags: &mut Vec<Tag>) {
    tags.push(tag::hold(&place.hold));
    tags.push(tag::asset(&place.asset));
    of_accounts(&place.debit, &place.credit, tags);
}

fn of_capture(capture: &CaptureHold, states: &States<'_>, tags: &mut Vec<Tag>) {
    tags.push(tag::hold(&capture.hold));
    tags.push(tag::transaction(&capture.transaction));
    tags.extend(capture.reference.iter().map(tag::reference));
    if let Some(hold) = states.hold(&capture.hold) {
        tags.push(tag::asset(&hold.placed.asset));
        of_accounts(&hold.placed.debit, &hold.placed.credit, tags);
    }
}

fn of_accounts(debit: &AccountName, credit: &AccountName, tags: &mut Vec<Tag>) {
    tags.extend([tag::account(debit), tag::account(credit)]);
}

fn of_entries(entries: &[Entry], tags: &mut Vec<Tag>) {
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
