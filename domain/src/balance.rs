//! The balance of an account in one asset: the definitions of posted, held, incoming and available. Limits, rejections,
//! dry runs and the documentation use these definitions. The read models repeat them in SQL, and the cases in
//! `tests/cases` check both.
//!
//! The kind of an account determines its normal side: debit for assets and expenses, credit for liabilities, equity and
//! income. Entries and open holds on the normal side increase the balance, those on the other side decrease it.
//!
//! | figure | definition |
//! | --- | --- |
//! | posted | the sum of entries on the normal side, minus the sum of entries on the other side |
//! | held | the amount that open holds would take: their sum on the other side |
//! | incoming | the amount that open holds would bring: their sum on the normal side |
//! | available | posted minus held; incoming does not count |
//!
//! Alice's wallet is a liability: the normal side is credit.
//!
//! | event | posted | held | incoming | available |
//! | --- | --- | --- | --- | --- |
//! | she pays 100.00 in: debit bank, credit alice | 10000 | 0 | 0 | 10000 |
//! | a shop reserves 30.00: hold debit alice, credit shop | 10000 | 3000 | 0 | 7000 |
//! | Bob reserves 5.00 for her: hold debit bob, credit alice | 10000 | 3000 | 500 | 7000 |
//! | the shop captures 20.00 of its hold | 8000 | 1000 | 500 | 7000 |
//! | the shop releases the rest | 8000 | 0 | 500 | 8000 |
//! | Bob's hold is captured | 8500 | 0 | 0 | 8500 |
//!
//! The bank's account is an asset with the normal side debit: the payment increases it by 100.00.

use recount_events::ledger::{AccountKind, Amount, Direction};
use serde::{Deserialize, Serialize};

/// Posted and held amounts of an account in one asset, in minor units.
///
/// The net, with all held debits added or all held credits subtracted, always fits into 127 bits. So no figure overflows,
/// and every open hold can be captured. The fields do not grow with history: a large posting that was reversed leaves no
/// trace in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Posted debits minus posted credits.
    #[serde(with = "as_string")]
    pub net: i128,
    #[serde(with = "as_string")]
    pub held_debits: i128,
    #[serde(with = "as_string")]
    pub held_credits: i128,
}

/// Total debits and total credits, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub debits: i128,
    pub credits: i128,
}

/// The figures of a balance, on the account's normal side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub posted: i128,
    pub held: i128,
    pub incoming: i128,
    pub available: i128,
}

impl Totals {
    /// The totals with one more amount; `None` on overflow.
    pub fn with(mut self, direction: Direction, amount: Amount) -> Option<Totals> {
        let side = match direction {
            Direction::Debit => &mut self.debits,
            Direction::Credit => &mut self.credits,
        };
        *side = side.checked_add(amount.minor_units())?;
        Some(self)
    }
}

impl Balance {
    /// The figures for an account of this kind.
    pub fn figures(self, kind: AccountKind) -> Figures {
        let (posted, incoming, held) = match kind.normal_side() {
            Direction::Debit => (self.net, self.held_debits, self.held_credits),
            Direction::Credit => (-self.net, self.held_credits, self.held_debits),
        };
        Figures { posted, held, incoming, available: posted - held }
    }

    /// The balance with these totals posted; `None` on overflow.
    pub fn with_posted(mut self, totals: Totals) -> Option<Balance> {
        self.net = self.net.checked_add(totals.debits - totals.credits)?;
        self.if_in_range()
    }

    /// The balance with these totals held; `None` on overflow.
    pub fn with_held(mut self, totals: Totals) -> Option<Balance> {
        self.held_debits = self.held_debits.checked_add(totals.debits)?;
        self.held_credits = self.held_credits.checked_add(totals.credits)?;
        self.if_in_range()
    }

    fn if_in_range(self) -> Option<Balance> {
        self.net.checked_add(self.held_debits)?;
        let least = self.net.checked_sub(self.held_credits)?;
        // `i128::MIN` has no negation.
        (least != i128::MIN).then_some(self)
    }

    /// Whether the account has open holds in the asset.
    pub fn has_holds(self) -> bool {
        self.held_debits != 0 || self.held_credits != 0
    }
}

/// How events change a balance. Recorded events are facts, so sums wrap instead of failing: a sum that overflows between
/// the entries of a transaction is correct again after the last of them.
impl Balance {
    pub(crate) fn post(&mut self, direction: Direction, amount: Amount) {
        self.net = match direction {
            Direction::Debit => self.net.wrapping_add(amount.minor_units()),
            Direction::Credit => self.net.wrapping_sub(amount.minor_units()),
        };
    }

    pub(crate) fn add_hold(&mut self, direction: Direction, amount: Amount) {
        let held = self.held(direction);
        *held = held.wrapping_add(amount.minor_units());
    }

    pub(crate) fn release_hold(&mut self, direction: Direction, amount: Amount) {
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

/// `i128` as a JSON string: most readers lose precision in numbers above 2^53.
pub(crate) mod as_string {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &i128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
