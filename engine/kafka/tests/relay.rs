//! The relay on a real Postgres and a real Apache Kafka: every log gets its turn, in order, and progress is saved.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use recount_core::{EventHash, LogKey, LogName, NewEvent, Position, Tag, Tip};
use recount_kafka::relay::{self, Lease, Published, RelayStore, SHARDS, StoppedLog};
use recount_kafka::{Consumer, Topic, ensure_topic};
use recount_store::{Append, Appended, LogReader, LogWriter, migrations};
use recount_test_support::{TestDatabase, eventually, kafka_brokers, unique_name, unique_topic};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Long enough for a slow and busy machine. A wait ends as soon as its condition holds.
const TIMEOUT: Duration = Duration::from_secs(180);
/// The events that the relay publishes in a turn of a log.
const TURN_EVENTS: i64 = 1_000;

/// A database with an event store.
async fn database() -> TestDatabase {
    let database = TestDatabase::create().await;
    migrations::run(database.pool()).await.unwrap();
    database
}

/// Appends this many events to the log, where it ends. `text` tells histories apart.
async fn append(store: &LogWriter, log: &LogName, events: i64, text: &str) -> Tip {
    let found = store.reader().log(log.key()).await.unwrap().unwrap();
    let frontier = store.reader().frontier(found.key, found.tip).await.unwrap();
    let recorded_at = "2026-11-21T09:30:00Z".parse().unwrap();
    let mut batch = Append::new(found.key, found.tip.hash, frontier, found.fence, recorded_at);
    let meta: Arc<str> = "{}".into();
    for n in 0..events {
        batch.push_event(NewEvent {
            id: Uuid::from_u128(
                u128::from(log.key().0.cast_unsigned()) << 64 | u128::from(n.cast_unsigned()),
            ),
            event_type: "counted",
            version: 1,
            tags: vec![Tag::new("counter", "one")],
            data: format!("{{\"text\":\"{text}\",\"n\":{n}}}"),
            meta: Arc::clone(&meta),
        });
    }
    assert_eq!(store.append(&batch, TIMEOUT).await.unwrap(), Appended::Done);
    batch.next_tip()
}

/// What a restore of an old backup or a failover does to a log: the events after this position are gone.
fn loss(log: &LogName, position: i64) -> AssertSqlSafe<String> {
    let log = log.key().0;
    AssertSqlSafe(format!(
        "alter table store.events disable trigger user;
         alter table store.event_tags disable trigger user;
         delete from store.events where log = {log} and position > {position};
         delete from store.event_tags where log = {log} and store.position(segment, slot) > {position};
         delete from store.news where log = {log} and position > {position};
         alter table store.event_tags enable trigger user;
         alter table store.events enable trigger user"
    ))
}

async fn lose_events_after(pool: &PgPool, log: &LogName, position: i64) {
    // The server makes one transaction of it.
    sqlx::raw_sql(loss(log, position)).execute(pool).await.unwrap();
}

/// A failover to a server that lacks the last events and the relay's progress of them. The connections of the relay
/// break in the middle of a query.
async fn fail_over(pool: &PgPool, log: &LogName, kept: Tip) {
    let mut server = pool.begin().await.unwrap();
    sqlx::raw_sql("lock table store.news").execute(&mut *server).await.unwrap();
    eventually(TIMEOUT, "the relay is in a query", || async {
        let waiting = "select count(*) from pg_stat_activity where datname = current_database()
                       and application_name = 'relay' and wait_event_type = 'Lock'";
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(pool).await.unwrap() > 0
    })
    .await;
    sqlx::raw_sql(loss(log, kept.position.0)).execute(&mut *server).await.unwrap();
    for statement in [
        format!(
            "update relay.progress set position = {}, hash = '\\x{}' where log = {}",
            kept.position,
            kept.hash,
            log.key().0
        ),
        "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and application_name = 'relay'"
            .to_owned(),
    ] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *server).await.unwrap();
    }
    server.commit().await.unwrap();
}

