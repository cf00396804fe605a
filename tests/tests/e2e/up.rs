//! `recount up` with its private Postgres: starting, stopping, and killing it or its Postgres.

use std::time::Duration;

use http::Method;
use recount_test_support::eventually;
use recount_tests::http::Client;
use recount_tests::ledger::{LedgerClient, payment};
use recount_tests::load::Load;
use recount_tests::process::{
    Process, Program, descendants, folder, kill_now, pause_descendants, postgres_of, resume, wait_until_gone,
};
use tempfile::TempDir;

use crate::first_key;

const CLIENTS: usize = 4;
/// Long enough for a slow and busy machine. A wait ends as soon as its condition holds.
const TIMEOUT: Duration = Duration::from_secs(180);

/// `recount up` with a data folder of its own and a ledger.
async fn up_with_a_ledger() -> (TempDir, Process, LedgerClient) {
    let data = folder();
    let process = Program::listening(["up", "--data"]).argument(data.path()).start().await;
    let client = process.client().with_key(&first_key(&process.stdout()));
    let ledger = LedgerClient::at(&client, "main");
    ledger.set_up().await;
    (data, process, ledger)
}

/// Splits `curl -X METHOD -H "NAME: VALUE" URL`, as a shell would.
fn curl(line: &str) -> (Method, String, String, String) {
    let rest = line.trim().strip_prefix("curl -X ").unwrap();
    let (method, rest) = rest.split_once(" -H \"").unwrap();
    let (header, url) = rest.split_once("\" ").unwrap();
    let (name, value) = header.split_once(": ").unwrap();
    (method.parse().unwrap(), name.to_owned(), value.to_owned(), url.to_owned())
}

#[tokio::test]
async fn the_first_start_prints_everything_needed_to_get_started() {
    let data = folder();
    let process = Program::listening(["up", "--data"]).argument(data.path()).start().await;
    let printed = process.stdout();

    let home = printed.lines().find_map(|line| line.strip_prefix("Recount is up on ")).unwrap();
    let line = printed.lines().find(|line| line.contains("curl ")).unwrap();
    let (method, name, value, url) = curl(line);
    let path = url.strip_prefix(home).expect("the command line is for this process");
    let address = home.strip_prefix("http://").unwrap().parse().unwrap();
    let answer = Client::new(address).ask(method, path).header(&name, value).answer().await;
    assert_eq!(answer.status, 201, "{answer}");
    assert_eq!(answer.json()["ledger"], "main");

    // The other printed addresses work as well.
    let links: Vec<&str> = printed
        .split_whitespace()
        .filter_map(|word| word.strip_prefix(home))
        .filter(|path| !path.is_empty())
        .collect();
    assert!(links.len() >= 3, "{printed}");
    for path in links.into_iter().filter(|path| !path.starts_with("/v1/")) {
        let answer = Client::new(address).get(path).answer().await;
        assert!(answer.status.is_success() || answer.status.is_redirection(), "{path}: {answer}");
    }
}

#[tokio::test]
async fn up_stops_with_its_children_and_keeps_its_data() {
    let (_data, mut process, ledger) = up_with_a_ledger().await;
    let paid = vec![ledger.pay("before").await];
    let before = ledger.check(&paid).await;
    let children = descendants(process.id());
    assert!(!children.is_empty(), "Postgres is a child");

    let status = process.stop().await;
    assert!(status.success(), "{status}: {}", process.stderr());
    for child in children {
        wait_until_gone(child).await;
    }

    process.start_again().await;
    assert!(!process.stdout().contains("rk_"), "the key is shown once: {}", process.stdout());
    assert_eq!(ledger.check(&paid).await, before);
    ledger.pay("after").await;
}

#[tokio::test]
async fn killing_it_under_load_loses_and_duplicates_nothing() {
    let (_data, mut process, ledger) = up_with_a_ledger().await;
    let mut load = Load::start(std::slice::from_ref(&ledger), "load", CLIENTS);
    load.more(60).await;
    let children = descendants(process.id());
    process.kill().await;
    process.start_again().await;
    load.more(60).await;
    ledger.check(&load.finish().await).await;
    // The children of the killed process are gone.
    for child in children {
        wait_until_gone(child).await;
    }
}

