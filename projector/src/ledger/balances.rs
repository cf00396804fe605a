//! Running balances: the posted totals of what a batch touches, before it and after each entry.

use recount_events::LogKey;
use recount_events::ledger::{AccountKind, Direction};
use sqlx::PgConnection;

use super::changes::{Changes, Pair};
use crate::engine::ApplyError;

/// Loads the totals before the batch, and runs its entries in order.
pub(super) async fn run(
    connection: &mut PgConnection,
    log: LogKey,
    changes: &mut Changes,
) -> Result<(), ApplyError> {
    if changes.entries.is_empty() {
        return Ok(());
    }
    load(connection, log, changes).await?;
    let Changes { entries, pairs, accounts, transactions, .. } = changes;
    for entry in entries.iter_mut() {
        let pair = &mut pairs[entry.pair];
        let poisoned = |reason: String| ApplyError::Poisoned {
            position: transactions[entry.transaction].position,
            reason,
        };
        let account = &accounts[pair.account].account;
        let kind =
            pair.kind.ok_or_else(|| poisoned(format!("it posts to `{account}`, which was never opened")))?;
        entry.balance = post(pair, kind, entry.direction, entry.amount.minor_units())
            .ok_or_else(|| poisoned(format!("the totals of `{account}` go beyond 128 bits")))?;
    }
    changes.sort_for_writing();
    Ok(())
}

/// Adds an entry to the totals; answers the balance on the normal side, or `None` beyond 128 bits.
fn post(pair: &mut Pair, kind: AccountKind, direction: Direction, amount: i128) -> Option<i128> {
    let total = match direction {
        Direction::Debit => &mut pair.debits,
        Direction::Credit => &mut pair.credits,
    };
    *total = total.checked_add(amount)?;
    // Both totals are at least zero, so their difference cannot overflow.
    Some(match kind.normal_side() {
        Direction::Debit => pair.debits - pair.credits,
        Direction::Credit => pair.credits - pair.debits,
    })
}

/// Sets kind and totals of each pair. An account that is opened by the batch has no rows yet; the kind of one that
/// was never opened stays unknown.
async fn load(connection: &mut PgConnection, log: LogKey, changes: &mut Changes) -> Result<(), ApplyError> {
    for pair in &mut changes.pairs {
        pair.kind = changes.accounts[pair.account].opened.as_ref().map(|opened| opened.kind);
    }
    let mut known: Vec<usize> =
        (0..changes.pairs.len()).filter(|pair| changes.pairs[*pair].kind.is_none()).collect();
    if known.is_empty() {
        return Ok(());
    }
    // In the order of the index, so that neighbours share pages.
    known.sort_unstable_by_key(|pair| {
        let pair = &changes.pairs[*pair];
        (&changes.accounts[pair.account].account, &pair.asset)
    });
    let accounts: Vec<&str> =
        known.iter().map(|pair| changes.accounts[changes.pairs[*pair].account].account.as_str()).collect();
    let assets: Vec<&str> = known.iter().map(|pair| changes.pairs[*pair].asset.as_str()).collect();
    let rows: Vec<Row> = sqlx::query_as(
        "select t.n, coalesce(b.kind, a.kind), b.debits::text, b.credits::text
         from unnest($2::text[], $3::text[]) with ordinality as t(account, asset, n)
         left join balances as b on b.log = $1 and b.account = t.account and b.asset = t.asset
         -- The account is looked up only where the balance does not know its kind.
         left join accounts as a on a.log = $1 and a.account = case when b.log is null then t.account end",
    )
    .bind(log.0)
    .bind(accounts)
    .bind(assets)
    .fetch_all(connection)
    .await?;
    for (n, kind, debits, credits) in rows {
        let index = usize::try_from(n - 1).ok().and_then(|n| known.get(n));
        let pair = *index.expect("the ordinal is that of an element that was sent");
        let pair = &mut changes.pairs[pair];
        pair.kind = kind.map(|kind| stored_kind(&kind)).transpose()?;
        pair.debits = stored_total(debits)?;
        pair.credits = stored_total(credits)?;
    }
    Ok(())
}

/// The place among those asked for, the account's kind if it was opened, and the totals if it has any in the asset.
type Row = (i64, Option<String>, Option<String>, Option<String>);

fn stored_kind(kind: &str) -> Result<AccountKind, sqlx::Error> {
    [
        AccountKind::Asset,
        AccountKind::Liability,
        AccountKind::Equity,
        AccountKind::Income,
        AccountKind::Expense,
    ]
    .into_iter()
    .find(|known| known.as_str() == kind)
    .ok_or_else(|| sqlx::Error::Decode(format!("`{kind}` is not a kind of account").into()))
}

fn stored_total(total: Option<String>) -> Result<i128, sqlx::Error> {
    match total {
        None => Ok(0),
        Some(total) => total.parse().map_err(|error| sqlx::Error::Decode(Box::new(error))),
    }
}
