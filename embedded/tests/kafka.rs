//! The real Kafka, with real processes. One test, because every start takes seconds.

use std::fs;
use std::path::Path;
use std::time::Duration;

use recount_embedded::kafka::{Kafka, Options};
use recount_embedded::{EmbeddedError, Exit};

/// Long enough for a slow and busy machine. Every wait ends as soon as its condition holds.
const TIMEOUT: Duration = Duration::from_secs(180);

fn options(data: &Path) -> Options {
    Options::new(data)
}

async fn gone(exited: impl Future<Output = Exit>) {
    tokio::time::timeout(TIMEOUT, exited).await.expect("the broker ends");
}

/// The id that the node got when it was formatted. A different one would mean that its data is lost.
fn identity(data: &Path) -> String {
    fs::read_to_string(data.join("kafka/data/meta.properties")).expect("a node that ran is formatted")
}

#[tokio::test]
async fn a_node_survives_kills_of_itself_and_of_its_parent() {
    let data = tempfile::tempdir().unwrap();
    let mut kafka = Kafka::start(options(data.path())).await.unwrap();
    let (bootstrap, id) = (kafka.bootstrap(), identity(data.path()));

    let refused = Kafka::start(options(data.path())).await.unwrap_err();
    assert!(matches!(refused, EmbeddedError::AlreadyRunning { .. }), "{refused}");

    let killed = std::process::Command::new("kill").args(["-9", &kafka.pid().to_string()]).status();
    assert!(killed.unwrap().success());
    gone(kafka.exited()).await;
    kafka.restart().await.unwrap();
    assert_eq!(kafka.bootstrap(), bootstrap);

    // As a killed parent leaves its node: running, with the folder unlocked.
    let exited = kafka.exited();
    std::mem::forget(kafka);
    fs::remove_file(data.path().join("kafka.lock")).unwrap();
    let next = Kafka::start(options(data.path())).await.unwrap();
    gone(exited).await;
    assert_eq!(next.bootstrap(), bootstrap);
    assert_eq!(identity(data.path()), id);
    next.stop(TIMEOUT).await.unwrap();
}
