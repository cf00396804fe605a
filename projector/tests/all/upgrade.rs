//! A newer version of a projection replaces the one that readers see, on a real Postgres.

use recount_core::{LogName, Position};
use recount_projection::{
    CatchingUp, FeedOutcome, Projection, ProjectionEngine, SchemaError, go_live, tail_store,
};
use sqlx::{PgConnection, PgPool};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{PATIENCE, Tally, World, log, until};

impl World {
    /// The version that readers see.
    async fn live(&self) -> i32 {
        sqlx::query_scalar("select version from public.recount_read_models")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    async fn builds(&self) -> Vec<String> {
        self.text("select nspname::text from pg_namespace where nspname like 'tally%' order by nspname").await
    }

    /// The columns that readers see.
    async fn columns(&self) -> Vec<String> {
        self.text(
            "select column_name::text from information_schema.columns
             where table_schema = 'read' and table_name = 'tallies' order by column_name",
        )
        .await
    }

    /// The progress of the new build, as recorded in the database: `<events applied> of <events>`.
    async fn catching(&self) -> Vec<String> {
        self.text("select events_applied || ' of ' || events from public.recount_builds where version = 2")
            .await
    }

    /// Waits until the new build was compared with the live one, and the result was acted on.
    async fn compared(&self) {
        for _ in 0..2 {
            sqlx::query("update public.recount_builds set events = -1 where version = 2")
                .execute(&self.pool)
                .await
                .unwrap();
            until("the builds are compared", async || !self.catching().await[0].ends_with("-1")).await;
        }
    }

    /// The processes that wait for a lock on this table or view.
    async fn waiting_for(&self, relation: &str) -> Vec<i32> {
        sqlx::query_scalar("select pid from pg_locks where not granted and relation = to_regclass($1)")
            .bind(relation)
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }
}

/// A projector: a source, and the task that makes the build live.
fn project<P: Projection>(engine: &ProjectionEngine<P>, token: &CancellationToken) -> JoinHandle<()> {
    let (source, going_live) =
        (tail_store(engine.clone(), token.clone()), go_live(engine.clone(), token.clone()));
    tokio::spawn(async move {
        tokio::join!(source, going_live);
    })
}

/// A database in which the first version is live and has applied this many events of the log.
async fn with_first_version(log: &LogName, events: usize) -> World {
    let world = World::new().await;
    let end = world.count(log, events).await;
    world.engine(Tally::default()).await.catch_up(log, end).await.unwrap();
    assert_eq!(world.tallied(log).await, end.0);
    world
}

/// Reads as a query does, and checks that it sees one build or the other and no mixture.
async fn read(connection: &mut PgConnection, log: &LogName) -> i64 {
    sqlx::raw_sql("begin isolation level repeatable read read only").execute(&mut *connection).await.unwrap();
    let position = position(connection, log).await;
    assert_eq!(tallied(connection, log).await, position);
    sqlx::raw_sql("commit").execute(connection).await.unwrap();
    position
}

async fn position(connection: &mut PgConnection, log: &LogName) -> i64 {
    sqlx::query_scalar("select position from read.progress where log = $1")
        .bind(log.key().0)
        .fetch_one(connection)
        .await
        .unwrap()
}

async fn tallied(connection: &mut PgConnection, log: &LogName) -> i64 {
    sqlx::query_scalar("select events from read.tallies where log = $1")
        .bind(log.key().0)
        .fetch_one(connection)
        .await
        .unwrap()
}

/// Reads repeatedly and checks that the position never goes back. Returns the number of reads.
fn keep_reading(pool: &PgPool, log: &LogName, token: &CancellationToken) -> JoinHandle<u32> {
    let (pool, log, token) = (pool.clone(), log.clone(), token.clone());
    tokio::spawn(async move {
        let mut connection = pool.acquire().await.unwrap();
        let (mut reads, mut last) = (0, 0);
        while !token.is_cancelled() {
            let position = read(&mut connection, &log).await;
            assert!(position >= last, "{position} after {last}");
            last = position;
            reads += 1;
        }
        reads
    })
}

#[tokio::test]
async fn readers_see_the_old_build_until_the_new_one_has_caught_up_without_a_gap() {
    let names = [log("one"), log("two"), log("three")];
    let world = World::new().await;
    let (before, after) = (CancellationToken::new(), CancellationToken::new());
    let old = world.engine(Tally::default()).await;
    let old_work = project(&old, &before);
    for name in &names {
        world.count(name, 3_000).await;
        until("the first version has the events", async || world.tallied(name).await == 3_000).await;
    }
    let new = world.engine(Tally::second()).await;
    assert_eq!((world.live().await, world.columns().await), (1, vec!["events".into(), "log".into()]));
    assert_eq!(world.builds().await, ["tally_v1", "tally_v2"]);

    let readers = names.each_ref().map(|name| keep_reading(&world.engines, name, &after));
    let new_work = project(&new, &after);
    let mut events = 3_000;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while world.live().await == 1 {
        assert!(tokio::time::Instant::now() < deadline, "the new build did not go live");
        for name in &names {
            world.count(name, 10).await;
        }
        events += 10;
    }
    assert_eq!(world.columns().await, ["events", "log", "tenfold"]);
    until("the old build is gone", async || world.builds().await == ["tally_v2"]).await;
    for name in &names {
        until("the new build has all events", async || world.progress("tally_v2", name).await == events)
            .await;
        assert_eq!(read(&mut world.pool.acquire().await.unwrap(), name).await, events);
    }
    until("the old projector reports that its build is gone", async || {
        old.status().report().failure.is_some_and(|failure| failure.contains("`tally_v1` no longer exists"))
    })
    .await;
    before.cancel();
    after.cancel();
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
    old_work.await.unwrap();
    new_work.await.unwrap();
    assert_eq!(new.status().report().catching, None);
}

#[tokio::test]
async fn an_open_reader_finishes_on_the_old_build_while_other_readers_are_answered() {
    let main = log("main");
    let world = with_first_version(&main, 10).await;
    let new = world.engine(Tally::second()).await;
    let mut reader = world.pool.begin_with("begin isolation level repeatable read read only").await.unwrap();
    assert_eq!(position(&mut reader, &main).await, 10);

    let token = CancellationToken::new();
    let work = project(&new, &token);
    until("the swap waits for the reader", async || !world.waiting_for("read.progress").await.is_empty())
        .await;
    let mut other = world.engines.acquire().await.unwrap();
    let answered = tokio::time::timeout(PATIENCE, read(&mut other, &main)).await;
    assert_eq!(answered.expect("the swap backs off"), 10);
    assert_eq!(world.live().await, 1);
    assert_eq!(tallied(&mut reader, &main).await, 10);
    reader.commit().await.unwrap();
    until("the new build is live", async || world.live().await == 2).await;
    assert_eq!(read(&mut world.engines.acquire().await.unwrap(), &main).await, 10);
    token.cancel();
    work.await.unwrap();
}

#[tokio::test]
async fn the_old_build_pauses_until_the_new_one_has_reached_every_position_that_readers_saw() {
    let main = log("main");
    let world = with_first_version(&main, 10).await;
    let (old, new) = (world.engine(Tally::default()).await, world.engine(Tally::second()).await);
    new.catch_up(&main, Position(10)).await.unwrap();
    // Schemas are created, swapped and dropped under this lock.
    let mut busy = world.pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(x'7265636f756e7401'::bigint)")
        .execute(&mut *busy)
        .await
        .unwrap();
    let going_live = tokio::spawn(go_live(new.clone(), CancellationToken::new()));
    until("the swap is about to begin", async || {
        !world
            .text(
                "select pid::text from pg_locks where not granted and locktype = 'advisory'
                 and database = (select oid from pg_database where datname = current_database())",
            )
            .await
            .is_empty()
    })
    .await;
    world.count(&main, 5).await;
    assert_eq!(old.catch_up(&main, Position(15)).await.unwrap(), FeedOutcome::At(Position(15)));
    busy.rollback().await.unwrap();

    until("the old build is paused", async || {
        world.count(&main, 1).await;
        old.catch_up(&main, Position(1_000)).await.unwrap() == FeedOutcome::Busy
    })
    .await;
    let mut reader = world.engines.acquire().await.unwrap();
    assert!(read(&mut reader, &main).await >= 15);
    assert_eq!(world.live().await, 1);
    let head = world.count(&main, 1).await;
    new.catch_up(&main, head).await.unwrap();
    tokio::time::timeout(PATIENCE, going_live).await.unwrap().unwrap();
    assert_eq!((world.live().await, read(&mut reader, &main).await), (2, head.0));
}

#[tokio::test]
async fn a_crash_during_the_swap_leaves_the_old_build_live() {
    let main = log("main");
    let world = with_first_version(&main, 10).await;
    let mut reader = world.pool.begin_with("begin isolation level repeatable read read only").await.unwrap();
    assert_eq!(position(&mut reader, &main).await, 10);

    let lost = project(&world.engine(Tally::second()).await, &CancellationToken::new());
    until("the connection of the swap is terminated while it waits for the reader", async || {
        let mut ended = false;
        for pid in world.waiting_for("read.progress").await {
            ended |= sqlx::query_scalar::<_, bool>("select pg_terminate_backend($1)")
                .bind(pid)
                .fetch_one(&world.pool)
                .await
                .unwrap();
        }
        ended
    })
    .await;
    lost.abort();
    assert!(lost.await.unwrap_err().is_cancelled());
    assert_eq!(tallied(&mut reader, &main).await, 10);
    reader.commit().await.unwrap();
    assert_eq!((world.live().await, world.columns().await), (1, vec!["events".into(), "log".into()]));
    assert_eq!(read(&mut world.engines.acquire().await.unwrap(), &main).await, 10);

    let token = CancellationToken::new();
    let work = project(&world.engine(Tally::second()).await, &token);
    until("another process makes it live", async || world.live().await == 2).await;
    token.cancel();
    work.await.unwrap();
}

#[tokio::test]
async fn two_processes_bring_one_build_live_together() {
    let main = log("main");
    let world = with_first_version(&main, 5_000).await;
    let token = CancellationToken::new();
    let engines = [world.engine(Tally::second()).await, world.engine(Tally::second()).await];
    let going_live = engines.each_ref().map(|engine| tokio::spawn(go_live(engine.clone(), token.clone())));
    let sources = engines.each_ref().map(|engine| tokio::spawn(tail_store(engine.clone(), token.clone())));
    for ended in going_live {
        tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap();
    }
    assert_eq!((world.live().await, world.builds().await), (2, vec!["tally_v2".to_owned()]));
    let applied = engines.map(|engine| engine.status().report().events_applied);
    assert_eq!(applied.iter().sum::<u64>(), 5_000, "{applied:?}");
    token.cancel();
    for source in sources {
        source.await.unwrap();
    }
}

#[tokio::test]
async fn a_half_finished_build_is_continued_after_a_crash() {
    let main = log("main");
    let world = with_first_version(&main, 5_000).await;
    let crashed = world.engine(Tally::second()).await;
    crashed.catch_up(&main, Position(2_000)).await.unwrap();
    drop(crashed);

    let token = CancellationToken::new();
    let restarted = world.engine(Tally::second()).await;
    let work = project(&restarted, &token);
    until("the new build is live", async || world.live().await == 2).await;
    assert_eq!(restarted.status().report().events_applied, 3_000);
    assert_eq!(read(&mut world.engines.acquire().await.unwrap(), &main).await, 5_000);
    token.cancel();
    work.await.unwrap();
}

#[tokio::test]
async fn an_old_build_that_a_crashed_process_left_is_dropped_by_the_next_process() {
    let main = log("main");
    let world = with_first_version(&main, 10).await;
    let mut straggler = world.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table tally_v1.seen in row exclusive mode").execute(&mut *straggler).await.unwrap();
    let crashed = project(&world.engine(Tally::second()).await, &CancellationToken::new());
    until("the old build is being dropped", async || !world.waiting_for("tally_v1.seen").await.is_empty())
        .await;
    crashed.abort();
    assert!(crashed.await.unwrap_err().is_cancelled());
    assert_eq!((world.live().await, world.builds().await.len()), (2, 2));
    straggler.rollback().await.unwrap();

    let restarted = world.engine(Tally::second()).await;
    go_live(restarted, CancellationToken::new()).await;
    assert_eq!(world.builds().await, ["tally_v2"]);
    assert_eq!(world.text("select version::text from public.recount_builds").await, ["2"]);
}

#[tokio::test]
async fn the_progress_of_a_build_is_reported_until_it_is_live() {
    let main = log("main");
    let world = with_first_version(&main, 30).await;
    let new = world.engine(Tally::second()).await;
    let token = CancellationToken::new();
    let going_live = tokio::spawn(go_live(new.clone(), token.clone()));
    let catching = |events_applied| Some(CatchingUp { events_applied, events: 30 });
    until("no event is applied", async || new.status().report().catching == catching(0)).await;
    new.catch_up(&main, Position(20)).await.unwrap();
    until("some events are applied", async || new.status().report().catching == catching(20)).await;
    until("the database has that progress", async || world.catching().await == ["20 of 30"]).await;
    assert_eq!(world.live().await, 1);
    new.catch_up(&main, Position(30)).await.unwrap();
    tokio::time::timeout(PATIENCE, going_live).await.unwrap().unwrap();
    assert_eq!((world.live().await, new.status().report().catching), (2, None));
}

#[tokio::test]
async fn a_build_with_a_log_stopped_behind_the_live_build_does_not_go_live() {
    let (broken, healthy) = (log("broken"), log("healthy"));
    let world = World::new().await;
    world.count(&healthy, 4).await;
    world.count(&broken, 5).await;
    let head = world.append(&broken, vec![("poisoned", "{}".to_owned(), Vec::new())]).await;
    let old = Tally::default();
    old.repaired.store(true, std::sync::atomic::Ordering::Relaxed);
    let old = world.engine(old).await;
    old.catch_up(&broken, head).await.unwrap();
    old.catch_up(&healthy, head).await.unwrap();

    let token = CancellationToken::new();
    let new = Tally::second();
    let work = project(&world.engine(new.clone()).await, &token);
    until("all events but the broken one are applied", async || world.catching().await == ["9 of 10"]).await;
    world.compared().await;
    assert_eq!(world.live().await, 1);
    token.cancel();
    work.await.unwrap();

    new.repaired.store(true, std::sync::atomic::Ordering::Relaxed);
    let token = CancellationToken::new();
    let work = project(&world.engine(new).await, &token);
    until("the repaired build is live", async || world.live().await == 2).await;
    token.cancel();
    work.await.unwrap();
}

#[tokio::test]
async fn a_log_that_is_stopped_in_both_builds_does_not_delay_the_swap() {
    let broken = log("broken");
    let world = World::new().await;
    world.count(&broken, 5).await;
    let head = world.append(&broken, vec![("poisoned", "{}".to_owned(), Vec::new())]).await;
    world.engine(Tally::default()).await.catch_up(&broken, head).await.unwrap();
    let token = CancellationToken::new();
    let work = project(&world.engine(Tally::second()).await, &token);
    until("the new build is live", async || world.live().await == 2).await;
    assert_eq!(world.text("select position || ' ' || stopped_at from read.progress").await, ["5 6"]);
    token.cancel();
    work.await.unwrap();
}

#[tokio::test]
async fn grants_on_the_views_are_kept_by_the_swap() {
    let main = log("main");
    let world = with_first_version(&main, 1).await;
    sqlx::raw_sql("grant select on read.tallies to public").execute(&world.pool).await.unwrap();
    let token = CancellationToken::new();
    let work = project(&world.engine(Tally::second()).await, &token);
    until("the new build is live", async || world.live().await == 2).await;
    let granted = "select relname || ' ' || privilege_type from pg_class cross join aclexplode(relacl)
                   where relnamespace = 'read'::regnamespace and grantee = 0";
    assert_eq!(world.text(granted).await, ["tallies SELECT"]);
    token.cancel();
    work.await.unwrap();
}

#[tokio::test]
async fn a_version_that_never_went_live_is_dropped_with_the_old_one() {
    let main = log("main");
    let world = with_first_version(&main, 10).await;
    world.engine(Tally::second()).await.catch_up(&main, Position(5)).await.unwrap();
    let third = Tally { version: 3, ..Tally::default() };
    let token = CancellationToken::new();
    let work = project(&world.engine(third).await, &token);
    until("only the third version is left", async || world.builds().await == ["tally_v3"]).await;
    assert_eq!(world.live().await, 3);
    token.cancel();
    work.await.unwrap();
}

#[tokio::test]
async fn without_an_earlier_version_or_events_a_build_is_live_at_once() {
    let fresh = World::new().await;
    let engine = fresh.engine(Tally::second()).await;
    assert_eq!((fresh.live().await, fresh.columns().await.len()), (2, 3));
    go_live(engine, CancellationToken::new()).await;

    let empty = World::new().await;
    recount_projection::migrate(&empty.pool, &Tally::default()).await.unwrap();
    let engine = empty.engine(Tally::second()).await;
    go_live(engine, CancellationToken::new()).await;
    assert_eq!((empty.live().await, empty.builds().await), (2, vec!["tally_v2".to_owned()]));
}

#[tokio::test]
async fn going_live_with_the_live_version_changes_nothing() {
    let main = log("main");
    let world = with_first_version(&main, 10).await;
    let state = "select concat_ws(' ', r.version, r.made_at, b.made_at, 'read.tallies'::regclass::oid)
                 from public.recount_read_models as r join public.recount_builds as b using (projection)";
    let before = world.text(state).await;
    let engine = world.engine(Tally::default()).await;
    go_live(engine, CancellationToken::new()).await;
    assert_eq!(world.text(state).await, before);
    assert_eq!(world.tallied(&main).await, 10);
}

#[tokio::test]
async fn read_models_from_before_the_register_of_builds_are_upgraded() {
    let main = log("main");
    let world = with_first_version(&main, 10).await;
    sqlx::raw_sql("drop table public.recount_builds").execute(&world.pool).await.unwrap();
    recount_projection::verify(&world.pool, &Tally::default()).await.unwrap();
    let token = CancellationToken::new();
    let work = project(&world.engine(Tally::second()).await, &token);
    until("only the new build is left", async || world.builds().await == ["tally_v2"]).await;
    token.cancel();
    work.await.unwrap();
}

#[tokio::test]
async fn an_older_version_that_was_not_migrated_is_refused_with_the_command_to_run() {
    let world = with_first_version(&log("main"), 1).await;
    let error = recount_projection::verify(&world.pool, &Tally::second()).await.unwrap_err();
    assert!(matches!(error, SchemaError::Older { there: 1, needed: 2, .. }), "{error:?}");
    assert!(error.to_string().contains("run `recount migrate`"), "{error}");
    recount_projection::migrate(&world.pool, &Tally::second()).await.unwrap();
    recount_projection::verify(&world.pool, &Tally::second()).await.unwrap();
    // The older program keeps working until the newer one has replaced it.
    recount_projection::verify(&world.pool, &Tally::default()).await.unwrap();
    recount_projection::migrate(&world.pool, &Tally::default()).await.unwrap();
    assert_eq!(world.builds().await, ["tally_v1", "tally_v2"]);
}

#[tokio::test]
async fn a_newer_version_is_refused_and_left_unchanged() {
    let world = World::new().await;
    recount_projection::migrate(&world.pool, &Tally::second()).await.unwrap();
    let old = Tally::default();
    for refused in [
        recount_projection::verify(&world.pool, &old).await,
        recount_projection::migrate(&world.pool, &old).await,
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(error, SchemaError::Newer { there: 2, needed: 1, .. }), "{error:?}");
        assert!(error.to_string().contains("run the newer program"), "{error}");
    }
    assert_eq!((world.live().await, world.builds().await), (2, vec!["tally_v2".to_owned()]));
}
