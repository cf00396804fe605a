//! API keys in a real database.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use recount_service_kit::database::connect;
use recount_service_kit::identity::{
    Authenticator, IdentityError, create_key, ensure_first_admin_key, list_keys, migrate, revoke_key,
};
use recount_test_support::TestDatabase;
use secrecy::{ExposeSecret, SecretString};

async fn database() -> TestDatabase {
    let database = TestDatabase::create().await;
    migrate(database.pool()).await.unwrap();
    database
}

#[tokio::test]
async fn the_schema_can_be_made_by_several_processes_at_once_and_again() {
    let database = TestDatabase::create().await;
    let pool = database.pool();
    let (one, two, three) = tokio::join!(migrate(pool), migrate(pool), migrate(pool));
    one.and(two).and(three).unwrap();
    migrate(pool).await.unwrap();
}

#[tokio::test]
async fn a_key_is_known_by_its_secret_and_by_nothing_else() {
    let database = database().await;
    let key = create_key(database.pool(), "till 7").await.unwrap();
    let authenticator = Authenticator::new(database.pool().clone());

    let identity = authenticator.identify(key.plaintext.expose_secret()).await.unwrap();
    assert_eq!((&*identity.key_id, &*identity.name), (&*key.key_id, "till 7"));

    let forged = format!("rk_{}_{}", key.key_id, "0".repeat(64));
    for wrong in [forged.as_str(), "rk_", "", &format!("rk_nobody_{}", "0".repeat(64))] {
        let problem = authenticator.identify(wrong).await.unwrap_err();
        assert_eq!(problem.kind().code, "key-invalid", "{wrong:?}");
    }
}

#[tokio::test]
async fn the_secret_itself_is_not_in_the_database() {
    let database = database().await;
    let key = create_key(database.pool(), "till").await.unwrap();
    let row: String = sqlx::query_scalar("select api_keys::text from identity.api_keys")
        .fetch_one(database.pool())
        .await
        .unwrap();
    let secret = key.plaintext.expose_secret().rsplit('_').next().unwrap();
    assert!(row.contains(&key.key_id) && !row.contains(secret), "{row}");
}

#[tokio::test]
async fn a_revoked_key_is_listed_as_such_and_no_longer_taken() {
    let database = database().await;
    let pool = database.pool();
    let key = create_key(pool, "till").await.unwrap();
    revoke_key(pool, &key.key_id).await.unwrap();
    let listed = list_keys(pool).await.unwrap();
    assert!(listed[0].revoked_at.is_some());
    let problem = Authenticator::new(pool.clone()).identify(key.plaintext.expose_secret()).await.unwrap_err();
    assert_eq!(problem.kind().code, "key-invalid");
    let again = revoke_key(pool, &key.key_id).await.unwrap_err();
    assert!(matches!(again, IdentityError::Unknown(_)));
}

#[tokio::test]
async fn of_several_processes_that_start_at_once_one_makes_the_first_key() {
    let database = database().await;
    let pool = database.pool();
    let starts = futures_util::future::join_all((0..6).map(|_| ensure_first_admin_key(pool, None))).await;
    let made: Vec<_> = starts.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(made.len(), 1);
    assert_eq!(list_keys(pool).await.unwrap().len(), 1);
    let authenticator = Authenticator::new(pool.clone());
    authenticator.identify(made[0].plaintext.expose_secret()).await.unwrap();
}

#[tokio::test]
async fn a_given_first_key_is_the_one_that_works() {
    let database = database().await;
    let pool = database.pool();
    let text = format!("rk_ops_{}", "s3cret".repeat(8));
    let made = ensure_first_admin_key(pool, Some(SecretString::from(&*text))).await.unwrap();
    assert_eq!(made.unwrap().key_id, "ops");
    let identity = Authenticator::new(pool.clone()).identify(&text).await.unwrap();
    assert_eq!(&*identity.name, "admin");
    let weak = ensure_first_admin_key(pool, Some(SecretString::from("rk_ops_short"))).await;
    assert!(matches!(weak, Err(IdentityError::BadKey)));
}

#[tokio::test]
async fn a_key_that_was_seen_goes_on_working_while_the_database_is_away() {
    let database = database().await;
    let pool = database.pool();
    let known = create_key(pool, "seen").await.unwrap();
    let unknown = create_key(pool, "not seen").await.unwrap();
    let authenticator = Authenticator::new(pool.clone());
    authenticator.identify(known.plaintext.expose_secret()).await.unwrap();
    pool.close().await;
    authenticator.identify(known.plaintext.expose_secret()).await.unwrap();
    let problem = authenticator.identify(unknown.plaintext.expose_secret()).await.unwrap_err();
    assert_eq!(problem.kind().code, "store-unavailable");
}

#[tokio::test]
async fn connections_that_died_while_idle_cost_nobody_an_answer() {
    let database = database().await;
    let url = SecretString::from(database.url());
    let pool = connect(&url, 3, "tests", None).await.unwrap();
    let key = create_key(&pool, "till").await.unwrap();
    let (one, two, three) = tokio::join!(pool.acquire(), pool.acquire(), pool.acquire());
    drop((one.unwrap(), two.unwrap(), three.unwrap()));
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity \
         where datname = current_database() and application_name = 'tests'",
    )
    .execute(database.pool())
    .await
    .unwrap();
    let authenticator = Authenticator::new(pool);
    authenticator.identify(key.plaintext.expose_secret()).await.unwrap();
}

#[tokio::test]
async fn a_key_needs_a_name_that_can_be_shown() {
    let database = database().await;
    for name in ["", "a\nb", &"x".repeat(101)] {
        let refused = create_key(database.pool(), name).await;
        assert!(matches!(refused, Err(IdentityError::BadName)), "{name:?}");
    }
}
