//! Children that must not be missing: a server that ends by itself, or is killed, is started again.

use std::time::Duration;

use recount_embedded::{Exit, Kafka, Postgres};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a child takes to stop before it is killed, which loses nothing. A Postgres that writes its last checkpoint to a
/// slow disk takes a while, and that is better than recovering at the next start.
pub(crate) const STOP_BOUND: Duration = Duration::from_secs(60);
/// How long to wait before a child that did not start is tried again: at first, and at most.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// A child process that is kept running.
#[derive(Debug)]
pub(crate) struct Supervised {
    stopping: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

/// What a supervisor must be able to do with a child.
trait Child: Send + 'static {
    const NAME: &'static str;
    fn exited(&self) -> impl Future<Output = Exit> + Send + 'static;
    fn restart(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
    fn stop(self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

impl Supervised {
    pub(crate) fn postgres(postgres: Postgres) -> Supervised {
        Supervised::watch(postgres)
    }

    pub(crate) fn kafka(kafka: Kafka) -> Supervised {
        Supervised::watch(kafka)
    }

    fn watch(child: impl Child) -> Supervised {
        let stopping = CancellationToken::new();
        let task = tokio::spawn(keep_running(child, stopping.clone()));
        Supervised { stopping, task }
    }

    /// Stops the child.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.stopping.cancel();
        self.task.await?
    }
}

async fn keep_running<C: Child>(mut child: C, stopping: CancellationToken) -> anyhow::Result<()> {
    while let Some(exit) = stopping.run_until_cancelled(child.exited()).await {
        tracing::error!(?exit, "{} has ended; it is started again", C::NAME);
        let mut pause = PAUSE_FIRST;
        while let Some(Err(error)) = stopping.run_until_cancelled(child.restart()).await {
            tracing::error!(error = format!("{error:#}"), "{} does not start", C::NAME);
            if stopping.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                break;
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
    child.stop().await
}

impl Child for Postgres {
    const NAME: &'static str = "the private Postgres";

    fn exited(&self) -> impl Future<Output = Exit> + Send + 'static {
        Postgres::exited(self)
    }

    async fn restart(&mut self) -> anyhow::Result<()> {
        Ok(Postgres::restart(self).await?)
    }

    async fn stop(self) -> anyhow::Result<()> {
        Ok(Postgres::stop(self, STOP_BOUND).await?)
    }
}

impl Child for Kafka {
    const NAME: &'static str = "the private Kafka";

    fn exited(&self) -> impl Future<Output = Exit> + Send + 'static {
        Kafka::exited(self)
    }

    async fn restart(&mut self) -> anyhow::Result<()> {
        Ok(Kafka::restart(self).await?)
    }

    async fn stop(self) -> anyhow::Result<()> {
        Ok(Kafka::stop(self, STOP_BOUND).await?)
    }
}
