//! A log that loses its end under running services, as after a failover to a standby that had not received it.

use std::time::Duration;

use recount_core::LogName;
use recount_test_support::{TestDatabase, eventually};
use recount_tests::ledger::{LedgerClient, payment};
use recount_tests::process::{Process, Program};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::deployment::Deployment;

const TIMEOUT: Duration = Duration::from_secs(60);

/// Takes the events of the ledger after a position away, with all that came with them.
async fn lose_events_after(database: &TestDatabase, ledger: &str, position: i64) {
    let log = ledger.parse::<LogName>().unwrap().key().0;
    let lose = format!(
        "alter table store.events disable trigger user; alter table store.event_tags disable trigger user;
         delete from store.events where log = {log} and position > {position};
         delete from store.event_tags where log = {log} and store.position(segment, slot) > {position};
         delete from store.outcomes where log = {log} and position > {position};
         delete from store.frontiers where log = {log} and position > {position};
         alter table store.events enable trigger user; alter table store.event_tags enable trigger user"
    );
    sqlx::raw_sql(AssertSqlSafe(lose)).execute(database.pool()).await.unwrap();
}

async fn is_ready(process: &Process) -> bool {
    process.client().get("/readyz").send().await.is_ok_and(|answer| answer.status.is_success())
}

/// Writes in place of what was lost. None of it is for Alice.
async fn write_again(ledger: &LedgerClient, transactions: i64) {
    for n in 0..transactions {
        ledger.pay(&format!("bob-{n}")).await;
    }
}

#[tokio::test]
async fn nobody_builds_on_events_that_the_log_has_lost() {
    const LOST: i64 = 5;
    // Fewer events than were lost, as many, and more.
    for rewritten in [3, LOST, LOST + 2] {
        let deployment = Deployment::start().await;
        let [first, second] = <[LedgerClient; 2]>::try_from(deployment.ledgers("main")).unwrap();
        first.set_up().await;
        let kept = first.pay("kept").await.position;
        for n in 0..LOST {
            first.pay(&format!("lost-{n}")).await;
        }
        let before = first.head().await;
        first.trial_balance(before).await;
        lose_events_after(&deployment.database, "main", kept).await;
        write_again(&second, rewritten).await;

        // The money of the lost payments is nowhere in the log, and their ids are free.
        let spend = json!({"debit": "users:alice", "credit": "bank", "asset": "USD/2", "amount": "500"});
        let spend = json!({"transaction": "spend", "transfers": [spend]});
        let refused = first.command("post-transaction", &spend).answer().await;
        assert_eq!(refused.code(), "insufficient-funds", "{rewritten} rewritten: {refused}");
        let repeated = first.command("post-transaction", &payment("bob-0")).ok().await.json();
        assert_eq!(repeated["events"], json!([]), "{rewritten} rewritten");
        first.pay("lost-0").await;

        // The read models stand on what is gone, and say so.
        eventually(TIMEOUT, "the projector is not ready", async || !is_ready(&deployment.projector).await)
            .await;
        let answer = first.queries.get(first.path("/trial-balance")).answer().await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (503, "read-model-diverged"), "{answer}");
        let not_published =
            async || !is_ready(&deployment.commands[0]).await || !is_ready(&deployment.commands[1]).await;
        eventually(TIMEOUT, "the relay has stopped", not_published).await;

        // One command puts it right, while everything runs.
        let url = deployment.database.url();
        Program::new(["read-models", "remake", "main", "--database-url", url]).run_ok().await;
        let all_ready = async || {
            let mut ready = is_ready(&deployment.projector).await;
            for process in &deployment.commands {
                ready &= is_ready(process).await;
            }
            ready
        };
        eventually(TIMEOUT, "all is ready again", all_ready).await;
        first.check(&[]).await;
    }
}
