//! A question ends with its request, and what hangs costs other questions nothing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use recount_service_kit::database::{Database, Settings, Workload};
use recount_service_kit::http;
use recount_test_support::{Proxy, TestDatabase, eventually};
use sqlx::Connection;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::world::World;

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a caller calls seconds.
const SECONDS: Duration = Duration::from_secs(7);
/// The connections of the read models, as by default: one of a query service's sixteen listens.
const CONNECTIONS: u32 = 15;

/// With a ledger that has an account, read through the door at this URL.
async fn world(database: TestDatabase, url: &str) -> World {
    sqlx::raw_sql(include_str!("read.sql")).execute(database.pool()).await.unwrap();
    let settings = Settings::new("queries under test", Workload::Queries).connections_max(CONNECTIONS);
    let read_models = Database::connect(url, &settings).await.unwrap();
    let world = World::on(database, read_models).await;
    world.create_ledger("books").await;
    world.open_account(2, "Assets:Cash", "asset").await;
    world
}

async fn direct_world() -> World {
    let database = TestDatabase::create().await;
    let url = database.url().to_owned();
    world(database, &url).await
}

/// How many statements on the accounts the server is executing.
async fn reading_accounts(world: &World) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_stat_activity where datname = current_database() and state = 'active' \
         and application_name = 'queries under test' and query like '%accounts%'",
    )
    .fetch_one(world.database.pool())
    .await
    .unwrap()
}

async fn serve(world: &World) -> SocketAddr {
    let listener = http::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (router, token) = (world.router(), CancellationToken::new());
    tokio::spawn(http::serve(router, listener, token, Duration::from_secs(1)));
    address
}

#[tokio::test]
async fn questions_of_clients_that_have_left_are_gone_and_hold_no_connection() {
    let world = direct_world().await;
    sqlx::raw_sql(
        "alter table read.accounts rename to all_accounts; create view read.accounts as \
         select all_accounts.* from read.all_accounts, (select pg_sleep(600) offset 0) as slow",
    )
    .execute(world.database.pool())
    .await
    .unwrap();
    let address = serve(&world).await;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /v1/ledgers/books/accounts HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {}\r\n\r\n",
            world.key()
        );
        client.write_all(request.as_bytes()).await.unwrap();
        clients.push(client);
    }
    eventually(PATIENCE, "every connection is busy", async || {
        reading_accounts(&world).await == i64::from(CONNECTIONS)
    })
    .await;
    drop(clients);
    let started = Instant::now();
    assert_eq!(world.get("/v1/ledgers/books").await.status, 200);
    assert!(started.elapsed() < SECONDS, "{:?}", started.elapsed());
    eventually(SECONDS, "the server has noticed", async || reading_accounts(&world).await == 0).await;
}

#[tokio::test]
async fn a_locked_table_is_a_503_within_seconds_and_other_questions_are_answered() {
    let world = direct_world().await;
    let mut locker = sqlx::PgConnection::connect(world.database.url()).await.unwrap();
    sqlx::raw_sql("begin; lock table read.accounts").execute(&mut locker).await.unwrap();
    let started = Instant::now();
    let locked = join_all((0..CONNECTIONS).map(|_| world.get("/v1/ledgers/books/accounts")));
    let free = async {
        eventually(PATIENCE, "every connection waits for the lock", async || {
            reading_accounts(&world).await == i64::from(CONNECTIONS)
        })
        .await;
        world.get("/v1/ledgers/books/assets").await
    };
    let (locked, free) = tokio::join!(locked, free);
    assert_eq!(free.status, 200, "{}", free.body);
    for answer in locked {
        assert_eq!(answer.problem(), (503, "store-unavailable".into()));
    }
    assert!(started.elapsed() < SECONDS, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_vanished_database_is_a_503_within_seconds_and_its_successor_is_used_at_once() {
    let database = TestDatabase::create().await;
    let (proxy, url) = Proxy::before(database.url()).await;
    let world = world(database, &url).await;
    assert_eq!(world.get("/v1/ledgers/books/accounts").await.status, 200);
    proxy.vanish();
    let started = Instant::now();
    assert_eq!(world.get("/v1/ledgers/books/accounts").await.problem(), (503, "store-unavailable".into()));
    assert!(started.elapsed() < SECONDS, "{:?}", started.elapsed());
    for answer in join_all((0..20).map(|_| world.get("/v1/ledgers/books/accounts"))).await {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}
