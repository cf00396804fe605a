//! The balances of an account in one asset: what posted, held, incoming and available mean. This is the one place where
//! they are defined for decisions: limits, rejections, dry runs and the docs go by it. The read models have the same
//! definitions in SQL, and the cases in `tests/cases` hold both to the same figures.
//!
//! An account has a normal side, given by its kind: debit for assets and expenses, credit for liabilities, equity and
//! income. Entries and open holds on the normal side raise the account, those on the other side lower it.
//!
//! | figure | is |
//! | --- | --- |
//! | posted | the sum of the entries on the normal side, less the sum of those on the other |
//! | held | what open holds would take away: their sum on the other side |
//! | incoming | what open holds would bring in: their sum on the normal side |
//! | available | posted less held. What is incoming does not count |
//!
//! Alice's wallet is a liability: the normal side is credit.
//!
//! | what happens | posted | held | incoming | available |
//! | --- | --- | --- | --- | --- |
//! | she pays 100.00 in: debit bank, credit alice | 10000 | 0 | 0 | 10000 |
//! | a shop reserves 30.00: hold debit alice, credit shop | 10000 | 3000 | 0 | 7000 |
//! | Bob reserves 5.00 for her: hold debit bob, credit alice | 10000 | 3000 | 500 | 7000 |
//! | the shop captures 20.00 of its hold | 8000 | 1000 | 500 | 7000 |
//! | the shop releases the rest | 8000 | 0 | 500 | 8000 |
//! | Bob's hold is captured | 8500 | 0 | 0 | 8500 |
//!
//! The same movements on the bank's account, an asset with the normal side debit: paying in raises it by 100.00.

use recount_events::ledger::{AccountKind, Amount, Direction};
use serde::{Deserialize, Serialize};

/// The sums of both sides in minor units: of the entries that were posted, and of what open holds set aside.
///
/// A sum of entries and the sum of holds on the same side never exceed 127 bits together, so no figure overflows, and
/// whatever is held can be posted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    #[serde(with = "as_text")]
    pub debits: i128,
    #[serde(with = "as_text")]
    pub credits: i128,
    #[serde(with = "as_text")]
    pub held_debits: i128,
    #[serde(with = "as_text")]
    pub held_credits: i128,
}

/// A balance as the account's owner sees it: on the normal side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub posted: i128,
    pub held: i128,
    pub incoming: i128,
    pub available: i128,
}

impl Balance {
    /// The figures of an account of this kind.
    pub fn figures(self, kind: AccountKind) -> Figures {
        let (raised, lowered, incoming, held) = match kind.normal_side() {
            Direction::Debit => (self.debits, self.credits, self.held_debits, self.held_credits),
            Direction::Credit => (self.credits, self.debits, self.held_credits, self.held_debits),
        };
        Figures { posted: raised - lowered, held, incoming, available: raised - (lowered + held) }
    }

    /// The sums with an entry added, if they can still be counted.
    pub fn with_entry(mut self, direction: Direction, amount: Amount) -> Option<Balance> {
        let (posted, held) = self.side(direction);
        *posted = posted.checked_add(amount.minor_units())?;
        posted.checked_add(*held)?;
        Some(self)
    }

    /// The sums with something set aside, if they can still be counted.
    pub fn with_hold(mut self, direction: Direction, amount: Amount) -> Option<Balance> {
        let (posted, held) = self.side(direction);
        *held = held.checked_add(amount.minor_units())?;
        posted.checked_add(*held)?;
        Some(self)
    }

    /// The sums with something given back that was set aside.
    pub fn without_hold(mut self, direction: Direction, amount: Amount) -> Balance {
        let (_, held) = self.side(direction);
        *held -= amount.minor_units();
        self
    }

    /// Whether something is set aside on either side.
    pub fn has_holds(self) -> bool {
        self.held_debits != 0 || self.held_credits != 0
    }

    /// What is posted and what is held on one side.
    fn side(&mut self, direction: Direction) -> (&mut i128, &mut i128) {
        match direction {
            Direction::Debit => (&mut self.debits, &mut self.held_debits),
            Direction::Credit => (&mut self.credits, &mut self.held_credits),
        }
    }
}

/// `i128` as text: JSON numbers end at 2^53 for most of its readers.
pub(crate) mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &i128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
