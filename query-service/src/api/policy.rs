//! The forms of what commands set and queries pass on as it was stored: overdrafts, limits, charts. Only for the document.

use utoipa::ToSchema;

use super::parameters::Kind;

/// How far below zero an account may go, in the form in which commands set it.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used; a policy is passed on as it was stored")]
pub(super) enum OverdraftPolicy {
    None,
    Limited(Vec<OverdraftLimit>),
    Unlimited,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; a policy is passed on as it was stored")]
pub(super) struct OverdraftLimit {
    #[schema(example = "USD/2")]
    asset: String,
    #[schema(example = "100000")]
    amount: String,
}

/// The bounds of a balance, in minor units. A bound that is not there is none.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; limits are passed on as they were stored")]
pub(super) struct BalanceLimit {
    #[schema(example = "USD/2")]
    asset: String,
    /// What must stay available, whatever overdraft the account has.
    #[schema(example = "10000", nullable = false)]
    minimum: Option<String>,
    /// The most that may be posted, with what is incoming.
    #[schema(example = "1000000", nullable = false)]
    maximum: Option<String>,
}

/// One line of a chart of accounts: which names an account may have, and what it is then. The first that allows a name
/// counts.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; a chart is passed on as it was stored")]
pub(super) struct ChartRule {
    #[schema(example = "users:*:main")]
    pattern: String,
    kind: Kind,
    /// What an account gets that is opened without an overdraft of its own.
    overdraft: OverdraftPolicy,
    /// What an account gets that is opened without limits of its own. Not there if it gets none.
    #[schema(nullable = false)]
    limits: Option<Vec<BalanceLimit>>,
    /// The assets that an account may hold. Not there if it may hold any.
    #[schema(nullable = false, example = json!(["USD/2"]))]
    assets: Option<Vec<String>>,
    /// Whether an account is opened by the first transaction or hold that names it. Not there if it is not.
    #[schema(nullable = false)]
    opens_on_first_use: Option<bool>,
}
