//! Whatever vanishes or hangs is let go.

use std::time::{Duration, Instant};

use recount_postgres::{Database, Failure, Workload, is_time_limit, rolled_back, sent_nothing, sqlstate};
use recount_test_support::{Proxy, TestDatabase, eventually};
use sqlx::Connection;
use tokio::task::JoinSet;

use crate::{PATIENCE, active, connect};

const LIMIT: Duration = Duration::from_secs(1);

async fn answer(database: &Database) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("select 1").fetch_one(database.within(LIMIT)).await
}

/// Opens all connections of the pool.
async fn fill(database: &Database) {
    let mut leases = Vec::new();
    for _ in 0..database.connections_max() {
        leases.push(database.lease().await.unwrap());
    }
    for lease in leases {
        lease.give_back();
    }
    // All are back as soon as all can be taken again.
    let database = database.clone();
    eventually(PATIENCE, "the connections are back", move || {
        let idle = database.pool().num_idle();
        std::future::ready(idle == database.connections_max() as usize)
    })
    .await;
}

#[tokio::test]
async fn a_statement_to_a_vanished_host_ends_at_its_limit_and_the_pool_works_at_once() {
    let database = TestDatabase::create().await;
    let (proxy, url) = Proxy::before(database.url()).await;
    let door = connect(&url, Workload::Commands).await;
    fill(&door).await;
    proxy.vanish();
    let started = Instant::now();
    let error = answer(&door).await.unwrap_err();
    assert!(is_time_limit(&error) && !rolled_back(&error), "{error}");
    assert!(started.elapsed() < 3 * LIMIT, "{:?}", started.elapsed());
    // The other idle connections led to the same host.
    let mut answers = JoinSet::new();
    for _ in 0..8 {
        let door = door.clone();
        answers.spawn(async move { answer(&door).await });
    }
    for answered in answers.join_all().await {
        assert_eq!(answered.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_host_that_vanishes_under_all_connections_costs_the_pool_its_limits_and_no_more() {
    let database = TestDatabase::create().await;
    let (proxy, url) = Proxy::before(database.url()).await;
    let door = connect(&url, Workload::Commands).await;
    fill(&door).await;
    proxy.vanish();
    let mut hanging = JoinSet::new();
    for _ in 0..4 {
        let door = door.clone();
        hanging.spawn(async move { answer(&door).await });
    }
    for answered in hanging.join_all().await {
        assert!(is_time_limit(&answered.unwrap_err()));
    }
    let mut lease = door.lease().await.unwrap();
    let one: i32 = sqlx::query_scalar("select 1").fetch_one(lease.within(LIMIT)).await.unwrap();
    assert_eq!(one, 1);
}

#[tokio::test]
async fn a_connection_that_is_given_back_to_a_vanished_host_does_not_keep_its_place() {
    let database = TestDatabase::create().await;
    let (proxy, url) = Proxy::before(database.url()).await;
    let door = connect(&url, Workload::Commands).await;
    let mut leases = Vec::new();
    for _ in 0..4 {
        leases.push(door.lease().await.unwrap());
    }
    proxy.vanish();
    for lease in leases {
        lease.give_back();
    }
    // Taking one waits until the pool has given up testing those.
    let mut lease = door.lease().await.unwrap();
    let one: i32 = sqlx::query_scalar("select 1").fetch_one(lease.within(LIMIT)).await.unwrap();
    assert_eq!(one, 1);
}

#[tokio::test]
async fn a_database_that_hangs_is_waited_for_within_limits_and_used_again_when_it_wakes_up() {
    let database = TestDatabase::create().await;
    let (proxy, url) = Proxy::before(database.url()).await;
    let door = connect(&url, Workload::Commands).await;
    fill(&door).await;
    proxy.freeze();
    assert!(is_time_limit(&answer(&door).await.unwrap_err()));
    // Nobody answers a new connection either.
    let error = answer(&door).await.unwrap_err();
    assert!(sent_nothing(&error) && Failure::of(&error).may_pass(), "{error:?}");
    proxy.thaw();
    assert_eq!(answer(&door).await.unwrap(), 1);
}

#[tokio::test]
async fn statements_whose_callers_have_left_are_gone_from_the_server_and_hold_no_place() {
    let database = TestDatabase::create().await;
    let door = connect(database.url(), Workload::Queries).await;
    let mut callers = JoinSet::new();
    for _ in 0..4 {
        let door = door.clone();
        callers.spawn(async move {
            sqlx::query("select pg_sleep(600)").execute(door.within(Duration::from_secs(600))).await
        });
    }
    eventually(PATIENCE, "all connections are busy", async || active(&database).await == 4).await;
    callers.shutdown().await;
    let started = Instant::now();
    sqlx::query("select 1").execute(door.within(Duration::from_secs(5))).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
    eventually(PATIENCE, "the server has noticed", async || active(&database).await == 0).await;
}

#[tokio::test]
async fn a_locked_table_is_a_known_failure_within_seconds_and_other_tables_can_be_read() {
    let database = TestDatabase::create().await;
    sqlx::raw_sql("create table locked (n int); create table free (n int)")
        .execute(database.pool())
        .await
        .unwrap();
    let mut locker = sqlx::PgConnection::connect(database.url()).await.unwrap();
    sqlx::raw_sql("begin; lock table locked").execute(&mut locker).await.unwrap();

    let door = connect(database.url(), Workload::Commands).await;
    let started = Instant::now();
    let mut waiting = JoinSet::new();
    for _ in 0..3 {
        let door = door.clone();
        waiting.spawn(async move {
            sqlx::query("insert into locked values (1)").execute(door.within(Duration::from_secs(5))).await
        });
    }
    sqlx::query("select * from free").execute(door.within(LIMIT)).await.unwrap();
    for waited in waiting.join_all().await {
        let error = waited.unwrap_err();
        assert_eq!(sqlstate(&error).as_deref(), Some("55P03"), "{error}");
        assert!(rolled_back(&error) && Failure::of(&error).may_pass());
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_transaction_that_is_dropped_is_rolled_back_at_once() {
    let database = TestDatabase::create().await;
    sqlx::raw_sql("create table t (n int)").execute(database.pool()).await.unwrap();
    let door = connect(database.url(), Workload::Commands).await;
    let mut transaction = door.begin().await.unwrap();
    sqlx::query("lock table t").execute(&mut *transaction).await.unwrap();
    let hanging = async {
        sqlx::query("select pg_sleep(600)").execute(&mut *transaction).await?;
        transaction.commit().await
    };
    let error = door.bounded(Duration::from_millis(200), hanging).await.unwrap_err();
    assert!(is_time_limit(&error));
    // Waits for the lock, which the server gives up when it notices that the client has left.
    sqlx::query("insert into t values (1)").execute(door.within(Duration::from_secs(5))).await.unwrap();
}
