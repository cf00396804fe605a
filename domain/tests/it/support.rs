//! given / when / then for the ledger.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use recount_core::Tag;
use recount_domain::{
    Account, Command, Comparison, Decision, Entity, Expectation, Figure, Figures, Hold, Rejection, Request,
    States,
};
use recount_events::ledger::{AccountKind, LedgerEvent, MetadataOwner, decode, encode, tag};

pub(crate) use crate::commands::*;

/// A ledger in memory: its events, the entities folded from them, and the current time.
#[derive(Clone)]
pub(crate) struct Book {
    pub(crate) entities: HashMap<Tag, Entity>,
    pub(crate) events: Vec<LedgerEvent>,
    pub(crate) now: DateTime<Utc>,
}

/// A ledger with USD/2 and EUR/2, a bank (asset), two users (liabilities) and a shop (income), after these commands.
pub(crate) fn given(commands: &[Command]) -> Book {
    let usual = [
        Command::CreateLedger { ledger: "main".to_owned() },
        register_asset("USD/2"),
        register_asset("EUR/2"),
        open("bank", AccountKind::Asset),
        open("alice", AccountKind::Liability),
        open("bob", AccountKind::Liability),
        open("shop", AccountKind::Income),
    ];
    let book = usual.into_iter().fold(Book::nowhere(), |book, command| book.and(command));
    commands.iter().cloned().fold(book, |book, command| book.and(command))
}

/// The default time of a book: noon on the first of January.
pub(crate) fn now() -> DateTime<Utc> {
    moment("2026-01-01T12:00:00Z")
}

impl Book {
    /// A ledger that does not exist yet.
    pub(crate) fn nowhere() -> Book {
        Book { entities: HashMap::new(), events: Vec::new(), now: now() }
    }

    /// The same book at another time.
    pub(crate) fn at(mut self, time: &str) -> Book {
        self.now = moment(time);
        self
    }

    /// The book after a further command, which must be accepted.
    pub(crate) fn and(mut self, request: impl Into<Request>) -> Book {
        let request = request.into();
        self.run(&request).unwrap_or_else(|rejection| panic!("given {request:?}: {rejection}"));
        self
    }

