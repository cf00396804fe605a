//! Checking keys without asking the database every time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use recount_service_kit::database::{Database, read_again};
use recount_service_kit::problem::{Problem, kinds};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use crate::Identity;
use crate::key::{KeyParts, SecretHash};
use crate::store;

/// How long a valid key is cached: a revoked key works no longer than this.
const VALID_CACHE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an unknown id is cached: a key created after it was tried works after this time at the latest.
const UNKNOWN_CACHE_TIMEOUT: Duration = Duration::from_secs(2);
/// More keys than a deployment has; made-up ids cannot fill more memory than this.
const CACHED_MAX: usize = 10_000;
/// Concurrent look-ups: made-up ids must not take the connections that commands need.
const LOOKUPS_MAX: usize = 2;
/// How long a request waits for the database to look up its key.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);

/// Looks up the owner of a key, and caches it. Clones share the cache.
#[derive(Clone)]
pub struct Authenticator {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    cache: RwLock<HashMap<Box<str>, CachedKey>>,
    lookups: Semaphore,
}

struct CachedKey {
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
    pub fn new(database: impl Into<Database>) -> Authenticator {
        Authenticator {
            inner: Arc::new(Inner {
                database: database.into(),
                cache: RwLock::new(HashMap::new()),
                lookups: Semaphore::new(LOOKUPS_MAX),
            }),
        }
    }

    /// The identity that the key belongs to.
    ///
    /// A key that was seen recently is answered from the cache, even while the database is unavailable.
    pub async fn identify(&self, key: &str) -> Result<Identity, Problem> {
        let parts = KeyParts::parse(key).ok_or_else(invalid)?;
        let hash = parts.hash();
        if let Some(answer) = self.cached(parts.id, &hash) {
            return answer;
        }
        let looked_up = tokio::time::timeout(LOOKUP_TIMEOUT, self.look_up(parts.id, &hash)).await;
        looked_up.unwrap_or_else(|_| {
            Err(Problem::new(&kinds::STORE_UNAVAILABLE, "The database did not look up the API key in time."))
        })
    }

    async fn look_up(&self, id: &str, hash: &SecretHash) -> Result<Identity, Problem> {
        let _permit = self.inner.lookups.acquire().await.map_err(|closed| Problem::internal(&closed))?;
        // The previous holder of the permit may have looked up the same key.
        if let Some(answer) = self.cached(id, hash) {
            return answer;
        }
        let database = &self.inner.database;
        let key = read_again(database, || store::find_valid(database, id))
            .await
            .map_err(|error| Problem::of_database(&error))?;
        let answer = compare(key.as_ref(), hash);
        self.cache(id, key);
        answer
    }

    fn cached(&self, id: &str, hash: &SecretHash) -> Option<Result<Identity, Problem>> {
        let cache = self.inner.cache.read().unwrap_or_else(PoisonError::into_inner);
        let entry = cache.get(id)?;
        (Instant::now() < entry.until).then(|| compare(entry.key.as_ref(), hash))
    }

    fn cache(&self, id: &str, key: Option<(Identity, SecretHash)>) {
        let now = Instant::now();
        let until = now + if key.is_some() { VALID_CACHE_TIMEOUT } else { UNKNOWN_CACHE_TIMEOUT };
        let mut cache = self.inner.cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED_MAX {
            cache.retain(|_, entry| now < entry.until);
        }
        // Still full: keep valid keys rather than made-up ids.
        if cache.len() >= CACHED_MAX {
            cache.retain(|_, entry| entry.key.is_some());
        }
        if cache.len() < CACHED_MAX {
            cache.insert(id.into(), CachedKey { until, key });
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
