//! Assets: each code is registered with one scale, and only registered assets can be used.

use recount_events::ledger::{Asset, AssetRegistered, BalanceLimit, LedgerEvent, Overdraft};

use crate::decision::Decision;
use crate::entity::States;
use crate::rejection::Rejection;

pub(crate) fn register(asset: &Asset, states: &States<'_>) -> Decision {
    match states.asset(asset) {
        None => Ok(vec![LedgerEvent::AssetRegistered(AssetRegistered { asset: asset.clone() })]),
        Some(_) => check(asset, states).map(|()| vec![]),
    }
}

/// Checks that the asset is registered, with this scale.
pub(crate) fn check(asset: &Asset, states: &States<'_>) -> Result<(), Rejection> {
    match states.asset(asset) {
        None => Err(Rejection::AssetUnknown { asset: asset.clone() }),
        Some(registered) if registered == asset => Ok(()),
        Some(registered) => {
            Err(Rejection::AssetScaleDiffers { asset: asset.clone(), registered: registered.clone() })
        }
    }
}

/// The assets that an overdraft policy names.
pub(crate) fn of_overdraft(overdraft: &Overdraft) -> impl Iterator<Item = &Asset> {
    let limits = match overdraft {
        Overdraft::Limited(limits) => limits.as_slice(),
        Overdraft::None | Overdraft::Unlimited => &[],
    };
    limits.iter().map(|limit| &limit.asset)
}

/// The assets that balance limits name.
pub(crate) fn of_limits(limits: &[BalanceLimit]) -> impl Iterator<Item = &Asset> {
    limits.iter().map(|limit| &limit.asset)
}
