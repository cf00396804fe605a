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
    let kinds = load(connection, log, changes).await?;
    let Changes {
        entries,
        pairs,
        accounts,
        transactions,
        ..
    } = changes;
    for entry in entries {
        let pair = &mut pairs[entry.pair];
        let poisoned = |reason: String| ApplyError::Poisoned {
            position: transactions[entry.transaction].position,
            reason,
        };
        let account = &accounts[pair.account].account;
        let kind = kinds[entry.pair]
            .ok_or_else(|| poisoned(format!("it posts to `{account}`, which was never opened")))?;
        entry.balance = post(pair, kind, entry.direction, entry.amount.minor_units())
            .ok_or_else(|| poisoned(format!("the totals of `{account}` go beyond 128 bits")))?;
    }
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

/// Sets the totals of each pair, and answers the kind of its account. An account that is opened by the batch has no
/// rows yet.
async fn load(
    connection: &mut PgConnection,
    log: LogKey,
    changes: &mut Changes,
) -> Result<Vec<Option<AccountKind>>, ApplyError> {
    let mut kinds: Vec<Option<AccountKind>> = changes
        .pairs
        .iter()
        .map(|pair| {
            changes.accounts[pair.account]
                .opened
                .as_ref()
                .map(|opened| opened.kind)
        })
        .collect();
    let known: Vec<usize> = (0..kinds.len()).filter(|pair| kinds[*pair].is_none()).collect();
    if known.is_empty() {
        return Ok(kinds);
    }
    let accounts: Vec<&str> = known
        .iter()
        .map(|pair| changes.accounts[changes.pairs[*pair].account].account.as_str())
        .collect();
    let assets: Vec<&str> = known
        .iter()
        .map(|pair| changes.pairs[*pair].asset.as_str())
        .collect();
    let rows: Vec<Row> = sqlx::query_as(
        "select t.n, a.kind, b.debits::text, b.credits::text
         from unnest($2::text[], $3::text[]) with ordinality as t(account, asset, n)
         join accounts as a on a.log = $1 and a.account = t.account
         left join balances as b on b.log = $1 and b.account = t.account and b.asset = t.asset",
    )
    .bind(log.0)
    .bind(accounts)
    .bind(assets)
    .fetch_all(connection)
    .await?;
    for (n, kind, debits, credits) in rows {
        let index = usize::try_from(n - 1).ok().and_then(|n| known.get(n));
        let pair = *index.expect("the ordinal is that of an element that was sent");
        kinds[pair] = Some(stored_kind(&kind)?);
        changes.pairs[pair].debits = stored_total(debits)?;
        changes.pairs[pair].credits = stored_total(credits)?;
    }
    Ok(kinds)
}

/// The place among those asked for, the account's kind, and the totals if the account has any in the asset.
type Row = (i64, String, Option<String>, Option<String>);

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
        Some(total) => total
            .parse()
            .map_err(|error| sqlx::Error::Decode(Box::new(error))),
    }
}
