//! Starts that cannot succeed: the program ends at once, and its error says what to do.

use std::fs;
use std::net::TcpListener;

use recount_test_support::{TestDatabase, free_address};
use recount_tests::process::{Ended, Program, folder};

use crate::Up;

/// Checks that the program failed, with an error that contains these texts.
fn assert_refused(ended: &Ended, texts: &[&str]) {
    assert!(!ended.status.success(), "it did not fail: {ended:?}");
    for text in texts {
        assert!(ended.stderr.contains(text), "no `{text}` in: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused() {
    let data = folder();
    let mut first = Program::listening(["up", "--data"]).argument(data.path()).start().await;
    let second = Program::listening(["up", "--data"]).argument(data.path()).run().await;
    let (path, pid) = (data.path().to_str().unwrap(), first.id().to_string());
    assert_refused(&second, &[&pid, path, "already runs", "--data"]);
    first.ready().await;
}

#[tokio::test]
async fn a_port_in_use_is_refused_before_anything_is_created() {
    let address = free_address();
    let _taken = TcpListener::bind(address).unwrap();
    let data = folder();
    let up = Program::new(["up", "--data"]).argument(data.path().join("data")).listening_on(address);
    assert_refused(&up.run().await, &[&address.to_string(), "taken", "--listen"]);
    assert!(!data.path().join("data").exists(), "a data folder was created");
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_created_is_refused() {
    let outer = folder();
    let file = outer.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    let ended = Program::listening(["up", "--data"]).argument(&file).run().await;
    assert_refused(&ended, &[file.to_str().unwrap(), "--data"]);
    let inside = file.join("data");
    let ended = Program::listening(["up", "--data"]).argument(&inside).run().await;
    assert_refused(&ended, &[inside.to_str().unwrap(), "--data"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "not a folder");
}

#[tokio::test]
async fn a_malformed_database_url_is_refused() {
    let ended = Program::listening(["up"]).environment("RECOUNT_DATABASE_URL", "localhost").run().await;
    assert_refused(&ended, &["postgres://user:password@host:port/database"]);
}

#[tokio::test]
async fn the_error_for_an_unreachable_database_does_not_show_the_password() {
    let database = TestDatabase::create().await;
    let (place, parameters) = database.url().split_once('?').unwrap_or((database.url(), ""));
    let url = format!("{place}_nowhere?{parameters}");
    let ended = Program::listening(["up"]).environment("RECOUNT_DATABASE_URL", &url).run().await;
    assert_refused(&ended, &["refused the connection", "does not exist", "check user, password, database"]);

    let nobody = format!("postgres://recount:hunter2@{}/recount", free_address());
    let ended = Program::listening(["up"]).environment("RECOUNT_DATABASE_URL", &nobody).run().await;
    assert_refused(&ended, &["could not be reached", "is it running"]);
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
}

#[tokio::test]
async fn the_error_of_a_role_without_a_database_names_the_setting() {
    for role in ["command-service", "projector", "query-service"] {
        assert_refused(&Program::listening([role]).run().await, &["--database-url", "RECOUNT_DATABASE_URL"]);
    }
    assert_refused(&Program::new(["migrate"]).run().await, &["--database-url", "RECOUNT_DATABASE_URL"]);
}

#[tokio::test]
async fn the_error_of_a_role_without_a_schema_names_the_command_to_run() {
    let database = TestDatabase::create().await;
    for role in ["command-service", "projector", "query-service"] {
        let ended = Program::listening([role, "--database-url", database.url()]).run().await;
        assert_refused(&ended, &["recount migrate"]);
    }
}

#[tokio::test]
async fn a_newer_schema_is_accepted_as_long_as_it_says_so_and_then_refused() {
    let mut up = Up::start().await;
    up.process.stop().await;
    let newer = "insert into public.recount_store_migrations \
                 (version, description, success, checksum, execution_time) values (9999, 'newer', true, '', 0)";
    sqlx::query(newer).execute(up.database.pool()).await.unwrap();
    let url = up.database.url();
    // A step that programs of before can live with: they start, and migrate changes nothing.
    Program::new(["migrate", "--database-url", url]).run_ok().await;
    let mut still = Program::listening(["command-service", "--database-url", url]).start().await;
    still.stop().await;
    // A step that they cannot live with.
    sqlx::query("update store.compatibility set oldest_program = 9999")
        .execute(up.database.pool())
        .await
        .unwrap();
    for role in ["up", "command-service", "projector"] {
        let ended = Program::listening([role, "--database-url", url]).run().await;
        assert_refused(&ended, &["newer than this program", "9999", "run the newer program"]);
    }
    let ended = Program::new(["migrate", "--database-url", url]).run().await;
    assert_refused(&ended, &["newer than this program"]);
}
