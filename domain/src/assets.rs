//! Deciding on assets: each code in one scale, and nothing in an asset that the ledger does not count.

use recount_events::ledger::{Asset, AssetRegistered, LedgerEvent};

use crate::entity::States;
use crate::rejection::Rejection;

pub(crate) fn register(asset: &Asset, states: &States<'_>) -> Result<Vec<LedgerEvent>, Rejection> {
    match states.asset(asset) {
        None => Ok(vec![LedgerEvent::AssetRegistered(AssetRegistered { asset: asset.clone() })]),
        Some(registered) if registered == asset => Ok(vec![]),
        Some(registered) => {
            Err(Rejection::AssetScaleDiffers { asset: asset.clone(), registered: registered.clone() })
        }
    }
}

/// Makes sure that the ledger counts this asset, and in this scale.
pub(crate) fn check(asset: &Asset, states: &States<'_>) -> Result<(), Rejection> {
    match states.asset(asset) {
        None => Err(Rejection::AssetUnknown { asset: asset.clone() }),
        Some(registered) if registered == asset => Ok(()),
        Some(registered) => {
            Err(Rejection::AssetScaleDiffers { asset: asset.clone(), registered: registered.clone() })
        }
    }
}
