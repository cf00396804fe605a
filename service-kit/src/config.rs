//! The settings that several roles share, as flags and `RECOUNT_*` variables.
//!
//! The struct of a role flattens these and adds its own. Their `Debug` output shows no secrets.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueHint};
use secrecy::{ExposeSecret, SecretString};

use crate::telemetry::OutputFormat;

/// The database of the event store.
#[derive(Args, Clone, Debug)]
pub struct DatabaseArgs {
    /// The Postgres database, as postgres://user:password@host:port/database.
    #[arg(long, env = "RECOUNT_DATABASE_URL", hide_env_values = true, value_parser = secret, value_hint = ValueHint::Url)]
    pub database_url: Option<SecretString>,
}

/// The URL of the database is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no database was specified: pass --database-url or set RECOUNT_DATABASE_URL")]
pub struct NoDatabase;

impl DatabaseArgs {
    /// The URL, for a role that requires one.
    pub fn required(&self) -> Result<&SecretString, NoDatabase> {
        self.database_url.as_ref().ok_or(NoDatabase)
    }
}

/// Whether a database may be used that does not keep what it acknowledges.
#[derive(Args, Clone, Copy, Debug)]
pub struct SafetyArgs {
    /// Write to a Postgres whose fsync is off. A power failure may then lose events that were acknowledged: for tests only.
    #[arg(long, env = "RECOUNT_ALLOW_UNSAFE_DATABASE", value_parser = BoolishValueParser::new(), hide = true)]
    pub allow_unsafe_database: bool,
}

/// The address of a role.
#[derive(Args, Clone, Debug)]
pub struct ListenArgs {
    /// The address to listen on.
    #[arg(long, env = "RECOUNT_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
}

/// The Kafka between the command service and the projectors.
#[derive(Args, Clone, Debug)]
pub struct KafkaArgs {
    /// The Kafka brokers, as HOST:PORT[,HOST:PORT…]. Without them, projectors read the feed from the store.
    #[arg(long, env = "RECOUNT_KAFKA")]
    pub kafka: Option<String>,
    /// The topic of the feed.
    #[arg(long = "kafka-topic", env = "RECOUNT_KAFKA_TOPIC", default_value = "recount.events")]
    pub topic: String,
    /// The number of partitions if the topic has to be created. It limits how many projectors can share the work, and
    /// cannot be changed later: a log would move to another partition.
    #[arg(
        long = "kafka-partitions",
        env = "RECOUNT_KAFKA_PARTITIONS",
        default_value_t = 12,
        value_parser = clap::value_parser!(i32).range(1..=10_000)
    )]
    pub partitions: i32,
    /// A setting of the Kafka client (librdkafka), such as security.protocol=sasl_ssl. Repeat the flag for several
    /// settings; in the variable, separate them by commas.
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

/// A setting of the Kafka client. Its value may be a password, so it is never printed.
#[derive(Clone, Debug)]
pub struct KafkaProperty {
    pub key: String,
    pub value: SecretString,
}

fn kafka_property(text: &str) -> Result<KafkaProperty, &'static str> {
    let (key, value) = text.split_once('=').ok_or("a property has the form KEY=VALUE")?;
    Ok(KafkaProperty { key: key.to_owned(), value: SecretString::from(value) })
}

impl KafkaArgs {
    /// The settings of the client, with their secrets.
    pub fn client_properties(&self) -> BTreeMap<String, String> {
        let pair =
            |property: &KafkaProperty| (property.key.clone(), property.value.expose_secret().to_owned());
        self.properties.iter().map(pair).collect()
    }
}

/// The output of the process. RECOUNT_LOG filters it.
#[derive(Args, Clone, Debug)]
pub struct OutputArgs {
    /// The format of the output on stderr.
    #[arg(long, env = "RECOUNT_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: OutputFormat,
}

/// Parses a secret from a flag or a variable.
pub fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

/// The URL of a database without its password, for output.
pub fn redacted_url(url: &SecretString) -> String {
    let url = url.expose_secret();
    let Some((scheme, rest)) = url.split_once("://") else {
        return "[redacted]".to_owned();
    };
    // Parameters may contain a password too.
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
        output: OutputArgs,
    }

    #[test]
    fn debug_output_of_settings_shows_no_secrets() {
        let role = Role::parse_from(["role", "--database-url", "postgres://user:hunter2@db/recount"]);
        let shown = format!("{role:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("recount.events"), "{shown}");
        assert!(role.database.required().is_ok());
    }

    #[test]
    fn a_url_is_printed_without_its_password() {
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
