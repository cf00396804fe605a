//! Positions: which one an answer reflects, and waiting for one.

use std::time::{Duration, Instant};

use recount_test_support::eventually_some;

use crate::world::World;

/// Generous, for slow and busy machines; every wait ends as soon as its condition holds.
const TIMEOUT: Duration = Duration::from_secs(60);
const ACCOUNT: &str = "/v1/ledgers/books/accounts/Assets:Cash";

#[tokio::test]
async fn a_position_that_has_been_reached_is_answered_at_once() {
    let world = World::with_books().await;
    let answer = world.get_with(ACCOUNT, &[("recount-at-least", "9"), ("prefer", "wait=60")]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("recount-position"), "9");
    assert_eq!(answer.header("preference-applied"), "wait=60");
}

#[tokio::test]
async fn a_query_waits_for_a_position_that_is_about_to_be_reached() {
    let world = World::with_books().await;
    let headers = [("recount-at-least", "11"), ("prefer", "wait=60")];
    let started = Instant::now();
    let (answer, ()) = tokio::join!(world.get_with(ACCOUNT, &headers), async {
        world.advance(10).await;
        world.advance(11).await;
        sqlx::query("notify recount_read").execute(world.database.pool()).await.unwrap();
    });
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("recount-position"), "11");
    assert!(started.elapsed() < Duration::from_secs(50), "it does not wait until the timeout");
}

#[tokio::test]
async fn a_lost_notification_only_delays_an_answer() {
    let world = World::with_books().await;
    let headers = [("recount-at-least", "10"), ("prefer", "wait=60")];
    let (answer, ()) = tokio::join!(world.get_with(ACCOUNT, &headers), world.advance(10));
    assert_eq!(answer.header("recount-position"), "10", "{}", answer.body);
}

#[tokio::test]
async fn many_queries_wait_for_one_position_and_all_are_answered() {
    let world = World::with_books().await;
    let headers = [("recount-at-least", "10"), ("prefer", "wait=60")];
    let waiting = (0..50).map(|_| world.get_with(ACCOUNT, &headers));
    let (answers, ()) = tokio::join!(futures_util::future::join_all(waiting), world.advance(10));
    assert!(answers.iter().all(|answer| answer.header("recount-position") == "10"));
}

#[tokio::test]
async fn a_position_that_is_not_reached_in_time_is_a_problem_with_the_position_of_the_read_model() {
    let world = World::with_books().await;
    let answer = world.get_with(ACCOUNT, &[("recount-at-least", "1000"), ("prefer", "wait=0")]).await;
    assert_eq!(answer.problem(), (503, "position-not-reached".into()));
    assert_eq!(answer.json()["position"], 9);
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn a_ledger_whose_log_was_rewritten_is_not_answered_with_wrong_figures() {
    let world = World::with_books().await;
    sqlx::query("update read.progress set diverged = true, stopped_at = 9, stopped_reason = 'it went back'")
        .execute(world.database.pool())
        .await
        .unwrap();
    for path in [ACCOUNT, "/v1/ledgers/books", "/v1/ledgers/books/trial-balance"] {
        // At once, whatever position is asked for.
        for headers in [&[][..], &[("recount-at-least", "1000"), ("prefer", "wait=60")]] {
            let answer = world.get_with(path, headers).await;
            assert_eq!(answer.problem(), (503, "read-model-diverged".into()), "{path}");
            assert_eq!(answer.json()["ledger"], "books");
            assert_eq!(answer.header("retry-after"), "30");
        }
    }
    let ledgers = world.get("/v1/ledgers").await;
    assert_eq!(
        (ledgers.column("diverged"), ledgers.column("stopped_at")),
        (vec![true.into()], vec![9.into()])
    );
}

#[tokio::test]
async fn a_query_waits_for_a_ledger_that_does_not_exist_yet() {
    let world = World::empty().await;
    let headers = [("recount-at-least", "1"), ("prefer", "wait=60")];
    let (answer, ()) = tokio::join!(world.get_with("/v1/ledgers/new", &headers), world.create_ledger("new"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = world.get_with("/v1/ledgers/none", &[("recount-at-least", "1"), ("prefer", "wait=0")]).await;
    assert_eq!(answer.problem(), (404, "ledger-unknown".into()));
}

#[tokio::test]
async fn a_not_found_problem_says_which_position_it_reflects() {
    let world = World::with_books().await;
    for (path, code) in [
        ("/v1/ledgers/books/accounts/none", "account-not-found"),
        ("/v1/ledgers/books/accounts/none/statement", "account-not-found"),
        ("/v1/ledgers/books/accounts/none/metadata-history", "account-not-found"),
        ("/v1/ledgers/books/transactions/none", "transaction-not-found"),
        ("/v1/ledgers/books/transactions/none/metadata-history", "transaction-not-found"),
        ("/v1/ledgers/books/holds/none", "hold-not-found"),
        ("/v1/ledgers/books/customers/none", "customer-not-found"),
    ] {
        let answer = world.get(path).await;
        assert_eq!(answer.problem(), (404, code.into()));
        assert_eq!(answer.header("recount-position"), "9");
    }
}

#[tokio::test]
async fn every_query_locks_the_progress_first_so_that_a_swap_of_builds_waits_for_it() {
    let world = World::with_books().await;
    let pool = world.database.pool();
    for path in ["/v1/ledgers", "/v1/ledgers/books", "/v1/ledgers/books/accounts"] {
        let mut others = pool.begin().await.unwrap();
        sqlx::query("lock table read.ledgers").execute(&mut *others).await.unwrap();
        // The locks that the query holds while it waits for the ledgers.
        let held = async {
            let sql = "select array(select held.relation::regclass::text from pg_locks as held \
                                    where held.pid = waiting.pid and held.granted \
                                      and held.relation in ('read.progress'::regclass, 'read.ledgers'::regclass)) \
                       from pg_locks as waiting \
                       where not waiting.granted and waiting.relation = 'read.ledgers'::regclass";
            let waits = || async { sqlx::query_scalar(sql).fetch_optional(pool).await.unwrap() };
            let held: Vec<String> = eventually_some(TIMEOUT, "the query waits for the ledgers", waits).await;
            others.rollback().await.unwrap();
            held
        };
        let (answer, held) = tokio::join!(world.get(path), held);
        assert_eq!(held, ["read.progress"], "{path}");
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
}
