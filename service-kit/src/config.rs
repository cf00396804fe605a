//! The settings that several roles share, as flags and `RECOUNT_*` variables.
//!
//! A role's struct flattens these and adds its own. Printing one with `{:?}` shows no secret.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use clap::{Args, ValueHint};
use secrecy::{ExposeSecret, SecretString};

use crate::telemetry::LogFormat;

/// Where the event store is.
#[derive(Args, Clone, Debug)]
pub struct DatabaseArgs {
    /// The Postgres to use, as postgres://user:password@host:port/database.
    #[arg(long, env = "RECOUNT_DATABASE_URL", hide_env_values = true, value_parser = secret, value_hint = ValueHint::Url)]
    pub database_url: Option<SecretString>,
}

/// The database's URL was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no database was named: give --database-url or set RECOUNT_DATABASE_URL")]
pub struct NoDatabase;

impl DatabaseArgs {
    /// The URL, for a role that cannot do without.
    pub fn required(&self) -> Result<&SecretString, NoDatabase> {
        self.database_url.as_ref().ok_or(NoDatabase)
    }
}

/// Where a role listens.
#[derive(Args, Clone, Debug)]
pub struct ListenArgs {
    /// The address to listen on.
    #[arg(long, env = "RECOUNT_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
}

/// The Kafka between command side and projectors.
#[derive(Args, Clone, Debug)]
pub struct KafkaArgs {
    /// The Kafka to use, as HOST:PORT[,HOST:PORT…]. Without one, projectors read the feed from the store.
    #[arg(long, env = "RECOUNT_KAFKA")]
    pub kafka: Option<String>,
    /// The topic of the feed.
    #[arg(long = "kafka-topic", env = "RECOUNT_KAFKA_TOPIC", default_value = "recount.events")]
    pub topic: String,
    /// How many partitions the topic gets if it is not there. It is a bound on the projectors that share the work,
    /// and is not changed afterwards: a ledger would move to another partition.
    #[arg(
        long = "kafka-partitions",
        env = "RECOUNT_KAFKA_PARTITIONS",
        default_value_t = 12,
        value_parser = clap::value_parser!(i32).range(1..=10_000)
    )]
    pub partitions: i32,
    /// A setting of the Kafka client (librdkafka), as in security.protocol=sasl_ssl; may be given several times, and in
    /// the variable separated by commas.
    #[arg(
        long = "kafka-property",
        env = "RECOUNT_KAFKA_PROPERTIES",
        hide_env_values = true,
        value_delimiter = ',',
        value_name = "KEY=VALUE",
        value_parser = kafka_property
    )]
    pub properties: Vec<KafkaProperty>,
}

/// A setting of the Kafka client. Its value may be a password, and is not printed.
#[derive(Clone, Debug)]
pub struct KafkaProperty {
    pub key: String,
    pub value: SecretString,
}

fn kafka_property(text: &str) -> Result<KafkaProperty, &'static str> {
    let (key, value) = text.split_once('=').ok_or("a property is written KEY=VALUE")?;
    Ok(KafkaProperty { key: key.to_owned(), value: SecretString::from(value) })
}

impl KafkaArgs {
    /// The settings of the client, as it takes them.
    pub fn client_properties(&self) -> BTreeMap<String, String> {
        let pair =
            |property: &KafkaProperty| (property.key.clone(), property.value.expose_secret().to_owned());
        self.properties.iter().map(pair).collect()
    }
}

/// How the process logs. What it logs is said by RECOUNT_LOG.
#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// The form of the log on stderr.
    #[arg(long, env = "RECOUNT_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
}

/// Reads a secret from a flag or a variable.
pub fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

/// A database's URL without its password, for people.
pub fn redacted_url(url: &SecretString) -> String {
    let url = url.expose_secret();
    let Some((scheme, rest)) = url.split_once("://") else {
        return "[redacted]".to_owned();
    };
    // Parameters may hold a password too.
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    let Some((user_info, place)) = rest.rsplit_once('@') else {
        return format!("{scheme}://{rest}");
    };
    let user = user_info.split_once(':').map_or(user_info, |(user, _)| user);
    format!("{scheme}://{user}@{place}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Role {
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        listen: ListenArgs,
        #[command(flatten)]
        kafka: KafkaArgs,
        #[command(flatten)]
        log: LogArgs,
    }

    #[test]
    fn settings_are_printed_without_secrets() {
        let role = Role::parse_from(["role", "--database-url", "postgres://user:hunter2@db/recount"]);
        let shown = format!("{role:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("recount.events"), "{shown}");
        assert!(role.database.required().is_ok());
    }

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (url, shown) in [
            ("postgres://user:p@ss@host:5432/db", "postgres://user@host:5432/db"),
            ("postgres://host/db", "postgres://host/db"),
            ("postgres://host/db?password=x", "postgres://host/db"),
            ("nonsense", "[redacted]"),
        ] {
            assert_eq!(redacted_url(&SecretString::from(url)), shown);
        }
    }
}