#[tokio::test]
async fn killing_its_postgres_under_load_loses_and_duplicates_nothing() {
    let (data, mut process, ledger) = up_with_a_ledger().await;
    let mut load = Load::start(std::slice::from_ref(&ledger), "load", CLIENTS);
    for _ in 0..2 {
        load.more(60).await;
        let postgres = postgres_of(data.path());
        kill_now(postgres.id);
        wait_until_gone(postgres).await;
    }
    load.more(60).await;
    process.ready().await;
    ledger.check(&load.finish().await).await;
    let status = process.stop().await;
    assert!(status.success(), "{status}: {}", process.stderr());
}

#[tokio::test]
async fn it_reports_an_unreachable_postgres_and_recovers() {
    let (data, mut process, ledger) = up_with_a_ledger().await;
    // Paused and not killed, so that the test determines when it comes back.
    let paused = pause_descendants(process.id()).await;
    assert!(paused.contains(&postgres_of(data.path())));

    let client = process.client();
    eventually(TIMEOUT, "it reports that it is not ready", || async {
        client.get("/readyz").answer().await.status == 503
    })
    .await;
    assert_eq!(client.get("/livez").answer().await.status, 200);
    let ask = ledger.command("post-transaction", &payment("stuck")).header("idempotency-key", "stuck");
    let answer = ask.answer().await;
    assert_eq!(answer.status, 503, "{answer}");
    assert!(answer.headers.contains_key("retry-after"), "{answer}");

    resume(&paused);
    process.ready().await;
    let answer = recount_tests::ledger::pay_until_done(std::slice::from_ref(&ledger), 0, "stuck").await;
    ledger.check(&[answer]).await;
}

#[tokio::test]
async fn stopping_it_under_load_loses_and_duplicates_nothing() {
    let (_data, mut process, ledger) = up_with_a_ledger().await;
    let mut load = Load::start(std::slice::from_ref(&ledger), "load", CLIENTS);
    load.more(60).await;
    let status = process.stop().await;
    assert!(status.success(), "{status}: {}", process.stderr());
    process.start_again().await;
    load.more(60).await;
    ledger.check(&load.finish().await).await;
}

#[tokio::test]
async fn killing_it_while_it_creates_its_data_folder_needs_no_repair() {
    let data = folder();
    let up = Program::listening(["up", "--data"]).argument(data.path());
    // At several points of the first start, each detected by a file.
    for made in ["postgres.lock", "run", "postgres/PG_VERSION", "postgres/postmaster.pid"] {
        let mut process = up.spawn();
        eventually(TIMEOUT, made, || {
            let exists = data.path().join(made).exists();
            async move { exists }
        })
        .await;
        process.kill().await;
    }
    let process = up.start().await;
    let printed = process.stdout();
    let client = process.client().with_key(&first_key(&printed));
    let ledger = LedgerClient::at(&client, "main");
    ledger.set_up().await;
    let paid = ledger.pay("payment").await;
    ledger.check(&[paid]).await;
}

#[tokio::test]
async fn stopping_it_while_it_starts_leaves_no_process_behind() {
    let data = folder();
    let mut process = Program::listening(["up", "--data"]).argument(data.path()).spawn();
    eventually(TIMEOUT, "Postgres has been started", || {
        let exists = data.path().join("postgres/postmaster.pid").exists();
        async move { exists }
    })
    .await;
    let children = descendants(process.id());
    process.stop().await;
    for child in children {
        wait_until_gone(child).await;
    }
}

#[tokio::test]
async fn keys_are_created_and_revoked_while_it_runs() {
    let (data, process, ledger) = up_with_a_ledger().await;
    let keys = |arguments: &[&str]| Program::new(arguments).argument("--data").argument(data.path());
    let made = first_key(&keys(&["keys", "create", "reporting"]).run_ok().await.stdout);
    let client = process.client().with_key(&made);
    client.get(ledger.path("/events")).ok().await;
    let id = made.split('_').nth(1).unwrap();
    let listed = keys(&["keys", "list"]).run_ok().await.stdout;
    assert!(
        listed.lines().any(|line| line.contains(id) && line.contains("reporting") && line.contains("valid"))
    );
    assert!(!listed.contains(&made), "a list shows no secret");

    keys(&["keys", "revoke", id]).run_ok().await;
    eventually(TIMEOUT, "the revoked key stops working", || async {
        client.get(ledger.path("/events")).answer().await.code() == "key-invalid"
    })
    .await;
    ledger.pay("with-the-other-key").await;
}
