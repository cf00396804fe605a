//! A reference model of the value in a ledger, with an implementation unlike the domain's: it keeps lists of movements and
//! holds, adds them up from scratch for every question, and collects all faults of a command in any order.
//!
//! It shares only types with the domain, and no logic.

mod apply;
mod faults;
mod number;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use number::Number;
use recount_domain::{
    CaptureHold, Command, Comparison, Expectation, Figure, OpenAccount, PlaceHold, RejectionCode, Request,
    ReversalTime, ReverseTransaction, ReversedPart,
};
use recount_events::ledger::{
    AccountKind, BalanceLimit, ChartRule, Direction, EffectiveWindow, Entry, FreezeScope, Overdraft,
};

const ASSETS: [&str; 2] = ["USD/2", "EUR/2"];

/// The outcome of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ModelOutcome {
    Accepted,
    NoEffect,
    /// With this code.
    Rejected(&'static str),
}

/// A debit or a credit of an account; the other amount is zero.
#[derive(Clone)]
struct Movement {
    account: String,
    asset: String,
    debit: u128,
    credit: u128,
}

#[derive(Clone)]
struct ModelAccount {
    opened: OpenAccount,
    is_debit_normal: bool,
    accepts_debits: bool,
    accepts_credits: bool,
    open: bool,
    overdraft: Overdraft,
    limits: Vec<BalanceLimit>,
    only: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoldEnd {
    Open,
    Captured,
    Released,
    Expired,
}

#[derive(Clone)]
pub(crate) struct ModelHold {
    pub(crate) placed: PlaceHold,
    pub(crate) left: u128,
    pub(crate) end: HoldEnd,
}

/// The amount that a transaction captured of a hold, and the amounts that it left and released.
#[derive(Clone)]
struct ModelCapture {
    hold: String,
    amount: u128,
    left: u128,
    released: u128,
}

#[derive(Clone)]
struct ModelTransaction {
    id: String,
    entries: Vec<Entry>,
    effective_at: DateTime<Utc>,
    reference: Option<String>,
    reverses: Option<String>,
    captures: Option<ModelCapture>,
}

#[derive(Clone, Default)]
pub(crate) struct Model {
    accounts: BTreeMap<String, ModelAccount>,
    movements: Vec<Movement>,
    holds: Vec<ModelHold>,
    transactions: Vec<ModelTransaction>,
    chart: Option<Vec<ChartRule>>,
    window: EffectiveWindow,
    closed_before: Option<DateTime<Utc>>,
}

/// Posted, held, incoming and available.
pub(crate) type ModelFigures = [i128; 4];

/// A transaction to check.
struct Draft<'a> {
    entries: Vec<Entry>,
    effective_at: Option<DateTime<Utc>>,
    reference: Option<&'a str>,
}

type Faults = BTreeSet<&'static str>;

fn units(amount: recount_events::ledger::Amount) -> u128 {
    amount.minor_units().unsigned_abs()
}

fn movement(account: &str, asset: &str, direction: Direction, amount: u128) -> Movement {
    let (debit, credit) = match direction {
        Direction::Debit => (amount, 0),
        Direction::Credit => (0, amount),
    };
    Movement { account: account.to_owned(), asset: asset.to_owned(), debit, credit }
}

fn movements_of(entries: &[Entry]) -> Vec<Movement> {
    entries
        .iter()
        .map(|entry| {
            movement(entry.account.as_str(), entry.asset.as_str(), entry.direction, units(entry.amount))
        })
        .collect()
}

/// The sums of the debits and the credits of an account, or of all accounts.
fn sums<'m>(
    movements: impl Iterator<Item = &'m Movement>,
    account: Option<&str>,
    asset: &str,
) -> (Number, Number) {
    movements
        .filter(|movement| {
            account.is_none_or(|account| movement.account == account) && movement.asset == asset
        })
        .fold((Number::default(), Number::default()), |(debits, credits), movement| {
            (debits.plus(Number::of(movement.debit)), credits.plus(Number::of(movement.credit)))
        })
}

/// The total debits and credits of an account and of its open holds.
#[derive(Clone, Copy)]
struct Sums {
    posted: (Number, Number),
    held: (Number, Number),
}

impl Sums {
    /// Whether the sums are in range whatever happens to the holds.
    fn are_in_range(self) -> bool {
        let net = self.posted.0.less(self.posted.1);
        let (debits, credits) = self.held;
        let sums = [net, debits, credits, net.plus(debits), net.less(credits)];
        sums.into_iter().all(|sum| sum.in_range().is_some())
    }

    fn figures(self, is_debit_normal: bool) -> ModelFigures {
        let [posted, held] = [self.posted, self.held];
        let (up, down, incoming, outgoing) = if is_debit_normal {
            (posted.0, posted.1, held.0, held.1)
        } else {
            (posted.1, posted.0, held.1, held.0)
        };
        let available = up.less(down).less(outgoing);
        [up.less(down), outgoing, incoming, available].map(|figure| figure.in_range().unwrap())
    }
}

impl ModelHold {
    fn movements(&self) -> [Movement; 2] {
        let PlaceHold { debit, credit, asset, .. } = &self.placed;
        [
            movement(debit.as_str(), asset.as_str(), Direction::Debit, self.left),
            movement(credit.as_str(), asset.as_str(), Direction::Credit, self.left),
        ]
    }

    fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.end == HoldEnd::Expired
            || (self.end == HoldEnd::Open && self.placed.expires_at.is_some_and(|end| now >= end))
    }

    /// The rejection of a command that uses the hold, if it is not open.
    fn ended(&self, now: DateTime<Utc>) -> Option<&'static str> {
        match self.end {
            _ if self.has_expired(now) => Some("hold-expired"),
            HoldEnd::Open => None,
            HoldEnd::Captured | HoldEnd::Released | HoldEnd::Expired => Some("hold-closed"),
        }
    }
}

