//! A reference model of the money in a ledger, written another way than the domain: it keeps a list of movements and a
//! list of holds, adds them up from scratch whenever it is asked, and finds the faults of a command in any order.
//!
//! It shares no code with the domain but its vocabulary.

mod faults;
mod happened;
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

/// What becomes of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Happens,
    NothingHappens,
    /// By this code.
    Rejected(&'static str),
}

/// A debit (more than zero) or a credit (less) of an account.
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
    grows_by_debits: bool,
    takes_debits: bool,
    takes_credits: bool,
    open: bool,
    overdraft: Overdraft,
    limits: Vec<BalanceLimit>,
    only: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    None,
    UsedUp,
    Released,
    Expired,
}

#[derive(Clone)]
pub(crate) struct ModelHold {
    pub(crate) placed: PlaceHold,
    pub(crate) left: u128,
    pub(crate) end: End,
}

/// What a capture took of a hold, what it left, and what it gave back.
#[derive(Clone)]
struct Taken {
    hold: String,
    amount: u128,
    left: u128,
    given_back: u128,
}

#[derive(Clone)]
struct ModelTransaction {
    id: String,
    entries: Vec<Entry>,
    effective_at: DateTime<Utc>,
    reference: Option<String>,
    reverses: Option<String>,
    takes: Option<Taken>,
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

/// What a transaction would be.
struct Draft<'a> {
    entries: Vec<Entry>,
    effective_at: Option<DateTime<Utc>>,
    reference: Option<&'a str>,
}

type Faults = BTreeSet<&'static str>;

fn units(amount: recount_events::ledger::Amount) -> u128 {
    amount.minor_units().unsigned_abs()
}

fn moved(account: &str, asset: &str, direction: Direction, amount: u128) -> Movement {
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
            moved(entry.account.as_str(), entry.asset.as_str(), entry.direction, units(entry.amount))
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

/// What an account and its open holds come to.
#[derive(Clone, Copy)]
struct Sums {
    posted: (Number, Number),
    held: (Number, Number),
}

impl Sums {
    /// Whether it can be counted whatever becomes of the holds.
    fn are_countable(self) -> bool {
        let net = self.posted.0.less(self.posted.1);
        let (debits, credits) = self.held;
        let sums = [net, debits, credits, net.plus(debits), net.less(credits)];
        sums.into_iter().all(|sum| sum.counted().is_some())
    }

    fn figures(self, grows_by_debits: bool) -> ModelFigures {
        let [posted, held] = [self.posted, self.held];
        let (up, down, incoming, outgoing) = if grows_by_debits {
            (posted.0, posted.1, held.0, held.1)
        } else {
            (posted.1, posted.0, held.1, held.0)
        };
        let available = up.less(down).less(outgoing);
        [up.less(down), outgoing, incoming, available].map(|figure| figure.counted().unwrap())
    }
}

impl ModelHold {
    fn movements(&self) -> [Movement; 2] {
        let PlaceHold { debit, credit, asset, .. } = &self.placed;
        [
            moved(debit.as_str(), asset.as_str(), Direction::Debit, self.left),
            moved(credit.as_str(), asset.as_str(), Direction::Credit, self.left),
        ]
    }

    fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.end == End::Expired
            || (self.end == End::None && self.placed.expires_at.is_some_and(|end| now >= end))
    }

    /// Why it cannot be used any more.
    fn ended(&self, now: DateTime<Utc>) -> Option<&'static str> {
        match self.end {
            _ if self.is_over(now) => Some("hold-expired"),
            End::None => None,
            End::UsedUp | End::Released | End::Expired => Some("hold-closed"),
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
        self.sums(account, asset, &[], &[]).figures(self.accounts[account].grows_by_debits)
    }

    /// The least that must be available and the most that may be posted and incoming.
    pub(crate) fn bounds(&self, account: &str, asset: &str) -> (i128, i128) {
        bounds_of(&self.accounts[account], asset)
    }

    fn rule(&self, account: &str) -> Option<&ChartRule> {
        let name = account.parse().unwrap();
        self.chart.iter().flatten().find(|rule| rule.pattern.matches(&name))
    }

    /// The account, there already or as its first use would open it.
    fn used(&self, account: &str) -> Option<ModelAccount> {
        if let Some(there) = self.accounts.get(account) {
            return Some(there.clone());
        }
        let rule = self.rule(account)?;
        rule.opens_on_first_use.then(|| opened(&crate::support::opening(account), Some(rule)))
    }

    // What is wrong with a command.
}

impl ModelTransaction {
    /// Whether a command that has its id says the same.
    fn is(
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
            && self.takes.as_ref().map(|taken| taken.hold.as_str()) == captures
    }

    /// The entries that take this much back; `None` if an amount does not say so.
    fn entries_back(&self, part: &ReversedPart) -> Option<Vec<Entry>> {
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

/// What the entries on the same side of the same account in the same asset come to.
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
        grows_by_debits: matches!(opened.kind, Some(AccountKind::Asset | AccountKind::Expense)),
        takes_debits: true,
        takes_credits: true,
        open: true,
        overdraft,
        limits,
        only: opened.assets.iter().map(ToString::to_string).collect(),
        opened,
    }
}

fn bounds_of(account: &ModelAccount, asset: &str) -> (i128, i128) {
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
