//! The log of a ledger, read from a real store.

use std::time::Duration;

use recount_core::LogName;
use recount_service_kit::database::{Database, Settings, Workload};
use recount_store::migrations;
use recount_test_support::{TestDatabase, unique_name};
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};

use crate::world::{Answer, World};

/// Two accounts take turns, and the last event is of the ledger.
const EVENTS: [(&str, &str); 5] = [
    ("account:a", r#"{"n":1}"#),
    ("account:b", r#"{"n":2}"#),
    ("account:a", r#"{"n":3}"#),
    ("account:b", r#"{"n":4}"#),
    ("ledger:", r#"{"n":5}"#),
];

async fn with_log() -> World {
    let world = World::empty().await;
    world.write_log("books", &EVENTS).await;
    world
}

fn positions(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let page = answer.json();
    page["events"].as_array().unwrap().iter().map(|event| event["position"].clone()).collect()
}

#[tokio::test]
async fn an_event_is_shown_byte_for_byte_as_it_was_recorded() {
    let world = World::empty().await;
    world.write_log("books", &[("account:a", r#"{"z": 1.50,  "a":"ü"}"#)]).await;
    let answer = world.get("/v1/ledgers/books/events").await;
    let event = world.first_event("books").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.header("recount-position"), "1");
    assert_eq!(
        answer.body,
        r#"{"events":[{"position":1,"id":"00000000-0000-0000-0000-000000000001","type":"account-opened","version":1,"#
            .to_owned()
            + r#""tags":["account:a"],"data":{"z": 1.50,  "a":"ü"},"meta":{"actor":"tests"},"#
            + &format!(
                r#""recorded_at":"2026-01-01T00:00:00Z","hash":"{}","previous_hash":"{}"}}],"next":null}}"#,
                event.hash, event.previous
            )
    );
}

#[tokio::test]
async fn each_page_says_where_the_next_one_starts() {
    let world = with_log().await;
    for (parameters, expected, next) in [
        ("", vec![1, 2, 3, 4, 5], json!(null)),
        ("?limit=2", vec![1, 2], json!(2)),
        ("?limit=2&after=2", vec![3, 4], json!(4)),
        ("?limit=2&after=4", vec![5], json!(null)),
        ("?after=5", vec![], json!(null)),
        ("?after=1000", vec![], json!(null)),
    ] {
        let answer = world.get(&format!("/v1/ledgers/books/events{parameters}")).await;
        assert_eq!(positions(&answer), expected, "{parameters}");
        assert_eq!(answer.json()["next"], next, "{parameters}");
        assert_eq!(answer.header("recount-position"), "5", "{parameters}");
    }
}

#[tokio::test]
async fn a_tag_selects_the_events_of_one_entity() {
    let world = with_log().await;
    for (parameters, expected, next) in [
        ("tag=account:a", vec![1, 3], json!(3)),
        ("tag=account:a&after=3", vec![], json!(null)),
        ("tag=account:b&limit=1", vec![2], json!(2)),
        ("tag=account:b&limit=1&after=2", vec![4], json!(4)),
        ("tag=ledger:", vec![5], json!(null)),
        ("tag=account:c", vec![], json!(null)),
    ] {
        let answer = world.get(&format!("/v1/ledgers/books/events?{parameters}")).await;
        assert_eq!(positions(&answer), expected, "{parameters}");
        assert_eq!(answer.json()["next"], next, "{parameters}");
        assert_eq!(answer.header("recount-position"), "5", "{parameters}");
    }
    for tag in ["bank", "account:a%0Ab", "account:%00", ""] {
        let answer = world.get(&format!("/v1/ledgers/books/events?tag={tag}")).await;
        assert_eq!(answer.problem(), (400, "invalid-request".into()), "{tag}");
        assert_eq!(answer.json()["parameter"], "tag", "{tag}");
    }
}

#[tokio::test]
async fn the_log_needs_a_key_but_no_read_models() {
    let world = with_log().await;
    assert_eq!(world.get("/v1/ledgers/books").await.problem(), (404, "ledger-unknown".into()));
    sqlx::raw_sql("drop schema read cascade; drop table public.recount_read_models")
        .execute(world.database.pool())
        .await
        .unwrap();
    assert_eq!(world.get("/v1/ledgers/books").await.problem(), (503, "store-unavailable".into()));
    let answer = world.get_with("/v1/ledgers/books/events", &[("recount-at-least", "1000")]).await;
    assert_eq!(positions(&answer), [1, 2, 3, 4, 5]);
    let without_key = world.send("/v1/ledgers/books/events", &[]).await;
    assert_eq!(without_key.problem(), (401, "key-missing".into()));
}

#[tokio::test]
async fn a_ledger_without_a_log_is_unknown() {
    let world = with_log().await;
    for parameters in ["", "?tag=account:a", "?tag=not-a-tag"] {
        let answer = world.get(&format!("/v1/ledgers/none/events{parameters}")).await;
        assert_eq!(answer.problem(), (404, "ledger-unknown".into()), "{parameters}");
        assert_eq!(answer.json()["detail"], "There is no ledger `none`.");
    }
}

#[tokio::test]
async fn a_log_with_the_same_key_and_another_name_is_not_shown() {
    let world = with_log().await;
    let books: LogName = "books".parse().unwrap();
    sqlx::query("update store.logs set name = 'other' where log = $1")
        .bind(books.key().0)
        .execute(world.database.pool())
        .await
        .unwrap();
    let answer = world.get("/v1/ledgers/books/events").await;
    assert_eq!(answer.problem(), (404, "ledger-unknown".into()));
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_is_a_503_that_says_when_to_retry() {
    let database = TestDatabase::create().await;
    let unreachable = PgPoolOptions::new()
        .acquire_timeout(Duration::from_millis(200))
        .connect_lazy("postgres://nobody@127.0.0.1:1/none")
        .unwrap();
    let read_models = database.pool().clone();
    let world = World::with_pools(database, read_models, unreachable).await;
    let answer = world.get("/v1/ledgers/books/events").await;
    assert_eq!(answer.problem(), (503, "store-unavailable".into()));
    assert_eq!(answer.header("retry-after"), "2");
    assert!(!answer.body.contains("127.0.0.1"), "{}", answer.body);
}

#[tokio::test]
async fn a_store_that_refuses_or_has_a_gap_is_an_internal_error_without_details() {
    let world = World::empty().await;
    let without_schema = world.get("/v1/ledgers/books/events").await;
    world.write_log("books", &EVENTS).await;
    sqlx::raw_sql(
        "alter table store.events disable trigger user; delete from store.events where position = 2",
    )
    .execute(world.database.pool())
    .await
    .unwrap();
    let with_gap = world.get("/v1/ledgers/books/events").await;
    for answer in [without_schema, with_gap] {
        assert_eq!(answer.problem(), (500, "internal".into()));
        assert_eq!(answer.json()["detail"], "The request could not be processed.");
    }
}

#[tokio::test]
async fn a_login_needs_only_the_rights_to_read_three_tables() {
    let database = TestDatabase::create().await;
    migrations::run(database.pool()).await.unwrap();
    let role = unique_name("recount_test_role_");
    execute(database.pool(), format!("create role {role} nologin")).await;
    execute(database.pool(), format!("grant usage on schema store to {role}")).await;
    let tables = "store.logs, store.events, store.event_tags";
    execute(database.pool(), format!("grant select on {tables} to {role}")).await;

    let settings = Settings::new("tests", Workload::Queries).connections_max(2).role(Some(&role));
    let logs = Database::connect(database.url(), &settings).await.unwrap().pool().clone();
    let read_models = database.pool().clone();
    let world = World::with_pools(database, read_models, logs.clone()).await;
    world.write_log("books", &EVENTS).await;
    let (page, tagged) = tokio::join!(
        world.get("/v1/ledgers/books/events"),
        world.get("/v1/ledgers/books/events?tag=account:a")
    );
    assert_eq!((positions(&page).len(), positions(&tagged).len()), (5, 2));

    logs.close().await;
    execute(world.database.pool(), format!("drop owned by {role}; drop role {role}")).await;
}

async fn execute(pool: &PgPool, statement: String) {
    // Safe: the statement contains only our own text and a generated name.
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(pool).await.unwrap();
}
