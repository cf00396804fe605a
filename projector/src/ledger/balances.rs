//! The table `balances`: the sums of what was posted to accounts, and of what holds set aside on them.

use std::collections::HashMap;

use ethnum::I256;
use recount_core::{LogKey, Position};
use recount_events::ledger::{AccountKind, Amount, Asset, Direction};
use sqlx::PgConnection;

use super::accounts::{Accounts, never_opened};
use super::contradiction;
use super::rows::{column, sparse};
use recount_projection::ApplyError;

/// The balances that a batch moves, each with an index by which entries and holds name it.
#[derive(Debug, Default)]
pub(super) struct Balances {
    all: Vec<Balance>,
    index: HashMap<(usize, Asset), usize>,
    /// Whether the batch moves what is held. If it does not, that is neither loaded nor written.
    with_holds: bool,
}

/// An account in one asset. Its sums are zero until they are loaded, and then run with the batch.
#[derive(Debug)]
pub(super) struct Balance {
    /// Index of the account.
    pub(super) account: usize,
    pub(super) asset: Asset,
    posted: Sides,
    held: Sides,
    /// What the account is, and since when; `None` as long as that is not known, and if it was never opened.
    kind: Option<(AccountKind, Position)>,
    /// The last event that moved it.
    position: Position,
}

/// A sum of each side, in minor units. What has gone through an account may be any multiple of what it ever had, so the
/// sums are wider than amounts and balances: 2^127 of the largest amounts fit.
#[derive(Debug, Default)]
struct Sides {
    debits: I256,
    credits: I256,
}

impl Sides {
    fn of(&mut self, direction: Direction) -> &mut I256 {
        match direction {
            Direction::Debit => &mut self.debits,
            Direction::Credit => &mut self.credits,
        }
    }
}

impl Balance {
    /// Adds an entry; answers the posted balance after it, on the account's normal side.
    pub(super) fn post(
        &mut self,
        position: Position,
        direction: Direction,
        amount: Amount,
        accounts: &Accounts,
    ) -> Result<I256, ApplyError> {
        let kind = self.kind_at(position, accounts)?;
        *self.posted.of(direction) += I256::from(amount.minor_units());
        let Sides { debits, credits } = self.posted;
        Ok(match kind.normal_side() {
            Direction::Debit => debits - credits,
            Direction::Credit => credits - debits,
        })
    }

    /// Makes sure that what is posted is what an account may have. On the way through a transaction it may be more.
    pub(super) fn check(&self, position: Position, accounts: &Accounts) -> Result<(), ApplyError> {
        let Sides { debits, credits } = self.posted;
        i128::try_from(debits - credits).map(drop).map_err(|_| {
            let account = accounts.name(self.account);
            contradiction(position, format!("the balance of `{account}` goes beyond 128 bits"))
        })
    }

    /// Sets an amount aside.
    pub(super) fn hold(
        &mut self,
        position: Position,
        direction: Direction,
        amount: Amount,
        accounts: &Accounts,
    ) -> Result<(), ApplyError> {
        self.kind_at(position, accounts)?;
        *self.held.of(direction) += I256::from(amount.minor_units());
        Ok(())
    }

    /// Gives back what was set aside.
    pub(super) fn give_back(&mut self, direction: Direction, minor_units: i128) {
        *self.held.of(direction) -= I256::from(minor_units);
    }

    fn kind_at(&self, position: Position, accounts: &Accounts) -> Result<AccountKind, ApplyError> {
        match self.kind {
            Some((kind, since)) if since < position => Ok(kind),
            _ => Err(never_opened(position, accounts.name(self.account))),
        }
    }
}

impl Balances {
    /// The index of the balance of this account in this asset, which the event at this position moves.
    pub(super) fn moved(&mut self, position: Position, account: usize, asset: &Asset) -> usize {
        let all = &mut self.all;
        let index = *self.index.entry((account, asset.clone())).or_insert_with(|| {
            all.push(Balance {
                account,
                asset: asset.clone(),
                posted: Sides::default(),
                held: Sides::default(),
                kind: None,
                position,
            });
            all.len() - 1
        });
        self.all[index].position = position;
        index
    }

    /// The batch moves what is held as well.
    pub(super) fn with_holds(&mut self) {
        self.with_holds = true;
    }

