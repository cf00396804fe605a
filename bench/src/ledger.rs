//! Creates the ledgers for a load, and verifies their logs afterwards.

use std::net::SocketAddr;

use anyhow::{bail, ensure};
use sqlx::PgPool;
use uuid::Uuid;

use crate::http::Connection;
use crate::random::Random;
use crate::requests::{ASSET, Aim, BATCH_COMMANDS, Requests, write_openings};
use crate::requests::{write_posting, write_postings};
use crate::service::KEY;

/// Requests for a single command, or for a batch.
pub(crate) fn single_requests(address: SocketAddr, ledger: &str, command: &str) -> Requests {
    Requests::new("POST", address, &format!("/v1/ledgers/{ledger}/commands/{command}"), KEY)
}

pub(crate) fn batch_requests(address: SocketAddr, ledger: &str) -> Requests {
    Requests::new("POST", address, &format!("/v1/ledgers/{ledger}/commands"), KEY)
}

/// Creates a ledger with an asset and this number of accounts.
pub(crate) async fn make(address: SocketAddr, ledger: &str, accounts: u32, seed: u64) -> anyhow::Result<()> {
    let mut connection = Connection::open(address).await?;
    let mut random = Random::new(seed);
    let mut creation = Requests::new("PUT", address, &format!("/v1/ledgers/{ledger}"), KEY);
    must_succeed(&mut connection, creation.write(random.uuid(), |_| {})).await?;
    let mut asset = single_requests(address, ledger, "register-asset");
    let request = asset.write(random.uuid(), |body| {
        body.extend_from_slice(format!(r#"{{"asset":"{ASSET}"}}"#).as_bytes());
    });
    must_succeed(&mut connection, request).await?;
    open_accounts(address, ledger, accounts, &mut random).await
}

async fn open_accounts(
    address: SocketAddr,
    ledger: &str,
    accounts: u32,
    random: &mut Random,
) -> anyhow::Result<()> {
    let mut connection = Connection::open(address).await?;
    let mut openings = batch_requests(address, ledger);
    for first in (0..accounts).step_by(BATCH_COMMANDS as usize) {
        let end = accounts.min(first + BATCH_COMMANDS);
        let request = openings.write(random.uuid(), |body| write_openings(body, first..end));
        must_succeed(&mut connection, request).await?;
    }
    Ok(())
}

/// Posts this number of batches, one after another.
pub(crate) async fn post_batches(
    address: SocketAddr,
    ledger: &str,
    batches: usize,
    random: &mut Random,
) -> anyhow::Result<()> {
    let mut connection = Connection::open(address).await?;
    let mut requests = batch_requests(address, ledger);
    for _ in 0..batches {
        let key = random.uuid();
        let request = requests.write(key, |body| write_postings(body, Aim::Spread, random));
        must_succeed(&mut connection, request).await?;
    }
    Ok(())
}

/// Posts this number of transactions, one after another.
pub(crate) async fn post_singles(
    address: SocketAddr,
    ledger: &str,
    commands: usize,
    random: &mut Random,
) -> anyhow::Result<()> {
    let mut connection = Connection::open(address).await?;
    let mut requests = single_requests(address, ledger, "post-transaction");
    for _ in 0..commands {
        let (key, transaction): (Uuid, Uuid) = (random.uuid(), random.uuid());
        let request = requests.write(key, |body| write_posting(body, transaction, Aim::Spread, random));
        must_succeed(&mut connection, request).await?;
    }
    Ok(())
}

async fn must_succeed(connection: &mut Connection, request: &[u8]) -> anyhow::Result<()> {
    let answer = connection.ask(request).await?;
    if !(200..300).contains(&answer.status) {
        bail!("the service answered {}", answer.to_text());
    }
    Ok(())
}

/// The key of a ledger's log.
pub(crate) async fn log_key(pool: &PgPool, ledger: &str) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar("select log from store.logs where name = $1").bind(ledger).fetch_one(pool).await?)
}

/// The sum of the heads of these logs.
pub(crate) async fn heads(pool: &PgPool, logs: &[i64]) -> anyhow::Result<i64> {
    let sum = "select coalesce(sum(t.position), 0)::bigint from store.logs l, store.tip(l.log) t where l.log = any($1)";
    Ok(sqlx::query_scalar(sum).bind(logs).fetch_one(pool).await?)
}

/// Checks that the logs contain the acknowledged commands and nothing else: the heads moved by that number of events, and
/// there is an event at each position.
pub(crate) async fn verify(
    pool: &PgPool,
    logs: &[i64],
    heads_before: i64,
    acknowledged: u64,
) -> anyhow::Result<()> {
    let heads = heads(pool, logs).await?;
    let moved = heads - heads_before;
    ensure!(
        u64::try_from(moved) == Ok(acknowledged),
        "{acknowledged} commands were acknowledged, and the heads moved by {moved}"
    );
    let events: i64 = sqlx::query_scalar("select count(*) from store.events where log = any($1)")
        .bind(logs)
        .fetch_one(pool)
        .await?;
    ensure!(events == heads, "the heads are at {heads} together, and there are {events} events");
    Ok(())
}
