//! Kinds, overdrafts, limits and assets, of an account or of a rule of the chart.

use std::fmt;

use recount_events::ledger::{AccountKind, Asset, BalanceLimit, LimitAmount, Overdraft, OverdraftLimit};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::fields::{FormError, at_most, optional, parsed, parsed_in};

/// Assets in which an account can have limits, or that it may hold: each is looked up and kept with the account.
const ASSETS_MAX: usize = 100;

/// Asset and expense accounts grow by debits; liability, equity and income accounts by credits.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", rename_all = "lowercase")]
pub(super) enum KindData {
    Asset,
    Liability,
    Equity,
    Income,
    Expense,
}

/// `"none"`, `"unlimited"`, or `{"limited": [{"asset": "USD/2", "amount": "50000"}]}`.
#[derive(Debug, Default)]
pub(super) enum OverdraftData {
    #[default]
    None,
    Limited(Vec<OverdraftLimitData>),
    Unlimited,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(super) struct OverdraftLimitData {
    #[schema(example = "USD/2")]
    asset: String,
    /// Minor units, as a string of digits.
    #[schema(example = "50000", pattern = "^[0-9]+$")]
    amount: String,
}

/// The limits of a balance in one asset.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub(super) struct BalanceLimitData {
    #[schema(example = "USD/2")]
    asset: String,
    /// The minimum that must stay available, regardless of the overdraft. Minor units, as a string of digits.
    #[schema(example = "1000", pattern = "^[0-9]+$")]
    minimum: Option<String>,
    /// The maximum of the posted amount plus what open holds would bring in. Minor units, as a string of digits.
    #[schema(example = "100000", pattern = "^[0-9]+$")]
    maximum: Option<String>,
}

impl From<KindData> for AccountKind {
    fn from(kind: KindData) -> AccountKind {
        match kind {
            KindData::Asset => AccountKind::Asset,
            KindData::Liability => AccountKind::Liability,
            KindData::Equity => AccountKind::Equity,
            KindData::Income => AccountKind::Income,
            KindData::Expense => AccountKind::Expense,
        }
    }
}

/// By hand: derived code reports an object with more than the variant's member as malformed JSON.
impl<'de> Deserialize<'de> for OverdraftData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OverdraftData, D::Error> {
        struct Policy;

        impl<'de> Visitor<'de> for Policy {
            type Value = OverdraftData;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#""none", "unlimited" or {"limited": […]}"#)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OverdraftData, E> {
                match text {
                    "none" => Ok(OverdraftData::None),
                    "unlimited" => Ok(OverdraftData::Unlimited),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }

            fn visit_map<M: MapAccess<'de>>(self, members: M) -> Result<OverdraftData, M::Error> {
                let limited = LimitedData::deserialize(MapAccessDeserializer::new(members))?;
                Ok(OverdraftData::Limited(limited.limited))
            }
        }

        deserializer.deserialize_any(Policy)
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LimitedData {
    /// The overdraft limit in each named asset; in any other asset there is no overdraft.
    #[schema(max_items = 100)]
    limited: Vec<OverdraftLimitData>,
}

/// By hand: the derived schema allows more members than the variant's.
impl PartialSchema for OverdraftData {
    fn schema() -> RefOr<Schema> {
        let words = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["none", "unlimited"]));
        let description =
            r#"`"none"`, `"unlimited"`, or `{"limited": [{"asset": "USD/2", "amount": "50000"}]}`."#;
        OneOfBuilder::new().item(words).item(LimitedData::schema()).description(Some(description)).into()
    }
}

impl ToSchema for OverdraftData {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((OverdraftLimitData::name().into(), OverdraftLimitData::schema()));
        OverdraftLimitData::schemas(schemas);
    }
}

