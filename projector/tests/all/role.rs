//! The projector as a role: start-up, readiness and shutdown.

use std::net::SocketAddr;

use recount_core::Position;
use recount_projection::Projection;
use recount_projector::ledger::LedgerProjection;
use recount_projector::{
    ProjectorConfig, ProjectorError, RemakeError, StartError, diverged_ledgers, migrate, remake, run,
};
use recount_service_kit::config::{DatabaseArgs, KafkaArgs, ListenArgs};
use recount_service_kit::database::Database;
use recount_test_support::free_address;
use sqlx::AssertSqlSafe;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::support::{PATIENCE, World, log, until};

/// A free address, and no Kafka.
fn config(world: &World) -> ProjectorConfig {
    ProjectorConfig {
        database: DatabaseArgs { database_url: Some(world.url.as_str().into()) },
        read_database_url: None,
        kafka: KafkaArgs {
            kafka: None,
            topic: "recount.events".to_owned(),
            partitions: 12,
            properties: vec![],
        },
        listen: ListenArgs { listen: free_address() },
    }
}

async fn readiness(address: SocketAddr) -> String {
    let mut answer = String::new();
    if let Ok(mut stream) = TcpStream::connect(address).await {
        let request = "GET /readyz HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.read_to_string(&mut answer).await.unwrap();
    }
    answer
}

#[tokio::test]
async fn the_role_is_ready_until_a_log_stops_and_ends_when_cancelled() {
    let world = World::new().await;
    migrate(&Database::from(&world.pool)).await.unwrap();
    let config = config(&world);
    let address = config.listen.listen;
    let token = CancellationToken::new();
    let role = tokio::spawn({
        let token = token.clone();
        async move { run(&config, token).await }
    });
    until("the role is ready", async || readiness(address).await.starts_with("HTTP/1.1 200")).await;
    // The ledger has no such event type.
    world.count(&log("broken"), 1).await;
    until("readiness names the stopped log", async || {
        let answer = readiness(address).await;
        answer.starts_with("HTTP/1.1 503") && answer.contains("`broken` cannot go on from position 1")
    })
    .await;
    token.cancel();
    tokio::time::timeout(PATIENCE, role).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn the_role_is_not_ready_while_a_ledger_has_diverged_and_remaking_it_puts_it_right() {
    let world = World::new().await;
    let (store, ledger) = (Database::from(&world.pool), log("books"));
    migrate(&store).await.unwrap();
    let config = config(&world);
    let address = config.listen.listen;
    let token = CancellationToken::new();
    let role = tokio::spawn({
        let token = token.clone();
        async move { run(&config, token).await }
    });
    world.append(&ledger, vec![("ledger-created", "{\"ledger\":\"books\"}".to_owned(), Vec::new())]).await;
    world.append(&ledger, vec![("asset-registered", "{\"asset\":\"USD/2\"}".to_owned(), Vec::new())]).await;
    until("the ledger is applied", async || world.progress("ledger_v2", &ledger).await == 2).await;
    until("the role is ready", async || readiness(address).await.starts_with("HTTP/1.1 200")).await;

    world.lose_after(&ledger, 1).await;
    until("readiness says what to run", async || {
        let answer = readiness(address).await;
        answer.starts_with("HTTP/1.1 503") && answer.contains("recount read-models remake books")
    })
    .await;
    sqlx::query("insert into relay.progress values ($1, 2, sha256(''))")
        .bind(ledger.key().0)
        .execute(&world.pool)
        .await
        .unwrap();
    assert_eq!(diverged_ledgers(&store).await.unwrap(), std::slice::from_ref(&ledger));
    let remade = remake(&store, &store, &ledger).await.unwrap();
    assert_eq!((remade.end, remade.rows), (Some(Position(1)), 2));
    until("the role is ready again", async || readiness(address).await.starts_with("HTTP/1.1 200")).await;
    until("the ledger is made again", async || world.progress("ledger_v2", &ledger).await == 1).await;
    assert!(world.text("select log::text from relay.progress").await.is_empty());
    assert!(world.text("select code from read.assets").await.is_empty());
    assert!(diverged_ledgers(&store).await.unwrap().is_empty());
    let unknown = remake(&store, &store, &log("none")).await.unwrap_err();
    assert!(matches!(unknown, RemakeError::Unknown(_)), "{unknown:?}");
    token.cancel();
    tokio::time::timeout(PATIENCE, role).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn the_role_replaces_the_read_models_of_an_older_program() {
    let world = World::new().await;
    migrate(&Database::from(&world.pool)).await.unwrap();
    // As if an older program had created them.
    let version = i32::from(LedgerProjection.version());
    sqlx::raw_sql(AssertSqlSafe(format!(
        "alter schema ledger_v{version} rename to ledger_v{0};
         update public.recount_read_models set version = {0};
         delete from public.recount_builds",
        version - 1
    )))
    .execute(&world.pool)
    .await
    .unwrap();
    let builds = "select nspname::text from pg_namespace where nspname like 'ledger%' order by nspname";
    let config = config(&world);
    let error = run(&config, CancellationToken::new()).await.unwrap_err();
    assert!(error.to_string().contains("recount migrate"), "{error}");

    migrate(&Database::from(&world.pool)).await.unwrap();
    assert_eq!(world.text(builds).await.len(), 2);
    let token = CancellationToken::new();
    let role = tokio::spawn({
        let token = token.clone();
        async move { run(&config, token).await }
    });
    until("only the new read models are left", async || {
        world.text(builds).await == [format!("ledger_v{version}")]
    })
    .await;
    assert_eq!(
        world.text("select version::text from public.recount_read_models").await,
        [version.to_string()]
    );
    token.cancel();
    tokio::time::timeout(PATIENCE, role).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn without_tables_the_role_refuses_to_start_and_says_what_to_run() {
    let world = World::new().await;
    let error = run(&config(&world), CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, ProjectorError::Start(StartError::Schema(_))), "{error:?}");
    assert!(error.to_string().contains("recount migrate"), "{error}");
}
