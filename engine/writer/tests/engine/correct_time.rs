//! The way out for a log whose time ran ahead.

use crate::theatre::Theatre;
use crate::world::{World, new_id, now, submission, summary, tuning};
use crate::{announce, reserve};
use chrono::{DateTime, Utc};
use recount_core::{EventHash, NewEvent};
use recount_writer::{CommandEngine, SubmitError};

/// Puts an event of the year 2099 into the log, as a database with a wrong clock once did.
async fn live_in_2099(world: &World) -> DateTime<Utc> {
    let recorded_at: DateTime<Utc> = "2099-01-01T00:00:00Z".parse().unwrap();
    let log = world.store.reader().log(world.log.key()).await.unwrap().unwrap();
    let event = NewEvent {
        id: new_id(),
        event_type: "opened",
        version: 1,
        tags: vec![],
        data: r#"{"what":"opened","show":"Time"}"#.to_owned(),
        meta: "{}".into(),
    };
    let position = log.tip.position.next();
    let hash = EventHash::of(log.tip.hash, &event.envelope(log.key, position, recorded_at));
    sqlx::query(
        "insert into store.events (log, position, recorded_at, id, version, hash, event_type, tags, data, meta)
         values ($1, $2, $3, $4, 1, $5, 'opened', '', $6::json, '{}')",
    )
    .bind(log.key.0)
    .bind(position.0)
    .bind(recorded_at)
    .bind(event.id)
    .bind(&hash.0[..])
    .bind(&event.data)
    .execute(world.pool())
    .await
    .unwrap();
    recorded_at
}

#[tokio::test]
async fn a_log_of_the_future_is_brought_back_by_one_event() {
    let world = World::create().await;
    let [engine, other]: [CommandEngine<Theatre>; 2] = [world.engine(tuning()), world.engine(tuning())];
    let reserve_one = async |engine: &CommandEngine<Theatre>, guest: &str| {
        summary(&engine.submit(&world.log, submission(vec![reserve("Hamlet", guest)])).await)
    };
    engine.submit(&world.log, submission(vec![announce("Hamlet", 9)])).await.unwrap();
    assert_eq!(engine.correct_time(&world.log, "{}".into()).await, Ok(None));
    let future = live_in_2099(&world).await;
    // A log never goes back by itself.
    assert_eq!(reserve_one(&engine, "a").await, "1 events");
    assert_eq!(reserve_one(&other, "b").await, "1 events");
    assert_eq!(world.events().await.last().unwrap().recorded_at, future);

    let before = now();
    let event = engine.correct_time(&world.log, "{}".into()).await.unwrap().unwrap();
    assert_eq!(event.position.0, 5);
    assert_eq!(reserve_one(&engine, "c").await, "1 events");
    assert_eq!(reserve_one(&other, "d").await, "1 events");
    let events = world.events().await;
    assert_eq!(events.len(), 7);
    assert!(events[4..].iter().all(|event| before <= event.recorded_at && event.recorded_at <= now()));
    assert_eq!(engine.correct_time(&world.log, "{}".into()).await, Ok(None));
    let nowhere = "nowhere".parse().unwrap();
    assert_eq!(engine.correct_time(&nowhere, "{}".into()).await, Err(SubmitError::LogUnknown));
}