    pub(super) fn get(&self, index: usize) -> &Balance {
        &self.all[index]
    }

    pub(super) fn get_mut(&mut self, index: usize) -> &mut Balance {
        &mut self.all[index]
    }

    /// The account and the asset.
    pub(super) fn key<'a>(&'a self, accounts: &'a Accounts, index: usize) -> (&'a str, &'a str) {
        let balance = &self.all[index];
        (accounts.name(balance.account).as_str(), balance.asset.as_str())
    }

    /// Sets kind and sums of each balance to what they are before the batch. An account that is opened by the batch has
    /// no rows yet.
    pub(super) async fn load(
        &mut self,
        connection: &mut PgConnection,
        log: LogKey,
        accounts: &Accounts,
    ) -> Result<(), sqlx::Error> {
        for balance in &mut self.all {
            balance.kind = accounts.opened(balance.account);
        }
        let mut known: Vec<usize> =
            (0..self.all.len()).filter(|index| self.all[*index].kind.is_none()).collect();
        if known.is_empty() {
            return Ok(());
        }
        // In the order of the index, so that neighbours share pages.
        known.sort_unstable_by_key(|index| self.key(accounts, *index));
        let rows: Vec<Row> = sqlx::query_as(
            "select t.n, coalesce(b.kind, a.kind), b.debits::text, b.credits::text,
                    case when $4 then b.held_debits::text end, case when $4 then b.held_credits::text end
             from unnest($2::text[], $3::text[]) with ordinality as t(account, asset, n)
             left join balances as b on b.log = $1 and b.account = t.account and b.asset = t.asset
             -- The account is looked up only where the balance does not know its kind.
             left join accounts as a on a.log = $1 and a.account = case when b.log is null then t.account end",
        )
        .bind(log.0)
        .bind(column(&known, |index| self.key(accounts, *index).0))
        .bind(column(&known, |index| self.key(accounts, *index).1))
        .bind(self.with_holds)
        .fetch_all(connection)
        .await?;
        for (n, kind, debits, credits, held_debits, held_credits) in rows {
            let index = usize::try_from(n - 1).ok().and_then(|n| known.get(n));
            let balance = &mut self.all[*index.expect("the ordinal is that of an element that was sent")];
            balance.kind =
                kind.map(|kind| stored_kind(&kind)).transpose()?.map(|kind| (kind, Position::START));
            balance.posted = Sides { debits: stored_sum(debits)?, credits: stored_sum(credits)? };
            balance.held = Sides { debits: stored_sum(held_debits)?, credits: stored_sum(held_credits)? };
        }
        Ok(())
    }

    pub(super) async fn write(
        &self,
        connection: &mut PgConnection,
        log: LogKey,
        accounts: &Accounts,
    ) -> Result<(), sqlx::Error> {
        // A balance whose kind is unknown has nothing that could be run: the batch would not have come here.
        let mut rows: Vec<(&str, &Balance, AccountKind)> = self
            .all
            .iter()
            .filter_map(|balance| Some((accounts.name(balance.account).as_str(), balance, balance.kind?.0)))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        rows.sort_unstable_by_key(|(account, balance, _)| (*account, &balance.asset));
        let held = |sum: fn(&Sides) -> I256| {
            sparse(&rows, |(_, balance, _)| self.with_holds.then(|| sum(&balance.held).to_string()))
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
        .bind(held(|sides| sides.debits))
        .bind(held(|sides| sides.credits))
        .bind(column(&rows, |(_, balance, _)| balance.position.0))
        .bind(self.with_holds)
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// The place among those asked for, the account's kind if it was opened, and the sums if it has any in the asset: those
/// posted, then those held.
type Row = (i64, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>);

fn stored_kind(kind: &str) -> Result<AccountKind, sqlx::Error> {
    AccountKind::named(kind)
        .ok_or_else(|| sqlx::Error::Decode(format!("`{kind}` is not a kind of account").into()))
}

fn stored_sum(sum: Option<String>) -> Result<I256, sqlx::Error> {
    sum.map_or(Ok(I256::ZERO), |sum| sum.parse().map_err(|error| sqlx::Error::Decode(Box::new(error))))
}
