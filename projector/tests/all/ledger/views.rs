//! The views that readers use: their columns are those the query service is tested with, and conditions use the indexes.

use recount_events::ledger::AccountKind;

use super::book::{Book, opened};
use crate::support::World;

const COLUMNS: &str =
    "select format('%s.%s %s', table_name, column_name, data_type) from information_schema.columns
                       where table_schema = 'read' order by 1";

#[tokio::test]
async fn the_views_have_the_columns_that_the_query_service_is_tested_with() {
    let book = Book::new().await;
    let stand_in = World::new().await;
    sqlx::raw_sql(include_str!("../../../../query-service/tests/queries/read.sql"))
        .execute(&stand_in.pool)
        .await
        .unwrap();
    assert_eq!(stand_in.text(COLUMNS).await, book.rows(COLUMNS).await);
}

#[tokio::test]
async fn a_condition_on_the_metadata_history_uses_the_indexes_behind_the_view() {
    let book = Book::new().await;
    book.apply([opened("a", AccountKind::Asset)]).await;
    let mut transaction = book.world.pool.begin().await.unwrap();
    // Postgres would scan a nearly empty table instead of using the index.
    sqlx::raw_sql("set local enable_seqscan = off; set local enable_bitmapscan = off")
        .execute(&mut *transaction)
        .await
        .unwrap();
    for owner_kind in ["account", "transaction"] {
        let plan: Vec<String> = sqlx::query_scalar(
            "explain (costs off) select * from read.metadata_history
             where log = 1 and owner_kind = $1 and owner = 'a' and position > 0 order by position limit 51",
        )
        .bind(owner_kind)
        .fetch_all(&mut *transaction)
        .await
        .unwrap();
        let plan = plan.join("\n");
        assert!(!plan.contains("Seq Scan"), "{plan}");
        assert!(plan.contains("Index Cond: ((log = 1) AND (owner_kind = "), "{plan}");
    }
}

#[tokio::test]
async fn reversals_of_a_transaction_and_captures_of_a_hold_are_found_by_their_indexes() {
    let book = Book::new().await;
    let mut transaction = book.world.pool.begin().await.unwrap();
    // Postgres would scan a nearly empty table instead of using the index.
    sqlx::raw_sql("set local enable_seqscan = off; set local enable_bitmapscan = off")
        .execute(&mut *transaction)
        .await
        .unwrap();
    for (sql, index) in [
        (
            "explain (costs off) select * from read.transactions
             where log = 1 and reverses = $1 and position > 0 order by position limit 51",
            "transactions_log_reverses_position_idx",
        ),
        (
            "explain (costs off) select * from read.transactions
             where log = 1 and captures = $1 and position > 0 order by position limit 51",
            "transactions_log_captures_position_idx",
        ),
    ] {
        let plan: Vec<String> =
            sqlx::query_scalar(sql).bind("t1").fetch_all(&mut *transaction).await.unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains(index) && !plan.contains("Sort"), "{plan}");
    }
}
