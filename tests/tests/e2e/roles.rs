//! The roles as separate processes, which are killed under load.

use recount_test_support::TestDatabase;
use recount_tests::ledger::{LedgerClient, fold};
use recount_tests::load::Load;
use recount_tests::process::Program;

use crate::deployment::Deployment;
use crate::{first_key, topic};

const CLIENTS: usize = 4;

#[tokio::test]
async fn a_query_at_the_position_of_a_command_shows_its_effect() {
    let deployment = Deployment::start().await;
    let ledgers = deployment.ledgers("main");
    ledgers[0].set_up().await;
    for n in 0..10 {
        let ledger = &ledgers[n % 2];
        let paid = ledger.pay(&format!("payment-{n}")).await;
        let account = ledger.answer_at("/accounts/bank", paid.position).await;
        assert!(account.position() >= paid.position, "{account}");
        let events = ledger.events().await;
        let (debits, _) = fold(&events)[&("bank".to_owned(), "USD/2".to_owned())];
        assert_eq!(account.json()["balances"][0]["posted"], debits.to_string());
    }
    topic::carries_main(&deployment.topic, ledgers[0].events().await).await;
}

#[tokio::test]
async fn killing_any_role_under_load_loses_and_duplicates_nothing() {
    let mut deployment = Deployment::start().await;
    let ledgers = deployment.ledgers("main");
    ledgers[0].set_up().await;
    let mut load = Load::start(&ledgers, "load", CLIENTS);
    load.more(50).await;
    let Deployment { commands: [one, other], projector, queries, .. } = &mut deployment;
    for victim in [one, projector, queries, other] {
        victim.kill().await;
        // The others continue without it.
        load.more(50).await;
        victim.start_again().await;
        load.more(50).await;
        let head = ledgers[0].head().await;
        ledgers[0].trial_balance(head).await;
    }
    let acknowledged = load.finish().await;
    let head = ledgers[0].check(&acknowledged).await.len() as i64;
    let last = ledgers[1].pay("last").await;
    assert_eq!(last.position, head + 1, "both services append to one log");
    topic::carries_main(&deployment.topic, ledgers[0].events().await).await;
}

#[tokio::test]
async fn killing_every_role_at_once_loses_and_duplicates_nothing() {
    let mut deployment = Deployment::start().await;
    let ledgers = deployment.ledgers("main");
    ledgers[0].set_up().await;
    let mut load = Load::start(&ledgers, "load", CLIENTS);
    load.more(100).await;
    let Deployment { commands: [one, other], projector, queries, .. } = &mut deployment;
    tokio::join!(one.kill(), other.kill(), projector.kill(), queries.kill());
    tokio::join!(one.start_again(), other.start_again(), projector.start_again(), queries.start_again());
    load.more(100).await;
    let events = ledgers[0].check(&load.finish().await).await;
    for process in [one, other, projector, queries] {
        let status = process.stop().await;
        assert!(status.success(), "{status}: {}", process.stderr());
    }
    // The relay publishes the remaining events before it stops, or after the next start.
    deployment.commands[0].start_again().await;
    topic::carries_main(&deployment.topic, events).await;
}

#[tokio::test]
async fn read_models_may_be_in_another_database() {
    let (log, read) = (TestDatabase::create().await, TestDatabase::create().await);
    let with_read = |program: Program| program.argument("--read-database-url").argument(read.url());
    let migrate = || with_read(Program::new(["migrate", "--database-url", log.url()]));
    let key = first_key(&migrate().run_ok().await.stdout);
    // A second migration changes nothing: a deployment may run it at each start.
    migrate().run_ok().await;
    let role = |name| Program::listening([name, "--database-url", log.url()]);
    let (command, projector, query) =
        (role("command-service"), with_read(role("projector")), with_read(role("query-service")));
    let (commands, _projector, queries) = tokio::join!(command.start(), projector.start(), query.start());
    let ledger = LedgerClient {
        commands: commands.client().with_key(&key),
        queries: queries.client().with_key(&key),
        name: "main".to_owned(),
    };
    ledger.set_up().await;
    let paid = ledger.pay("payment").await;
    ledger.check(&[paid]).await;
}
