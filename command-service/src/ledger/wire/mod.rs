//! The commands as they come over HTTP, and their way into the domain.
//!
//! What is checked here is form: types, names, amounts, sizes. Whether a command may happen is the domain's to say.

// First those whose macros the others use.
#[macro_use]
mod json_types;
#[macro_use]
mod expectations;

mod accounts;
mod customers;
mod fields;
mod free_json;
mod holds;
mod ledgers;
mod metadata;
mod policies;
mod transactions;

pub(super) use accounts::{
    CloseAccountData, FreezeData, OpenAccountData, SetBalanceLimitsData, SetOverdraftPolicyData,
};
pub(super) use customers::{ForgetCustomerData, LinkData, RegisterCustomerData, UpdateCustomerData};
pub(super) use expectations::{Expects, expectations};
pub(super) use fields::FormError;
pub(super) use holds::{CaptureData, HoldData, HoldIdData};
pub(super) use ledgers::{
    ClosePeriodData, RegisterAssetData, RemoveChartData, ReopenPeriodData, SetChartData,
    SetEffectiveWindowData,
};
pub(super) use metadata::{RemoveMetadataData, SetMetadataData};
pub(super) use transactions::{PostTransactionData, ReverseTransactionData};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! command_kinds {
    ($($kind:ident = $name:literal;)*) => {
        /// The commands that can be sent over HTTP.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum CommandKind {
            $($kind,)*
        }

        impl CommandKind {
            pub const ALL: &[CommandKind] = &[$(CommandKind::$kind),*];

            /// As it is written in a path.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(CommandKind::$kind => $name,)*
                }
            }

            pub fn named(name: &str) -> Option<CommandKind> {
                CommandKind::ALL.iter().copied().find(|kind| kind.as_str() == name)
            }
        }
    };
}

command_kinds! {
    RegisterAsset = "register-asset";
    SetEffectiveWindow = "set-effective-window";
    ClosePeriod = "close-period";
    ReopenPeriod = "reopen-period";
    SetChart = "set-chart";
    RemoveChart = "remove-chart";
    OpenAccount = "open-account";
    FreezeAccount = "freeze-account";
    UnfreezeAccount = "unfreeze-account";
    CloseAccount = "close-account";
    SetOverdraftPolicy = "set-overdraft-policy";
    SetBalanceLimits = "set-balance-limits";
    PostTransaction = "post-transaction";
    ReverseTransaction = "reverse-transaction";
    Hold = "hold";
    Capture = "capture";
    Release = "release";
    Expire = "expire";
    SetMetadata = "set-metadata";
    RemoveMetadata = "remove-metadata";
    RegisterCustomer = "register-customer";
    UpdateCustomer = "update-customer";
    LinkAccount = "link-account";
    UnlinkAccount = "unlink-account";
    ForgetCustomer = "forget-customer";
}
