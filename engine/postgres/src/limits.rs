//! How long things may take: the limits that every connection carries, by the work that it is for.
//!
//! The limits of the server come first and those of the client second. An error of the server is certain: nothing was
//! done. The limit of the client is for a server that does not answer at all; after it, the outcome of a change is unknown.

use std::time::Duration;

/// How long taking a connection may take, opening one included. A busy machine has been seen to take three seconds to
/// open one; the patience of a command is ten seconds.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may take to prove that it works when it is given back. Longer, and it is closed.
pub(crate) const RETURN_TIMEOUT: Duration = Duration::from_secs(2);

/// How soon the server looks whether the client of a running statement is still there. If it is not, the server ends the
/// statement. Looking costs one system call.
const CLIENT_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long a statement of a client that has left may still run. The place of its connection stays taken for so long, so
/// that clients that come and go cannot use up the connections of the server.
pub const ORPHAN_TIMEOUT: Duration = Duration::from_millis(1_500);

/// How long data that the server has sent may stay unacknowledged before it counts the client as vanished.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(15);
/// A silent client is asked after this time whether it is there, and then this often, this many times. A vanished client
/// loses its locks within half a minute.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_COUNT: u32 = 3;

/// What the connections of a pool are for. It decides their limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Appending to the log, and reading what commands need.
    Commands,
    /// Following the log: projectors and relays.
    Following,
    /// Answering the questions of clients.
    Queries,
    /// Migrations, keys and other work of an operator. May take as long as it takes.
    Maintenance,
}

impl Workload {
    /// How long the server lets a statement run, waiting for locks included; `None` for as long as it takes.
    pub fn statement_timeout(self) -> Option<Duration> {
        match self {
            // Loading the entities of a command may take this long. Appends and look-ups take milliseconds and have
            // limits of seconds in the client; the server ends them a second after the client has.
            Workload::Commands => Some(Duration::from_secs(30)),
            // A transaction applies a bounded batch; a page of events is bounded too.
            Workload::Following => Some(Duration::from_secs(30)),
            // Most queries take milliseconds. One that adds up a large log may take long, and no client waits longer.
            Workload::Queries => Some(Duration::from_secs(30)),
            Workload::Maintenance => None,
        }
    }

    /// How long the server lets a statement wait for a lock; `None` for as long as it takes.
    pub fn lock_timeout(self) -> Option<Duration> {
        match self {
            // Locks are held for milliseconds. This is below the five seconds that a command gives a statement, so the
            // command learns that nothing was changed, and has time for another try within its ten seconds.
            Workload::Commands => Some(Duration::from_secs(3)),
            Workload::Following => Some(Duration::from_secs(5)),
            // Readers wait only while somebody changes a table's definition, and hold a
            // connection that other questions need.
            Workload::Queries => Some(Duration::from_secs(2)),
            // A migration waits for another one.
            Workload::Maintenance => None,
        }
    }

    /// How long the server keeps a transaction of a client that sends nothing.
    fn idle_in_transaction_timeout(self) -> Duration {
        match self {
            Workload::Commands | Workload::Following => Duration::from_secs(10),
            // The reader of a long answer may be slow, and the transaction idles meanwhile.
            Workload::Queries => Duration::from_secs(60),
            Workload::Maintenance => Duration::from_secs(60),
        }
    }

    /// The settings of a session, as options of its start, so that they hold from its first moment on.
    pub(crate) fn options(self) -> Vec<(&'static str, String)> {
        vec![
            ("statement_timeout", setting(self.statement_timeout())),
            ("lock_timeout", setting(self.lock_timeout())),
            ("idle_in_transaction_session_timeout", setting(Some(self.idle_in_transaction_timeout()))),
            ("client_connection_check_interval", setting(Some(CLIENT_CHECK_INTERVAL))),
            ("tcp_user_timeout", setting(Some(UNACKNOWLEDGED_TIMEOUT))),
            ("tcp_keepalives_idle", KEEPALIVE_IDLE.as_secs().to_string()),
            ("tcp_keepalives_interval", KEEPALIVE_INTERVAL.as_secs().to_string()),
            ("tcp_keepalives_count", KEEPALIVE_COUNT.to_string()),
            // The statements are written for this level, whatever the database's or the login's default is.
            ("default_transaction_isolation", "read committed".to_owned()),
        ]
    }
}

/// A time as Postgres takes it, in milliseconds; zero is without limit.
pub(crate) fn setting(limit: Option<Duration>) -> String {
    limit.map_or_else(|| "0".to_owned(), |limit| format!("{}ms", limit.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_learns_of_a_lock_within_its_patience() {
        const STATEMENT_TIMEOUT_OF_A_COMMAND: Duration = Duration::from_secs(5);
        const PATIENCE_OF_A_COMMAND: Duration = Duration::from_secs(10);
        let lock = Workload::Commands.lock_timeout().unwrap();
        assert!(lock < STATEMENT_TIMEOUT_OF_A_COMMAND);
        assert!(ACQUIRE_TIMEOUT + lock < PATIENCE_OF_A_COMMAND);
    }

    #[test]
    fn waiting_for_a_lock_is_shorter_than_a_statement() {
        for workload in [Workload::Commands, Workload::Following, Workload::Queries] {
            assert!(workload.lock_timeout().unwrap() < workload.statement_timeout().unwrap());
        }
    }

    #[test]
    fn the_place_of_an_orphan_is_kept_until_the_server_has_looked() {
        assert!(ORPHAN_TIMEOUT > CLIENT_CHECK_INTERVAL);
    }
}
