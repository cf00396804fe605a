//! given / when / then for the ledger.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use recount_domain::{Command, Entity, OpenAccount, PostTransaction, Rejection, ReverseTransaction, States};
use recount_events::Tag;
use recount_events::ledger::{
    AccountKind, Amount, Direction, Entry, FreezeScope, LedgerEvent, Metadata, Overdraft, OverdraftLimit,
};

/// A ledger in memory: the fold of its events.
#[derive(Clone, Default)]
pub(crate) struct Book {
    pub(crate) entities: HashMap<Tag, Entity>,
    pub(crate) events: Vec<LedgerEvent>,
}

impl Book {
    pub(crate) fn decide(&self, command: &Command) -> Result<Vec<LedgerEvent>, Rejection> {
        let find = |tag: &Tag| self.entities.get(tag);
        let states = States::new(&find);
        let named = recount_domain::needs(command, &states);
        // What a decision reads, it has to have named: the engine loads nothing else.
        let find_named = |tag: &Tag| {
            assert!(named.contains(tag), "{tag} is read and not named");
            self.entities.get(tag)
        };
        recount_domain::decide(command, &States::new(&find_named), now())
    }

    pub(crate) fn apply(&mut self, events: Vec<LedgerEvent>) {
        for event in events {
            for tag in event.tags() {
                let mut state = self.entities.remove(&tag);
                recount_domain::evolve(&tag, &mut state, &event);
                self.entities.extend(state.map(|state| (tag, state)));
            }
            self.events.push(event);
        }
    }

    /// Decides and applies.
    pub(crate) fn run(&mut self, command: &Command) -> Result<usize, Rejection> {
        let events = self.decide(command)?;
        let count = events.len();
        self.apply(events);
        Ok(count)
    }

    pub(crate) fn balance(&self, account: &str, asset: &str) -> i128 {
        match &self.entities[&Tag::new("account", account)] {
            Entity::Account(state) => state.balance(&asset.parse().unwrap()).posted(state.kind),
            other => panic!("{other:?}"),
        }
    }
}

/// A ledger with USD/2 and EUR/2, a bank (asset), two users (liabilities) and a shop (income), after these commands.
pub(crate) fn given(commands: &[Command]) -> Book {
    let mut book = Book::default();
    let usual = [
        Command::CreateLedger { ledger: "main".to_owned() },
        Command::RegisterAsset { asset: "USD/2".parse().unwrap() },
        Command::RegisterAsset { asset: "EUR/2".parse().unwrap() },
        open("bank", AccountKind::Asset),
        open("alice", AccountKind::Liability),
        open("bob", AccountKind::Liability),
        open("shop", AccountKind::Income),
    ];
    for command in usual.iter().chain(commands) {
        book.run(command).unwrap_or_else(|rejection| panic!("given {command:?}: {rejection}"));
    }
    book
}

impl Book {
    pub(crate) fn when(&self, command: Command) -> Then<'_> {
        Then { book: self, decision: self.decide(&command), command }
    }
}

pub(crate) struct Then<'a> {
    book: &'a Book,
    command: Command,
    decision: Result<Vec<LedgerEvent>, Rejection>,
}

impl Then<'_> {
    /// The command is accepted with this many events; repeating it then changes nothing.
    pub(crate) fn happens(self, count: usize) -> Book {
        let events = self.decision.unwrap_or_else(|rejection| panic!("rejected: {rejection}"));
        assert_eq!(events.len(), count, "{events:?}");
        let mut book = self.book.clone();
        book.apply(events);
        assert_eq!(book.decide(&self.command), Ok(vec![]), "a repeat changes nothing");
        book
    }

    /// It is so already.
    pub(crate) fn nothing_happens(self) {
        assert_eq!(self.decision, Ok(vec![]));
    }

    pub(crate) fn rejected(self, code: &str) -> Rejection {
        let rejection = self.decision.expect_err("it was accepted");
        assert_eq!(rejection.code().code, code, "{rejection}");
        rejection
    }
}

pub(crate) fn now() -> DateTime<Utc> {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn open(account: &str, kind: AccountKind) -> Command {
    open_with(account, kind, Overdraft::None)
}

pub(crate) fn open_with(account: &str, kind: AccountKind, overdraft: Overdraft) -> Command {
    let account = account.parse().unwrap();
    Command::OpenAccount(OpenAccount { account, kind, overdraft, metadata: Metadata::new() })
}

pub(crate) fn limited(asset: &str, amount: i128) -> Overdraft {
    let limit = OverdraftLimit { asset: asset.parse().unwrap(), amount: Amount::new(amount).unwrap() };
    Overdraft::Limited(vec![limit])
}

pub(crate) fn entry(account: &str, direction: Direction, asset: &str, amount: i128) -> Entry {
    Entry {
        account: account.parse().unwrap(),
        direction,
        asset: asset.parse().unwrap(),
        amount: Amount::new(amount).unwrap(),
    }
}

pub(crate) fn transfer(debit: &str, credit: &str, asset: &str, amount: i128) -> Vec<Entry> {
    vec![entry(debit, Direction::Debit, asset, amount), entry(credit, Direction::Credit, asset, amount)]
}

pub(crate) fn posting(transaction: &str, entries: Vec<Entry>) -> PostTransaction {
    PostTransaction {
        transaction: transaction.parse().unwrap(),
        entries,
        effective_at: None,
        reference: None,
        metadata: Metadata::new(),
    }
}

pub(crate) fn post(transaction: &str, entries: Vec<Entry>) -> Command {
    Command::PostTransaction(posting(transaction, entries))
}

pub(crate) fn pay(transaction: &str, debit: &str, credit: &str, amount: i128) -> Command {
    post(transaction, transfer(debit, credit, "USD/2", amount))
}

pub(crate) fn reverse(transaction: &str, reversal: &str) -> Command {
    Command::ReverseTransaction(ReverseTransaction {
        transaction: transaction.parse().unwrap(),
        reversal: reversal.parse().unwrap(),
        effective_at: None,
        reference: None,
        metadata: Metadata::new(),
    })
}

pub(crate) fn freeze(account: &str, scope: FreezeScope) -> Command {
    Command::FreezeAccount { account: account.parse().unwrap(), scope }
}

pub(crate) fn unfreeze(account: &str, scope: FreezeScope) -> Command {
    Command::UnfreezeAccount { account: account.parse().unwrap(), scope }
}

pub(crate) fn close(account: &str) -> Command {
    Command::CloseAccount { account: account.parse().unwrap() }
}

pub(crate) fn set_overdraft(account: &str, overdraft: Overdraft) -> Command {
    Command::SetOverdraftPolicy { account: account.parse().unwrap(), overdraft }
}
