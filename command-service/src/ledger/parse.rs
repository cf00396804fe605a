//! From the bytes of a request to a command: malformed data is refused here, with the JSON pointer of the error.

use recount_domain::{Command, Request};
use recount_service_kit::http::{invalid_at, parse_json_within};
use recount_service_kit::problem::Problem;

use super::wire::{CommandData, FormError, expectations};

/// Parses a command's data, which stands at the JSON pointer `pointer` in the body, and makes a request of it.
pub(super) fn request<T: CommandData>(
    json: &[u8],
    pointer: &str,
    into_command: impl FnOnce(T) -> Result<Command, FormError>,
) -> Result<Request, Problem> {
    // Tracking the place of an error takes time, so it is done only for data that fails.
    let data = serde_json::from_slice(json).or_else(|_| parse_json_within(json, pointer));
    let mut data: T = data.map_err(|problem| without_personal_data(problem, pointer))?;
    let expect = expectations(&data.take_expectations());
    let request = into_command(data).and_then(|command| Ok(Request { command, expect: expect? }));
    request.map_err(|FormError { at, reason }| invalid_at(format!("{pointer}{at}"), &reason))
}

/// A profile holds personal data, so a problem in it must not repeat what was sent.
fn without_personal_data(problem: Problem, pointer: &str) -> Problem {
    let body = problem.body_json();
    match body["pointer"].as_str() {
        Some(at) if at.starts_with(&format!("{pointer}/profile")) => {
            invalid_at(at, "this does not fit a profile, which is an object whose texts are strings")
        }
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::CommandKind;
    use recount_service_kit::commands::read_batch;

    fn parse(kind: CommandKind, json: &[u8]) -> Result<Request, Problem> {
        kind.parse(json, "")
    }

    fn batch(json: &[u8]) -> Result<Vec<Request>, Problem> {
        read_batch::<CommandKind>(json)
    }

    fn refused(kind: CommandKind, json: &str) -> (String, String) {
        let problem = parse(kind, json.as_bytes()).expect_err("it was read");
        assert_eq!(problem.kind().code, "invalid-request", "{problem}");
        let body = problem.body_json();
        (body["pointer"].as_str().unwrap().to_owned(), problem.detail().to_owned())
    }

    #[test]
    fn malformed_json_is_distinguished_from_json_of_another_shape() {
        let problem = parse(CommandKind::OpenAccount, b"{\"account\":").expect_err("it was read");
        assert_eq!(problem.kind().code, "malformed-json");
        let (_, detail) =
            refused(CommandKind::OpenAccount, r#"{"account":"a","kind":"asset","colour":"red"}"#);
        assert!(detail.contains("unknown field `colour`"), "{detail}");
    }

    #[test]
    fn a_bad_amount_is_refused_with_its_place() {
        for (amount, part) in [
            ("\"0\"", "greater than zero"),
            ("\"-5\"", "greater than zero"),
            ("\"1.50\"", "whole minor units"),
            ("\"170141183460469231731687303715884105728\"", "must not exceed"),
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
    fn a_transaction_has_either_entries_or_transfers() {
        for json in ["{}", r#"{"entries":[],"transfers":[]}"#] {
            assert_eq!(refused(CommandKind::PostTransaction, json).0, "/entries");
        }
    }

    #[test]
    fn an_array_is_not_accepted_for_an_object() {
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
    fn an_enum_value_is_a_string_and_nothing_else() {
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
            let request = parse(CommandKind::OpenAccount, open(text).as_bytes()).unwrap();
            let Command::OpenAccount(open) = request.command else { panic!("another command") };
            open.overdraft
        };
        assert_eq!(overdraft("null"), None);
        assert_eq!(overdraft(r#"{"limited":[]}"#), overdraft(r#""none""#));
    }

    #[test]
    fn an_error_in_metadata_names_its_place_in_any_command() {
        let open = r#"{"account":"a","kind":"asset","metadata":{"n":[1,0.1234567890123456789]}}"#;
        assert_eq!(refused(CommandKind::OpenAccount, open).0, "/metadata/n/1");
        // Errors outside the metadata are found first.
        let unknown = r#"{"account":"a","metadata":{"n":1},"colour":"red"}"#;
        assert_eq!(refused(CommandKind::OpenAccount, unknown).0, "/colour");
        let missing = r#"{"account":"a"}"#;
        assert!(refused(CommandKind::SetMetadata, missing).1.contains("missing field `metadata`"));
        let error = batch(format!(r#"[{{"command":"open-account","data":{open}}}]"#).as_bytes()).unwrap_err();
        assert_eq!(error.body_json()["pointer"], "/0/data/metadata/n/1");
        let given = br#"{"account":"a","kind":"asset","metadata":{"deep":[{"n":0.1}]}}"#;
        let Command::OpenAccount(open) = parse(CommandKind::OpenAccount, given).unwrap().command else {
            panic!("another command");
        };
        assert_eq!(serde_json::Value::Object(open.metadata), serde_json::json!({"deep": [{"n": 0.1}]}));
    }

    #[test]
    fn attribute_names_are_text_and_unique() {
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
        assert!(parse(CommandKind::RegisterCustomer, json.as_bytes()).is_ok());
    }

    #[test]
    fn a_time_has_a_year_of_four_digits() {
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
            assert!(parse(CommandKind::PostTransaction, post(moment).as_bytes()).is_ok(), "{moment}");
        }
    }

    #[test]
    fn a_leap_second_is_refused() {
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
        let request = parse(CommandKind::PostTransaction, finest.as_bytes()).unwrap();
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
                    assert!(parse(CommandKind::OpenAccount, json.as_bytes()).is_ok());
                    assert!(parse(CommandKind::SetChart, chart.as_bytes()).is_ok());
                } else {
                    assert_eq!(refused(CommandKind::OpenAccount, &json).0, place);
                    assert_eq!(refused(CommandKind::SetChart, &chart).0, format!("/rules/1{place}"));
                }
            }
        }
    }

    #[test]
    fn personal_data_is_not_repeated_in_a_problem() {
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
    fn the_order_of_assets_has_no_meaning() {
        let policies = |first: &str, second: &str| {
            let json = format!(
                r#"{{"account":"a","assets":["{first}","{second}"],
                     "limits":[{{"asset":"{first}","minimum":"1"}},{{"asset":"{second}","minimum":"1"}}],
                     "overdraft":{{"limited":[{{"asset":"{first}","amount":"1"}},{{"asset":"{second}","amount":"1"}}]}}}}"#
            );
            parse(CommandKind::OpenAccount, json.as_bytes()).unwrap()
        };
        assert_eq!(policies("USD/2", "EUR/2"), policies("EUR/2", "USD/2"));
    }

    #[test]
    fn a_limit_may_be_zero_but_not_negative() {
        let limits = |limit: &str| format!(r#"{{"account":"a","limits":[{{"asset":"USD/2",{limit}}}]}}"#);
        let good = limits(r#""minimum":"0","maximum":"0""#);
        assert!(parse(CommandKind::SetBalanceLimits, good.as_bytes()).is_ok());
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
    fn an_error_in_a_batch_names_its_place() {
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
