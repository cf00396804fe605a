//! Requests that are refused, and the problems that say why.

use std::time::Duration;

use recount_query_service::{Reader, VERSION_MIN, catalogue};
use recount_service_kit::database::{Database, Settings, Workload};
use recount_test_support::TestDatabase;
use sqlx::Connection;
use sqlx::postgres::PgPoolOptions;
use tokio_util::sync::CancellationToken;

use crate::world::{World, rebuild};

#[tokio::test]
async fn without_a_valid_key_nothing_is_answered() {
    let world = World::with_books().await;
    let missing = world.send("/v1/ledgers", &[]).await;
    assert_eq!(missing.problem(), (401, "key-missing".into()));
    assert_eq!(missing.header("www-authenticate"), "Bearer");
    let wrong = format!("Bearer rk_0123456789abcdef_{}", "0".repeat(64));
    let invalid = world.send("/v1/ledgers", &[("authorization", &wrong)]).await;
    assert_eq!(invalid.problem(), (401, "key-invalid".into()));
}

#[tokio::test]
async fn unknown_and_malformed_parameters_are_refused_by_name() {
    let world = World::with_books().await;
    for (path, parameter) in [
        ("/v1/ledgers/books/accounts?colour=red", "colour"),
        ("/v1/ledgers/books/accounts?limit=0", "limit"),
        ("/v1/ledgers/books/accounts?limit=-1", "limit"),
        ("/v1/ledgers/books/accounts?limit=501", "limit"),
        ("/v1/ledgers/books/accounts?limit=many", "limit"),
        ("/v1/ledgers/books/accounts?limit=1&limit=2", "limit"),
        ("/v1/ledgers/books/accounts?kind=cash", "kind"),
        ("/v1/ledgers/books/accounts?limit=5&prefix=a%00", "prefix"),
        ("/v1/ledgers/books/accounts/Assets:Cash/statement?after=-1", "after"),
        ("/v1/ledgers/books/accounts/Assets:Cash/statement?after=first", "after"),
        ("/v1/ledgers/books/transactions?order=random", "order"),
        ("/v1/ledgers/books/transactions?effective_from=yesterday", "effective_from"),
        ("/v1/ledgers/books/transactions?effective_to=2013-02-30", "effective_to"),
        ("/v1/ledgers/books/holds?status=closed", "status"),
        ("/v1/ledgers/books/holds?expires_before=soon", "expires_before"),
        ("/v1/ledgers/books/customers?name=Alice", "name"),
        ("/v1/ledgers/books/accounts/Assets:Cash/metadata-history?limit=0", "limit"),
        ("/v1/ledgers/books/trial-balance?effective_before=", "effective_before"),
        ("/v1/ledgers/books/trial-balance?format=xml", "format"),
        ("/v1/ledgers?prefix=a", "prefix"),
        ("/v1/ledgers/books/events?colour=red", "colour"),
        ("/v1/ledgers/books/events?limit=0", "limit"),
        ("/v1/ledgers/books/events?limit=1001", "limit"),
        ("/v1/ledgers/books/events?limit=many", "limit"),
        ("/v1/ledgers/books/events?after=-1", "after"),
        ("/v1/ledgers/books/events?after=1&after=2", "after"),
    ] {
        let answer = world.get(path).await;
        assert_eq!(answer.problem(), (400, "invalid-request".into()), "{path}");
        let problem = answer.json();
        assert_eq!(problem["parameter"], parameter, "{path}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("`{parameter}`")), "{path}: {detail}");
    }
}

#[tokio::test]
async fn a_query_for_one_resource_takes_no_parameters() {
    let world = World::with_everything().await;
    for path in ["", "/accounts/Assets:Cash", "/transactions/t1", "/holds/auth-1", "/customers/c-1"] {
        let path = format!("/v1/ledgers/books{path}");
        assert_eq!(world.get(&path).await.status, 200, "{path}");
        let answer = world.get(&format!("{path}?bogus=1")).await;
        assert_eq!(answer.problem(), (400, "invalid-request".into()), "{path}");
        assert_eq!(answer.json()["parameter"], "bogus", "{path}");
    }
}

#[tokio::test]
async fn the_problem_of_a_malformed_cursor_names_the_parameter() {
    let world = World::with_books().await;
    for cursor in ["", "x", "%00"] {
        let answer = world.get(&format!("/v1/ledgers/books/accounts?cursor={cursor}")).await;
        assert_eq!(answer.problem(), (400, "invalid-cursor".into()), "{cursor}");
        assert_eq!(answer.json()["parameter"], "cursor", "{cursor}");
    }
}

#[tokio::test]
async fn a_malformed_position_is_refused() {
    let world = World::with_books().await;
    for path in ["/v1/ledgers/books", "/v1/ledgers"] {
        let answer = world.get_with(path, &[("recount-at-least", "soon")]).await;
        assert_eq!(answer.problem(), (400, "invalid-request".into()), "{path}");
    }
}

#[tokio::test]
async fn impossible_names_are_not_found_or_refused_and_never_an_internal_error() {
    let world = World::with_books().await;
    for (path, problem) in [
        ("/v1/ledgers/%27%3B--", (404, "ledger-unknown")),
        ("/v1/ledgers/books/accounts/%00", (400, "invalid-request")),
        ("/v1/ledgers/%00", (400, "invalid-request")),
        ("/v1/ledgers/books/accounts/%FF", (400, "invalid-request")),
        ("/v1/ledgers/books/accounts?prefix=%00", (400, "invalid-request")),
        ("/v1/ledgers/%27%3B--/events", (400, "invalid-request")),
        ("/v1/ledgers/%00/events", (400, "invalid-request")),
        ("/v1/ledgers/%FF/events", (400, "invalid-request")),
        ("/v1/nothing", (404, "not-found")),
    ] {
        let answer = world.get(path).await;
        assert_eq!(answer.problem(), (problem.0, problem.1.into()), "{path}");
        assert!(!answer.header("x-request-id").is_empty());
    }
}

#[tokio::test]
async fn callers_do_not_notice_connections_that_died_while_idle() {
    let database = TestDatabase::create().await;
    sqlx::raw_sql(include_str!("read.sql")).execute(database.pool()).await.unwrap();
    // The service's own kind of pool, which does not test a connection before use.
    let settings = Settings::new("tests", Workload::Queries).connections_max(4);
    let read_models = Database::connect(database.url(), &settings).await.unwrap();
    let world = World::on(database, read_models).await;
    world.create_ledger("books").await;
    let (one, two) = tokio::join!(world.get("/v1/ledgers/books"), world.get("/v1/ledgers/books/assets"));
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (200, 200));
    let mut other = sqlx::PgConnection::connect(world.database.url()).await.unwrap();
    kill_others(&mut other).await;
    for _ in 0..3 {
        assert_eq!(world.get("/v1/ledgers/books").await.status, 200);
    }
}

