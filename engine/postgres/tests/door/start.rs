//! What is refused at the start.

use recount_postgres::{ConnectError, Database, Settings, Workload};
use recount_test_support::TestDatabase;

use crate::fake::Fake;

#[tokio::test]
async fn a_database_that_loses_what_it_acknowledges_is_refused_for_writing_unless_that_is_allowed() {
    let database = TestDatabase::create().await;
    let fsync: String = sqlx::query_scalar("show fsync").fetch_one(database.pool()).await.unwrap();
    let settings = Settings::new("tests", Workload::Commands);
    let connected = Database::connect(database.url(), &settings).await;
    if fsync == "on" {
        connected.unwrap();
    } else {
        let text = connected.unwrap_err().to_string();
        assert!(text.contains("fsync") && text.contains("RECOUNT_ALLOW_UNSAFE_DATABASE"), "{text}");
    }
    Database::connect(database.url(), &settings.allow_unsafe(true)).await.unwrap();
    // Readers have nothing to lose.
    Database::connect(database.url(), &Settings::new("tests", Workload::Queries)).await.unwrap();
}

#[tokio::test]
async fn connections_that_share_a_session_are_refused_with_what_to_do() {
    let fake = Fake::sharing_one_session().await;
    let error = Database::connect(&fake.url, &Settings::new("tests", Workload::Queries)).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, ConnectError::Unfit { .. }), "{text}");
    assert!(text.contains("transaction mode") && text.contains("OPERATING.md"), "{text}");
}

#[tokio::test]
async fn a_pooler_that_does_not_take_our_settings_is_refused_with_what_to_do() {
    let fake = Fake::refusing_options().await;
    let error = Database::connect(&fake.url, &Settings::new("tests", Workload::Queries)).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, ConnectError::SettingsRefused { .. }), "{text}");
    assert!(text.contains("PgBouncer") && text.contains("OPERATING.md"), "{text}");
}
