//! The table `balances`: for each account and asset, the sums of posted entries and of open holds.

use std::collections::HashMap;

use ethnum::I256;
use recount_core::{LogKey, Position};
use recount_events::ledger::{AccountKind, Amount, Asset, Direction};
use recount_projection::ApplyError;
use sqlx::PgConnection;

use super::accounts::{AccountIndex, Accounts, never_opened};
use super::rows::{column, contradiction, sparse_column};

/// The balances that a batch changes. Entries and holds refer to them by index.
#[derive(Debug, Default)]
pub(super) struct Balances {
    all: Vec<Balance>,
    index: HashMap<(AccountIndex, Asset), BalanceIndex>,
    /// Whether the batch changes held sums. If not, they are neither loaded nor written.
    changes_held: bool,
}

/// The index of a balance in [`Balances`].
#[derive(Clone, Copy, Debug)]
pub(super) struct BalanceIndex(usize);

/// One account in one asset. The sums are zero until they are loaded; then the batch's entries and holds are added.
#[derive(Debug)]
pub(super) struct Balance {
    pub(super) account: AccountIndex,
    pub(super) asset: Asset,
    posted: Sums,
    held: Sums,
    /// The kind of the account and the position at which it was opened; `None` until they are loaded, or if the account
    /// was never opened.
    kind: Option<(AccountKind, Position)>,
    /// The last event that changed the balance.
    position: Position,
}

/// The amount that one event adds to one side of a balance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Movement {
    pub(super) position: Position,
    pub(super) direction: Direction,
    pub(super) amount: Amount,
}

/// The sum of each side, in minor units. The turnover of an account can be any multiple of its balance, so the sums are
/// wider than amounts and balances: 2^127 of the largest amounts fit.
#[derive(Debug, Default)]
struct Sums {
    debits: I256,
    credits: I256,
}

impl Sums {
    fn side(&mut self, direction: Direction) -> &mut I256 {
        match direction {
            Direction::Debit => &mut self.debits,
            Direction::Credit => &mut self.credits,
        }
    }
}

impl Balance {
    /// Adds an entry. Returns the posted balance after it, on the account's normal side.
    pub(super) fn post(&mut self, entry: Movement, accounts: &Accounts) -> Result<I256, ApplyError> {
        let kind = self.kind_at(entry.position, accounts)?;
        *self.posted.side(entry.direction) += I256::from(entry.amount.minor_units());
        let Sums { debits, credits } = self.posted;
        Ok(match kind.normal_side() {
            Direction::Debit => debits - credits,
            Direction::Credit => credits - debits,
        })
    }

    /// Checks that the posted balance fits into 128 bits. Only after a whole transaction: it may exceed them between
    /// two of its entries.
    pub(super) fn check_range(&self, position: Position, accounts: &Accounts) -> Result<(), ApplyError> {
        let Sums { debits, credits } = self.posted;
        i128::try_from(debits - credits).map(drop).map_err(|_| {
            let account = accounts.name(self.account);
            contradiction(position, format!("the balance of account `{account}` exceeds 128 bits"))
        })
    }

    /// Adds to the held sums.
    pub(super) fn hold(&mut self, held: Movement, accounts: &Accounts) -> Result<(), ApplyError> {
        self.kind_at(held.position, accounts)?;
        *self.held.side(held.direction) += I256::from(held.amount.minor_units());
        Ok(())
    }

    /// Subtracts from the held sums.
    pub(super) fn unhold(&mut self, direction: Direction, minor_units: i128) {
        *self.held.side(direction) -= I256::from(minor_units);
    }

    fn kind_at(&self, position: Position, accounts: &Accounts) -> Result<AccountKind, ApplyError> {
        match self.kind {
            Some((kind, since)) if since < position => Ok(kind),
            _ => Err(never_opened(position, accounts.name(self.account))),
        }
    }
}

impl Balances {
    /// The index of the account's balance in the asset, which the event at this position changes. The balance is added
    /// if it is new to the batch.
    pub(super) fn touch(&mut self, position: Position, account: AccountIndex, asset: &Asset) -> BalanceIndex {
        let all = &mut self.all;
        let index = *self.index.entry((account, asset.clone())).or_insert_with(|| {
            all.push(Balance {
                account,
                asset: asset.clone(),
                posted: Sums::default(),
                held: Sums::default(),
                kind: None,
                position,
            });
            BalanceIndex(all.len() - 1)
        });
        self.all[index.0].position = position;
        index
    }

    /// Notes that the batch changes held sums.
    pub(super) fn include_held(&mut self) {
        self.changes_held = true;
    }

    pub(super) fn get(&self, index: BalanceIndex) -> &Balance {
        &self.all[index.0]
    }

    pub(super) fn get_mut(&mut self, index: BalanceIndex) -> &mut Balance {
        &mut self.all[index.0]
    }

