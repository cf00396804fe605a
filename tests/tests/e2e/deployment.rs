//! The roles as separate processes, with a real Kafka between them.

use recount_kafka::Topic;
use recount_test_support::{TestDatabase, kafka_brokers, unique_topic};
use recount_tests::ledger::LedgerClient;
use recount_tests::process::{Process, Program};

use crate::first_key;

const PARTITIONS: i32 = 3;

/// A deployment with one process per role, except for two command services.
pub(crate) struct Deployment {
    pub(crate) commands: [Process; 2],
    pub(crate) projector: Process,
    pub(crate) queries: Process,
    key: String,
    pub(crate) topic: Topic,
    /// Dropped after the processes that use it.
    pub(crate) database: TestDatabase,
}

impl Deployment {
    pub(crate) async fn start() -> Deployment {
        let database = TestDatabase::create().await;
        let migrated = Program::new(["migrate", "--database-url", database.url()]).run_ok().await;
        let topic = Topic { partitions: PARTITIONS, ..Topic::at(kafka_brokers()).named(unique_topic()) };
        let role = |name| Program::listening([name, "--database-url", database.url()]);
        let with_kafka = |program: Program| {
            let program = program.argument("--kafka").argument(&topic.brokers);
            let program = program.argument("--kafka-topic").argument(&topic.name);
            program.argument("--kafka-partitions").argument(topic.partitions.to_string())
        };
        let (command, other_command, projector, queries) = (
            with_kafka(role("command-service")),
            with_kafka(role("command-service")),
            with_kafka(role("projector")),
            role("query-service"),
        );
        let (one, other, projector, queries) =
            tokio::join!(command.start(), other_command.start(), projector.start(), queries.start());
        let key = first_key(&migrated.stdout);
        Deployment { commands: [one, other], projector, queries, key, topic, database }
    }

    /// The ledger through each of the command services.
    pub(crate) fn ledgers(&self, name: &str) -> Vec<LedgerClient> {
        let queries = self.queries.client().with_key(&self.key);
        let through = |commands: &Process| LedgerClient {
            commands: commands.client().with_key(&self.key),
            queries: queries.clone(),
            name: name.to_owned(),
        };
        self.commands.iter().map(through).collect()
    }
}
