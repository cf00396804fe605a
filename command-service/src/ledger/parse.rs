//! From the bytes of a request to commands: what is malformed is refused here, with the place where it is.

use recount_domain::{Command, Request};
use recount_service_kit::http::parse_json_within;
use recount_service_kit::problem::{Problem, kinds};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::wire::{
    CaptureData, CloseAccountData, ClosePeriodData, CommandKind, Expects, ForgetCustomerData, FormError,
    FreezeData, HoldData, HoldIdData, LinkData, OpenAccountData, PostTransactionData, RegisterAssetData,
    RegisterCustomerData, RemoveChartData, RemoveMetadataData, ReopenPeriodData, ReverseTransactionData,
    SetBalanceLimitsData, SetChartData, SetEffectiveWindowData, SetMetadataData, SetOverdraftPolicyData,
    UpdateCustomerData, expectations,
};

/// Commands that one request may hold: a bound on how long it keeps the writer from others.
pub(super) const BATCH_COMMANDS_MAX: usize = 1_000;

/// The request of this kind whose data is this JSON, which stands at `pointer` in the body.
pub(super) fn request(kind: CommandKind, json: &[u8], pointer: &str) -> Result<Request, Problem> {
    let reader = Reader { json, pointer };
    match kind {
        CommandKind::RegisterAsset => reader.request(RegisterAssetData::into_command),
        CommandKind::SetEffectiveWindow => reader.request(SetEffectiveWindowData::into_command),
        CommandKind::ClosePeriod => reader.request(ClosePeriodData::into_command),
        CommandKind::ReopenPeriod => reader.request(ReopenPeriodData::into_command),
        CommandKind::SetChart => reader.request(SetChartData::into_command),
        CommandKind::RemoveChart => reader.request(RemoveChartData::into_command),
        CommandKind::OpenAccount => reader.request(OpenAccountData::into_command),
        CommandKind::FreezeAccount => reader.request(FreezeData::freeze),
        CommandKind::UnfreezeAccount => reader.request(FreezeData::unfreeze),
        CommandKind::CloseAccount => reader.request(CloseAccountData::into_command),
        CommandKind::SetOverdraftPolicy => reader.request(SetOverdraftPolicyData::into_command),
        CommandKind::SetBalanceLimits => reader.request(SetBalanceLimitsData::into_command),
        CommandKind::PostTransaction => reader.request(PostTransactionData::into_command),
        CommandKind::ReverseTransaction => reader.request(ReverseTransactionData::into_command),
        CommandKind::Hold => reader.request(HoldData::into_command),
        CommandKind::Capture => reader.request(CaptureData::into_command),
        CommandKind::Release => reader.request(HoldIdData::release),
        CommandKind::Expire => reader.request(HoldIdData::expire),
        CommandKind::SetMetadata => reader.request(SetMetadataData::into_command),
        CommandKind::RemoveMetadata => reader.request(RemoveMetadataData::into_command),
        CommandKind::RegisterCustomer => reader.request(RegisterCustomerData::into_command),
        CommandKind::UpdateCustomer => reader.request(UpdateCustomerData::into_command),
        CommandKind::LinkAccount => reader.request(LinkData::link),
        CommandKind::UnlinkAccount => reader.request(LinkData::unlink),
        CommandKind::ForgetCustomer => reader.request(ForgetCustomerData::into_command),
    }
}

/// Data of a command, and where it stands in the body.
struct Reader<'a> {
    json: &'a [u8],
    pointer: &'a str,
}

