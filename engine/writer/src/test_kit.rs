//! Tests of a domain without a database: given these events, when this command comes, then those events happen.
//!
//! ```
//! # use recount_writer::{Domain, test_kit::given};
//! # fn example<D: Domain>(announced: D::Event, reserve: D::Command, reserved: D::Event)
//! # where D::Event: PartialEq {
//! given::<D>([announced]).when(reserve).then([reserved]);
//! # }
//! ```
//!
//! The kit treats the domain as the engine does, and fails a test for mistakes that the engine would meet in production:
//! a decision that reads an entity which [`needs`](Domain::needs) does not name, an event that does not read back as it
//! was written, an event without tags, an answer that is no JSON object.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use recount_core::Tag;

use crate::domain::Domain;
use crate::draft::as_object;
use crate::submission::Refusal;

/// Calls of `needs` for one command. A domain that still names more entities would never end.
const NEEDS_ROUNDS_MAX: usize = 8;

/// The time at which a test starts: the start of 2026 in UTC.
pub const START: DateTime<Utc> =
    DateTime::from_timestamp(1_767_225_600, 0).expect("the start of 2026 is a time");

/// Starts a test: these events have happened, in this order, and it is [`START`].
pub fn given<D: Domain>(events: impl IntoIterator<Item = D::Event>) -> Given<D>
where
    D::Event: PartialEq,
{
    let mut given = Given { entities: HashMap::new(), now: START };
    events.into_iter().for_each(|event| given.fold(&event));
    given
}

/// The history of a test.
#[derive(Debug)]
pub struct Given<D: Domain> {
    entities: HashMap<Tag, Option<D::Entity>>,
    now: DateTime<Utc>,
}

/// A command that was decided on the history of a test.
#[derive(Debug)]
#[must_use = "a decision that nothing is expected of proves nothing"]
pub struct When<D: Domain> {
    given: Given<D>,
    decision: Result<Vec<D::Event>, Refusal>,
}

impl<D: Domain> Given<D>
where
    D::Event: PartialEq,
{
    /// Sets the time of the next command.
    #[must_use]
    pub fn at(mut self, now: DateTime<Utc>) -> Given<D> {
        self.now = now;
        self
    }

    /// Lets time pass before the next command.
    #[must_use]
    pub fn after(mut self, time: TimeDelta) -> Given<D> {
        self.now += time;
        self
    }

    /// The state of an entity.
    pub fn entity(&self, tag: &Tag) -> Option<&D::Entity> {
        self.entities.get(tag)?.as_ref()
    }

    /// Decides a command.
    ///
    /// # Panics
    ///
    /// Panics if the decision reads an entity that the domain did not name as needed.
    pub fn when(self, command: D::Command) -> When<D> {
        let needed = self.needed(&command);
        let unnamed = RefCell::new(Vec::new());
        let find = |tag: &Tag| {
            if !needed.contains(tag) {
                unnamed.borrow_mut().push(tag.clone());
            }
            self.entity(tag)
        };
        let decision = D::decide(&command, &find, self.now).map_err(|rejection| D::refusal(&rejection));
        let unnamed = unnamed.into_inner();
        assert!(unnamed.is_empty(), "{command:?} is decided on {unnamed:?}, which `needs` does not name");
        let answer = as_object(&D::answer(&command));
        assert!(answer.is_ok(), "the answer to {command:?} is no JSON object: {answer:?}");
        if let Ok(events) = &decision {
            let explanation =
                as_object(&D::explain(events, &|tag| self.entity(tag), &|tag| self.entity(tag)));
            assert!(explanation.is_ok(), "the explanation of {events:?} is no JSON object: {explanation:?}");
        }
        When { given: self, decision }
    }

    fn needed(&self, command: &D::Command) -> HashSet<Tag> {
        let mut needed = HashSet::new();
        for _ in 0..NEEDS_ROUNDS_MAX {
            let known = needed.len();
            // Entities that are not named yet are not loaded yet.
            let find = |tag: &Tag| self.entity(tag).filter(|_| needed.contains(tag));
            let named = D::needs(command, &find);
            needed.extend(named);
            if needed.len() == known || !D::needs_more_when_loaded(command) {
                return needed;
            }
        }
        panic!("{command:?} needs more entities in every round");
    }

    fn fold(&mut self, event: &D::Event) {
        let encoded = D::encode(event);
        assert!(!encoded.tags.is_empty(), "{event:?} concerns no entity: nothing would ever read it");
        let decoded = D::decode(encoded.event_type, encoded.version, &encoded.data)
            .unwrap_or_else(|error| panic!("{event:?} cannot be read back: {error}"));
        assert!(decoded == *event, "an event reads back as it was written: {event:?}, and not {decoded:?}");
        for tag in encoded.tags {
            D::evolve(&tag.clone(), self.entities.entry(tag).or_default(), event);
        }
    }
}

impl<D: Domain> When<D>
where
    D::Event: PartialEq,
{
    /// These events happen, and no others. Returns the history with them, for the next command.
    pub fn then(self, expected: impl IntoIterator<Item = D::Event>) -> Given<D> {
        let expected: Vec<D::Event> = expected.into_iter().collect();
        let events = self.decision.unwrap_or_else(|refusal| panic!("it was rejected: {refusal:?}"));
        assert_eq!(events, expected);
        let mut given = self.given;
        events.iter().for_each(|event| given.fold(event));
        given
    }

    /// The command is accepted, and nothing happens: its effect holds already.
    pub fn then_nothing(self) -> Given<D> {
        self.then([])
    }

    /// The command is rejected with this code. Returns the history, which has not changed.
    pub fn then_rejected(self, code: &str) -> Given<D> {
        match self.decision {
            Ok(events) => panic!("it was accepted, and this happens: {events:?}"),
            Err(refusal) => assert_eq!(refusal.code, code, "{refusal:?}"),
        }
        self.given
    }
}
