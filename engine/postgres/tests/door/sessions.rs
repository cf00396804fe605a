//! What the sessions of a pool are like.

use recount_postgres::Workload;
use recount_test_support::{TestDatabase, unique_name};
use sqlx::AssertSqlSafe;

use std::time::Duration;

use crate::connect;

const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_lease_that_is_given_back_is_used_again_and_one_that_is_dropped_is_not() {
    let database = TestDatabase::create().await;
    let settings = recount_postgres::Settings::new("one", Workload::Queries).connections_max(1);
    let door = recount_postgres::Database::connect(database.url(), &settings).await.unwrap();
    let backend = async || {
        let mut lease = door.lease().await.unwrap();
        let pid: i32 =
            sqlx::query_scalar("select pg_backend_pid()").fetch_one(lease.within(LIMIT)).await.unwrap();
        (lease, pid)
    };
    let (lease, first) = backend().await;
    lease.give_back();
    let (lease, second) = backend().await;
    drop(lease);
    let (_lease, third) = backend().await;
    assert_eq!(first, second);
    assert_ne!(second, third);
}

#[tokio::test]
async fn a_statement_that_fails_costs_no_connection() {
    let database = TestDatabase::create().await;
    let settings = recount_postgres::Settings::new("one", Workload::Queries).connections_max(1);
    let door = recount_postgres::Database::connect(database.url(), &settings).await.unwrap();
    let pid = async || {
        sqlx::query_scalar::<_, i32>("select pg_backend_pid()").fetch_one(door.within(LIMIT)).await.unwrap()
    };
    let before = pid().await;
    sqlx::query("select 1 / 0").execute(door.within(LIMIT)).await.unwrap_err();
    assert_eq!(pid().await, before);
}

#[tokio::test]
async fn the_limits_of_a_session_are_those_of_its_work() {
    let database = TestDatabase::create().await;
    for (workload, statements, locks) in [
        (Workload::Commands, "30s", "3s"),
        (Workload::Following, "30s", "5s"),
        (Workload::Queries, "30s", "2s"),
        (Workload::Maintenance, "0", "0"),
    ] {
        let door = connect(database.url(), workload).await;
        let limits: (String, String, String, String) = sqlx::query_as(
            "select current_setting('statement_timeout'), current_setting('lock_timeout'),
                    current_setting('client_connection_check_interval'),
                    current_setting('default_transaction_isolation')",
        )
        .fetch_one(door.within(LIMIT))
        .await
        .unwrap();
        let expected = (statements, locks, "1s", "read committed");
        assert_eq!((&*limits.0, &*limits.1, &*limits.2, &*limits.3), expected, "{workload:?}");
    }
}

#[tokio::test]
async fn a_login_cannot_make_acknowledgements_a_wish_or_change_the_isolation() {
    let database = TestDatabase::create().await;
    let role = unique_name("recount_test_role_");
    for statement in [
        format!("create role {role} login superuser"),
        format!("alter role {role} set synchronous_commit = 'local'"),
        format!("alter role {role} set default_transaction_isolation = 'serializable'"),
    ] {
        execute(&database, statement).await;
    }
    let url = as_user(database.url(), &role);
    let door = connect(&url, Workload::Commands).await;
    let (durability, isolation): (String, String) = sqlx::query_as(
        "select current_setting('synchronous_commit'), current_setting('transaction_isolation')",
    )
    .fetch_one(door.within(LIMIT))
    .await
    .unwrap();
    assert_eq!((&*durability, &*isolation), ("on", "read committed"));
    execute(&database, format!("alter role {role} set synchronous_commit = 'remote_apply'")).await;
    let stronger: String = sqlx::query_scalar("select current_setting('synchronous_commit')")
        .fetch_one(connect(&url, Workload::Commands).await.within(LIMIT))
        .await
        .unwrap();
    assert_eq!(stronger, "remote_apply");
    execute(&database, format!("drop role {role}")).await;
}

#[tokio::test]
async fn a_lease_may_allow_its_statements_more_time_and_is_not_used_again() {
    let database = TestDatabase::create().await;
    let door = connect(database.url(), Workload::Queries).await;
    let mut lease = door.lease().await.unwrap();
    lease.allow(Duration::from_secs(600)).await.unwrap();
    let limit: String = sqlx::query_scalar("select current_setting('statement_timeout')")
        .fetch_one(lease.within(LIMIT))
        .await
        .unwrap();
    assert_eq!(limit, "10min");
    lease.give_back();
    for _ in 0..4 {
        let mut lease = door.lease().await.unwrap();
        let limit: String = sqlx::query_scalar("select current_setting('statement_timeout')")
            .fetch_one(lease.within(LIMIT))
            .await
            .unwrap();
        assert_eq!(limit, "30s");
        lease.give_back();
    }
}

async fn execute(database: &TestDatabase, statement: String) {
    // Safe: the statement contains only our own text and a generated name.
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(database.pool()).await.unwrap();
}

/// The URL with another user, who needs no password on a test server.
fn as_user(url: &str, user: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    format!("{scheme}://{user}@{rest}")
}
