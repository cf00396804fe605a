//! The ids in the answer to a command.

use recount_domain::Command;
use recount_events::ledger::{AccountName, Asset, CustomerId, HoldId, MetadataOwner, TransactionId};
use serde::Serialize;

/// The ids that a command brings or concerns, as members of its answer.
#[derive(Debug, Default, Serialize)]
pub struct CommandIds<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<&'a Asset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a AccountName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<&'a TransactionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<&'a HoldId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a CustomerId>,
}

impl CommandIds<'_> {
    pub(super) fn of(command: &Command) -> CommandIds<'_> {
        let none = CommandIds::default();
        match command {
            Command::CreateLedger { ledger } => CommandIds { ledger: Some(ledger), ..none },
            Command::RegisterAsset { asset } => CommandIds { asset: Some(asset), ..none },
            Command::SetEffectiveWindow { .. }
            | Command::ClosePeriod { .. }
            | Command::ReopenPeriod { .. }
            | Command::SetChart { .. }
            | Command::RemoveChart => none,
            Command::OpenAccount(open) => CommandIds { account: Some(&open.account), ..none },
            Command::FreezeAccount { account, .. }
            | Command::UnfreezeAccount { account, .. }
            | Command::CloseAccount { account }
            | Command::SetOverdraftPolicy { account, .. }
            | Command::SetBalanceLimits { account, .. } => CommandIds { account: Some(account), ..none },
            Command::PostTransaction(post) => CommandIds { transaction: Some(&post.transaction), ..none },
            Command::ReverseTransaction(reverse) => {
                CommandIds { transaction: Some(&reverse.reversal), ..none }
            }
            Command::Hold(place) => CommandIds { hold: Some(&place.hold), ..none },
            Command::Capture(capture) => {
                CommandIds { transaction: Some(&capture.transaction), hold: Some(&capture.hold), ..none }
            }
            Command::Release { hold } | Command::Expire { hold } => CommandIds { hold: Some(hold), ..none },
            Command::SetMetadata { of, .. } | Command::RemoveMetadata { of, .. } => match of {
                MetadataOwner::Account(account) => CommandIds { account: Some(account), ..none },
                MetadataOwner::Transaction(transaction) => {
                    CommandIds { transaction: Some(transaction), ..none }
                }
            },
            Command::RegisterCustomer { customer, .. }
            | Command::UpdateCustomer { customer, .. }
            | Command::ForgetCustomer { customer } => CommandIds { customer: Some(customer), ..none },
            Command::LinkAccount { customer, account } | Command::UnlinkAccount { customer, account } => {
                CommandIds { customer: Some(customer), account: Some(account), ..none }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use utoipa::PartialSchema;

    use super::*;
    use crate::ledger::bodies::AcceptedBody;

    #[test]
    fn every_id_is_documented_as_a_member_of_the_answer() {
        let ids = CommandIds {
            ledger: Some("main"),
            asset: Some(&Asset::from_stored("USD/2")),
            account: Some(&AccountName::from_stored("users:alice")),
            transaction: Some(&TransactionId::from_stored("order-1")),
            hold: Some(&HoldId::from_stored("hold-1")),
            customer: Some(&CustomerId::from_stored("c-1")),
        };
        let Value::Object(members) = serde_json::to_value(ids).unwrap() else { panic!("not an object") };
        let documented = serde_json::to_value(AcceptedBody::schema()).unwrap();
        for (member, id) in members {
            assert!(id.is_string(), "{member}: {id}");
            assert!(documented["properties"][&member].is_object(), "{member}");
        }
    }

    #[test]
    fn an_answer_has_only_the_ids_that_the_command_concerns() {
        let (customer, account) = (CustomerId::from_stored("c-1"), AccountName::from_stored("a"));
        for (command, expected) in [
            (Command::LinkAccount { customer, account }, r#"{"account":"a","customer":"c-1"}"#),
            (Command::Release { hold: HoldId::from_stored("h") }, r#"{"hold":"h"}"#),
            (Command::RemoveChart, "{}"),
        ] {
            assert_eq!(serde_json::to_string(&CommandIds::of(&command)).unwrap(), expected);
        }
    }
}