    pub(crate) fn when(&self, request: impl Into<Request>) -> Then<'_> {
        let request = request.into();
        let mut after = self.clone();
        let decision = after.run(&request);
        Then { before: self, after, request, decision }
    }

    /// The entities that the request needs, found as the engine finds them: entities that are not loaded are not visible.
    fn named(&self, request: &Request) -> BTreeSet<Tag> {
        const ROUNDS_MAX: usize = 3;
        let mut named = BTreeSet::new();
        for round in 0..ROUNDS_MAX {
            let loaded = |tag: &Tag| self.entities.get(tag).filter(|_| named.contains(tag));
            let needed = recount_domain::needs(request, &States::new(&loaded));
            let before = named.len();
            named.extend(needed);
            if named.len() == before {
                return named;
            }
            let asked_again = recount_domain::needs_more_when_loaded(request);
            assert!(
                round == 0 || asked_again,
                "needs_more_when_loaded is false, but more is needed: {request:?}"
            );
        }
        panic!("the needs of a command keep growing: {request:?}");
    }

    pub(crate) fn decide(&self, request: &Request) -> Decision {
        let named = self.named(request);
        // The engine loads only what the needs name.
        let find_named = |tag: &Tag| {
            assert!(named.contains(tag), "the decision reads {tag}, which the needs do not name");
            self.entities.get(tag)
        };
        recount_domain::decide(request, &States::new(&find_named), self.now)
    }

    pub(crate) fn apply(&mut self, events: Vec<LedgerEvent>) {
        for event in events {
            let stored = encode(&event);
            let read = decode(stored.event_type, stored.version, &stored.data).unwrap();
            assert_eq!(read, event, "an event decodes as it was encoded");
            fold(&mut self.entities, &event);
            self.events.push(event);
        }
    }

    /// Decides the request and applies its events.
    pub(crate) fn run(&mut self, request: &Request) -> Decision {
        let events = self.decide(request)?;
        self.apply(events.clone());
        Ok(events)
    }

    pub(crate) fn account(&self, account: &str) -> &Account {
        match self.entities.get(&tag::account(&account.parse().unwrap())) {
            Some(Entity::Account(state)) => state,
            other => panic!("{account}: {other:?}"),
        }
    }

    pub(crate) fn has_account(&self, account: &str) -> bool {
        self.entities.contains_key(&tag::account(&account.parse().unwrap()))
    }

    pub(crate) fn figures_in(&self, account: &str, asset: &str) -> Figures {
        let state = self.account(account);
        state.balance(&asset.parse().unwrap()).figures(state.kind())
    }

    /// Posted, held, incoming and available, in USD/2.
    pub(crate) fn figures(&self, account: &str) -> [i128; 4] {
        let Figures { posted, held, incoming, available } = self.figures_in(account, "USD/2");
        [posted, held, incoming, available]
    }

    /// The posted balance in USD/2.
    pub(crate) fn posted(&self, account: &str) -> i128 {
        self.figures_in(account, "USD/2").posted
    }

    pub(crate) fn hold(&self, hold: &str) -> &Hold {
        match self.entities.get(&tag::hold(&hold.parse().unwrap())) {
            Some(Entity::Hold(state)) => state,
            other => panic!("{hold}: {other:?}"),
        }
    }

    /// The remaining amount of a hold, if it is open.
    pub(crate) fn remaining(&self, hold: &str) -> Option<i128> {
        self.hold(hold).remaining.map(recount_events::ledger::Amount::minor_units)
    }

    /// The metadata of an account or a transaction, as JSON.
    pub(crate) fn metadata(&self, of: &MetadataOwner) -> serde_json::Value {
        match &self.entities[&of.tag()] {
            Entity::Account(state) => state.terms.metadata.clone().into(),
            Entity::Transaction(state) => state.metadata().clone().into(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn last_event(&self) -> &LedgerEvent {
        self.events.last().expect("there are events")
    }

    /// The most recent transaction.
    pub(crate) fn last_transaction(&self) -> &recount_events::ledger::TransactionPosted {
        match self.last_event() {
            LedgerEvent::TransactionPosted(posted) => posted,
            other => panic!("{other:?}"),
        }
    }
}

/// Folds an event into the entities that it concerns.
pub(crate) fn fold(entities: &mut HashMap<Tag, Entity>, event: &LedgerEvent) {
    let tags = event.tags();
    let distinct: BTreeSet<&Tag> = tags.iter().collect();
    assert_eq!(distinct.len(), tags.len(), "each entity is tagged once: {tags:?}");
    for tag in tags {
        let mut state = entities.remove(&tag);
        recount_domain::evolve(&tag, &mut state, event);
        entities.extend(state.map(|state| (tag, state)));
    }
}

pub(crate) struct Then<'a> {
    before: &'a Book,
    after: Book,
    request: Request,
    decision: Decision,
}

impl Then<'_> {
    /// The command is accepted with this many events; repeating it then changes nothing.
    pub(crate) fn accepted(self, count: usize) -> Book {
        assert!(count > 0, "use `has_no_effect`");
        let events = self.decision.unwrap_or_else(|rejection| panic!("rejected: {rejection}"));
        assert_eq!(events.len(), count, "{events:?}");
        assert_eq!(self.after.decide(&self.request), Ok(vec![]), "a repeat changes nothing");
        self.after
    }

    /// The command is accepted without events.
    pub(crate) fn has_no_effect(self) {
        assert_eq!(self.decision, Ok(vec![]));
        assert_eq!(self.after.entities, self.before.entities);
    }

    /// The command is rejected with this code and all its details, and changes nothing.
    pub(crate) fn rejected(self, code: &str) -> Rejection {
        let rejection = self.decision.expect_err("the command was accepted");
        assert_eq!(rejection.code().code, code, "{rejection}");
        assert_eq!(self.after.entities, self.before.entities, "a rejected command changes nothing");
        assert_eq!(self.after.events.len(), self.before.events.len());
        let sentence = rejection.to_string();
        assert!(!sentence.contains(['{', '}']), "{sentence}");
        let details = rejection.details();
        let names: Vec<&str> = details.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, rejection.code().details);
        assert!(details.iter().all(|(_, detail)| !detail.is_empty()), "{details:?}");
        rejection
    }
}

/// A detail of a rejection, by name.
pub(crate) fn detail(rejection: &Rejection, name: &str) -> String {
    let details = rejection.details();
    let found = details.into_iter().find(|(other, _)| *other == name);
    found.unwrap_or_else(|| panic!("{rejection:?} has no {name}")).1
}

/// The request with an expectation of a balance in USD/2.
pub(crate) fn expecting(
    request: impl Into<Request>,
    account: &str,
    figure: Figure,
    comparison: Comparison,
    amount: i128,
) -> Request {
    let mut request = request.into();
    request.expect.push(Expectation {
        account: account.parse().unwrap(),
        asset: "USD/2".parse().unwrap(),
        figure,
        comparison,
        amount,
    });
    request
}
