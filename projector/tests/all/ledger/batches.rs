//! For any batch sizes, a history gives the same read models, and they equal a plain fold of the events.

use std::collections::{BTreeMap, BTreeSet};

use recount_events::ledger::{
    AccountKind, AccountName, Amount, Asset, Direction, LedgerEvent, Metadata, MetadataOwner,
    TransactionPosted,
};

use super::book::{Book, Dice};
use super::history::History;

#[tokio::test]
async fn a_random_history_gives_the_same_read_models_for_any_batch_sizes() {
    for seed in [1, 2, 3] {
        let mut book = Book::new().await;
        let history = History::random(seed, 500);
        book.apply(&history.events).await;
        let contents = book.contents().await;
        let mut dice = Dice(seed);
        for largest in [1, 4, 60] {
            book.rebuild_in_batches(|| 1 + dice.roll(largest)).await;
            assert_eq!(book.contents().await, contents, "seed {seed}, batches of up to {largest}");
        }
        assert_eq!(book.shown().await, Fold::of(&history.events).shown(), "seed {seed}");
    }
}

impl Book {
    async fn shown(&self) -> BTreeSet<String> {
        let shown = self
            .rows(
                "select format('balance %s %s %s %s %s %s', account, asset, posted, held, incoming, available)
                 from read.balances
                 union all
                 select format('hold %s %s %s %s %s', hold, status, captured, released, remaining) from read.holds
                 union all
                 select format('account %s %s', account, metadata) from read.accounts
                 union all
                 select format('transaction %s %s %s %s', transaction, metadata, captures,
                               array_to_string(reversals, '+'))
                 from read.transactions
                 union all
                 select format('link %s %s', customer, account) from read.customer_accounts",
            )
            .await;
        shown.into_iter().collect()
    }
}

