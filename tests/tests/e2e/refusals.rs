//! Starts that cannot succeed: each is refused with what to do about it, and not with a failure later.

use std::fs;
use std::net::TcpListener;

use recount_test_support::{TestDatabase, free_address};
use recount_tests::process::{Ended, Program, folder};

use crate::Up;

/// It ended badly, and told the user all of this.
fn assert_refused(ended: &Ended, told: &[&str]) {
    assert!(!ended.status.success(), "it did not fail: {ended:?}");
    for part in told {
        assert!(ended.stderr.contains(part), "nothing of `{part}`: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_second_one_on_the_same_data_is_refused_and_the_first_goes_on() {
    let data = folder();
    let mut first = Program::listening(["up", "--data"]).argument(data.path()).start().await;
    let second = Program::listening(["up", "--data"]).argument(data.path()).run().await;
    let (path, pid) = (data.path().to_str().unwrap(), first.id().to_string());
    assert_refused(&second, &[&pid, path, "already runs", "--data"]);
    first.ready().await;
}

#[tokio::test]
async fn a_taken_port_is_refused_before_anything_is_made() {
    let address = free_address();
    let _taken = TcpListener::bind(address).unwrap();
    let data = folder();
    let up = Program::new(["up", "--data"]).argument(data.path().join("data")).listening_on(address);
    assert_refused(&up.run().await, &[&address.to_string(), "taken", "--listen"]);
    assert!(!data.path().join("data").exists(), "a data folder was made for nothing");
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_made_is_refused() {
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
async fn a_database_url_that_is_none_is_refused() {
    let ended = Program::listening(["up"]).environment("RECOUNT_DATABASE_URL", "localhost").run().await;
    assert_refused(&ended, &["postgres://user:password@host:port/database"]);
}

#[tokio::test]
async fn a_database_that_is_not_there_is_refused_and_named_without_its_password() {
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
async fn a_role_without_a_database_says_which_setting_it_lacks() {
    for role in ["command-service", "projector", "query-service"] {
        assert_refused(&Program::listening([role]).run().await, &["--database-url", "RECOUNT_DATABASE_URL"]);
    }
    assert_refused(&Program::new(["migrate"]).run().await, &["--database-url", "RECOUNT_DATABASE_URL"]);
}

#[tokio::test]
async fn a_role_on_a_database_that_was_not_migrated_says_what_to_run() {
    let database = TestDatabase::create().await;
    for role in ["command-service", "projector", "query-service"] {
        let ended = Program::listening([role, "--database-url", database.url()]).run().await;
        assert_refused(&ended, &["recount migrate"]);
    }
}

#[tokio::test]
async fn a_schema_of_a_newer_program_is_refused_and_left_as_it_is() {
    let mut up = Up::start().await;
    up.process.stop().await;
    let newer = "insert into public.recount_store_migrations \
                 (version, description, success, checksum, execution_time) values (9999, 'newer', true, '', 0)";
    sqlx::query(newer).execute(up.database.pool()).await.unwrap();
    let url = up.database.url();
    for role in ["up", "command-service", "projector"] {
        let ended = Program::listening([role, "--database-url", url]).run().await;
        assert_refused(&ended, &["newer than this program", "9999", "run the newer program"]);
    }
    let ended = Program::new(["migrate", "--database-url", url]).run().await;
    assert_refused(&ended, &["newer than this program"]);
}
