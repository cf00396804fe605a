//! The schema `identity` and its table of keys.

use std::time::Duration;

use chrono::{DateTime, Utc};
use recount_postgres::locks;
use recount_service_kit::clock;
use recount_service_kit::database::Database;
use secrecy::SecretString;
use sqlx::{PgConnection, PgExecutor, Row};

use crate::key::{self, SecretHash};
use crate::{Identity, NewKey};

/// How long one statement may take: each names one key, or a table of few.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long creating the schema or the first key may take, waiting for another process that does so included.
const SET_UP_TIMEOUT: Duration = Duration::from_secs(60);
/// The name of the first key.
const FIRST_KEY_NAME: &str = "admin";
const NAME_LEN_MAX: usize = 100;

/// Why a key could not be created, found or revoked.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("the API keys could not be read or written")]
    Database(#[from] sqlx::Error),
    #[error("the operating system provided no random bytes: {0}")]
    Random(getrandom::Error),
    #[error("a key's name has 1 to {NAME_LEN_MAX} characters and no control characters")]
    BadName,
    #[error("the admin key must have the form rk_<id>_<secret> with a secret of 43 to 128 characters")]
    BadKey,
    #[error("there is no valid key `{0}` to revoke")]
    Unknown(String),
}

/// A key as the operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub key_id: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Creates the schema and grants the service role its rights on it. Safe to repeat, also from several processes at once.
pub async fn migrate(database: &Database) -> Result<(), IdentityError> {
    let set_up = async {
        let mut transaction = database.begin().await?;
        lock(&mut transaction).await?;
        sqlx::raw_sql(include_str!("../sql/schema.sql")).execute(&mut *transaction).await?;
        sqlx::raw_sql(include_str!("../sql/grants.sql")).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    };
    database.bounded(SET_UP_TIMEOUT, set_up).await
}

/// Creates a key.
pub async fn create_key(database: &Database, name: &str) -> Result<NewKey, IdentityError> {
    if !(1..=NAME_LEN_MAX).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(IdentityError::BadName);
    }
    let (new, hash) = key::generate().map_err(IdentityError::Random)?;
    insert(database.within(STATEMENT_TIMEOUT), &new, name, &hash).await?;
    Ok(new)
}

/// Creates the first key if there has never been one: the provided key, or else a random one.
///
/// Several processes may start at once; exactly one of them creates the key and gets it back. If all keys of a deployment
/// are revoked, a restart does not create another one.
pub async fn ensure_first_admin_key(
    database: &Database,
    provided: Option<SecretString>,
) -> Result<Option<NewKey>, IdentityError> {
    let (new, hash) = match provided {
        Some(plaintext) => key::adopt(plaintext).ok_or(IdentityError::BadKey)?,
        None => key::generate().map_err(IdentityError::Random)?,
    };
    let set_up = async {
        let mut transaction = database.begin().await?;
        lock(&mut transaction).await?;
        let any: bool = sqlx::query_scalar("select exists (select from identity.api_keys)")
            .fetch_one(&mut *transaction)
            .await?;
        if any {
            transaction.rollback().await?;
            return Ok(None);
        }
        insert(&mut *transaction, &new, FIRST_KEY_NAME, &hash).await?;
        transaction.commit().await?;
        Ok(Some(new))
    };
    database.bounded(SET_UP_TIMEOUT, set_up).await
}

/// All keys, oldest first.
pub async fn list_keys(database: &Database) -> Result<Vec<ApiKey>, IdentityError> {
    let rows = sqlx::query(
        "select key_id, name, created_at, revoked_at from identity.api_keys order by created_at, key_id",
    )
    .fetch_all(database.within(STATEMENT_TIMEOUT))
    .await?;
    let keys = rows.iter().map(|row| {
        Ok(ApiKey {
            key_id: row.try_get("key_id")?,
            name: row.try_get("name")?,
            created_at: row.try_get("created_at")?,
            revoked_at: row.try_get("revoked_at")?,
        })
    });
    Ok(keys.collect::<Result<_, sqlx::Error>>()?)
}

/// Revokes a key. Processes that have it in their cache accept it until it expires there.
pub async fn revoke_key(database: &Database, key_id: &str) -> Result<(), IdentityError> {
    let revoked =
        sqlx::query("update identity.api_keys set revoked_at = $2 where key_id = $1 and revoked_at is null")
            .bind(key_id)
            .bind(clock::now())
            .execute(database.within(STATEMENT_TIMEOUT))
            .await?;
    if revoked.rows_affected() == 0 {
        return Err(IdentityError::Unknown(key_id.to_owned()));
    }
    Ok(())
}

/// The valid key with this id: the identity that it belongs to, and the hash of its secret.
pub(crate) async fn find_valid(
    database: &Database,
    key_id: &str,
) -> Result<Option<(Identity, SecretHash)>, sqlx::Error> {
    let row = sqlx::query(
        "select name, secret_sha256 from identity.api_keys where key_id = $1 and revoked_at is null",
    )
    .bind(key_id)
    .fetch_optional(database.within(STATEMENT_TIMEOUT))
    .await?;
    let Some(row) = row else { return Ok(None) };
    let name: String = row.try_get("name")?;
    let hash: SecretHash = row.try_get("secret_sha256")?;
    let identity = Identity { key_id: key_id.into(), name: name.into() };
    Ok(Some((identity, hash)))
}

async fn lock(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock($1)").bind(locks::IDENTITY).execute(connection).await?;
    Ok(())
}

async fn insert(
    executor: impl PgExecutor<'_>,
    new: &NewKey,
    name: &str,
    hash: &SecretHash,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into identity.api_keys (key_id, name, secret_sha256, created_at) values ($1, $2, $3, $4)",
    )
    .bind(&new.key_id)
    .bind(name)
    .bind(hash.as_slice())
    .bind(clock::now())
    .execute(executor)
    .await?;
    Ok(())
}
