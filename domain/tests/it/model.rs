//! A reference model of the money in a ledger, written another way than the domain: it keeps a list of movements and a
//! list of holds, adds them up from scratch whenever it is asked, and finds the faults of a command in any order.
//!
//! It shares no code with the domain but its vocabulary.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
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
) -> (u128, u128) {
    movements
        .filter(|movement| {
            account.is_none_or(|account| movement.account == account) && movement.asset == asset
        })
        .fold((0, 0), |(debits, credits), movement| {
            (debits.saturating_add(movement.debit), credits.saturating_add(movement.credit))
        })
}

fn difference(more: u128, less: u128) -> i128 {
    i128::try_from(more).unwrap() - i128::try_from(less).unwrap()
}

fn uncountable(sum: u128) -> bool {
    i128::try_from(sum).is_err()
}

/// What an account and its open holds come to.
#[derive(Clone, Copy)]
struct Sums {
    posted: (u128, u128),
    held: (u128, u128),
}

impl Sums {
    fn are_countable(self) -> bool {
        !uncountable(self.posted.0.saturating_add(self.held.0))
            && !uncountable(self.posted.1.saturating_add(self.held.1))
    }

    fn figures(self, grows_by_debits: bool) -> ModelFigures {
        let [posted, held] = [self.posted, self.held];
        let (up, down, incoming, outgoing) = if grows_by_debits {
            (posted.0, posted.1, held.0, held.1)
        } else {
            (posted.1, posted.0, held.1, held.0)
        };
        let (posted, held) = (difference(up, down), difference(outgoing, 0));
        [posted, held, difference(incoming, 0), posted - held]
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

    /// What becomes of the request at this time.
    pub(crate) fn verdict(&self, request: &Request, now: DateTime<Utc>) -> Verdict {
        let Some(mut faults) = self.faults(&request.command, now) else { return Verdict::NothingHappens };
        for expectation in &request.expect {
            faults.extend(self.fault_of_expectation(expectation));
        }
        let first = RejectionCode::ALL.iter().find(|code| faults.contains(code.code));
        first.map_or(Verdict::Happens, |code| Verdict::Rejected(code.code))
    }

    fn fault_of_expectation(&self, expectation: &Expectation) -> Option<&'static str> {
        let Some(account) = self.used(expectation.account.as_str()) else { return Some("account-unknown") };
        let sums = self.sums(expectation.account.as_str(), expectation.asset.as_str(), &[], &[]);
        let [posted, held, incoming, available] = sums.figures(account.grows_by_debits);
        let actual = match expectation.figure {
            Figure::Posted => posted,
            Figure::Held => held,
            Figure::Incoming => incoming,
            Figure::Available => available,
        };
        let met = match expectation.comparison {
            Comparison::AtLeast => actual >= expectation.amount,
            Comparison::AtMost => actual <= expectation.amount,
            Comparison::Equal => actual == expectation.amount,
        };
        (!met).then_some("expectation-failed")
    }

    /// Everything that is wrong with the command; `None` if it is so already.
    fn faults(&self, command: &Command, now: DateTime<Utc>) -> Option<Faults> {
        let one = |fault: &'static str| Some(Faults::from([fault]));
        match command {
            Command::SetEffectiveWindow { window } => (self.window != *window).then(Faults::new),
            Command::ClosePeriod { through } if self.is_closed(*through) => None,
            Command::ClosePeriod { through } if *through >= now => one("period-not-over"),
            Command::ClosePeriod { .. } => Some(Faults::new()),
            Command::ReopenPeriod { from } => self.is_closed(*from).then(Faults::new),
            Command::SetChart { rules } => (self.chart.as_ref() != Some(rules)).then(Faults::new),
            Command::RemoveChart => self.chart.is_some().then(Faults::new),
            Command::OpenAccount(open) => self.faults_of_opening(open),
            Command::PostTransaction(post) => match self.transaction(post.transaction.as_str()) {
                Some(there) => conflict(there.is(
                    &post.entries,
                    post.effective_at,
                    post.reference.as_ref().map(|reference| reference.as_str()),
                    None,
                    None,
                )),
                None => Some(self.faults_of_posting(
                    &Draft {
                        entries: post.entries.clone(),
                        effective_at: post.effective_at,
                        reference: post.reference.as_ref().map(|reference| reference.as_str()),
                    },
                    true,
                    now,
                )),
            },
            Command::ReverseTransaction(reverse) => self.faults_of_reversal(reverse, now),
            Command::Hold(place) => self.faults_of_hold(place, now),
            Command::Capture(capture) => self.faults_of_capture(capture, now),
            Command::Release { hold } => match self.hold(hold.as_str()) {
                None => one("hold-unknown"),
                Some(hold) if hold.end == End::Released => None,
                Some(hold) => Some(hold.ended(now).into_iter().collect()),
            },
            Command::Expire { hold } => match self.hold(hold.as_str()) {
                None => one("hold-unknown"),
                Some(hold) if hold.end == End::Expired => None,
                Some(hold) if hold.is_over(now) => Some(Faults::new()),
                Some(hold) if hold.end == End::None => one("hold-not-due"),
                Some(_) => one("hold-closed"),
            },
            other => self.faults_of_change(other),
        }
    }

