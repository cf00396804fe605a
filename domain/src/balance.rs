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

/// What an account has and has set aside in one asset, in minor units.
///
/// What is posted, and what it would be if all that open holds bring were posted and nothing of what they take, never
/// goes beyond 127 bits in either direction: so no figure overflows, and whatever is held can be posted. Nothing here
/// grows with the past, so that nothing that was posted once can fill an account for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// The debits that were posted, less the credits.
    #[serde(with = "as_text")]
    pub net: i128,
    #[serde(with = "as_text")]
    pub held_debits: i128,
    #[serde(with = "as_text")]
    pub held_credits: i128,
}

/// A sum of debits and one of credits, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    pub debits: i128,
    pub credits: i128,
}

/// A balance as the account's owner sees it: on the normal side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub posted: i128,
    pub held: i128,
    pub incoming: i128,
    pub available: i128,
}

impl Sides {
    /// The sums with one more, if they can still be counted.
    pub fn with(mut self, direction: Direction, amount: Amount) -> Option<Sides> {
        let side = match direction {
            Direction::Debit => &mut self.debits,
            Direction::Credit => &mut self.credits,
        };
        *side = side.checked_add(amount.minor_units())?;
        Some(self)
    }
}

impl Balance {
    /// The figures of an account of this kind.
    pub fn figures(self, kind: AccountKind) -> Figures {
        let (posted, incoming, held) = match kind.normal_side() {
            Direction::Debit => (self.net, self.held_debits, self.held_credits),
            Direction::Credit => (-self.net, self.held_credits, self.held_debits),
        };
        Figures { posted, held, incoming, available: posted - held }
    }

    /// The balance with all these posted, if it can still be counted.
    pub fn with_posted(mut self, sides: Sides) -> Option<Balance> {
        self.net = self.net.checked_add(sides.debits - sides.credits)?;
        self.if_counted()
    }

    /// The balance with all these set aside, if it can still be counted.
    pub fn with_held(mut self, sides: Sides) -> Option<Balance> {
        self.held_debits = self.held_debits.checked_add(sides.debits)?;
        self.held_credits = self.held_credits.checked_add(sides.credits)?;
        self.if_counted()
    }

    fn if_counted(self) -> Option<Balance> {
        self.net.checked_add(self.held_debits)?;
        let least = self.net.checked_sub(self.held_credits)?;
        // The least of all has no opposite.
        (least != i128::MIN).then_some(self)
    }

    /// Whether something is set aside on either side.
    pub fn has_holds(self) -> bool {
        self.held_debits != 0 || self.held_credits != 0
    }
}

/// How history changes a balance. It is fact: what could not be counted on the way wraps around, and comes out right
/// where all of a transaction is posted.
impl Balance {
    pub(crate) fn post(&mut self, direction: Direction, amount: Amount) {
        self.net = match direction {
            Direction::Debit => self.net.wrapping_add(amount.minor_units()),
            Direction::Credit => self.net.wrapping_sub(amount.minor_units()),
        };
    }

    pub(crate) fn set_aside(&mut self, direction: Direction, amount: Amount) {
        let held = self.held(direction);
        *held = held.wrapping_add(amount.minor_units());
    }

    pub(crate) fn give_back(&mut self, direction: Direction, amount: Amount) {
        let held = self.held(direction);
        *held = held.wrapping_sub(amount.minor_units());
    }

    fn held(&mut self, direction: Direction) -> &mut i128 {
        match direction {
            Direction::Debit => &mut self.held_debits,
            Direction::Credit => &mut self.held_credits,
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
