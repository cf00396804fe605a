//! A ledger in memory: entities folded from events, and decisions as the engine makes them.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use recount_core::Tag;
use recount_domain::{Balance, BalanceChange, Decision, Entity, Request, States};
use recount_events::ledger::{self, Asset, LedgerEvent};
use recount_tests::cases::Figures;

/// The maximum number of rounds of needs, as in the engine.
const ROUNDS_MAX: usize = 8;

#[derive(Clone, Debug)]
pub(crate) struct Book {
    pub(crate) entities: HashMap<Tag, Entity>,
    pub(crate) now: DateTime<Utc>,
}

impl Book {
    pub(crate) fn new(now: DateTime<Utc>) -> Book {
        Book { entities: HashMap::new(), now }
    }

    /// Decides the request with only its needs loaded. Fails if the decision reads anything else.
    pub(crate) fn decide(&self, request: &Request) -> Result<Decision, String> {
        let loaded = self.loaded(request)?;
        let unnamed = RefCell::new(Vec::new());
        let find = |tag: &Tag| {
            if !loaded.contains(tag) {
                unnamed.borrow_mut().push(tag.to_string());
            }
            self.entities.get(tag)
        };
        let decision = recount_domain::decide(request, &States::new(&find), self.now);
        let unnamed = unnamed.into_inner();
        if unnamed.is_empty() {
            Ok(decision)
        } else {
            Err(format!("the decision reads {unnamed:?}, which the needs do not name"))
        }
    }

    fn loaded(&self, request: &Request) -> Result<HashSet<Tag>, String> {
        let mut loaded: HashSet<Tag> = HashSet::new();
        for _ in 0..ROUNDS_MAX {
            let find = |tag: &Tag| self.entities.get(tag).filter(|_| loaded.contains(tag));
            let named: HashSet<Tag> =
                recount_domain::needs(request, &States::new(&find)).into_iter().collect();
            let more = named.difference(&loaded).count() > 0;
            loaded.extend(named);
            if !more || !recount_domain::needs_more_when_loaded(request) {
                return Ok(loaded);
            }
        }
        Err("the needs of the command keep growing".to_owned())
    }

    /// Applies the events as they would be read from the log.
    pub(crate) fn apply(&mut self, events: &[LedgerEvent]) {
        for event in events {
            let ledger::codec::Encoded { event_type, version, data } = ledger::encode(event);
            let read = ledger::decode(event_type, version, &data).unwrap();
            assert_eq!(read, *event, "an event decodes as it was encoded");
            for tag in read.tags() {
                let mut state = self.entities.remove(&tag);
                recount_domain::evolve(&tag, &mut state, &read);
                self.entities.extend(state.map(|state| (tag, state)));
            }
        }
    }

    /// The balances that the events would change.
    pub(crate) fn explained(&self, events: &[LedgerEvent]) -> Vec<BalanceChange> {
        let mut after = self.clone();
        after.apply(events);
        let (find_before, find_after) =
            (|tag: &Tag| self.entities.get(tag), |tag: &Tag| after.entities.get(tag));
        recount_domain::explain(events, &States::new(&find_before), &States::new(&find_after))
    }

    /// The balance of an account in an asset.
    pub(crate) fn balance(&self, account: &str, asset: &str) -> Result<Figures, String> {
        match self.entities.get(&Tag::new("account", account)) {
            Some(Entity::Account(state)) => {
                let figures = state.balance(&Asset::from_stored(asset)).figures(state.kind());
                let recount_domain::Figures { posted, held, incoming, available } = figures;
                Ok(Figures { posted, held, incoming, available })
            }
            _ => Err(format!("there is no account `{account}`")),
        }
    }

    /// Checks that the books balance: debits equal credits in every asset, and the held amounts of accounts match the open
    /// holds.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut sums: BTreeMap<Asset, Balance> = BTreeMap::new();
        let mut open: BTreeMap<Asset, i128> = BTreeMap::new();
        for entity in self.entities.values() {
            match entity {
                Entity::Account(account) => {
                    for (asset, balance) in &account.balances {
                        let sum = sums.entry(asset.clone()).or_default();
                        // A partial sum may overflow.
                        sum.net = sum.net.wrapping_add(balance.net);
                        sum.held_debits += balance.held_debits;
                        sum.held_credits += balance.held_credits;
                    }
                }
                Entity::Hold(hold) => {
                    let left = hold.remaining.map_or(0, |amount| amount.minor_units());
                    *open.entry(hold.placed.asset.clone()).or_default() += left;
                }
                _ => {}
            }
        }
        for (asset, sum) in &sums {
            let open = open.get(asset).copied().unwrap_or(0);
            if sum.net != 0 || (sum.held_debits, sum.held_credits) != (open, open) {
                return Err(format!(
                    "the books do not balance in {asset}: {sum:?}, with {open} on open holds"
                ));
            }
        }
        Ok(())
    }

    /// The entities after a round trip through snapshots.
    pub(crate) fn through_snapshots(&self) -> HashMap<Tag, Entity> {
        let kept = |entity: &Entity| serde_json::from_str(&serde_json::to_string(entity).unwrap()).unwrap();
        self.entities.iter().map(|(tag, entity)| (tag.clone(), kept(entity))).collect()
    }
}
