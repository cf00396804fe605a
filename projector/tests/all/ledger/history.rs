//! Random histories with every type of event and without contradictions.

use std::collections::BTreeSet;

use recount_events::ledger::{
    AccountClosed, AccountFrozen, AccountKind, AccountName, AccountOpened, AccountUnfrozen, Amount,
    AssetRegistered, BalanceLimit, BalanceLimitsSet, Capture, ChartRemoved, ChartSet, CustomerId, Direction,
    EffectiveWindow, EffectiveWindowSet, Entry, FreezeScope, HoldExpired, HoldPlaced, HoldReleased,
    LedgerEvent, MetadataOwner, MetadataRemoved, MetadataSet, Overdraft, OverdraftPolicySet, PeriodClosed,
    PeriodReopened, TransactionId,
};

use super::book::{
    Dice, account, account_opened, amount, asset, bound, created, customer, entry, hold_id, metadata,
    transaction, transfer,
};
use super::customers::{forgotten, linked, registered, unlinked, updated};

const KINDS: [AccountKind; 5] = [
    AccountKind::Asset,
    AccountKind::Liability,
    AccountKind::Equity,
    AccountKind::Income,
    AccountKind::Expense,
];
const ASSETS: [&str; 2] = ["USD/2", "BTC/8"];
const KEYS: [&str; 4] = ["note", "tier", "by", "x"];
const SCOPES: [FreezeScope; 3] = [FreezeScope::Debits, FreezeScope::Credits, FreezeScope::Both];

/// A history that is being generated.
pub(super) struct History {
    dice: Dice,
    pub(super) events: Vec<LedgerEvent>,
    accounts: Vec<AccountName>,
    transactions: Vec<TransactionId>,
    /// The open holds, each with its remaining amount.
    open_holds: Vec<(HoldPlaced, i128)>,
    customers: Vec<CustomerId>,
    links: BTreeSet<(CustomerId, AccountName)>,
}

impl History {
    pub(super) fn random(seed: u64, length: usize) -> History {
        let mut history = History {
            dice: Dice(seed),
            events: vec![created()],
            accounts: Vec::new(),
            transactions: Vec::new(),
            open_holds: Vec::new(),
            customers: Vec::new(),
            links: BTreeSet::new(),
        };
        history.open();
        history.register();
        history.post();
        while history.events.len() < length {
            history.add_random_event();
        }
        history
    }

    fn add_random_event(&mut self) {
        match self.dice.roll(24) {
            0 => self.open(),
            1 => self.change_account(),
            2 => self.change_ledger(),
            3 => self.register(),
            4 | 5 => self.change_customer(),
            6 | 7 => self.link_or_unlink(),
            8..=11 => self.change_metadata(),
            12..=14 => self.place_hold(),
            15..=18 => self.use_hold(),
            19 | 20 => self.reverse(),
            _ => self.post(),
        }
    }

    fn number(&self) -> usize {
        self.events.len()
    }

    fn one_of<T: Clone>(&mut self, all: impl Fn(&History) -> &[T]) -> T {
        let index = self.dice.roll(all(self).len());
        all(self)[index].clone()
    }

    fn any_account(&mut self) -> AccountName {
        self.one_of(|history| &history.accounts)
    }

    fn any_amount(&mut self) -> i128 {
        i128::try_from(1 + self.dice.roll(1_000)).unwrap()
    }

