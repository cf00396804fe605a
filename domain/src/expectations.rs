//! Checks the expectations of a request.

use crate::assets;
use crate::balance::Figures;
use crate::command::{Expectation, Figure};
use crate::entity::{Ledger, States};
use crate::rejection::Rejection;

pub(crate) fn check(expect: &[Expectation], ledger: &Ledger, states: &States<'_>) -> Result<(), Rejection> {
    Rejection::first_of(expect, |expectation| check_one(expectation, ledger, states))
}

fn check_one(expectation: &Expectation, ledger: &Ledger, states: &States<'_>) -> Result<(), Rejection> {
    let Expectation { account, asset, figure, comparison, amount } = expectation;
    assets::check(asset, states)?;
    let figures = match states.account(account) {
        Some(state) => state.balance(asset).figures(state.kind()),
        // Its first use opens it: until then its balances are zero.
        None if ledger.first_use_rule(account).is_some() => Figures::default(),
        None => return Err(Rejection::AccountUnknown { account: account.clone() }),
    };
    let actual = match figure {
        Figure::Posted => figures.posted,
        Figure::Held => figures.held,
        Figure::Incoming => figures.incoming,
        Figure::Available => figures.available,
    };
    if comparison.holds(actual, *amount) {
        return Ok(());
    }
    Err(Rejection::ExpectationFailed {
        account: account.clone(),
        asset: asset.clone(),
        balance: *figure,
        actual,
        expected: *comparison,
        amount: *amount,
    })
}
