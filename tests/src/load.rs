//! Clients that pay, one payment after another, and repeat each payment until it is acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use recount_test_support::eventually;
use tokio::task::JoinSet;

use crate::ledger::{Acknowledged, LedgerClient, pay_until_done};

/// How long it may take until clients make progress again, after a process was killed and came back.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(180);

/// Load on a ledger. Dropping it ends it.
#[derive(Debug)]
pub struct Load {
    progress: Arc<Progress>,
    clients: JoinSet<Vec<Acknowledged>>,
}

#[derive(Debug, Default)]
struct Progress {
    acknowledged: AtomicUsize,
    finishing: AtomicBool,
}

impl Load {
    /// Starts this number of clients, spread over the services. The names of their payments start with `name`.
    pub fn start(services: &[LedgerClient], name: &str, clients: usize) -> Load {
        let progress = Arc::new(Progress::default());
        let clients = (0..clients)
            .map(|client| pay(services.to_vec(), client, format!("{name}-{client}"), Arc::clone(&progress)));
        Load { progress: Arc::clone(&progress), clients: clients.collect() }
    }

    /// Waits until this number of further payments is acknowledged.
    pub async fn more(&mut self, payments: usize) {
        let until = self.progress.acknowledged.load(Ordering::Relaxed) + payments;
        eventually(PROGRESS_TIMEOUT, &format!("{payments} more payments are acknowledged"), || {
            if let Some(ended) = self.clients.try_join_next() {
                panic!("a client gave up: {ended:?}");
            }
            let acknowledged = self.progress.acknowledged.load(Ordering::Relaxed);
            async move { acknowledged >= until }
        })
        .await;
    }

    /// Lets every client finish its payment. Returns all acknowledged payments.
    pub async fn finish(self) -> Vec<Acknowledged> {
        self.progress.finishing.store(true, Ordering::Relaxed);
        self.clients.join_all().await.into_iter().flatten().collect()
    }
}

async fn pay(
    services: Vec<LedgerClient>,
    client: usize,
    name: String,
    progress: Arc<Progress>,
) -> Vec<Acknowledged> {
    let mut acknowledged = Vec::new();
    while !progress.finishing.load(Ordering::Relaxed) {
        let transaction = format!("{name}-{}", acknowledged.len());
        acknowledged.push(pay_until_done(&services, client, &transaction).await);
        progress.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    acknowledged
}