impl Reader<'_> {
    /// What stands in a profile is personal, so a problem in it does not tell it back.
    fn discreet(&self, problem: Problem) -> Problem {
        let body = problem.body_json();
        match body["pointer"].as_str() {
            Some(pointer) if pointer.starts_with(&format!("{}/profile", self.pointer)) => invalid(
                pointer.to_owned(),
                "this is not what a profile holds: it is an object, and its texts are strings",
            ),
            _ => problem,
        }
    }

    fn request<T: DeserializeOwned + Expects>(
        &self,
        into_command: impl FnOnce(T) -> Result<Command, FormError>,
    ) -> Result<Request, Problem> {
        let mut data: T = read(self.json, self.pointer).map_err(|problem| self.discreet(problem))?;
        let expect = expectations(&data.take_expectations());
        let request = into_command(data).and_then(|command| Ok(Request { command, expect: expect? }));
        request.map_err(|FormError { at, reason }| invalid(format!("{}{at}", self.pointer), &reason))
    }
}

/// One of a list of commands: `{"command": "post-transaction", "data": {…}}`.
#[derive(Debug, serde::Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
struct BatchItem {
    command: String,
    data: Box<RawValue>,
}

objects!(BatchItem);

/// The commands of a batch.
pub(super) fn batch(json: &[u8]) -> Result<Vec<Request>, Problem> {
    let items: Vec<BatchItem> = read(json, "")?;
    if !(1..=BATCH_COMMANDS_MAX).contains(&items.len()) {
        let reason =
            format!("a batch has from 1 to {BATCH_COMMANDS_MAX} commands, and this one has {}", items.len());
        return Err(invalid(String::new(), &reason));
    }
    let request_of = |(index, item): (usize, &BatchItem)| {
        let kind = CommandKind::named(&item.command)
            .ok_or_else(|| invalid(format!("/{index}/command"), &no_such_command(&item.command)))?;
        request(kind, item.data.get().as_bytes(), &format!("/{index}/data"))
    };
    items.iter().enumerate().map(request_of).collect()
}

/// Why there is no such command, as a clause.
pub(super) fn no_such_command(name: &str) -> String {
    let known: Vec<&str> = CommandKind::ALL.iter().map(|kind| kind.as_str()).collect();
    format!("there is no command `{name}`; the commands are {}", known.join(", "))
}

fn invalid(pointer: String, reason: &str) -> Problem {
    let detail =
        if pointer.is_empty() { super::sentence(reason) } else { format!("At `{pointer}`: {reason}.") };
    Problem::new(&kinds::INVALID_REQUEST, detail).with("pointer", pointer)
}