    /// The account and the asset.
    pub(super) fn key<'a>(&'a self, accounts: &'a Accounts, index: BalanceIndex) -> (&'a str, &'a str) {
        let balance = self.get(index);
        (accounts.name(balance.account).as_str(), balance.asset.as_str())
    }

    /// Sets kind and sums of each balance to their values before the batch. An account that the batch opens has no rows
    /// yet.
    pub(super) async fn load(
        &mut self,
        connection: &mut PgConnection,
        log: LogKey,
        accounts: &Accounts,
    ) -> Result<(), sqlx::Error> {
        for balance in &mut self.all {
            balance.kind = accounts.opened(balance.account);
        }
        let indices = (0..self.all.len()).map(BalanceIndex);
        let mut to_load: Vec<BalanceIndex> =
            indices.filter(|index| self.get(*index).kind.is_none()).collect();
        if to_load.is_empty() {
            return Ok(());
        }
        // In key order, so that neighbouring rows share index pages.
        to_load.sort_unstable_by_key(|index| self.key(accounts, *index));
        let rows: Vec<Row> = sqlx::query_as(
            "select t.n, coalesce(b.kind, a.kind), b.debits::text, b.credits::text,
                    case when $4 then b.held_debits::text end, case when $4 then b.held_credits::text end
             from unnest($2::text[], $3::text[]) with ordinality as t(account, asset, n)
             left join balances as b on b.log = $1 and b.account = t.account and b.asset = t.asset
             -- The account is looked up only where the balance does not know its kind.
             left join accounts as a on a.log = $1 and a.account = case when b.log is null then t.account end",
        )
        .bind(log.0)
        .bind(column(&to_load, |index| self.key(accounts, *index).0))
        .bind(column(&to_load, |index| self.key(accounts, *index).1))
        .bind(self.changes_held)
        .fetch_all(connection)
        .await?;
        for (n, kind, debits, credits, held_debits, held_credits) in rows {
            let index = usize::try_from(n - 1).ok().and_then(|n| to_load.get(n));
            let balance = self.get_mut(*index.expect("the ordinal is that of an element that was sent"));
            let kind = kind.map(|kind| parse_kind(&kind)).transpose()?;
            balance.kind = kind.map(|kind| (kind, Position::START));
            balance.posted = Sums { debits: parse_sum(debits)?, credits: parse_sum(credits)? };
            balance.held = Sums { debits: parse_sum(held_debits)?, credits: parse_sum(held_credits)? };
        }
        Ok(())
    }

    pub(super) async fn write(
        &self,
        connection: &mut PgConnection,
        log: LogKey,
        accounts: &Accounts,
    ) -> Result<(), sqlx::Error> {
        // A balance of unknown kind cannot get here: posting to it or holding on it was a contradiction.
        let mut rows: Vec<(&str, &Balance, AccountKind)> = self
            .all
            .iter()
            .filter_map(|balance| Some((accounts.name(balance.account).as_str(), balance, balance.kind?.0)))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        rows.sort_unstable_by_key(|(account, balance, _)| (*account, &balance.asset));
        let held = |sum: fn(&Sums) -> I256| {
            sparse_column(&rows, |(_, balance, _)| self.changes_held.then(|| sum(&balance.held).to_string()))
        };
        sqlx::query(
            "insert into balances (log, account, asset, kind, debits, credits, held_debits, held_credits, position)
             select $1, account, asset, kind, debits::numeric, credits::numeric,
                    coalesce(held_debits::numeric, 0), coalesce(held_credits::numeric, 0), position
             from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                         $9::bigint[])
                  as u(account, asset, kind, debits, credits, held_debits, held_credits, position)
             on conflict on constraint balances_pkey do update
             set debits = excluded.debits, credits = excluded.credits,
                 held_debits = case when $10 then excluded.held_debits else balances.held_debits end,
                 held_credits = case when $10 then excluded.held_credits else balances.held_credits end,
                 position = excluded.position",
        )
        .bind(log.0)
        .bind(column(&rows, |(account, ..)| *account))
        .bind(column(&rows, |(_, balance, _)| balance.asset.as_str()))
        .bind(column(&rows, |(.., kind)| kind.as_str()))
        .bind(column(&rows, |(_, balance, _)| balance.posted.debits.to_string()))
        .bind(column(&rows, |(_, balance, _)| balance.posted.credits.to_string()))
        .bind(held(|sums| sums.debits))
        .bind(held(|sums| sums.credits))
        .bind(column(&rows, |(_, balance, _)| balance.position.0))
        .bind(self.changes_held)
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// The ordinal in the request, the account's kind if it was opened, and the sums if the account has a balance in the
/// asset: posted debits and credits, then held ones.
type Row = (i64, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>);

fn parse_kind(kind: &str) -> Result<AccountKind, sqlx::Error> {
    AccountKind::named(kind)
        .ok_or_else(|| sqlx::Error::Decode(format!("`{kind}` is not an account kind").into()))
}

fn parse_sum(sum: Option<String>) -> Result<I256, sqlx::Error> {
    sum.map_or(Ok(I256::ZERO), |sum| sum.parse().map_err(|error| sqlx::Error::Decode(Box::new(error))))
}