/// A relay that runs.
struct Relay {
    status: relay::Status,
    stopping: CancellationToken,
    task: JoinHandle<()>,
}

impl Relay {
    fn start(pool: &PgPool, topic: &Topic) -> Relay {
        let (status, stopping) = (relay::Status::default(), CancellationToken::new());
        let task = tokio::spawn(relay::run(
            LogReader::new(pool.clone()),
            RelayStore::new(pool.clone()),
            topic.clone(),
            new_holder(),
            status.clone(),
            stopping.clone(),
        ));
        Relay { status, stopping, task }
    }

    async fn until_stopped(&self, log: &LogName, published: Tip) {
        let expected = [StoppedLog { log: log.clone(), published }];
        eventually(TIMEOUT, "the log is stopped", || async { self.status.stopped() == expected }).await;
        assert!(self.status.check().unwrap_err().contains(&format!("`{log}`")));
    }

    async fn until_resumed(&self) {
        eventually(TIMEOUT, "the log goes on", || async { self.status.check().is_ok() }).await;
    }

    async fn stop(self) {
        self.stopping.cancel();
        timeout(TIMEOUT, self.task).await.unwrap().unwrap();
    }

    /// Ends it as a crash does: it releases nothing.
    async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// Another one for each run of a relay.
fn new_holder() -> Uuid {
    static HOLDERS: AtomicU64 = AtomicU64::new(0);
    Uuid::from_u64_pair(1, HOLDERS.fetch_add(1, Ordering::Relaxed))
}

fn new_topic() -> Topic {
    Topic { partitions: 1, ..Topic::at(kafka_brokers()).named(unique_topic()) }
}

async fn saved(pool: &PgPool, log: &LogName) -> Option<Tip> {
    RelayStore::new(pool.clone()).published(&[log.key()]).await.unwrap().get(&log.key()).copied()
}

async fn until_saved(pool: &PgPool, log: &LogName, tip: Tip) {
    eventually(TIMEOUT, "the progress is saved", || async { saved(pool, log).await == Some(tip) }).await;
}

/// Reads events of the topic, which has one partition, until it has read enough: their positions and hashes in order.
async fn read_enough(topic: &Topic, is_enough: impl Fn(&[Tip]) -> bool) -> Vec<Tip> {
    let mut consumer = Consumer::new(topic, &unique_name("recount-relay-")).unwrap();
    let mut tips = Vec::new();
    let reading = async {
        while !is_enough(&tips) {
            let Ok(batch) = consumer.next_batch(500, Duration::from_millis(500)).await else { continue };
            tips.extend(batch.events.iter().map(|(_, event)| Tip::at(event)));
        }
    };
    assert!(timeout(TIMEOUT, reading).await.is_ok(), "not enough events came within {TIMEOUT:?}");
    consumer.close().await;
    tips
}

async fn read(topic: &Topic, events: usize) -> Vec<Tip> {
    read_enough(topic, |tips| tips.len() >= events).await
}

fn positions(tips: &[Tip]) -> Vec<i64> {
    tips.iter().map(|tip| tip.position.0).collect()
}

async fn new_logs(store: &LogWriter, count: usize) -> Vec<LogName> {
    let names: Vec<LogName> = (0..count).map(|n| format!("log-{n}").parse().unwrap()).collect();
    for name in &names {
        store.create_log(name).await.unwrap();
    }
    names
}

/// Reads the topic, which has one partition, until it has this many events of every log. Checks that the events of each
/// log are in order, and calls `each` after every event with the last positions of all logs.
async fn read_until(topic: &Topic, logs: usize, events: i64, mut each: impl FnMut(&HashMap<LogName, i64>)) {
    let mut consumer = Consumer::new(topic, &unique_name("recount-relay-")).unwrap();
    let mut seen: HashMap<LogName, i64> = HashMap::new();
    let reading = async {
        while seen.len() < logs || seen.values().any(|seen| *seen < events) {
            // Kafka may be starting, so an error is not the end.
            let Ok(batch) = consumer.next_batch(500, Duration::from_millis(500)).await else { continue };
            for (name, event) in &batch.events {
                let last = seen.entry(name.clone()).or_default();
                assert!(event.position.0 <= *last + 1, "in {name}, {} comes after {last}", event.position);
                *last = event.position.0.max(*last);
                each(&seen);
            }
            consumer.commit(&batch);
        }
    };
    assert!(timeout(TIMEOUT, reading).await.is_ok(), "not all events came within {TIMEOUT:?}");
    consumer.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_log_gets_its_turn_while_all_of_them_have_more_to_publish() {
    const LOGS: usize = 24;
    const EVENTS: i64 = 3 * TURN_EVENTS;
    let database = database().await;
    let pool = database.pool();
    let store = LogWriter::new(pool.clone());
    let names = new_logs(&store, LOGS).await;
    for name in &names {
        append(&store, name, EVENTS, "").await;
    }
    let topic = new_topic();
    let relay = Relay::start(pool, &topic);
    read_until(&topic, LOGS, EVENTS, |seen| {
        let most = seen.values().max().unwrap();
        // A log gets its third turn after all others have had their first.
        if *most > 2 * TURN_EVENTS {
            let had_none = names.iter().filter(|name| seen.get(name).copied().unwrap_or(0) < TURN_EVENTS);
            assert_eq!(had_none.count(), 0, "at {most} of one log, these have had no turn");
        }
    })
    .await;
    eventually(TIMEOUT, "all progress is saved", || async {
        let keys: Vec<LogKey> = names.iter().map(LogName::key).collect();
        let saved = RelayStore::new(pool.clone()).published(&keys).await.unwrap();
        saved.len() == LOGS && saved.values().all(|tip| tip.position.0 == EVENTS)
    })
    .await;
    relay.stop().await;
}

fn tip(position: i64, hash: u8) -> Tip {
    Tip { position: Position(position), hash: EventHash([hash; 32]) }
}

fn moved(log: i64, from: Option<Tip>, to: Tip) -> Published {
    Published { log: LogKey(log), from, to }
}

#[tokio::test]
async fn the_progress_of_many_logs_is_saved_by_compare_and_set_of_position_and_hash() {
    let database = database().await;
    let store = RelayStore::new(database.pool().clone());
    let begun = [moved(1, None, tip(5, 1)), moved(2, None, tip(7, 2)), moved(3, None, tip(7, 3))];
    assert_eq!(store.save_published(&begun).await.unwrap(), 3);
    // The first is at another position, the second moves on, the third has another hash, the fourth starts.
    let progress = [
        moved(1, Some(tip(4, 1)), tip(9, 1)),
        moved(2, Some(tip(7, 2)), tip(8, 2)),
        moved(3, Some(tip(7, 9)), tip(8, 9)),
        moved(4, None, tip(1, 4)),
    ];
    assert_eq!(store.save_published(&progress).await.unwrap(), 2);
    let saved = store.published(&[1, 2, 3, 4, 5].map(LogKey)).await.unwrap();
    let expected = [(1, tip(5, 1)), (2, tip(8, 2)), (3, tip(7, 3)), (4, tip(1, 4))];
    assert_eq!(saved, HashMap::from(expected.map(|(log, tip)| (LogKey(log), tip))));
    // Progress that another relay has started is not started again.
    assert_eq!(store.save_published(&[moved(1, None, tip(9, 1))]).await.unwrap(), 0);
    store.forget(LogKey(1)).await.unwrap();
    assert_eq!(store.save_published(&[moved(1, None, tip(9, 1))]).await.unwrap(), 1);
}

/// Nothing is appended meanwhile, and other logs go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_lost_its_end_is_stopped_until_its_progress_is_forgotten() {
    let database = database().await;
    let pool = database.pool();
    let store = LogWriter::new(pool.clone());
    let names = new_logs(&store, 2).await;
    let [log, other] = &names[..] else { unreachable!("there are two") };
    let topic = new_topic();
    let relay = Relay::start(pool, &topic);
    let lost = append(&store, log, 5, "old").await;
    until_saved(pool, log, lost).await;
    lose_events_after(pool, log, 3).await;
    relay.until_stopped(log, lost).await;

    // It does not go on with another history, not even one that is longer.
    append(&store, log, 4, "new").await;
    let others = append(&store, other, 1, "").await;
    until_saved(pool, other, others).await;
    assert_eq!(saved(pool, log).await, Some(lost));
    relay.stop().await;
    // Another relay comes to the same result.
    let relay = Relay::start(pool, &topic);
    relay.until_stopped(log, lost).await;
    assert_eq!(positions(&read(&topic, 6).await), [1, 2, 3, 4, 5, 1]);

    RelayStore::new(pool.clone()).forget(log.key()).await.unwrap();
    relay.until_resumed().await;
    let new = store.reader().log(log.key()).await.unwrap().unwrap().tip;
    until_saved(pool, log, new).await;
    let tips = read(&topic, 13).await;
    assert_eq!(positions(&tips[6..]), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(tips[12], new);
    assert!(!tips[6..].contains(&lost));
    // It is a log like any other again.
    let next = append(&store, log, 1, "new").await;
    until_saved(pool, log, next).await;
    relay.stop().await;
}

/// A failover takes the progress of the relay back together with the log. The running relay knows better, and leaves it
/// to those that come after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_went_back_together_with_its_progress_is_stopped() {
    let database = database().await;
    let pool = database.pool();
    let store = LogWriter::new(pool.clone());
    let log = &new_logs(&store, 1).await[0];
    let topic = new_topic();
    let named = PgConnectOptions::from_str(database.url()).unwrap().application_name("relay");
    let relay = Relay::start(&PgPool::connect_lazy_with(named), &topic);
    let kept = append(&store, log, 3, "old").await;
    until_saved(pool, log, kept).await;
    let lost = append(&store, log, 2, "old").await;
    until_saved(pool, log, lost).await;
    fail_over(pool, log, kept).await;
    append(&store, log, 9, "new").await;
    relay.until_stopped(log, lost).await;
    assert_eq!(saved(pool, log).await, Some(lost));
    relay.stop().await;
    let relay = Relay::start(pool, &topic);
    relay.until_stopped(log, lost).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_rewritten_to_the_same_length_is_stopped_until_it_is_itself_again() {
    let database = database().await;
    let pool = database.pool();
    let store = LogWriter::new(pool.clone());
    let log = &new_logs(&store, 1).await[0];
    let topic = new_topic();
    let relay = Relay::start(pool, &topic);
    let published = append(&store, log, 5, "old").await;
    until_saved(pool, log, published).await;
    relay.stop().await;
    lose_events_after(pool, log, 0).await;
    append(&store, log, 5, "new").await;
    let relay = Relay::start(pool, &topic);
    relay.until_stopped(log, published).await;
    // The other history turns up again, for instance because the right backup was found.
    lose_events_after(pool, log, 0).await;
    assert_eq!(append(&store, log, 5, "old").await, published);
    relay.until_resumed().await;
    let next = append(&store, log, 1, "old").await;
    until_saved(pool, log, next).await;
    assert_eq!(positions(&read(&topic, 6).await), [1, 2, 3, 4, 5, 6]);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_well_is_published_again_once_its_progress_is_forgotten() {
    let database = database().await;
    let pool = database.pool();
    let store = LogWriter::new(pool.clone());
    let log = &new_logs(&store, 1).await[0];
    let topic = new_topic();
    let relay = Relay::start(pool, &topic);
    let tip = append(&store, log, 3, "").await;
    until_saved(pool, log, tip).await;
    RelayStore::new(pool.clone()).forget(log.key()).await.unwrap();
    until_saved(pool, log, tip).await;
    assert_eq!(positions(&read(&topic, 6).await), [1, 2, 3, 1, 2, 3]);
    assert!(relay.status.stopped().is_empty());
    relay.stop().await;
}

#[tokio::test]
async fn a_lease_is_taken_only_with_the_beat_that_was_seen() {
    let database = database().await;
    let store = RelayStore::new(database.pool().clone());
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let held = |leases: &[Lease], by: Uuid| leases.iter().filter(|lease| lease.holder == by).count();
    let all = usize::try_from(SHARDS).unwrap();
    assert_eq!(held(&store.hold_shards(one, &[]).await.unwrap(), one), all);
    let seen = store.hold_shards(two, &[]).await.unwrap();
    assert_eq!(held(&seen, one), all);
    // The holder renews, so it is alive.
    assert_eq!(held(&store.hold_shards(one, &[]).await.unwrap(), one), all);
    let seen_again = store.hold_shards(two, &seen).await.unwrap();
    assert_eq!(held(&seen_again, one), all);
    let beat_of = |shard| seen.iter().find(|lease| lease.shard == shard).unwrap().beat;
    assert!(seen_again.iter().all(|lease| lease.beat > beat_of(lease.shard)));
    // Now it does not.
    let taken = store.hold_shards(two, &seen_again[..3]).await.unwrap();
    assert_eq!((held(&taken, one), held(&taken, two)), (all - 3, 3));
    assert_eq!(held(&store.hold_shards(one, &[]).await.unwrap(), one), all - 3);
    store.release_shards(one).await.unwrap();
    assert_eq!(held(&store.hold_shards(two, &[]).await.unwrap(), two), all);
}

/// No wall clock takes part, so there is nothing in the row that could reach into the future.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leases_of_a_relay_that_was_killed_are_taken_over_and_those_of_a_stopped_one_at_once() {
    let database = database().await;
    let pool = database.pool();
    let store = LogWriter::new(pool.clone());
    let log = &new_logs(&store, 1).await[0];
    let topic = new_topic();
    let first = Relay::start(pool, &topic);
    let tip = append(&store, log, 1, "").await;
    until_saved(pool, log, tip).await;
    let second = Relay::start(pool, &topic);
    first.kill().await;
    let tip = append(&store, log, 1, "").await;
    until_saved(pool, log, tip).await;

    let third = Relay::start(pool, &topic);
    second.stop().await;
    let tip = append(&store, log, 1, "").await;
    until_saved(pool, log, tip).await;
    third.stop().await;
    let left: i64 = sqlx::query_scalar("select count(*) from relay.leases").fetch_one(pool).await.unwrap();
    assert_eq!(left, 0);
}

/// Allows records of up to this many bytes in the topic.
async fn limit_records(topic: &Topic, bytes: &str) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &topic.brokers).create().unwrap();
    let resource = ResourceSpecifier::Topic(&topic.name);
    let changed = AlterConfig::new(resource).set("max.message.bytes", bytes);
    admin.alter_configs([&changed], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_too_large_for_the_topic_does_not_repeat_those_around_it_for_ever() {
    const LATER_EVENTS: i64 = 900;
    let database = database().await;
    let pool = database.pool();
    let store = LogWriter::new(pool.clone());
    let log = &new_logs(&store, 1).await[0];
    let before = append(&store, log, 2, "").await;
    // Nothing that compression makes small.
    let random = RandomState::new();
    let text: String = (0..20_000).map(|n| format!("{:016x}", random.hash_one(n))).collect();
    let large = append(&store, log, 1, &text).await;
    let last = append(&store, log, LATER_EVENTS, "").await;
    let topic = new_topic();
    ensure_topic(&topic).await.unwrap();
    limit_records(&topic, "100000").await;
    let relay = Relay::start(pool, &topic);
    // Those before it are published, although they are first tried together with it.
    until_saved(pool, log, before).await;
    limit_records(&topic, "8388608").await;
    until_saved(pool, log, last).await;
    relay.stop().await;

    let is_complete = |tips: &[Tip]| {
        let large_at = tips.iter().position(|tip| *tip == large);
        large_at.is_some_and(|large_at| tips[large_at..].contains(&last))
    };
    let tips = read_enough(&topic, is_complete).await;
    // The page had a thousand events, then 125, then 15, then one.
    assert!(tips.iter().filter(|tip| **tip == last).count() <= 2);
    assert!(tips.len() < 2_500, "{}", tips.len());
}
