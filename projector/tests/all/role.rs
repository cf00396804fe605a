//! The projector as a process of its own: what it needs to start, what it tells, how it ends.

use std::net::SocketAddr;

use recount_projector::{ProjectorConfig, ProjectorError, StartError, migrate, run};
use recount_service_kit::config::{DatabaseArgs, KafkaArgs, ListenArgs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::support::{PATIENCE, World, log, until};

/// On a port that was just free, and without Kafka.
fn config(world: &World) -> ProjectorConfig {
    let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    ProjectorConfig {
        database: DatabaseArgs { database_url: Some(world.url.as_str().into()) },
        read_database_url: None,
        kafka: KafkaArgs {
            kafka: None,
            topic: "recount.events".to_owned(),
            partitions: 12,
            properties: vec![],
        },
        listen: ListenArgs { listen },
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
async fn the_role_is_ready_until_a_log_stops_and_ends_when_asked() {
    let world = World::new().await;
    migrate(&world.pool).await.unwrap();
    let config = config(&world);
    let address = config.listen.listen;
    let token = CancellationToken::new();
    let role = tokio::spawn({
        let token = token.clone();
        async move { run(&config, token).await }
    });
    until("it is ready", async || readiness(address).await.starts_with("HTTP/1.1 200")).await;
    // The ledger knows no such event.
    world.count(&log("sick"), 1).await;
    until("it says which log is stopped", async || {
        let answer = readiness(address).await;
        answer.starts_with("HTTP/1.1 503") && answer.contains("`sick` cannot go on from position 1")
    })
    .await;
    token.cancel();
    tokio::time::timeout(PATIENCE, role).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn without_its_tables_the_role_does_not_start_and_says_what_to_do() {
    let world = World::new().await;
    let error = run(&config(&world), CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, ProjectorError::Start(StartError::Schema(_))), "{error:?}");
    assert!(error.to_string().contains("recount migrate"), "{error}");
}
