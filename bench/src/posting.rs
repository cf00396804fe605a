//! Workers that post transactions over HTTP, as single commands or in batches.

use std::net::SocketAddr;

use crate::http::{Connection, Response};
use crate::ledger::{batch_requests, single_requests};
use crate::load::{Step, Worker};
use crate::random::Random;
use crate::requests::{Aim, BATCH_COMMANDS, Requests, write_posting, write_postings};

/// A client with one connection and one ledger.
#[derive(Debug)]
pub(crate) struct Poster {
    connection: Connection,
    requests: Requests,
    random: Random,
    aim: Aim,
    batched: bool,
}

impl Poster {
    /// A client that sends one command with each request.
    pub(crate) async fn of_singles(
        address: SocketAddr,
        ledger: &str,
        aim: Aim,
        seed: u64,
    ) -> anyhow::Result<Poster> {
        let requests = single_requests(address, ledger, "post-transaction");
        let connection = Connection::open(address).await?;
        Ok(Poster { connection, requests, random: Random::new(seed), aim, batched: false })
    }

    /// A client that sends batches.
    pub(crate) async fn of_batches(
        address: SocketAddr,
        ledger: &str,
        aim: Aim,
        seed: u64,
    ) -> anyhow::Result<Poster> {
        let requests = batch_requests(address, ledger);
        let connection = Connection::open(address).await?;
        Ok(Poster { connection, requests, random: Random::new(seed), aim, batched: true })
    }
}

impl Worker for Poster {
    async fn step(&mut self) -> anyhow::Result<Step> {
        let (aim, random) = (self.aim, &mut self.random);
        let key = random.uuid();
        let (request, commands) = if self.batched {
            (self.requests.write(key, |body| write_postings(body, aim, random)), BATCH_COMMANDS)
        } else {
            let transaction = random.uuid();
            (self.requests.write(key, |body| write_posting(body, transaction, aim, random)), 1)
        };
        Ok(match self.connection.ask(request).await? {
            Response { status: 200, .. } => Step::Acknowledged(commands.into()),
            other => Step::Refused(other.to_text()),
        })
    }
}
