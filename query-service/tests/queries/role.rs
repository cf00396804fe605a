//! The role as a process: starting and stopping.

use clap::Parser;
use recount_query_service::{QueryConfig, QueryServiceError, run};
use recount_service_kit::shutdown::Shutdown;
use recount_test_support::TestDatabase;

use crate::world::{World, rebuild};

#[derive(Debug, Parser)]
struct Role {
    #[command(flatten)]
    config: QueryConfig,
}

fn config(arguments: &[&str]) -> QueryConfig {
    let name = std::iter::once("query-service");
    Role::parse_from(name.chain(arguments.iter().copied())).config
}

#[tokio::test]
async fn the_role_stops_on_shutdown() {
    let world = World::empty().await;
    let shutdown = Shutdown::manual();
    shutdown.begin();
    let config = config(&["--database-url", world.database.url(), "--listen", "127.0.0.1:0"]);
    run(config, shutdown).await.unwrap();
}

#[tokio::test]
async fn without_read_models_the_role_says_which_command_to_run() {
    let database = TestDatabase::create().await;
    let config = config(&["--database-url", database.url(), "--listen", "127.0.0.1:0"]);
    let error = run(config, Shutdown::manual()).await.unwrap_err();
    assert!(error.to_string().contains("recount migrate"), "{error}");
}

#[tokio::test]
async fn the_role_starts_during_a_rebuild_but_not_without_one_if_read_models_are_missing() {
    let world = World::empty().await;
    rebuild(world.database.pool()).await;
    let config = config(&["--database-url", world.database.url(), "--listen", "127.0.0.1:0"]);
    let shutdown = Shutdown::manual();
    shutdown.begin();
    run(config.clone(), shutdown).await.unwrap();
    sqlx::query("delete from public.recount_builds").execute(world.database.pool()).await.unwrap();
    let error = run(config, Shutdown::manual()).await.unwrap_err();
    assert!(matches!(error, QueryServiceError::NoReadModels), "{error:?}");
}

#[tokio::test]
async fn a_taken_address_is_reported_before_anything_else() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = config(&["--database-url", "postgres://nobody@127.0.0.1:1/none", "--listen", &address]);
    let error = run(config, Shutdown::manual()).await.unwrap_err();
    assert!(matches!(error, QueryServiceError::Bind(_)));
    assert!(error.to_string().contains(&address), "{error}");
}

#[tokio::test]
async fn the_read_models_may_be_in_another_database_and_passwords_are_not_shown() {
    let config = config(&[
        "--database-url",
        "postgres://u:hunter2@one/a",
        "--read-database-url",
        "postgres://u:hunter2@two/b",
    ]);
    use secrecy::ExposeSecret;
    assert!(config.read_url().unwrap().expose_secret().contains("two"));
    assert!(!format!("{config:?}").contains("hunter2"));
}
