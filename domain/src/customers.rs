//! Customers, and their links to accounts.

use recount_events::ledger::{
    AccountLinked, AccountName, AccountUnlinked, CustomerForgotten, CustomerId, CustomerRegistered,
    CustomerUpdated, LedgerEvent, Metadata, Profile,
};

use crate::accounts;
use crate::decision::Decision;
use crate::entity::{Customer, CustomerData, States};
use crate::rejection::Rejection;

pub(crate) fn register(
    customer: &CustomerId,
    profile: &Profile,
    metadata: &Metadata,
    states: &States<'_>,
) -> Decision {
    match states.customer(customer) {
        None => {
            let (customer, profile, metadata) = (customer.clone(), profile.clone(), metadata.clone());
            Ok(vec![LedgerEvent::CustomerRegistered(CustomerRegistered { customer, profile, metadata })])
        }
        Some(known) if known.forgotten => Err(Rejection::CustomerForgotten { customer: customer.clone() }),
        Some(known) => match differing_field(&known.registered, profile, metadata) {
            None => Ok(vec![]),
            Some(field) => Err(Rejection::CustomerConflict { customer: customer.clone(), field }),
        },
    }
}

/// The first member of the command that differs from the known data.
fn differing_field(known: &CustomerData, profile: &Profile, metadata: &Metadata) -> Option<&'static str> {
    if known.profile != *profile {
        Some("profile")
    } else if known.metadata != *metadata {
        Some("metadata")
    } else {
        None
    }
}

pub(crate) fn update(
    customer: &CustomerId,
    profile: &Profile,
    metadata: &Metadata,
    states: &States<'_>,
) -> Decision {
    let known = not_forgotten(customer, states)?;
    if differing_field(&known.current, profile, metadata).is_none() {
        return Ok(vec![]);
    }
    let (customer, profile, metadata) = (customer.clone(), profile.clone(), metadata.clone());
    Ok(vec![LedgerEvent::CustomerUpdated(CustomerUpdated { customer, profile, metadata })])
}

pub(crate) fn link(customer: &CustomerId, account: &AccountName, states: &States<'_>) -> Decision {
    if states.is_linked(customer, account) {
        return Ok(vec![]);
    }
    not_forgotten(customer, states)?;
    accounts::existing_account(account, states)?;
    let (customer, account) = (customer.clone(), account.clone());
    Ok(vec![LedgerEvent::AccountLinked(AccountLinked { customer, account })])
}

/// Links of a forgotten customer remain, and can be removed.
pub(crate) fn unlink(customer: &CustomerId, account: &AccountName, states: &States<'_>) -> Decision {
    existing(customer, states)?;
    accounts::existing_account(account, states)?;
    let event = AccountUnlinked { customer: customer.clone(), account: account.clone() };
    let is_linked = states.is_linked(customer, account);
    Ok(if is_linked { vec![LedgerEvent::AccountUnlinked(event)] } else { vec![] })
}

pub(crate) fn forget(customer: &CustomerId, states: &States<'_>) -> Decision {
    let event = CustomerForgotten { customer: customer.clone() };
    let forgotten = existing(customer, states)?.forgotten;
    Ok(if forgotten { vec![] } else { vec![LedgerEvent::CustomerForgotten(event)] })
}

fn existing<'a>(customer: &CustomerId, states: &States<'a>) -> Result<&'a Customer, Rejection> {
    states.customer(customer).ok_or_else(|| Rejection::CustomerUnknown { customer: customer.clone() })
}

/// The customer, if it exists and was not forgotten.
fn not_forgotten<'a>(customer: &CustomerId, states: &States<'a>) -> Result<&'a Customer, Rejection> {
    let existing = existing(customer, states)?;
    if existing.forgotten {
        Err(Rejection::CustomerForgotten { customer: customer.clone() })
    } else {
        Ok(existing)
    }
}
