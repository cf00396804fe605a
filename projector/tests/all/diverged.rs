//! Logs that go back or are rewritten under a projection, and feeds that bring events of other histories.

use recount_core::{EventHash, EventSink, LogName, Position, RecordedEvent};
use recount_projection::{
    ApplyError, FeedOutcome, LogBatch, Projection, ProjectionEngine, SchemaError, StopCause, diverged_logs,
    go_live, remake, repair_from_store, tail_store,
};
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{Tally, World, log, until};

impl World {
    /// Takes the events after a position from the log, as a failover to a replica that lacks them does.
    pub(crate) async fn lose_after(&self, log: &LogName, position: i64) {
        sqlx::raw_sql(AssertSqlSafe(format!(
            "begin;
             alter table store.events disable trigger user;
             alter table store.event_tags disable trigger user;
             delete from store.events where log = {0} and position > {position};
             delete from store.event_tags where log = {0} and store.position(segment, slot) > {position};
             alter table store.events enable trigger user;
             alter table store.event_tags enable trigger user;
             commit",
            log.key().0
        )))
        .execute(&self.pool)
        .await
        .unwrap();
    }

    /// Changes the data of an event in place, as somebody who owns the database can.
    async fn tamper(&self, log: &LogName, position: i64, data: &str) {
        sqlx::raw_sql(AssertSqlSafe(format!(
            "begin;
             alter table store.events disable trigger user;
             update store.events set data = '{data}' where log = {} and position = {position};
             alter table store.events enable trigger user;
             commit",
            log.key().0
        )))
        .execute(&self.pool)
        .await
        .unwrap();
    }

    /// Appends this many events that differ from those of [`count`](World::count).
    async fn recount(&self, log: &LogName, events: usize) -> Position {
        self.append(log, vec![("recounted", "{}".to_owned(), Vec::new()); events]).await
    }

    async fn events(&self, log: &LogName) -> Vec<RecordedEvent> {
        self.store.reader().read(log.key(), Position::START, 10_000).await.unwrap()
    }

    /// What the build has of all logs.
    async fn rows(&self, schema: &str) -> Vec<String> {
        sqlx::query_scalar(AssertSqlSafe(format!(
            "select 'seen ' || t::text from {schema}.seen t
             union all select 'tally ' || t::text from {schema}.tallies t
             union all select concat_ws(' ', 'progress', log, position, hash, stopped_at) from {schema}.progress
             order by 1"
        )))
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }

    /// Checks that the read models are those that a new build makes of the logs.
    async fn assert_like_new(&self, logs: &[&LogName]) {
        let fresh = self.engine(Tally { version: 9, ..Tally::default() }).await;
        for log in logs {
            fresh.catch_up(log, Position(1_000)).await.unwrap();
        }
        assert_eq!(self.rows("tally_v1").await, self.rows("tally_v9").await);
    }

    async fn reason(&self) -> Vec<String> {
        self.text("select stopped_reason from tally_v1.progress where diverged").await
    }

    async fn remake(&self, log: &LogName) {
        let remade = remake(&self.pool, &Tally::default(), log.key()).await.unwrap();
        assert!(remade.iter().any(|build| build.had_progress), "{remade:?}");
    }
}

fn is_diverged(engine: &ProjectionEngine<Tally>, log: &LogName) -> bool {
    let stopped = engine.status().report().stopped;
    stopped.iter().any(|(name, stopped)| name == log && stopped.cause == StopCause::Diverged)
}

fn tail(engine: &ProjectionEngine<Tally>, token: &CancellationToken) -> JoinHandle<()> {
    tokio::spawn(tail_store(engine.clone(), token.clone()))
}