impl OverdraftData {
    /// The policy; `at` is the pointer to it, and `allowed` are the assets that the account may hold.
    pub(super) fn into_overdraft(self, at: &str, allowed: &[Asset]) -> Result<Overdraft, FormError> {
        let limits = match self {
            OverdraftData::None => return Ok(Overdraft::None),
            OverdraftData::Unlimited => return Ok(Overdraft::Unlimited),
            // An overdraft in no asset is no overdraft.
            OverdraftData::Limited(limits) if limits.is_empty() => return Ok(Overdraft::None),
            OverdraftData::Limited(limits) => limits,
        };
        let at = format!("{at}/limited");
        at_most(&at, &limits, ASSETS_MAX, "overdraft limits")?;
        let list = at.trim_start_matches('/');
        let mut done: Vec<OverdraftLimit> = Vec::with_capacity(limits.len());
        for (n, limit) in limits.into_iter().enumerate() {
            let asset = asset_in(list, n, &limit.asset, allowed)?;
            if done.iter().any(|other| other.asset == asset) {
                return Err(FormError::new(format!("{at}/{n}/asset"), "each asset has one overdraft limit"));
            }
            done.push(OverdraftLimit { asset, amount: parsed_in(list, n, "amount", &limit.amount)? });
        }
        // The order has no meaning, so it must make no difference to a repeat.
        done.sort_unstable_by(|one, other| one.asset.cmp(&other.asset));
        Ok(Overdraft::Limited(done))
    }
}

/// The limits; `at` is the pointer to their list, and `allowed` are the assets that the account may hold.
pub(super) fn limits(
    limits: Vec<BalanceLimitData>,
    at: &str,
    allowed: &[Asset],
) -> Result<Vec<BalanceLimit>, FormError> {
    at_most(at, &limits, ASSETS_MAX, "limits")?;
    let list = at.trim_start_matches('/');
    let mut done: Vec<BalanceLimit> = Vec::with_capacity(limits.len());
    for (n, limit) in limits.into_iter().enumerate() {
        let asset = asset_in(list, n, &limit.asset, allowed)?;
        let minimum: Option<LimitAmount> = optional(&format!("{at}/{n}/minimum"), limit.minimum.as_deref())?;
        let maximum: Option<LimitAmount> = optional(&format!("{at}/{n}/maximum"), limit.maximum.as_deref())?;
        if done.iter().any(|other| other.asset == asset) {
            return Err(FormError::new(format!("{at}/{n}/asset"), "each asset has one pair of limits"));
        }
        match (minimum, maximum) {
            (None, None) => {
                let reason = "a limit has a `minimum`, a `maximum` or both";
                return Err(FormError::new(format!("{at}/{n}"), reason));
            }
            (Some(minimum), Some(maximum)) if minimum > maximum => {
                let reason = "the minimum exceeds the maximum";
                return Err(FormError::new(format!("{at}/{n}/minimum"), reason));
            }
            _ => done.push(BalanceLimit { asset, minimum, maximum }),
        }
    }
    done.sort_unstable_by(|one, other| one.asset.cmp(&other.asset));
    Ok(done)
}

/// The asset of a limit. If the command lists the assets that the account may hold, it must be one of them.
fn asset_in(list: &str, n: usize, asset: &str, allowed: &[Asset]) -> Result<Asset, FormError> {
    let asset = parsed_in(list, n, "asset", asset)?;
    if allowed.is_empty() || allowed.contains(&asset) {
        return Ok(asset);
    }
    let reason = format!("the account may not hold {asset}: `assets` does not list it");
    Err(FormError::new(format!("/{list}/{n}/asset"), reason))
}

/// A list of assets, each once; `at` is the pointer to it.
pub(super) fn assets(assets: &[String], at: &str) -> Result<Vec<Asset>, FormError> {
    at_most(at, assets, ASSETS_MAX, "assets")?;
    let mut list: Vec<Asset> = Vec::with_capacity(assets.len());
    for (n, asset) in assets.iter().enumerate() {
        let asset: Asset = parsed(&format!("{at}/{n}"), asset)?;
        if list.contains(&asset) {
            return Err(FormError::new(format!("{at}/{n}"), "the asset is listed twice"));
        }
        list.push(asset);
    }
    list.sort_unstable();
    Ok(list)
}

recount_service_kit::objects!(BalanceLimitData, OverdraftLimitData);
recount_service_kit::words!(KindData);