    /// Of a change of an account that is there.
    fn faults_of_change(&self, command: &Command) -> Option<Faults> {
        let (Command::FreezeAccount { account, .. }
        | Command::UnfreezeAccount { account, .. }
        | Command::CloseAccount { account }
        | Command::SetOverdraftPolicy { account, .. }
        | Command::SetBalanceLimits { account, .. }) = command
        else {
            panic!("the model does not know {command:?}")
        };
        let name = account.as_str();
        let Some(account) = self.accounts.get(name) else { return Some(Faults::from(["account-unknown"])) };
        if let Command::CloseAccount { .. } = command {
            let mut faults = Faults::new();
            for [posted, held, incoming, _] in ASSETS.map(|asset| self.figures(name, asset)) {
                faults.extend((posted != 0).then_some("account-not-empty"));
                faults.extend((held != 0 || incoming != 0).then_some("account-has-holds"));
            }
            return account.open.then_some(faults);
        }
        if !account.open {
            return Some(Faults::from(["account-closed"]));
        }
        let is_so = match command {
            Command::FreezeAccount { scope, .. } => match scope {
                FreezeScope::Debits => !account.takes_debits,
                FreezeScope::Credits => !account.takes_credits,
                FreezeScope::Both => !account.takes_debits && !account.takes_credits,
            },
            Command::UnfreezeAccount { scope, .. } => match scope {
                FreezeScope::Debits => account.takes_debits,
                FreezeScope::Credits => account.takes_credits,
                FreezeScope::Both => account.takes_debits && account.takes_credits,
            },
            Command::SetOverdraftPolicy { overdraft, .. } => account.overdraft == *overdraft,
            Command::SetBalanceLimits { limits, .. } => account.limits == *limits,
            _ => false,
        };
        (!is_so).then(Faults::new)
    }

    fn faults_of_opening(&self, open: &OpenAccount) -> Option<Faults> {
        if let Some(there) = self.accounts.get(open.account.as_str()) {
            let was = &there.opened;
            let same = open.kind.is_none_or(|kind| Some(kind) == was.kind)
                && (open.overdraft.is_none() || open.overdraft == was.overdraft)
                && (open.limits.is_none() || open.limits == was.limits)
                && (open.assets.is_empty() || open.assets == was.assets)
                && open.metadata == was.metadata;
            return if same { None } else { Some(Faults::from(["account-conflict"])) };
        }
        let mut faults = Faults::new();
        match (self.rule(open.account.as_str()), open.kind) {
            (None, _) if self.chart.is_some() => drop(faults.insert("account-not-in-chart")),
            (None, None) => drop(faults.insert("kind-missing")),
            (Some(rule), Some(kind)) if rule.kind != kind => drop(faults.insert("kind-not-in-chart")),
            _ => {}
        }
        if let Some(rule) = self.rule(open.account.as_str())
            && !rule.assets.is_empty()
            && !open.assets.iter().all(|asset| rule.assets.contains(asset))
        {
            faults.insert("asset-not-allowed");
        }
        Some(faults)
    }

    fn is_closed(&self, time: DateTime<Utc>) -> bool {
        self.closed_before.is_some_and(|before| time < before)
    }

