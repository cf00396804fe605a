//! The commands of the API, one row each. From the table come [`CommandKind`], the parsing of a command's data, and the
//! routes with their OpenAPI description; from the routes come the JSON Schemas.
//!
//! To add a command to the API:
//!
//! 1. Write its wire type in the file of its subject in `wire/`, with a function that makes a domain `Command` of it,
//!    and name the type in that file's `objects!` and `command_data!`.
//! 2. Add a row to the table below: a doc comment, which becomes the summary in OpenAPI, the name in the path, the
//!    variant of [`CommandKind`], and the wire type with its function.
//! 3. Say in [`super::ids`] which ids the answer names.

use axum::extract::State;
use axum::response::Response;
use recount_domain::Request;
use recount_service_kit::http::{JsonBody, Path, Query};
use recount_service_kit::problem::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::handlers::{CommandQuery, submit};
use super::problems::CommandProblems;
use super::state::LedgerState;
use super::{bodies, parse, wire};
use recount_service_kit::commands::{Caller, NamedCommand};

macro_rules! commands {
    ($($(#[$doc:meta])* $name:literal => $kind:ident: $file:ident::$data:ident::$into:ident;)*) => {
        /// The commands that can be sent over HTTP.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum CommandKind {
            $($kind,)*
        }

        impl CommandKind {
            pub const ALL: &'static [CommandKind] = &[$(CommandKind::$kind),*];

            /// The name in the path and in a batch.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(CommandKind::$kind => $name,)*
                }
            }

            /// The path of the command, with `{ledger}` for the ledger.
            pub(super) fn path(self) -> &'static str {
                match self {
                    $(CommandKind::$kind => concat!("/v1/ledgers/{ledger}/commands/", $name),)*
                }
            }

            /// Parses the data of the command, which stands at the JSON pointer `pointer` in the body.
            pub(super) fn parse(self, data: &[u8], pointer: &str) -> Result<Request, Problem> {
                match self {
                    $(CommandKind::$kind => parse::request(data, pointer, wire::$file::$data::$into),)*
                }
            }
        }

        /// The routes of all commands.
        pub(super) fn routes() -> OpenApiRouter<LedgerState> {
            // Each handler has a block of its own, so that all can have one name.
            OpenApiRouter::new()$(.routes({
                $(#[$doc])*
                #[utoipa::path(
                    post, path = CommandKind::$kind.path(), operation_id = $name.replace('-', "_"), tag = "commands",
                    request_body = wire::$file::$data,
                    params(
                        ("ledger" = String, Path, description = "The ledger's name"),
                        CommandQuery,
                        ("Idempotency-Key" = Option<String>, Header, description =
                            "Makes the command safe to repeat: its outcome, accepted or rejected, is recorded under \
                            the key. A key stands for one request per ledger, across all callers. Outcomes are kept for \
                            90 days, unless the operator sets another time"),
                    ),
                    responses(
                        (status = 200, description = "Accepted, and durable", body = bodies::AcceptedBody,
                            headers(("Recount-Position" = i64, description =
                                "The ledger's position once the command was decided"))),
                        (status = 409, description = "Rejected: the command conflicts with the state of the ledger; \
                            `code` is a RejectionCode",
                            body = Problem, content_type = "application/problem+json",
                            headers(("Recount-Position" = i64, description =
                                "The ledger's position once the command was decided"))),
                        (status = 422, description = "Rejected by a rule of the ledger, and `code` is a RejectionCode; \
                            or the Idempotency-Key was used for another request (`idempotency-key-reused`), and there \
                            is no Recount-Position",
                            body = Problem, content_type = "application/problem+json",
                            headers(("Recount-Position" = Option<i64>, description =
                                "The ledger's position once the command was decided"))),
                        CommandProblems,
                    )
                )]
                async fn submit_one(
                    State(state): State<LedgerState>,
                    Path(ledger): Path<String>,
                    Query(query): Query<CommandQuery>,
                    caller: Caller,
                    JsonBody(body): JsonBody,
                ) -> Result<Response, Problem> {
                    submit(state, ledger, caller, query, CommandKind::$kind, body).await
                }

                routes!(submit_one)
            }))*
        }
    };
}