impl Model {
    pub(crate) fn account_names(&self) -> impl Iterator<Item = &str> {
        self.accounts.keys().map(String::as_str)
    }

    pub(crate) fn holds(&self) -> &[ModelHold] {
        &self.holds
    }

    fn hold(&self, id: &str) -> Option<&ModelHold> {
        self.holds.iter().find(|hold| hold.placed.hold.as_str() == id)
    }

    fn transaction(&self, id: &str) -> Option<&ModelTransaction> {
        self.transactions.iter().find(|transaction| transaction.id == id)
    }

    fn sums(&self, account: &str, asset: &str, more: &[Movement], more_held: &[Movement]) -> Sums {
        let held: Vec<Movement> = self.holds.iter().flat_map(ModelHold::movements).collect();
        Sums {
            posted: sums(self.movements.iter().chain(more), Some(account), asset),
            held: sums(held.iter().chain(more_held), Some(account), asset),
        }
    }

    pub(crate) fn figures(&self, account: &str, asset: &str) -> ModelFigures {
        self.sums(account, asset, &[], &[]).figures(self.accounts[account].is_debit_normal)
    }

    /// The least available balance, and the greatest sum of posted and incoming.
    pub(crate) fn limits(&self, account: &str, asset: &str) -> (i128, i128) {
        limits_of(&self.accounts[account], asset)
    }

    fn rule(&self, account: &str) -> Option<&ChartRule> {
        let name = account.parse().unwrap();
        self.chart.iter().flatten().find(|rule| rule.pattern.matches(&name))
    }

    /// The account as it exists, or as its first use would open it.
    fn used(&self, account: &str) -> Option<ModelAccount> {
        if let Some(existing) = self.accounts.get(account) {
            return Some(existing.clone());
        }
        let rule = self.rule(account)?;
        rule.opens_on_first_use.then(|| opened(&crate::support::opening(account), Some(rule)))
    }
}

impl ModelTransaction {
    /// Whether a command with the same id has the same content.
    fn matches(
        &self,
        entries: &[Entry],
        effective_at: Option<DateTime<Utc>>,
        reference: Option<&str>,
        reverses: Option<&str>,
        captures: Option<&str>,
    ) -> bool {
        self.entries == entries
            && effective_at.is_none_or(|time| time == self.effective_at)
            && self.reference.as_deref() == reference
            && self.reverses.as_deref() == reverses
            && self.captures.as_ref().map(|taken| taken.hold.as_str()) == captures
    }

    /// The entries that reverse this part; `None` if an amount is ambiguous.
    fn reversal_entries(&self, part: &ReversedPart) -> Option<Vec<Entry>> {
        let turned = |entry: &Entry| {
            let mut entry = entry.clone();
            entry.direction = match entry.direction {
                Direction::Debit => Direction::Credit,
                Direction::Credit => Direction::Debit,
            };
            entry
        };
        let mut entries: Vec<Entry> = self.entries.iter().map(turned).collect();
        match part {
            ReversedPart::Whole => {}
            ReversedPart::Entries(given) => entries.clone_from(given),
            ReversedPart::Amount(_) if entries.len() > 2 => return None,
            ReversedPart::Amount(amount) => entries.iter_mut().for_each(|entry| entry.amount = *amount),
        }
        Some(entries)
    }
}

/// The sum of the entries with the same account, direction and asset.
fn leg_sum(entries: &[Entry], leg: &Entry) -> u128 {
    let same = entries.iter().filter(|entry| {
        entry.account == leg.account && entry.direction == leg.direction && entry.asset == leg.asset
    });
    same.fold(0, |sum, entry| sum.saturating_add(units(entry.amount)))
}

fn opened(open: &OpenAccount, rule: Option<&ChartRule>) -> ModelAccount {
    let mut opened = open.clone();
    if let Some(rule) = rule {
        opened.kind = Some(rule.kind);
        opened.overdraft.get_or_insert_with(|| rule.overdraft.clone());
        opened.limits.get_or_insert_with(|| rule.limits.clone());
        if opened.assets.is_empty() {
            opened.assets.clone_from(&rule.assets);
        }
    }
    let overdraft = opened.overdraft.get_or_insert(Overdraft::None).clone();
    let limits = opened.limits.get_or_insert_default().clone();
    ModelAccount {
        is_debit_normal: matches!(opened.kind, Some(AccountKind::Asset | AccountKind::Expense)),
        accepts_debits: true,
        accepts_credits: true,
        open: true,
        overdraft,
        limits,
        only: opened.assets.iter().map(ToString::to_string).collect(),
        opened,
    }
}

fn limits_of(account: &ModelAccount, asset: &str) -> (i128, i128) {
    let mut floor = match &account.overdraft {
        Overdraft::None => 0,
        Overdraft::Unlimited => i128::MIN,
        Overdraft::Limited(limits) => {
            let of_asset = limits.iter().filter(|limit| limit.asset.as_str() == asset);
            of_asset.map(|limit| -limit.amount.minor_units()).next().unwrap_or(0)
        }
    };
    let mut ceiling = i128::MAX;
    for limit in account.limits.iter().filter(|limit| limit.asset.as_str() == asset) {
        floor = limit.minimum.map_or(floor, |minimum| floor.max(minimum.minor_units()));
        ceiling = limit.maximum.map_or(ceiling, |maximum| maximum.minor_units());
    }
    (floor, ceiling)
}