    fn faults_of_time(&self, effective_at: DateTime<Utc>, now: DateTime<Utc>) -> Faults {
        let days = (effective_at.date_naive() - now.date_naive()).num_days();
        let mut faults = Faults::new();
        if self.window.past_days.is_some_and(|past| days < -i64::from(past)) {
            faults.insert("effective-too-early");
        }
        if self.window.future_days.is_some_and(|future| days > i64::from(future)) {
            faults.insert("effective-too-late");
        }
        if self.is_closed(effective_at) {
            faults.insert("period-closed");
        }
        faults
    }

    fn faults_of_posting(&self, draft: &Draft<'_>, limited: bool, now: DateTime<Utc>) -> Faults {
        let mut faults = Faults::new();
        let taken = |reference: &str| {
            self.transactions.iter().any(|transaction| transaction.reference.as_deref() == Some(reference))
        };
        faults.extend(draft.reference.filter(|reference| taken(reference)).map(|_| "reference-taken"));
        if draft.entries.len() < 2 {
            faults.insert("entries-out-of-bounds");
        }
        let movements = movements_of(&draft.entries);
        for entry in &draft.entries {
            match sums(movements.iter(), None, entry.asset.as_str()) {
                (debits, credits) if uncountable(debits) || uncountable(credits) => {
                    faults.insert("balance-overflow");
                }
                (debits, credits) if debits != credits => {
                    faults.insert("unbalanced");
                }
                _ => {}
            }
        }
        if let Some(effective_at) = draft.effective_at {
            faults.extend(self.faults_of_time(effective_at, now));
        }
        faults.extend(self.faults_of_movements(&movements, &[], limited));
        faults
    }

    /// Whether the accounts take what would be posted and what would be held.
    fn faults_of_movements(&self, posted: &[Movement], held: &[Movement], limited: bool) -> Faults {
        let mut faults = Faults::new();
        for Movement { account: name, asset, debit, .. } in posted.iter().chain(held) {
            if !ASSETS.contains(&asset.as_str()) {
                let same_code = ASSETS.iter().any(|known| known.split('/').next() == asset.split('/').next());
                faults.insert(if same_code { "asset-scale-differs" } else { "asset-unknown" });
            }
            let Some(account) = self.used(name) else {
                faults.insert("account-unknown");
                continue;
            };
            let frozen = if *debit > 0 { !account.takes_debits } else { !account.takes_credits };
            if !account.open {
                faults.insert("account-closed");
            } else if frozen {
                faults.insert("account-frozen");
            } else if !account.only.is_empty() && !account.only.contains(asset) {
                faults.insert("asset-not-allowed");
            }
            if limited {
                let before = self.sums(name, asset, &[], &[]);
                let after = self.sums(name, asset, posted, held);
                faults.extend(faults_of_limits(&account, asset, before, after));
            }
        }
        faults
    }

    fn faults_of_reversal(&self, reverse: &ReverseTransaction, now: DateTime<Utc>) -> Option<Faults> {
        let one = |fault: &'static str| Some(Faults::from([fault]));
        let id = reverse.transaction.as_str();
        let there = self.transaction(reverse.reversal.as_str());
        let Some(original) = self.transaction(id) else {
            return one(if there.is_some() { "transaction-conflict" } else { "transaction-unknown" });
        };
        let entries = original.entries_back(&reverse.part);
        let effective_at = match reverse.effective_at {
            ReversalTime::Now => None,
            ReversalTime::Original => Some(original.effective_at),
            ReversalTime::At(time) => Some(time),
        };
        let reference = reverse.reference.as_ref().map(|reference| reference.as_str());
        if let Some(there) = there {
            let Some(entries) = entries else { return one("transaction-conflict") };
            return conflict(there.is(&entries, effective_at, reference, Some(id), None));
        }
        let mut faults = Faults::new();
        let reversals = || self.transactions.iter().filter(|other| other.reverses.as_deref() == Some(id));
        let back: Vec<Entry> = reversals().flat_map(|reversal| reversal.entries.clone()).collect();
        let whole = original.entries_back(&ReversedPart::Whole).unwrap();
        let left = |entry: &Entry| leg_sum(&whole, entry) - leg_sum(&back, entry);
        let nothing_left = whole.iter().all(|entry| left(entry) == 0);
        if reversals().next().is_some() && (reverse.part == ReversedPart::Whole || nothing_left) {
            faults.insert("transaction-already-reversed");
        }
        let Some(entries) = entries else {
            faults.insert("reversal-ambiguous");
            return Some(faults);
        };
        if reverse.part != ReversedPart::Whole
            && entries.iter().any(|entry| leg_sum(&entries, entry) > left(entry))
        {
            faults.insert("reversal-exceeded");
        }
        faults.extend(self.faults_of_posting(&Draft { entries, effective_at, reference }, true, now));
        Some(faults)
    }