    fn any_metadata(&mut self) -> recount_events::ledger::Metadata {
        let (key, other) = (KEYS[self.dice.roll(KEYS.len())], KEYS[self.dice.roll(KEYS.len())]);
        metadata(&format!(r#"{{"{key}":{},"{other}":"{}"}}"#, self.number(), self.dice.roll(9)))
    }

    fn open(&mut self) {
        let name = format!("users:{}", self.number());
        let opened = AccountOpened {
            metadata: self.any_metadata(),
            on_first_use: self.dice.roll(2) == 0,
            ..account_opened(&name, KINDS[self.dice.roll(KINDS.len())])
        };
        self.accounts.push(account(&name));
        self.events.push(LedgerEvent::AccountOpened(opened));
    }

    fn change_account(&mut self) {
        let account = self.any_account();
        let scope = SCOPES[self.dice.roll(SCOPES.len())];
        let maximum = Some(bound(self.any_amount()));
        self.events.push(match self.dice.roll(5) {
            0 => LedgerEvent::AccountFrozen(AccountFrozen { account, scope }),
            1 => LedgerEvent::AccountUnfrozen(AccountUnfrozen { account, scope }),
            2 => LedgerEvent::AccountClosed(AccountClosed { account }),
            3 => LedgerEvent::OverdraftPolicySet(OverdraftPolicySet {
                account,
                overdraft: Overdraft::Unlimited,
            }),
            _ => {
                let limits = vec![BalanceLimit { asset: asset("USD/2"), minimum: None, maximum }];
                LedgerEvent::BalanceLimitsSet(BalanceLimitsSet { account, limits })
            }
        });
    }

    fn change_ledger(&mut self) {
        let day = 1 + self.dice.roll(28);
        let moment = format!("2026-01-{day:02}T00:00:00Z").parse().unwrap();
        let past_days = Some(u32::try_from(day).unwrap());
        self.events.push(match self.dice.roll(6) {
            0 => LedgerEvent::EffectiveWindowSet(EffectiveWindowSet {
                window: EffectiveWindow { past_days, future_days: None },
            }),
            1 => LedgerEvent::PeriodClosed(PeriodClosed { through: moment }),
            2 => LedgerEvent::PeriodReopened(PeriodReopened { from: moment }),
            3 => LedgerEvent::ChartSet(ChartSet { rules: Vec::new() }),
            4 => LedgerEvent::ChartRemoved(ChartRemoved {}),
            _ => LedgerEvent::AssetRegistered(AssetRegistered {
                asset: asset(&format!("A{}/2", self.number())),
            }),
        });
    }

    fn register(&mut self) {
        let id = format!("c-{}", self.number());
        self.customers.push(customer(&id));
        self.events.push(registered(&id, r#"{"segment":"retail"}"#));
    }

    fn change_customer(&mut self) {
        let Some(index) = self.customers.len().checked_sub(1).map(|last| self.dice.roll(last + 1)) else {
            return self.register();
        };
        if self.dice.roll(4) == 0 {
            // A forgotten customer can only be unlinked.
            let customer = self.customers.swap_remove(index);
            self.events.push(forgotten(customer.as_str()));
        } else {
            let name = format!("Alice {}", self.number());
            self.events.push(updated(self.customers[index].as_str(), &name));
        }
    }

    fn link_or_unlink(&mut self) {
        if self.dice.roll(2) == 0
            && let Some((customer, account)) = self.links.pop_first()
        {
            return self.events.push(unlinked(customer.as_str(), account.as_str()));
        }
        if self.customers.is_empty() {
            return self.register();
        }
        let link = (self.one_of(|history| &history.customers), self.any_account());
        if self.links.insert(link.clone()) {
            self.events.push(linked(link.0.as_str(), link.1.as_str()));
        }
    }

    fn change_metadata(&mut self) {
        let of = match self.dice.roll(2) {
            0 => MetadataOwner::Account(self.any_account()),
            _ => MetadataOwner::Transaction(self.one_of(|history| &history.transactions)),
        };
        let metadata = self.any_metadata();
        self.events.push(match self.dice.roll(3) {
            0 => {
                let keys = metadata.keys().cloned().collect();
                LedgerEvent::MetadataRemoved(MetadataRemoved { of, keys })
            }
            _ => LedgerEvent::MetadataSet(MetadataSet { of, metadata }),
        });
    }

    fn place_hold(&mut self) {
        let placed = HoldPlaced {
            hold: hold_id(&format!("h{}", self.number())),
            debit: self.any_account(),
            credit: self.any_account(),
            asset: asset(ASSETS[self.dice.roll(ASSETS.len())]),
            amount: amount(self.any_amount()),
            expires_at: None,
            metadata: self.any_metadata(),
        };
        self.open_holds.push((placed.clone(), placed.amount.minor_units()));
        self.events.push(LedgerEvent::HoldPlaced(placed));
    }

    fn use_hold(&mut self) {
        let Some(last) = self.open_holds.len().checked_sub(1) else { return self.place_hold() };
        let index = self.dice.roll(last + 1);
        let (placed, left) = self.open_holds.swap_remove(index);
        let HoldPlaced { hold, debit, credit, asset, .. } = placed.clone();
        match self.dice.roll(5) {
            0 => {
                let event = HoldReleased { hold, debit, credit, asset, amount: amount(left) };
                self.events.push(LedgerEvent::HoldReleased(event));
            }
            1 => {
                let event = HoldExpired { hold, debit, credit, asset, amount: amount(left) };
                self.events.push(LedgerEvent::HoldExpired(event));
            }
            _ => self.capture(placed, left),
        }
    }

    fn capture(&mut self, placed: HoldPlaced, left: i128) {
        let part = 1 + i128::try_from(self.dice.roll(usize::try_from(left).unwrap())).unwrap();
        let rest = Amount::new(left - part).ok();
        let is_final = self.dice.roll(2) == 0;
        let captures = Capture {
            hold: placed.hold.clone(),
            remaining: rest.filter(|_| !is_final),
            released: rest.filter(|_| is_final),
        };
        let entries = transfer(placed.debit.as_str(), placed.credit.as_str(), placed.asset.as_str(), part);
        if captures.remaining.is_some() {
            self.open_holds.push((placed, left - part));
        }
        self.post_entries(entries);
        if let Some(LedgerEvent::TransactionPosted(posted)) = self.events.last_mut() {
            posted.captures = Some(captures);
        }
    }

    fn reverse(&mut self) {
        let reverses = Some(self.one_of(|history| &history.transactions));
        self.post();
        if let Some(LedgerEvent::TransactionPosted(posted)) = self.events.last_mut() {
            posted.reverses = reverses;
        }
    }

    fn post(&mut self) {
        let in_asset = ASSETS[self.dice.roll(ASSETS.len())];
        let minor_units = self.any_amount();
        let [one, two, three] = [(); 3].map(|()| self.any_account());
        let mut entries = transfer(one.as_str(), two.as_str(), in_asset, minor_units);
        if self.dice.roll(3) == 0 {
            entries[0].amount = amount(minor_units + 7);
            entries.push(entry(Direction::Credit, three.as_str(), in_asset, 7));
        }
        self.post_entries(entries);
    }

    fn post_entries(&mut self, entries: Vec<Entry>) {
        let mut posted = transaction(&format!("t{}", self.number()), entries);
        posted.metadata = self.any_metadata();
        self.transactions.push(posted.transaction.clone());
        self.events.push(LedgerEvent::TransactionPosted(posted));
    }
}