#[tokio::test]
async fn a_log_that_lost_its_end_stops_although_nothing_is_appended_and_is_remade() {
    let world = World::new().await;
    let (main, other) = (log("main"), log("other"));
    world.count(&main, 10).await;
    world.count(&other, 4).await;
    let engine = world.engine(Tally::default()).await;
    let token = CancellationToken::new();
    let task = tail(&engine, &token);
    until("all is applied", async || world.tallied(&main).await == 10 && world.tallied(&other).await == 4)
        .await;
    until("it is ready", async || engine.status().report().check().is_ok()).await;

    world.lose_after(&main, 7).await;
    until("the log stops", async || is_diverged(&engine, &main)).await;
    let unready = engine.status().report().check().unwrap_err();
    assert!(unready.contains("`main`") && unready.contains("recount read-models remake main"), "{unready}");
    assert_eq!(
        world.reason().await,
        ["the log in the store is not the one that these read models were made from: it went back or was \
          rewritten at or before position 10; run `recount read-models remake main`"]
    );
    world.recount(&main, 5).await;
    world.count(&other, 1).await;
    until("the other log goes on", async || world.tallied(&other).await == 5).await;
    assert_eq!(world.tallied(&main).await, 10);

    assert_eq!(diverged_logs(&world.pool, &Tally::default()).await.unwrap(), std::slice::from_ref(&main));
    world.remake(&main).await;
    until("the log is read again", async || world.tallied(&main).await == 12).await;
    until("it is ready again", async || engine.status().report().check().is_ok()).await;
    world.assert_like_new(&[&main, &other]).await;
    token.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn a_log_that_was_rewritten_while_no_projector_ran_stops_at_the_first_look() {
    for (events_after, case) in [(2, "shorter"), (3, "as long"), (30, "longer")] {
        let world = World::new().await;
        let main = log("main");
        world.count(&main, 10).await;
        world.engine(Tally::default()).await.catch_up(&main, Position(10)).await.unwrap();
        world.lose_after(&main, 7).await;
        let head = world.recount(&main, events_after).await;
        let engine = world.engine(Tally::default()).await;
        let token = CancellationToken::new();
        let task = tail(&engine, &token);
        until(case, async || is_diverged(&engine, &main)).await;
        assert_eq!(world.tallied(&main).await, 10, "{case}");
        token.cancel();
        task.await.unwrap();

        // It stays stopped after a restart, and nothing is applied by a feed either.
        let restarted = world.engine(Tally::default()).await;
        assert_eq!(restarted.catch_up(&main, head).await.unwrap(), FeedOutcome::Stopped, "{case}");
        let events = world.events(&main).await;
        assert_eq!(restarted.apply_feed(&main, &events).await.unwrap(), FeedOutcome::Stopped, "{case}");
        assert!(is_diverged(&restarted, &main), "{case}");

        // Remade while nobody runs.
        world.remake(&main).await;
        let remade = world.engine(Tally::default()).await;
        assert_eq!(remade.catch_up(&main, head).await.unwrap(), FeedOutcome::At(head), "{case}");
        world.assert_like_new(&[&main]).await;
    }
}

#[tokio::test]
async fn a_feed_of_the_new_history_stops_the_log_and_is_applied_after_the_remake() {
    let world = World::new().await;
    let (near, far) = (log("near"), log("far"));
    let engine = world.engine(Tally::default()).await;
    for name in [&near, &far] {
        world.count(name, 10).await;
        engine.apply_feed(name, &world.events(name).await).await.unwrap();
        world.lose_after(name, 7).await;
        world.recount(name, 8).await;
    }
    // At the next position, and behind a gap.
    let (of_near, of_far) = (world.events(&near).await, world.events(&far).await);
    assert_eq!(engine.apply_feed(&near, &of_near[10..]).await.unwrap(), FeedOutcome::Stopped);
    assert_eq!(engine.apply_feed(&far, &of_far[12..]).await.unwrap(), FeedOutcome::Stopped);
    assert!(is_diverged(&engine, &near) && is_diverged(&engine, &far));
    assert_eq!((world.tallied(&near).await, world.tallied(&far).await), (10, 10));

    let token = CancellationToken::new();
    let repair = tokio::spawn(repair_from_store(engine.clone(), token.clone()));
    world.remake(&near).await;
    world.remake(&far).await;
    for name in [&near, &far] {
        until("the repair reads the log again", async || world.tallied(name).await == 15).await;
    }
    world.assert_like_new(&[&near, &far]).await;
    token.cancel();
    repair.await.unwrap();
}

#[tokio::test]
async fn the_repair_beside_a_silent_feed_notices_a_log_that_went_back() {
    let world = World::new().await;
    let main = log("main");
    world.count(&main, 10).await;
    let engine = world.engine(Tally::default()).await;
    engine.apply_feed(&main, &world.events(&main).await).await.unwrap();
    let token = CancellationToken::new();
    let repair = tokio::spawn(repair_from_store(engine.clone(), token.clone()));
    until("it is ready", async || engine.status().report().check().is_ok()).await;
    world.lose_after(&main, 9).await;
    until("the log stops", async || is_diverged(&engine, &main)).await;
    token.cancel();
    repair.await.unwrap();
}

#[tokio::test]
async fn events_of_another_deployment_at_the_next_position_are_skipped() {
    let (world, other) = (World::new().await, World::new().await);
    let main = log("main");
    other.recount(&main, 15).await;
    let foreign = other.events(&main).await;
    world.count(&main, 8).await;
    let own = world.events(&main).await;
    let engine = world.engine(Tally::default()).await;
    assert_eq!(engine.apply_feed(&main, &foreign[..3]).await.unwrap(), FeedOutcome::At(Position(3)));
    assert_eq!(engine.apply_feed(&main, &own[..5]).await.unwrap(), FeedOutcome::At(Position(5)));
    // Both deployments share a topic, so that their events are mixed.
    let mut mixed: Vec<RecordedEvent> = [&foreign[..], &own[..]].concat();
    mixed.sort_by_key(|event| event.position);
    assert_eq!(engine.apply_feed(&main, &mixed).await.unwrap(), FeedOutcome::At(Position(8)));
    assert_eq!(engine.apply_feed(&main, &foreign).await.unwrap(), FeedOutcome::At(Position(8)));
    // A log that only the other deployment has.
    let elsewhere = log("elsewhere");
    other.recount(&elsewhere, 2).await;
    let foreign = other.events(&elsewhere).await;
    assert_eq!(engine.apply_feed(&elsewhere, &foreign).await.unwrap(), FeedOutcome::At(Position(0)));
    assert!(engine.status().report().stopped.is_empty());
    world.assert_like_new(&[&main]).await;
}

#[tokio::test]
async fn forged_events_are_skipped() {
    let world = World::new().await;
    let main = log("main");
    world.count(&main, 6).await;
    let own = world.events(&main).await;
    let engine = world.engine(Tally::default()).await;
    // Its content is another one than its hash says.
    let mut changed = own[0].clone();
    changed.event_type = "poisoned".to_owned();
    assert_eq!(engine.apply_feed(&main, &[changed.clone()]).await.unwrap(), FeedOutcome::At(Position(1)));
    let fed = [changed, own[1].clone(), own[2].clone()];
    assert_eq!(engine.apply_feed(&main, &fed).await.unwrap(), FeedOutcome::At(Position(3)));
    assert_eq!(world.tallied(&main).await, 3);
    engine.apply_feed(&main, &own).await.unwrap();
    world.assert_like_new(&[&main]).await;
}

/// Anybody who may write to the topic and knows the log can make an event that follows.
#[tokio::test]
async fn an_event_that_was_forged_to_follow_is_not_applied() {
    let world = World::new().await;
    let main = log("main");
    world.count(&main, 6).await;
    let own = world.events(&main).await;
    let mut forged = own[3].clone();
    forged.event_type = "forged".to_owned();
    forged.hash = EventHash::of(forged.previous, &forged.envelope());
    let engine = world.engine(Tally::default()).await;
    engine.apply_feed(&main, &own[..3]).await.unwrap();
    // The store has the true event in its place.
    assert_eq!(engine.apply_feed(&main, &[forged.clone()]).await.unwrap(), FeedOutcome::At(Position(4)));
    assert_eq!(engine.apply_feed(&main, &own[3..]).await.unwrap(), FeedOutcome::At(Position(6)));
    world.assert_like_new(&[&main]).await;

    world.remake(&main).await;
    let restarted = world.engine(Tally::default()).await;
    let topic = [&own[..3], &[forged], &own[3..]].concat();
    assert_eq!(restarted.apply_feed(&main, &topic).await.unwrap(), FeedOutcome::At(Position(6)));
    world.assert_like_new(&[&main]).await;
}

#[tokio::test]
async fn a_log_that_does_not_exist_any_more_stops() {
    let world = World::new().await;
    let (main, other) = (log("main"), log("other"));
    world.count(&main, 3).await;
    world.count(&other, 3).await;
    let engine = world.engine(Tally::default()).await;
    let token = CancellationToken::new();
    let task = tail(&engine, &token);
    until("all is applied", async || world.tallied(&main).await == 3 && world.tallied(&other).await == 3)
        .await;
    world.lose_after(&main, 0).await;
    sqlx::query("delete from store.logs where log = $1")
        .bind(main.key().0)
        .execute(&world.pool)
        .await
        .unwrap();
    until("the log stops", async || is_diverged(&engine, &main)).await;
    assert!(!is_diverged(&engine, &other));

    // It comes again under its name.
    world.recount(&main, 2).await;
    world.remake(&main).await;
    until("the new log is applied", async || world.tallied(&main).await == 2).await;
    world.assert_like_new(&[&main, &other]).await;
    token.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn a_stopped_log_that_goes_back_has_diverged() {
    let world = World::new().await;
    let main = log("main");
    world.count(&main, 5).await;
    world.append(&main, vec![("poisoned", "{}".to_owned(), Vec::new())]).await;
    let engine = world.engine(Tally::default()).await;
    let token = CancellationToken::new();
    let task = tail(&engine, &token);
    until("the log is stopped", async || !engine.status().report().stopped.is_empty()).await;
    assert!(!is_diverged(&engine, &main));
    until("it is ready", async || engine.status().report().check().is_ok()).await;
    world.lose_after(&main, 3).await;
    world.recount(&main, 9).await;
    until("the log has diverged", async || is_diverged(&engine, &main)).await;
    token.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn a_log_with_a_changed_event_holds_up_no_other_one() {
    let world = World::new().await;
    let (changed, healthy) = (log("changed"), log("healthy"));
    world.count(&changed, 5).await;
    world.tamper(&changed, 2, "{\"x\":1}").await;
    let engine = world.engine(Tally::default()).await;
    let token = CancellationToken::new();
    let task = tail(&engine, &token);
    until("the log is reported", async || !engine.status().report().failing.is_empty()).await;
    world.count(&healthy, 5).await;
    until("the other log is applied", async || world.tallied(&healthy).await == 5).await;
    assert_eq!(engine.status().report().failing[0].0, changed);
    until("it is ready", async || engine.status().report().check().is_ok()).await;
    assert!(engine.status().report().check_stopped().unwrap_err().contains("`changed`"));
    // A feed does not bring the events again and again.
    let events = world.events(&changed).await;
    engine.feed(&changed, &events[3..]).await.unwrap();

    world.tamper(&changed, 2, "{}").await;
    until("the log is applied", async || world.tallied(&changed).await == 5).await;
    until("it is reported no more", async || engine.status().report().failing.is_empty()).await;
    token.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn a_log_that_diverged_in_the_live_build_does_not_delay_the_swap() {
    let world = World::new().await;
    let (main, gone) = (log("main"), log("gone"));
    let old = world.engine(Tally::default()).await;
    for name in [&main, &gone] {
        world.count(name, 10).await;
        old.catch_up(name, Position(10)).await.unwrap();
        world.lose_after(name, if name == &main { 7 } else { 0 }).await;
    }
    sqlx::query("delete from store.logs where log = $1")
        .bind(gone.key().0)
        .execute(&world.pool)
        .await
        .unwrap();
    let new = world.engine(Tally::second()).await;
    let token = CancellationToken::new();
    let work = [tail(&new, &token), tokio::spawn(go_live(new.clone(), token.clone()))];
    until("the new build is live", async || {
        world.text("select version::text from public.recount_read_models").await == ["2"]
    })
    .await;
    assert_eq!(world.text("select concat(log_name, position) from read.progress").await, ["main7"]);
    token.cancel();
    for task in work {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn remaking_one_log_leaves_the_others_and_an_unknown_one_is_not_there() {
    let world = World::new().await;
    let (main, other) = (log("main"), log("other"));
    world.count(&main, 3).await;
    world.count(&other, 4).await;
    let engine = world.engine(Tally::default()).await;
    engine.catch_up(&main, Position(3)).await.unwrap();
    engine.catch_up(&other, Position(4)).await.unwrap();
    let remade = remake(&world.pool, &Tally::default(), main.key()).await.unwrap();
    assert_eq!(remade.len(), 1);
    assert_eq!((remade[0].build.as_str(), remade[0].had_progress, remade[0].rows), ("tally_v1", true, 4));
    assert_eq!((world.tallied(&main).await, world.tallied(&other).await), (0, 4));
    // The engine remembers the position that it had, and a feed goes on from there.
    world.count(&main, 1).await;
    let events = world.events(&main).await;
    assert_eq!(engine.apply_feed(&main, &events[3..]).await.unwrap(), FeedOutcome::At(Position(4)));
    world.assert_like_new(&[&main, &other]).await;
    let unknown = remake(&world.pool, &Tally::default(), log("unknown").key()).await.unwrap();
    assert!(unknown.iter().all(|build| !build.had_progress && build.rows == 0), "{unknown:?}");
}

#[tokio::test]
async fn a_build_whose_progress_has_no_hashes_is_refused_with_what_to_do() {
    let world = World::new().await;
    recount_projection::migrate(&world.pool, &Tally::default()).await.unwrap();
    sqlx::raw_sql("drop schema read cascade; alter table tally_v1.progress drop column hash")
        .execute(&world.pool)
        .await
        .unwrap();
    for refused in [
        recount_projection::verify(&world.pool, &Tally::default()).await,
        recount_projection::migrate(&world.pool, &Tally::default()).await,
    ] {
        assert!(
            matches!(&refused, Err(SchemaError::Outdated { build }) if build == "tally_v1"),
            "{refused:?}"
        );
    }
}

/// A projection with a table that does not say which log a row is from.
struct Unlogged;

impl Projection for Unlogged {
    fn name(&self) -> &'static str {
        "unlogged"
    }

    fn version(&self) -> u16 {
        1
    }

    fn tables_sql(&self) -> &'static str {
        "create table totals (total bigint not null)"
    }

    fn views(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    async fn apply(&self, _connection: &mut PgConnection, _batch: LogBatch<'_>) -> Result<(), ApplyError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_table_without_the_log_is_refused_by_name() {
    let world = World::new().await;
    let refused = recount_projection::migrate(&world.pool, &Unlogged).await;
    assert!(
        matches!(&refused, Err(SchemaError::TableWithoutLog { table }) if table == "totals"),
        "{refused:?}"
    );
    assert!(
        world.text("select nspname::text from pg_namespace where nspname = 'unlogged_v1'").await.is_empty()
    );
}