/// Reads JSON. Finding the place of an error costs time, so it is found only for what fails.
fn read<T: DeserializeOwned>(json: &[u8], pointer: &str) -> Result<T, Problem> {
    serde_json::from_slice(json).or_else(|_| parse_json_within(json, pointer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: CommandKind, json: &str) -> (String, String) {
        let problem = request(kind, json.as_bytes(), "").expect_err("it was read");
        assert_eq!(problem.kind().code, "invalid-request", "{problem}");
        let body = problem.body_json();
        (body["pointer"].as_str().unwrap().to_owned(), problem.detail().to_owned())
    }

    #[test]
    fn malformed_json_is_told_from_json_of_another_shape() {
        let problem = request(CommandKind::OpenAccount, b"{\"account\":", "").expect_err("it was read");
        assert_eq!(problem.kind().code, "malformed-json");
        let (_, detail) =
            refused(CommandKind::OpenAccount, r#"{"account":"a","kind":"asset","colour":"red"}"#);
        assert!(detail.contains("unknown field `colour`"), "{detail}");
    }

    #[test]
    fn the_place_of_a_bad_amount_is_named() {
        for (amount, part) in [
            ("\"0\"", "more than zero"),
            ("\"-5\"", "more than zero"),
            ("\"1.50\"", "whole minor units"),
            ("\"170141183460469231731687303715884105728\"", "at most"),
            ("12", "expected a string"),
            ("1.5", "expected a string"),
        ] {
            let json = format!(
                r#"{{"transfers":[{{"debit":"a","credit":"b","asset":"USD/2","amount":{amount}}}]}}"#
            );
            let (pointer, detail) = refused(CommandKind::PostTransaction, &json);
            assert_eq!(pointer, "/transfers/0/amount", "{amount}");
            assert!(detail.contains(part), "{amount}: {detail}");
        }
    }

    #[test]
    fn a_transaction_takes_entries_or_transfers_and_not_both() {
        for json in ["{}", r#"{"entries":[],"transfers":[]}"#] {
            assert_eq!(refused(CommandKind::PostTransaction, json).0, "/entries");
        }
    }

    #[test]
    fn a_list_is_not_taken_for_an_object() {
        for (json, pointer) in [
            (r#"["t1",null,[],null,null,{},[]]"#, ""),
            (r#"{"transfers":[["a","b","USD/2","1"]]}"#, "/transfers/0"),
            (r#"{"entries":[["a","debit","USD/2","1"]]}"#, "/entries/0"),
            (r#"{"entries":[],"expect":[["a","USD/2","posted",null,null,"1"]]}"#, "/expect/0"),
        ] {
            let (at, detail) = refused(CommandKind::PostTransaction, json);
            assert_eq!(at, pointer, "{json}");
            assert!(detail.contains("object"), "{detail}");
        }
        assert!(batch(br#"[["close-account",{"account":"a"}]]"#).is_err());
    }

    #[test]
    fn a_word_is_a_string() {
        for (kind, json, place) in [
            (CommandKind::OpenAccount, r#"{"account": "a", "kind": {"asset": null}}"#, "/kind"),
            (CommandKind::FreezeAccount, r#"{"account": "a", "scope": {"both": null}}"#, "/scope"),
            (
                CommandKind::CloseAccount,
                r#"{"account": "a", "expect": [{"account": "a", "asset": "USD/2", "balance": {"held": null}}]}"#,
                "/expect/0/balance",
            ),
            (
                CommandKind::PostTransaction,
                r#"{"entries": [{"account": "a", "direction": {"debit": null}}]}"#,
                "/entries/0/direction",
            ),
        ] {
            let (pointer, detail) = refused(kind, json);
            assert_eq!(pointer, place);
            assert!(detail.contains("expected a string"), "{detail}");
        }
        let (pointer, detail) = refused(CommandKind::OpenAccount, r#"{"account": "a", "kind": "assets"}"#);
        assert_eq!(pointer, "/kind");
        assert!(detail.contains("`asset`, `liability`"), "{detail}");
    }

    #[test]
    fn an_overdraft_is_one_of_its_three_forms() {
        let open = |overdraft: &str| format!(r#"{{"account":"a","kind":"asset","overdraft":{overdraft}}}"#);
        for overdraft in [r#"{"limited":[],"x":1}"#, "{}", "[]", r#""much""#, "1", r#"{"unlimited":null}"#] {
            let (pointer, _) = refused(CommandKind::OpenAccount, &open(overdraft));
            assert!(pointer.starts_with("/overdraft"), "{overdraft}: {pointer}");
        }
        let overdraft = |text: &str| {
            let request = request(CommandKind::OpenAccount, open(text).as_bytes(), "").unwrap();
            let Command::OpenAccount(open) = request.command else { panic!("another command") };
            open.overdraft
        };
        assert_eq!(overdraft("null"), None);
        assert_eq!(overdraft(r#"{"limited":[]}"#), overdraft(r#""none""#));
    }

    #[test]
    fn the_place_in_metadata_is_named_wherever_the_metadata_stands() {
        let open = r#"{"account":"a","kind":"asset","metadata":{"n":[1,0.1234567890123456789]}}"#;
        assert_eq!(refused(CommandKind::OpenAccount, open).0, "/metadata/n/1");
        // Also where something else has to be found first: then all is read once more.
        let unknown = r#"{"account":"a","metadata":{"n":1},"colour":"red"}"#;
        assert_eq!(refused(CommandKind::OpenAccount, unknown).0, "/colour");
        let missing = r#"{"account":"a"}"#;
        assert!(refused(CommandKind::SetMetadata, missing).1.contains("missing field `metadata`"));
        let error = batch(format!(r#"[{{"command":"open-account","data":{open}}}]"#).as_bytes()).unwrap_err();
        assert_eq!(error.body_json()["pointer"], "/0/data/metadata/n/1");
        let given = br#"{"account":"a","kind":"asset","metadata":{"deep":[{"n":0.1}]}}"#;
        let Command::OpenAccount(open) = request(CommandKind::OpenAccount, given, "").unwrap().command else {
            panic!("another command");
        };
        assert_eq!(serde_json::Value::Object(open.metadata), serde_json::json!({"deep": [{"n": 0.1}]}));
    }

    #[test]
    fn attributes_have_names_of_text_and_each_once() {
        for (attributes, place) in [
            (r#"{"passport":"1","passport":"2"}"#, "/profile/attributes/passport"),
            (r#"{"pass\u0000port":"1"}"#, "/profile/attributes"),
            (r#"{"pass\nport":"1"}"#, "/profile/attributes"),
            (r#"{"":"1"}"#, "/profile/attributes"),
            (r#"{"passport":""}"#, "/profile/attributes/passport"),
            (r#"{"passport":"\u0000"}"#, "/profile/attributes/passport"),
        ] {
            let json = format!(r#"{{"customer":"c1","profile":{{"attributes":{attributes}}}}}"#);
            assert_eq!(refused(CommandKind::RegisterCustomer, &json).0, place, "{attributes}");
        }
        let json = r#"{"customer":"c1","profile":{"address":"1 Main Street\nSpringfield"}}"#;
        assert!(request(CommandKind::RegisterCustomer, json.as_bytes(), "").is_ok());
    }

    #[test]
    fn a_moment_has_a_year_of_four_digits() {
        let post = |moment: &str| format!(r#"{{"entries":[],"effective_at":"{moment}"}}"#);
        for moment in [
            "-99999-1-1",
            "+99999-1-1",
            "-9999-1-01",
            "2026-1-011",
            "2026-02-30",
            "0000-01-01",
            "9999-12-31T23:59:59-01:00",
            "0001-01-01T00:00:00+01:00",
            "0000-12-31T00:00:00Z",
        ] {
            assert_eq!(refused(CommandKind::PostTransaction, &post(moment)).0, "/effective_at", "{moment}");
            let period = format!(r#"{{"through":"{moment}"}}"#);
            assert_eq!(refused(CommandKind::ClosePeriod, &period).0, "/through", "{moment}");
        }
        for moment in ["0001-01-01", "9999-12-31", "9999-12-31T23:59:59Z", "2024-02-29"] {
            assert!(request(CommandKind::PostTransaction, post(moment).as_bytes(), "").is_ok(), "{moment}");
        }
    }

    #[test]
    fn a_leap_second_is_no_moment() {
        let post = |moment: &str| format!(r#"{{"entries":[],"effective_at":"{moment}"}}"#);
        for moment in [
            "2026-10-31T23:59:60Z",
            "2026-10-31T23:59:60.5Z",
            "2026-10-31T12:34:60Z",
            "2026-11-01T00:59:60+01:00",
        ] {
            let (pointer, detail) = refused(CommandKind::PostTransaction, &post(moment));
            assert_eq!(pointer, "/effective_at", "{moment}");
            assert!(detail.contains("leap second"), "{detail}");
            let period = format!(r#"{{"through":"{moment}"}}"#);
            assert_eq!(refused(CommandKind::ClosePeriod, &period).0, "/through", "{moment}");
        }
        let finest = post("2026-10-31T23:59:59.999999999Z");
        let request = request(CommandKind::PostTransaction, finest.as_bytes(), "").unwrap();
        let Command::PostTransaction(post) = request.command else { panic!("another command") };
        assert_eq!(post.effective_at.unwrap().to_rfc3339(), "2026-10-31T23:59:59.999999+00:00");
    }

    #[test]
    fn limits_are_in_assets_that_the_account_may_hold() {
        let open = |policies: &str| {
            format!(r#"{{"account":"a","kind":"asset","assets":["USD/2","EUR/2"],{policies}}}"#)
        };
        for (asset, fits) in [("EUR/2", true), ("BTC/8", false)] {
            let limits = format!(
                r#""limits":[{{"asset":"USD/2","minimum":"1"}},{{"asset":"{asset}","minimum":"1"}}]"#
            );
            let overdraft = format!(r#""overdraft":{{"limited":[{{"asset":"{asset}","amount":"1"}}]}}"#);
            for (policies, place) in [(limits, "/limits/1/asset"), (overdraft, "/overdraft/limited/0/asset")]
            {
                let json = open(&policies);
                let chart = format!(
                    r#"{{"rules":[{{"pattern":"x","kind":"asset"}},{}]}}"#,
                    json.replace("account", "pattern")
                );
                if fits {
                    assert!(request(CommandKind::OpenAccount, json.as_bytes(), "").is_ok());
                    assert!(request(CommandKind::SetChart, chart.as_bytes(), "").is_ok());
                } else {
                    assert_eq!(refused(CommandKind::OpenAccount, &json).0, place);
                    assert_eq!(refused(CommandKind::SetChart, &chart).0, format!("/rules/1{place}"));
                }
            }
        }
    }

    #[test]
    fn what_is_personal_is_not_told_back() {
        for profile in
            [r#""Alice Example""#, r#"{"phone":15550100}"#, r#"{"attributes":{"passport":15550100}}"#]
        {
            let (pointer, detail) = refused(
                CommandKind::RegisterCustomer,
                &format!(r#"{{"customer":"c1","profile":{profile}}}"#),
            );
            assert!(pointer.starts_with("/profile"), "{pointer}");
            assert!(!detail.contains("15550100") && !detail.contains("Alice"), "{detail}");
        }
    }

    #[test]
    fn the_order_of_assets_makes_no_difference() {
        let policies = |first: &str, second: &str| {
            let json = format!(
                r#"{{"account":"a","assets":["{first}","{second}"],
                     "limits":[{{"asset":"{first}","minimum":"1"}},{{"asset":"{second}","minimum":"1"}}],
                     "overdraft":{{"limited":[{{"asset":"{first}","amount":"1"}},{{"asset":"{second}","amount":"1"}}]}}}}"#
            );
            request(CommandKind::OpenAccount, json.as_bytes(), "").unwrap()
        };
        assert_eq!(policies("USD/2", "EUR/2"), policies("EUR/2", "USD/2"));
    }

    #[test]
    fn a_limit_may_be_zero_and_not_less() {
        let limits = |limit: &str| format!(r#"{{"account":"a","limits":[{{"asset":"USD/2",{limit}}}]}}"#);
        let good = limits(r#""minimum":"0","maximum":"0""#);
        assert!(request(CommandKind::SetBalanceLimits, good.as_bytes(), "").is_ok());
        for (bad, at) in [
            (r#""minimum":"-1""#, "/limits/0/minimum"),
            (r#""maximum":"-1""#, "/limits/0/maximum"),
            (r#""minimum":"2","maximum":"1""#, "/limits/0/minimum"),
            (r#""minimum":null"#, "/limits/0"),
        ] {
            assert_eq!(refused(CommandKind::SetBalanceLimits, &limits(bad)).0, at);
        }
    }

    #[test]
    fn the_place_in_a_batch_is_named() {
        let pointer = |json: &str| {
            let body = batch(json.as_bytes()).expect_err("it was read").body_json();
            body["pointer"].as_str().unwrap().to_owned()
        };
        let good = r#"{"command":"close-account","data":{"account":"a"}}"#;
        let bad = r#"{"command":"close-account","data":{"account":""}}"#;
        assert_eq!(pointer(&format!("[{good},{bad}]")), "/1/data/account");
        assert_eq!(pointer(r#"[{"command":"close-everything","data":{}}]"#), "/0/command");
        assert_eq!(pointer("[]"), "");
    }
}