/// The state of a ledger as a simple fold, one event after another.
#[derive(Default)]
struct Fold {
    kinds: BTreeMap<AccountName, AccountKind>,
    /// The sums by account, asset and side.
    posted: BTreeMap<(AccountName, Asset, &'static str), i128>,
    held: BTreeMap<(AccountName, Asset, &'static str), i128>,
    /// By hold: status, captured, released, remaining.
    holds: BTreeMap<String, (&'static str, i128, i128, i128)>,
    metadata: BTreeMap<String, Metadata>,
    /// By transaction: the captured hold and the reversals.
    transactions: BTreeMap<String, (String, Vec<String>)>,
    links: BTreeSet<String>,
}

impl Fold {
    fn of(events: &[LedgerEvent]) -> Fold {
        let mut fold = Fold::default();
        events.iter().for_each(|event| fold.add(event));
        fold
    }

    fn add(&mut self, event: &LedgerEvent) {
        match event {
            LedgerEvent::AccountOpened(event) => {
                self.kinds.insert(event.account.clone(), event.kind);
                self.metadata.insert(format!("account {}", event.account), event.metadata.clone());
            }
            LedgerEvent::TransactionPosted(event) => self.post(event),
            LedgerEvent::HoldPlaced(event) => {
                self.hold(&event.debit, &event.credit, &event.asset, event.amount.minor_units());
                self.holds.insert(event.hold.to_string(), ("open", 0, 0, event.amount.minor_units()));
            }
            LedgerEvent::HoldReleased(event) => {
                self.hold(&event.debit, &event.credit, &event.asset, -event.amount.minor_units());
                self.end_hold(event.hold.as_str(), event.amount, "released");
            }
            LedgerEvent::HoldExpired(event) => {
                self.hold(&event.debit, &event.credit, &event.asset, -event.amount.minor_units());
                self.end_hold(event.hold.as_str(), event.amount, "expired");
            }
            LedgerEvent::MetadataSet(event) => {
                self.metadata.get_mut(&owner(&event.of)).unwrap().extend(event.metadata.clone());
            }
            LedgerEvent::MetadataRemoved(event) => {
                let metadata = self.metadata.get_mut(&owner(&event.of)).unwrap();
                metadata.retain(|key, _| !event.keys.contains(key));
            }
            LedgerEvent::AccountLinked(event) => {
                self.links.insert(format!("link {} {}", event.customer, event.account));
            }
            LedgerEvent::AccountUnlinked(event) => {
                self.links.remove(&format!("link {} {}", event.customer, event.account));
            }
            _ => {}
        }
    }

    fn hold(&mut self, debit: &AccountName, credit: &AccountName, asset: &Asset, minor_units: i128) {
        *self.held.entry((debit.clone(), asset.clone(), "debit")).or_default() += minor_units;
        *self.held.entry((credit.clone(), asset.clone(), "credit")).or_default() += minor_units;
    }

    fn end_hold(&mut self, hold: &str, amount: Amount, status: &'static str) {
        let hold = self.holds.get_mut(hold).unwrap();
        *hold = (status, hold.1, hold.2 + amount.minor_units(), 0);
    }

    fn post(&mut self, event: &TransactionPosted) {
        let id = event.transaction.to_string();
        for entry in &event.entries {
            let side = (entry.account.clone(), entry.asset.clone(), entry.direction.as_str());
            *self.posted.entry(side).or_default() += entry.amount.minor_units();
        }
        self.metadata.insert(format!("transaction {id}"), event.metadata.clone());
        if let Some(reversed) = &event.reverses {
            self.transactions.get_mut(reversed.as_str()).unwrap().1.push(id.clone());
        }
        let captured = event.captures.as_ref().map(|capture| {
            let [released, remaining] =
                [capture.released, capture.remaining].map(|amount| amount.map_or(0, Amount::minor_units));
            let (debit, credit) = (&event.entries[0], &event.entries[1]);
            let taken = debit.amount.minor_units();
            self.hold(&debit.account, &credit.account, &debit.asset, -taken - released);
            let hold = self.holds.get_mut(capture.hold.as_str()).unwrap();
            let status = if remaining == 0 { "captured" } else { "open" };
            *hold = (status, hold.1 + taken, hold.2 + released, remaining);
            capture.hold.to_string()
        });
        self.transactions.insert(id, (captured.unwrap_or_default(), Vec::new()));
    }

    fn shown(&self) -> BTreeSet<String> {
        let metadata = |owner: &str| serde_json::to_string(&self.metadata[owner]).unwrap();
        let mut shown = self.links.clone();
        let pairs = self.posted.keys().chain(self.held.keys());
        for (account, asset, _) in pairs {
            let sum = |sums: &BTreeMap<(AccountName, Asset, &'static str), i128>, side: Direction| {
                sums.get(&(account.clone(), asset.clone(), side.as_str())).copied().unwrap_or(0)
            };
            let up = self.kinds[account].normal_side();
            let posted = sum(&self.posted, up) - sum(&self.posted, up.opposite());
            let (held, incoming) = (sum(&self.held, up.opposite()), sum(&self.held, up));
            shown.insert(format!("balance {account} {asset} {posted} {held} {incoming} {}", posted - held));
        }
        for (hold, (status, captured, released, remaining)) in &self.holds {
            shown.insert(format!("hold {hold} {status} {captured} {released} {remaining}"));
        }
        for account in self.kinds.keys() {
            shown.insert(format!("account {account} {}", metadata(&format!("account {account}"))));
        }
        for (id, (captures, reversals)) in &self.transactions {
            let metadata = metadata(&format!("transaction {id}"));
            shown.insert(format!("transaction {id} {metadata} {captures} {}", reversals.join("+")));
        }
        shown
    }
}

fn owner(owner: &MetadataOwner) -> String {
    match owner {
        MetadataOwner::Account(account) => format!("account {account}"),
        MetadataOwner::Transaction(transaction) => format!("transaction {transaction}"),
    }
}
