//! Numbers wider than 128 bits, so that the model can add amounts that overflow in the ledger.

/// A multiple of the base, and a rest that is not negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number {
    bases: i128,
    rest: i128,
}

const BASE: i128 = 10_i128.pow(30);

impl Number {
    pub(super) fn of(units: u128) -> Number {
        let base = BASE.unsigned_abs();
        Number::normal(i128::try_from(units / base).unwrap(), i128::try_from(units % base).unwrap())
    }

    pub(super) fn plus(self, other: Number) -> Number {
        Number::normal(self.bases + other.bases, self.rest + other.rest)
    }

    pub(super) fn less(self, other: Number) -> Number {
        Number::normal(self.bases - other.bases, self.rest - other.rest)
    }

    /// The number, if it has at most 127 bits.
    pub(super) fn in_range(self) -> Option<i128> {
        let most = Number::of(i128::MAX.unsigned_abs());
        let fits = self <= most && Number::default().less(self) <= most;
        fits.then(|| self.bases.wrapping_mul(BASE).wrapping_add(self.rest))
    }

    fn normal(bases: i128, rest: i128) -> Number {
        Number { bases: bases + rest.div_euclid(BASE), rest: rest.rem_euclid(BASE) }
    }
}
