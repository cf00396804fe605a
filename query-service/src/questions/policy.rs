//! Schemas of what queries return exactly as commands set it: overdraft policies, balance limits, chart rules.

use utoipa::ToSchema;

use super::accounts::Kind;

/// How far the account may go below zero.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used; a policy is returned as it was stored")]
pub(super) enum OverdraftPolicy {
    None,
    Limited(Vec<OverdraftLimit>),
    Unlimited,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; a policy is returned as it was stored")]
pub(super) struct OverdraftLimit {
    #[schema(example = "USD/2")]
    asset: String,
    #[schema(example = "100000")]
    amount: String,
}

/// The limits of a balance in one asset, in minor units. A limit that is absent does not apply.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; limits are returned as they were stored")]
pub(super) struct BalanceLimit {
    #[schema(example = "USD/2")]
    asset: String,
    /// The least that must stay available, whatever overdraft the account has.
    #[schema(example = "10000", nullable = false)]
    minimum: Option<String>,
    /// The most that may be posted, including incoming amounts.
    #[schema(example = "1000000", nullable = false)]
    maximum: Option<String>,
}

/// One rule of a chart of accounts: the account names that it allows, and the settings that such accounts get. The first
/// rule that matches a name applies.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; a chart is returned as it was stored")]
pub(super) struct ChartRule {
    #[schema(example = "users:*:main")]
    pattern: String,
    kind: Kind,
    /// The overdraft policy of accounts that are opened without one.
    overdraft: OverdraftPolicy,
    /// The balance limits of accounts that are opened without any. Absent if there are none.
    #[schema(nullable = false)]
    limits: Option<Vec<BalanceLimit>>,
    /// The assets that the accounts may hold. Absent if they may hold any.
    #[schema(nullable = false, example = json!(["USD/2"]))]
    assets: Option<Vec<String>>,
    /// Whether the first transaction or hold that names an account opens it. Absent if not.
    #[schema(nullable = false)]
    opens_on_first_use: Option<bool>,
}
