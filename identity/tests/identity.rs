//! API keys in a real database.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use recount_identity::{
    Authenticator, IdentityError, create_key, ensure_first_admin_key, list_keys, migrate, revoke_key,
};
use recount_postgres::{Database, Settings, Workload};
use recount_test_support::TestDatabase;
use secrecy::{ExposeSecret, SecretString};

fn door(database: &TestDatabase) -> Database {
    Database::from(database.pool())
}

async fn database() -> TestDatabase {
    let database = TestDatabase::create().await;
    migrate(&door(&database)).await.unwrap();
    database
}

#[tokio::test]
async fn several_processes_can_create_the_schema_at_once_and_repeatedly() {
    let database = TestDatabase::create().await;
    let pool = &door(&database);
    let (one, two, three) = tokio::join!(migrate(pool), migrate(pool), migrate(pool));
    one.and(two).and(three).unwrap();
    migrate(pool).await.unwrap();
}

#[tokio::test]
async fn a_key_is_accepted_only_with_its_secret() {
    let database = database().await;
    let key = create_key(&door(&database), "till 7").await.unwrap();
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
async fn the_secret_is_not_stored() {
    let database = database().await;
    let key = create_key(&door(&database), "till").await.unwrap();
    let row: String = sqlx::query_scalar("select api_keys::text from identity.api_keys")
        .fetch_one(database.pool())
        .await
        .unwrap();
    let secret = key.plaintext.expose_secret().rsplit('_').next().unwrap();
    assert!(row.contains(&key.key_id) && !row.contains(secret), "{row}");
}

#[tokio::test]
async fn a_revoked_key_is_listed_as_revoked_and_refused() {
    let database = database().await;
    let pool = &door(&database);
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
async fn when_several_processes_start_at_once_one_creates_the_first_key() {
    let database = database().await;
    let pool = &door(&database);
    let starts = futures_util::future::join_all((0..6).map(|_| ensure_first_admin_key(pool, None))).await;
    let made: Vec<_> = starts.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(made.len(), 1);
    assert_eq!(list_keys(pool).await.unwrap().len(), 1);
    let authenticator = Authenticator::new(pool.clone());
    authenticator.identify(made[0].plaintext.expose_secret()).await.unwrap();
}

#[tokio::test]
async fn a_provided_first_key_is_accepted() {
    let database = database().await;
    let pool = &door(&database);
    let text = format!("rk_ops_{}", "s3cret".repeat(8));
    let made = ensure_first_admin_key(pool, Some(SecretString::from(&*text))).await.unwrap();
    assert_eq!(made.unwrap().key_id, "ops");
    let identity = Authenticator::new(pool.clone()).identify(&text).await.unwrap();
    assert_eq!(&*identity.name, "admin");
    let weak = ensure_first_admin_key(pool, Some(SecretString::from("rk_ops_short"))).await;
    assert!(matches!(weak, Err(IdentityError::BadKey)));
}

#[tokio::test]
async fn a_cached_key_works_while_the_database_is_unavailable() {
    let database = database().await;
    let pool = &door(&database);
    let known = create_key(pool, "seen").await.unwrap();
    let unknown = create_key(pool, "not seen").await.unwrap();
    let authenticator = Authenticator::new(pool.clone());
    authenticator.identify(known.plaintext.expose_secret()).await.unwrap();
    database.pool().close().await;
    authenticator.identify(known.plaintext.expose_secret()).await.unwrap();
    let problem = authenticator.identify(unknown.plaintext.expose_secret()).await.unwrap_err();
    assert_eq!(problem.kind().code, "store-unavailable");
}

#[tokio::test]
async fn a_look_up_survives_connections_that_died_while_idle() {
    let database = database().await;
    let settings = Settings::new("tests", Workload::Queries).connections_max(3);
    let pool = Database::connect(database.url(), &settings).await.unwrap();
    let key = create_key(&pool, "till").await.unwrap();
    let (one, two, three) = tokio::join!(pool.lease(), pool.lease(), pool.lease());
    for lease in [one, two, three] {
        lease.unwrap().give_back();
    }
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
async fn a_key_needs_a_printable_name() {
    let database = database().await;
    for name in ["", "a\nb", &"x".repeat(101)] {
        let refused = create_key(&door(&database), name).await;
        assert!(matches!(refused, Err(IdentityError::BadName)), "{name:?}");
    }
}

#[tokio::test]
async fn the_service_role_reads_keys_and_cannot_change_them() {
    let database = TestDatabase::create().await;
    // Roles belong to the whole server: another test may have created this one, or create it now.
    sqlx::raw_sql(
        "do $$ begin create role recount_service nologin; \
         exception when duplicate_object or unique_violation then null; end; $$",
    )
    .execute(database.pool())
    .await
    .unwrap();
    migrate(&door(&database)).await.unwrap();
    let key = create_key(&door(&database), "till").await.unwrap();

    let mut connection = database.pool().acquire().await.unwrap();
    sqlx::query("set role recount_service").execute(&mut *connection).await.unwrap();
    let ids: Vec<String> =
        sqlx::query_scalar("select key_id from identity.api_keys").fetch_all(&mut *connection).await.unwrap();
    assert_eq!(ids, [key.key_id]);
    for change in [
        "update identity.api_keys set revoked_at = now()",
        "delete from identity.api_keys",
        "insert into identity.api_keys select 'x', name, secret_sha256, created_at from identity.api_keys",
    ] {
        let error = sqlx::query(change).execute(&mut *connection).await.unwrap_err();
        let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some("42501"), "{change}: {error}");
    }
}
