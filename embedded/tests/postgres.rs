//! The private Postgres, with real processes: what it promises about data, locks and killed parents.

use std::fs;
use std::path::Path;
use std::time::Duration;

use recount_embedded::postgres::{Binaries, Options, Postgres};
use recount_embedded::{EmbeddedError, Exit};
use sqlx::{Connection, PgConnection};

/// Long enough for a slow and busy machine. Every wait ends as soon as its condition holds.
const TIMEOUT: Duration = Duration::from_secs(180);

fn options(data: &Path) -> Options {
    let settings = vec![("fsync".to_owned(), "off".to_owned())];
    Options { settings, ..Options::new(data) }
}

async fn connect(postgres: &Postgres) -> PgConnection {
    PgConnection::connect(&postgres.url("postgres")).await.expect("the server is ready")
}

async fn note(postgres: &Postgres, text: &str) {
    let mut connection = connect(postgres).await;
    let statement = "create table if not exists note (text text)";
    sqlx::query(statement).execute(&mut connection).await.expect("the statement is valid");
    sqlx::query("insert into note values ($1)")
        .bind(text)
        .execute(&mut connection)
        .await
        .expect("the statement is valid");
}

async fn notes(postgres: &Postgres) -> Vec<String> {
    let mut connection = connect(postgres).await;
    sqlx::query_scalar("select text from note order by text")
        .fetch_all(&mut connection)
        .await
        .expect("the statement is valid")
}

fn kill(pid: i32) {
    let killed = std::process::Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status()
        .expect("there is a `kill`");
    assert!(killed.success());
}

async fn gone(exited: impl Future<Output = Exit>) {
    tokio::time::timeout(TIMEOUT, exited).await.expect("the server ends");
}

/// As a killed parent leaves its server before the server notices: running, with the folder unlocked. (At the parent's
/// death the kernel releases the lock; here the lock's file is removed instead.)
async fn abandon(postgres: Postgres, data: &Path) {
    std::mem::forget(postgres);
    fs::remove_file(data.join("postgres.lock")).expect("a start makes the lock");
}

#[tokio::test]
async fn a_stopped_cluster_comes_back_with_its_data() {
    let data = tempfile::tempdir().unwrap();
    let first = Postgres::start(options(data.path())).await.unwrap();
    note(&first, "kept").await;
    first.stop(TIMEOUT).await.unwrap();

    let second = Postgres::start(options(data.path())).await.unwrap();
    assert_eq!(notes(&second).await, ["kept"]);
    second.stop(TIMEOUT).await.unwrap();
}

#[tokio::test]
async fn a_server_left_running_by_a_killed_parent_is_replaced() {
    let data = tempfile::tempdir().unwrap();
    let first = Postgres::start(options(data.path())).await.unwrap();
    note(&first, "kept").await;
    let (exited, pid) = (first.exited(), first.pid());
    abandon(first, data.path()).await;

    let second = Postgres::start(options(data.path())).await.unwrap();
    gone(exited).await;
    assert_ne!(second.pid(), pid);
    assert_eq!(notes(&second).await, ["kept"]);
    second.stop(TIMEOUT).await.unwrap();
}

#[tokio::test]
async fn a_killed_server_can_be_restarted_under_the_same_url() {
    let data = tempfile::tempdir().unwrap();
    let mut postgres = Postgres::start(options(data.path())).await.unwrap();
    note(&postgres, "kept").await;
    let url = postgres.url("postgres");
    kill(postgres.pid().unwrap());
    gone(postgres.exited()).await;

    postgres.restart().await.unwrap();
    assert_eq!(postgres.url("postgres"), url);
    assert_eq!(notes(&postgres).await, ["kept"]);
    postgres.stop(TIMEOUT).await.unwrap();
}

#[tokio::test]
async fn dropping_a_server_stops_it() {
    let data = tempfile::tempdir().unwrap();
    let postgres = Postgres::start(options(data.path())).await.unwrap();
    let exited = postgres.exited();
    drop(postgres);
    gone(exited).await;
}

#[tokio::test]
async fn a_folder_in_use_has_one_owner_and_can_be_shared() {
    let data = tempfile::tempdir().unwrap();
    let owner = Postgres::start(options(data.path())).await.unwrap();
    note(&owner, "seen").await;

    let error = Postgres::start(options(data.path())).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::AlreadyRunning { .. }));
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");

    let guest = Postgres::attach_or_start(options(data.path())).await.unwrap();
    assert!(!guest.is_ours());
    assert_eq!(notes(&guest).await, ["seen"]);
    guest.stop(TIMEOUT).await.unwrap();
    assert_eq!(notes(&owner).await, ["seen"]);
    owner.stop(TIMEOUT).await.unwrap();

    let alone = Postgres::attach_or_start(options(data.path())).await.unwrap();
    assert!(alone.is_ours());
    alone.stop(TIMEOUT).await.unwrap();
}

#[tokio::test]
async fn an_interrupted_initdb_and_stale_files_do_not_stop_a_start() {
    let data = tempfile::tempdir().unwrap();
    fs::create_dir(data.path().join("postgres.new")).unwrap();
    fs::write(data.path().join("postgres.new").join("half"), "").unwrap();
    let first = Postgres::start(options(data.path())).await.unwrap();
    first.stop(TIMEOUT).await.unwrap();

    // A pid file whose process id belongs to another process by now: this test.
    let pid_file = data.path().join("postgres").join("postmaster.pid");
    fs::write(&pid_file, format!("{}\n", std::process::id())).unwrap();
    fs::write(data.path().join("run").join(".s.PGSQL.5432.lock"), "1\n").unwrap();
    let second = Postgres::start(options(data.path())).await.unwrap();
    second.stop(TIMEOUT).await.unwrap();
}

#[tokio::test]
async fn the_error_for_a_cluster_of_another_version_names_both_versions() {
    let data = tempfile::tempdir().unwrap();
    fs::create_dir(data.path().join("postgres")).unwrap();
    fs::write(data.path().join("postgres").join("PG_VERSION"), "9.6\n").unwrap();
    let error = Postgres::start(options(data.path())).await.unwrap_err();
    assert!(matches!(&error, EmbeddedError::OtherVersion { cluster, .. } if cluster == "9.6"), "{error}");
}

#[tokio::test]
async fn the_error_for_a_folder_that_cannot_be_created_tells_how_to_choose_another() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Postgres::start(options(&file.join("data"))).await.unwrap_err();
    assert!(error.to_string().contains("--data"), "{error}");
}

#[tokio::test]
async fn binaries_that_do_not_run_are_an_error() {
    let data = tempfile::tempdir().unwrap();
    let binaries = Binaries::In(data.path().join("bin"));
    let error = Postgres::start(Options { binaries, ..options(data.path()) }).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::BadBinaries { .. }), "{error}");
}

#[tokio::test]
async fn a_long_data_path_works() {
    let data = tempfile::tempdir().unwrap();
    let long = data.path().join("long ".repeat(20)).join("it's a \"folder\", in fact");
    let postgres = Postgres::start(options(&long)).await.unwrap();
    note(&postgres, "kept").await;
    postgres.stop(TIMEOUT).await.unwrap();
}