commands! {
    /// Registers an asset.
    "register-asset" => RegisterAsset: ledgers::RegisterAssetData::into_command;
    /// Limits the effective times that the ledger accepts.
    "set-effective-window" => SetEffectiveWindow: ledgers::SetEffectiveWindowData::into_command;
    /// Closes a period.
    "close-period" => ClosePeriod: ledgers::ClosePeriodData::into_command;
    /// Reopens a period.
    "reopen-period" => ReopenPeriod: ledgers::ReopenPeriodData::into_command;
    /// Sets the chart of accounts.
    "set-chart" => SetChart: ledgers::SetChartData::into_command;
    /// Removes the chart of accounts.
    "remove-chart" => RemoveChart: ledgers::RemoveChartData::into_command;
    /// Opens an account.
    "open-account" => OpenAccount: accounts::OpenAccountData::into_command;
    /// Freezes an account.
    "freeze-account" => FreezeAccount: accounts::FreezeData::freeze;
    /// Unfreezes an account.
    "unfreeze-account" => UnfreezeAccount: accounts::FreezeData::unfreeze;
    /// Closes an account.
    "close-account" => CloseAccount: accounts::CloseAccountData::into_command;
    /// Sets the overdraft policy of an account.
    "set-overdraft-policy" => SetOverdraftPolicy: accounts::SetOverdraftPolicyData::into_command;
    /// Sets the minimum and maximum balances of an account.
    "set-balance-limits" => SetBalanceLimits: accounts::SetBalanceLimitsData::into_command;
    /// Posts a transaction.
    "post-transaction" => PostTransaction: transactions::PostTransactionData::into_command;
    /// Reverses a transaction, in full or in part.
    "reverse-transaction" => ReverseTransaction: transactions::ReverseTransactionData::into_command;
    /// Places a hold: reserves an amount for a later transaction.
    "hold" => Hold: holds::HoldData::into_command;
    /// Captures a hold, in full or in part, by posting a transaction.
    "capture" => Capture: holds::CaptureData::into_command;
    /// Releases the remainder of a hold.
    "release" => Release: holds::HoldIdData::release;
    /// Expires a hold whose deadline has passed and releases its remainder. The service does this by itself.
    "expire" => Expire: holds::HoldIdData::expire;
    /// Sets members of the metadata of an account or a transaction.
    "set-metadata" => SetMetadata: metadata::SetMetadataData::into_command;
    /// Removes members of the metadata of an account or a transaction.
    "remove-metadata" => RemoveMetadata: metadata::RemoveMetadataData::into_command;
    /// Registers a customer.
    "register-customer" => RegisterCustomer: customers::RegisterCustomerData::into_command;
    /// Replaces the profile and the metadata of a customer.
    "update-customer" => UpdateCustomer: customers::UpdateCustomerData::into_command;
    /// Links an account to a customer.
    "link-account" => LinkAccount: customers::LinkData::link;
    /// Removes the link between an account and a customer.
    "unlink-account" => UnlinkAccount: customers::LinkData::unlink;
    /// Forgets the personal data of a customer.
    "forget-customer" => ForgetCustomer: customers::ForgetCustomerData::into_command;
}

impl CommandKind {
    /// The command of this name.
    pub fn named(name: &str) -> Option<CommandKind> {
        CommandKind::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

impl NamedCommand for CommandKind {
    type Request = Request;

    const ALL: &'static [CommandKind] = CommandKind::ALL;

    fn name(self) -> &'static str {
        self.as_str()
    }

    fn parse(self, data: &[u8], pointer: &str) -> Result<Request, Problem> {
        CommandKind::parse(self, data, pointer)
    }
}

#[cfg(test)]
mod tests {
    use super::CommandKind;

    #[test]
    fn a_kind_is_written_in_json_as_in_the_path() {
        for kind in CommandKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(CommandKind::named(kind.as_str()), Some(*kind));
            assert!(kind.path().ends_with(&format!("/{}", kind.as_str())), "{}", kind.path());
        }
        assert_eq!(CommandKind::named("close-everything"), None);
    }
}