    fn faults_of_hold(&self, place: &PlaceHold, now: DateTime<Utc>) -> Option<Faults> {
        if let Some(there) = self.hold(place.hold.as_str()) {
            return if there.placed == *place { None } else { Some(Faults::from(["hold-conflict"])) };
        }
        let held = ModelHold { placed: place.clone(), left: units(place.amount), end: End::None };
        let mut faults = self.faults_of_movements(&[], &held.movements(), true);
        if place.expires_at.is_some_and(|deadline| now >= deadline) {
            faults.insert("deadline-passed");
        }
        Some(faults)
    }

    fn faults_of_capture(&self, capture: &CaptureHold, now: DateTime<Utc>) -> Option<Faults> {
        let one = |fault: &'static str| Some(Faults::from([fault]));
        let reference = capture.reference.as_ref().map(|reference| reference.as_str());
        if let Some(there) = self.transaction(capture.transaction.as_str()) {
            let Some(taken) = there.takes.as_ref().filter(|taken| taken.hold == capture.hold.as_str()) else {
                return one("transaction-conflict");
            };
            let all = taken.left == 0 && taken.given_back == 0;
            let same = capture.amount.map_or(all, |amount| units(amount) == taken.amount)
                && (all || capture.is_final == (taken.given_back > 0))
                && capture.effective_at.is_none_or(|time| time == there.effective_at)
                && there.reference.as_deref() == reference;
            return conflict(same);
        }
        let Some(hold) = self.hold(capture.hold.as_str()) else { return one("hold-unknown") };
        if let Some(ended) = hold.ended(now) {
            return one(ended);
        }
        let amount = capture.amount.map_or(hold.left, units);
        if amount > hold.left {
            return one("hold-exceeded");
        }
        let entries = crate::support::transfer(
            hold.placed.debit.as_str(),
            hold.placed.credit.as_str(),
            hold.placed.asset.as_str(),
            i128::try_from(amount).unwrap(),
        );
        let draft = Draft { entries, effective_at: capture.effective_at, reference };
        // What an open hold has set aside can be posted whatever the limits are.
        Some(self.faults_of_posting(&draft, false, now))
    }

    // What a command does that happens.

    pub(crate) fn apply(&mut self, command: &Command, now: DateTime<Utc>) {
        match command {
            Command::SetEffectiveWindow { window } => self.window = *window,
            Command::ClosePeriod { through } => {
                self.closed_before = Some(*through + chrono::TimeDelta::microseconds(1));
            }
            Command::ReopenPeriod { from } => self.closed_before = Some(*from),
            Command::SetChart { rules } => self.chart = Some(rules.clone()),
            Command::RemoveChart => self.chart = None,
            Command::OpenAccount(open) => {
                let account = opened(open, self.rule(open.account.as_str()));
                self.accounts.insert(open.account.to_string(), account);
            }
            Command::PostTransaction(post) => self.post(ModelTransaction {
                id: post.transaction.to_string(),
                entries: post.entries.clone(),
                effective_at: post.effective_at.unwrap_or(now),
                reference: post.reference.as_ref().map(ToString::to_string),
                reverses: None,
                takes: None,
            }),
            Command::ReverseTransaction(reverse) => {
                let original = self.transaction(reverse.transaction.as_str()).unwrap();
                self.post(ModelTransaction {
                    id: reverse.reversal.to_string(),
                    entries: original.entries_back(&reverse.part).unwrap(),
                    effective_at: match reverse.effective_at {
                        ReversalTime::Now => now,
                        ReversalTime::Original => original.effective_at,
                        ReversalTime::At(time) => time,
                    },
                    reference: reverse.reference.as_ref().map(ToString::to_string),
                    reverses: Some(original.id.clone()),
                    takes: None,
                });
            }
            Command::Hold(place) => {
                self.use_accounts([place.debit.as_str(), place.credit.as_str()]);
                self.holds.push(ModelHold {
                    placed: place.clone(),
                    left: units(place.amount),
                    end: End::None,
                });
            }
            Command::Capture(capture) => self.capture(capture, now),
            Command::Release { hold } => self.end(hold.as_str(), End::Released),
            Command::Expire { hold } => self.end(hold.as_str(), End::Expired),
            other => self.change(other),
        }
    }

