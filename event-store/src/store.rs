//! The handle on the store that all operations hang on.

use sqlx::PgPool;

/// The database role that may append to the log and may not change it.
pub const SERVICE_ROLE: &str = "recount_service";

/// The event store of one database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EventStore {
    pool: PgPool,
}

impl EventStore {
    pub fn new(pool: PgPool) -> EventStore {
        EventStore { pool }
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }
}
