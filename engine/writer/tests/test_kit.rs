//! The test kit fails a test for the mistakes of a domain that the engine would meet in production.

use chrono::{DateTime, TimeDelta, Utc};
use recount_core::Tag;
use recount_writer::test_kit::{START, given};
use recount_writer::{Domain, Encoded, Find, Refusal, Undecodable};

/// A domain with a mistake for every command.
#[derive(Debug)]
struct Careless;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    /// Reads back as it was written.
    Fine(i64),
    /// Loses its number on the way to the store.
    Forgetful(i64),
    /// Concerns no entity.
    Lonely,
}

#[derive(Debug)]
enum Command {
    /// Emits the events, and reads the entity that it names.
    Emit(Vec<Event>),
    /// Reads an entity that it does not name.
    Peek,
    /// Names ever more entities.
    Ask,
    /// Answers with a number, which has no members.
    Answer,
    /// Is rejected before a time.
    Wait(DateTime<Utc>),
}

fn one() -> Tag {
    Tag::new("number", "one")
}

impl Domain for Careless {
    type Command = Command;
    type Event = Event;
    type Entity = i64;
    type Rejection = ();
    type Answer<'a> = Option<i64>;
    type Explanation = ();
    const SNAPSHOT_VERSION: i16 = 1;

    fn needs(command: &Command, find: Find<'_, i64>) -> Vec<Tag> {
        match command {
            Command::Emit(_) | Command::Wait(_) | Command::Answer => vec![one()],
            Command::Peek => vec![],
            Command::Ask => {
                let known = (0..).take_while(|n| find(&Tag::new("number", &n.to_string())).is_some()).count();
                (0..=known).map(|n| Tag::new("number", &n.to_string())).collect()
            }
        }
    }

    fn needs_more_when_loaded(command: &Command) -> bool {
        matches!(command, Command::Ask)
    }

    fn decide(command: &Command, find: Find<'_, i64>, now: DateTime<Utc>) -> Result<Vec<Event>, ()> {
        find(&one());
        match command {
            Command::Emit(events) => Ok(events.clone()),
            Command::Wait(until) if now < *until => Err(()),
            Command::Peek | Command::Ask | Command::Answer | Command::Wait(_) => Ok(vec![]),
        }
    }

    fn evolve(_tag: &Tag, state: &mut Option<i64>, event: &Event) {
        if let Event::Fine(number) = event {
            *state = Some(*number);
        }
    }

    fn encode(event: &Event) -> Encoded {
        let (event_type, number, tags) = match event {
            Event::Fine(number) => (
                "fine",
                *number,
                (0..20).map(|n| Tag::new("number", &n.to_string())).chain([one()]).collect(),
            ),
            Event::Forgetful(_) => ("forgetful", 0, vec![one()]),
            Event::Lonely => ("lonely", 0, vec![]),
        };
        Encoded::json(event_type, 1, tags, &number)
    }

    fn decode(event_type: &str, _version: i16, data: &str) -> Result<Event, Undecodable> {
        let number = serde_json::from_str(data)?;
        Ok(match event_type {
            "fine" => Event::Fine(number),
            "forgetful" => Event::Forgetful(number),
            _ => Event::Lonely,
        })
    }

    fn answer(command: &Command) -> Option<i64> {
        matches!(command, Command::Answer).then_some(7)
    }

    fn refusal(_rejection: &()) -> Refusal {
        Refusal::new("too-early", "It is too early.")
    }
}

#[test]
fn a_history_goes_on_with_the_events_of_each_command() {
    let history = given::<Careless>([Event::Fine(1)])
        .when(Command::Emit(vec![Event::Fine(2), Event::Fine(3)]))
        .then([Event::Fine(2), Event::Fine(3)]);
    assert_eq!(history.entity(&one()), Some(&3));
    assert_eq!(history.when(Command::Emit(vec![])).then_nothing().entity(&one()), Some(&3));
}

#[test]
fn time_passes_only_when_a_test_says_so() {
    let noon = START + TimeDelta::hours(12);
    given::<Careless>([])
        .when(Command::Wait(noon))
        .then_rejected("too-early")
        .after(TimeDelta::hours(11))
        .when(Command::Wait(noon))
        .then_rejected("too-early")
        .at(noon)
        .when(Command::Wait(noon))
        .then_nothing();
}

#[test]
#[should_panic(expected = "which `needs` does not name")]
fn a_decision_may_not_read_an_entity_that_it_does_not_name() {
    given::<Careless>([]).when(Command::Peek).then_nothing();
}

#[test]
#[should_panic(expected = "needs more entities in every round")]
fn a_command_may_not_name_entities_without_end() {
    given::<Careless>([Event::Fine(1)]).when(Command::Ask).then_nothing();
}

#[test]
#[should_panic(expected = "reads back as it was written")]
fn an_event_has_to_read_back_as_it_was_written() {
    given::<Careless>([Event::Forgetful(7)]).when(Command::Emit(vec![])).then_nothing();
}

#[test]
#[should_panic(expected = "concerns no entity")]
fn an_event_has_to_concern_an_entity() {
    given::<Careless>([Event::Lonely]).when(Command::Emit(vec![])).then_nothing();
}

#[test]
#[should_panic(expected = "is no JSON object")]
fn an_answer_has_to_have_members() {
    given::<Careless>([]).when(Command::Answer).then_nothing();
}

#[test]
#[should_panic(expected = "this happens")]
fn a_command_that_is_accepted_is_not_rejected() {
    given::<Careless>([]).when(Command::Emit(vec![Event::Fine(1)])).then_rejected("too-early");
}

#[test]
#[should_panic(expected = "it was rejected")]
fn a_command_that_is_rejected_emits_nothing() {
    given::<Careless>([]).when(Command::Wait(START + TimeDelta::hours(1))).then_nothing();
}
