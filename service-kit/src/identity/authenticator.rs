//! Checking keys without asking the database every time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use super::Identity;
use super::key::{KeyParts, SecretHash};
use super::store;
use crate::database;
use crate::problem::{Problem, kinds};

/// A revoked key works no longer than this.
const KNOWN_FOR: Duration = Duration::from_secs(30);
/// A key made after somebody tried it works no later than this.
const UNKNOWN_FOR: Duration = Duration::from_secs(2);
/// More keys than a deployment has; a bound on what made-up ids can fill.
const REMEMBERED_MAX: usize = 10_000;
/// Look-ups at once: made-up ids must not take the connections that commands need.
const LOOKUPS_MAX: usize = 2;
/// How long a request waits for the database to say whose key it is.
const LOOKUP_WAIT_MAX: Duration = Duration::from_secs(3);

/// Tells whose key a key is. Clones share their memory.
#[derive(Clone)]
pub struct Authenticator {
    shared: Arc<Shared>,
}

struct Shared {
    pool: PgPool,
    remembered: RwLock<HashMap<Box<str>, Remembered>>,
    lookups: Semaphore,
}

struct Remembered {
    until: Instant,
    /// None: there is no valid key with this id.
    key: Option<(Identity, SecretHash)>,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").finish_non_exhaustive()
    }
}

impl Authenticator {
    pub fn new(pool: PgPool) -> Authenticator {
        Authenticator {
            shared: Arc::new(Shared {
                pool,
                remembered: RwLock::new(HashMap::new()),
                lookups: Semaphore::new(LOOKUPS_MAX),
            }),
        }
    }

    /// Who the key stands for.
    ///
    /// A key that has been seen is taken from memory for a while, also when the database is away.
    pub async fn identify(&self, key: &str) -> Result<Identity, Problem> {
        let parts = KeyParts::parse(key).ok_or_else(invalid)?;
        let hash = parts.hash();
        if let Some(answer) = self.recall(parts.id, &hash) {
            return answer;
        }
        let looked_up = tokio::time::timeout(LOOKUP_WAIT_MAX, self.look_up(parts.id, &hash)).await;
        looked_up.unwrap_or_else(|_| {
            Err(Problem::new(
                &kinds::STORE_UNAVAILABLE,
                "The database did not say in time whose key this is.",
            ))
        })
    }

    async fn look_up(&self, id: &str, hash: &SecretHash) -> Result<Identity, Problem> {
        let _permit = self.shared.lookups.acquire().await.map_err(|closed| Problem::internal(&closed))?;
        // Whoever held the permit before may have asked for the same key.
        if let Some(answer) = self.recall(id, hash) {
            return answer;
        }
        let pool = &self.shared.pool;
        let key = database::read_again(pool, || store::find_valid(pool, id))
            .await
            .map_err(|error| Problem::of_database(&error))?;
        let answer = compare(key.as_ref(), hash);
        self.remember(id, key);
        answer
    }

    fn recall(&self, id: &str, hash: &SecretHash) -> Option<Result<Identity, Problem>> {
        let remembered = self.shared.remembered.read().unwrap_or_else(PoisonError::into_inner);
        let entry = remembered.get(id)?;
        (Instant::now() < entry.until).then(|| compare(entry.key.as_ref(), hash))
    }

    fn remember(&self, id: &str, key: Option<(Identity, SecretHash)>) {
        let now = Instant::now();
        let until = now + if key.is_some() { KNOWN_FOR } else { UNKNOWN_FOR };
        let mut remembered = self.shared.remembered.write().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, entry| now < entry.until);
        }
        // Still full: keys that are valid are worth more than ids that somebody made up.
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, entry| entry.key.is_some());
        }
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(id.into(), Remembered { until, key });
        }
    }
}

fn compare(key: Option<&(Identity, SecretHash)>, hash: &SecretHash) -> Result<Identity, Problem> {
    match key {
        Some((identity, stored)) if bool::from(stored.ct_eq(hash)) => Ok(identity.clone()),
        _ => Err(invalid()),
    }
}

fn invalid() -> Problem {
    Problem::new(&kinds::KEY_INVALID, "The key is unknown, incomplete or revoked.")
}
