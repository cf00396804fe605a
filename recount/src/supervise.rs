//! Supervision of child processes: a server that exits or is killed is started again.

use std::time::Duration;

use recount_embedded::{Exit, Kafka, Postgres};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a child may take to stop before it is killed, which loses nothing. Postgres may take a while to write its last
/// checkpoint to a slow disk; recovery at the next start would take longer.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(60);
/// The pause before the next attempt to start a child doubles from the minimum up to the maximum.
const RESTART_BACKOFF_MIN: Duration = Duration::from_millis(200);
const RESTART_BACKOFF_MAX: Duration = Duration::from_secs(10);

/// A child process that is kept running.
#[derive(Debug)]
pub(crate) struct Supervised {
    stopping: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

/// The operations of a child that its supervisor needs.
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
        tracing::error!(?exit, "{} exited; restarting it", C::NAME);
        let mut pause = RESTART_BACKOFF_MIN;
        while let Some(Err(error)) = stopping.run_until_cancelled(child.restart()).await {
            tracing::error!(error = format!("{error:#}"), "{} failed to start", C::NAME);
            if stopping.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                break;
            }
            pause = (pause * 2).min(RESTART_BACKOFF_MAX);
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
        Ok(Postgres::stop(self, STOP_TIMEOUT).await?)
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
        Ok(Kafka::stop(self, STOP_TIMEOUT).await?)
    }
}