    fn change(&mut self, command: &Command) {
        match command {
            Command::FreezeAccount { account, scope } => self.set_frozen(account.as_str(), *scope, true),
            Command::UnfreezeAccount { account, scope } => self.set_frozen(account.as_str(), *scope, false),
            Command::CloseAccount { account } => self.account_mut(account.as_str()).open = false,
            Command::SetOverdraftPolicy { account, overdraft } => {
                self.account_mut(account.as_str()).overdraft = overdraft.clone();
            }
            Command::SetBalanceLimits { account, limits } => {
                self.account_mut(account.as_str()).limits = limits.clone();
            }
            other => panic!("the model does not know {other:?}"),
        }
    }

    fn account_mut(&mut self, account: &str) -> &mut ModelAccount {
        self.accounts.get_mut(account).unwrap()
    }

    fn set_frozen(&mut self, account: &str, scope: FreezeScope, frozen: bool) {
        let account = self.account_mut(account);
        if matches!(scope, FreezeScope::Debits | FreezeScope::Both) {
            account.takes_debits = !frozen;
        }
        if matches!(scope, FreezeScope::Credits | FreezeScope::Both) {
            account.takes_credits = !frozen;
        }
    }

    fn use_accounts<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        for name in names {
            let account = self.used(name).unwrap();
            self.accounts.insert(name.to_owned(), account);
        }
    }

    fn post(&mut self, transaction: ModelTransaction) {
        self.use_accounts(transaction.entries.iter().map(|entry| entry.account.as_str()));
        self.movements.extend(movements_of(&transaction.entries));
        self.transactions.push(transaction);
    }

    fn end(&mut self, id: &str, end: End) {
        let hold = self.holds.iter_mut().find(|hold| hold.placed.hold.as_str() == id).unwrap();
        (hold.left, hold.end) = (0, end);
    }

    fn capture(&mut self, capture: &CaptureHold, now: DateTime<Utc>) {
        let hold = self.holds.iter_mut().find(|hold| hold.placed.hold == capture.hold).unwrap();
        let amount = capture.amount.map_or(hold.left, units);
        hold.left -= amount;
        let given_back = if capture.is_final { std::mem::take(&mut hold.left) } else { 0 };
        if hold.left == 0 {
            hold.end = End::UsedUp;
        }
        let taken = Taken { hold: capture.hold.to_string(), amount, left: hold.left, given_back };
        let transaction = ModelTransaction {
            id: capture.transaction.to_string(),
            entries: crate::support::transfer(
                hold.placed.debit.as_str(),
                hold.placed.credit.as_str(),
                hold.placed.asset.as_str(),
                i128::try_from(amount).unwrap(),
            ),
            effective_at: capture.effective_at.unwrap_or(now),
            reference: capture.reference.as_ref().map(ToString::to_string),
            reverses: None,
            takes: Some(taken),
        };
        self.post(transaction);
    }
}

/// Nothing happens, or the id is taken.
fn conflict(same: bool) -> Option<Faults> {
    if same { None } else { Some(Faults::from(["transaction-conflict"])) }
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

fn faults_of_limits(account: &ModelAccount, asset: &str, before: Sums, after: Sums) -> Faults {
    if !after.are_countable() {
        return Faults::from(["balance-overflow"]);
    }
    let [posted_before, _, incoming_before, available_before] = before.figures(account.grows_by_debits);
    let [posted, _, incoming, available] = after.figures(account.grows_by_debits);
    let (floor, ceiling) = bounds_of(account, asset);
    let mut faults = Faults::new();
    if available < floor.min(available_before) {
        faults.insert("insufficient-funds");
    }
    if posted + incoming > ceiling.max(posted_before + incoming_before) {
        faults.insert("maximum-exceeded");
    }
    faults
}