async fn kill_others(connection: &mut sqlx::PgConnection) {
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity \
         where datname = current_database() and pid <> pg_backend_pid()",
    )
    .execute(connection)
    .await
    .unwrap();
}

#[tokio::test]
async fn an_unreachable_database_is_a_503_that_says_when_to_retry() {
    let database = TestDatabase::create().await;
    let unreachable = PgPoolOptions::new()
        .acquire_timeout(Duration::from_millis(200))
        .connect_lazy("postgres://nobody@127.0.0.1:1/none")
        .unwrap();
    let world = World::on(database, unreachable).await;
    let answer = world.get("/v1/ledgers/books").await;
    assert_eq!(answer.problem(), (503, "store-unavailable".into()));
    assert_eq!(answer.header("retry-after"), "1");
    assert!(!answer.body.contains("127.0.0.1"), "{}", answer.body);
}

#[tokio::test]
async fn missing_read_models_are_a_503_until_they_exist() {
    let database = TestDatabase::create().await;
    let pool = database.pool().clone();
    let world = World::on(database, pool.clone()).await;
    assert_eq!(world.get("/v1/ledgers").await.problem(), (503, "store-unavailable".into()));
    sqlx::raw_sql(include_str!("read.sql")).execute(&pool).await.unwrap();
    assert_eq!(world.get("/v1/ledgers").await.status, 200);
}

#[tokio::test]
async fn read_models_that_are_being_rebuilt_are_a_503_until_the_new_ones_are_live() {
    let world = World::with_books().await;
    let pool = world.database.pool();
    rebuild(pool).await;
    for address in ["/v1/ledgers", "/v1/ledgers/books", "/v1/ledgers/books/trial-balance"] {
        let answer = world.get(address).await;
        assert_eq!(answer.problem(), (503, "read-models-rebuilding".into()));
        assert_eq!(answer.header("retry-after"), "5");
        let problem = answer.json();
        assert_eq!(problem["detail"], "The read models are being rebuilt: 3 of 9 events have been applied.");
        assert_eq!((&problem["events_applied"], &problem["events"]), (&3.into(), &9.into()));
    }
    let reader = Reader::start(pool.clone(), CancellationToken::new());
    assert!(reader.check().await.unwrap_err().contains("3 of 9"));
    sqlx::query("update public.recount_read_models set version = $1")
        .bind(VERSION_MIN)
        .execute(pool)
        .await
        .unwrap();
    reader.check().await.unwrap();
    assert_eq!(world.get("/v1/ledgers/books").await.status, 200);
}

#[tokio::test]
async fn read_models_of_a_newer_program_are_read() {
    let world = World::with_books().await;
    sqlx::query("update public.recount_read_models set version = $1")
        .bind(VERSION_MIN + 1)
        .execute(world.database.pool())
        .await
        .unwrap();
    assert_eq!(world.get("/v1/ledgers/books").await.status, 200);
}

#[tokio::test]
async fn every_problem_kind_of_the_queries_has_a_page() {
    let world = World::empty().await;
    assert_eq!(catalogue().len(), 6);
    for kind in catalogue() {
        let page = world.get(&format!("/problems/{}", kind.code)).await;
        assert_eq!((&page.json()["code"], &page.json()["status"]), (&kind.code.into(), &kind.status.into()));
    }
}
