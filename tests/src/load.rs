//! Clients that pay, one payment after another, and repeat what was not answered until it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use recount_test_support::eventually;
use tokio::task::JoinSet;

use crate::ledger::{Acknowledged, LedgerClient, pay_until_done};

/// Load goes on within this after anything was killed and came back.
const PROGRESS_BOUND: Duration = Duration::from_secs(180);

/// Load on a ledger. Dropping it ends it.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<Vec<Acknowledged>>,
}

#[derive(Debug, Default)]
struct Shared {
    done: AtomicUsize,
    finishing: AtomicBool,
}

impl Load {
    /// Starts so many clients, spread over the services. Their payments have names that start with `name`.
    pub fn start(services: &[LedgerClient], name: &str, clients: usize) -> Load {
        let shared = Arc::new(Shared::default());
        let clients = (0..clients)
            .map(|client| pay(services.to_vec(), client, format!("{name}-{client}"), Arc::clone(&shared)));
        Load { shared: Arc::clone(&shared), clients: clients.collect() }
    }

    /// Waits until so many more payments have been acknowledged.
    pub async fn more(&mut self, payments: usize) {
        let until = self.shared.done.load(Ordering::Relaxed) + payments;
        eventually(PROGRESS_BOUND, &format!("{payments} more payments are acknowledged"), || {
            if let Some(ended) = self.clients.try_join_next() {
                panic!("a client gave up: {ended:?}");
            }
            let done = self.shared.done.load(Ordering::Relaxed);
            async move { done >= until }
        })
        .await;
    }

    /// Lets every client finish its payment. Gives everything that was acknowledged.
    pub async fn finish(self) -> Vec<Acknowledged> {
        self.shared.finishing.store(true, Ordering::Relaxed);
        self.clients.join_all().await.into_iter().flatten().collect()
    }
}

async fn pay(
    services: Vec<LedgerClient>,
    client: usize,
    name: String,
    shared: Arc<Shared>,
) -> Vec<Acknowledged> {
    let mut acknowledged = Vec::new();
    while !shared.finishing.load(Ordering::Relaxed) {
        let transaction = format!("{name}-{}", acknowledged.len());
        acknowledged.push(pay_until_done(&services, client, &transaction).await);
        shared.done.fetch_add(1, Ordering::Relaxed);
    }
    acknowledged
}
