//! Deadlines: the engine submits their commands, with one effect, however many processes do so and however late.

mod kept;
mod stuck;
mod work;

use std::time::Duration;

use crate::theatre::Command;
use crate::world::World;
use crate::world::{new_id, now};
use chrono::{DateTime, TimeDelta, Utc};
use recount_core::{LogKey, NewEvent};
use recount_store::{Appended, Deadline};
use recount_test_support::eventually;
use recount_writer::DeadlineChange;
use recount_writer::deadlines::Pace;

/// Long enough for a slow and busy machine. A wait ends as soon as its condition holds.
const TIMEOUT: Duration = Duration::from_secs(120);
const NEVER: Duration = Duration::from_secs(3_600);

/// A pace for tests that wait for several looks.
fn quick() -> Pace {
    Pace {
        poll: Duration::from_millis(20),
        head_start: Duration::ZERO,
        retry_first: Duration::from_millis(20),
        retry_max: Duration::from_millis(100),
    }
}

fn soon() -> DateTime<Utc> {
    now() + TimeDelta::milliseconds(200)
}

fn long_ago() -> DateTime<Utc> {
    now() - TimeDelta::days(300)
}

fn reserve_until(show: &str, guest: &str, until: DateTime<Utc>) -> Command {
    Command::Reserve { show: show.to_owned(), guest: guest.to_owned(), until: Some(until) }
}

fn confirm(show: &str, seat: u32) -> Command {
    Command::Confirm { show: show.to_owned(), seat }
}

fn close(show: &str) -> Command {
    Command::Close { show: show.to_owned() }
}

/// The deadlines of all logs, whenever they fall due.
async fn deadlines(world: &World) -> Vec<Deadline> {
    let all = "select d.due_at, d.log, d.name, l.name from store.deadlines d join store.logs l using (log)
               order by d.due_at, d.log, d.name";
    let rows: Vec<(DateTime<Utc>, i64, String, String)> =
        sqlx::query_as(all).fetch_all(world.pool()).await.unwrap();
    let deadline = |(due_at, log, name, log_name): (_, _, _, String)| Deadline {
        due_at,
        log: LogKey(log),
        name,
        log_name: log_name.parse().unwrap(),
    };
    rows.into_iter().map(deadline).collect()
}

async fn names(world: &World) -> Vec<String> {
    deadlines(world).await.into_iter().map(|deadline| deadline.name).collect()
}

async fn wait_until_none_is_left(world: &World) {
    eventually(TIMEOUT, "no deadline is left", async || deadlines(world).await.is_empty()).await;
}

/// The types of the events of the log, in order.
async fn history(world: &World) -> Vec<String> {
    world.events().await.into_iter().map(|event| event.event_type).collect()
}

async fn outcomes(world: &World) -> i64 {
    sqlx::query_scalar("select count(*) from store.outcomes").fetch_one(world.pool()).await.unwrap()
}

/// An event without a meaning for the domain.
fn meaningless_event() -> NewEvent {
    NewEvent {
        id: new_id(),
        event_type: "noted",
        version: 1,
        tags: vec![],
        data: "{}".to_owned(),
        meta: "{}".into(),
    }
}

/// Appends an event that makes these changes to the deadlines of its log.
async fn append(world: &World, log: LogKey, changes: Vec<DeadlineChange>) {
    let mut batch = world.batch(log).await;
    batch.push_event(meaningless_event());
    changes.into_iter().for_each(|change| batch.push_deadline(change));
    assert_eq!(world.store.append(&batch, TIMEOUT).await.unwrap(), Appended::Done);
}

fn set(name: &str, at: DateTime<Utc>) -> DeadlineChange {
    DeadlineChange::Set { name: name.to_owned(), at }
}
