//! Every event version that was ever written can be decoded, and events are encoded as in the newest files.
//!
//! `golden/<type>.v<version>.json` has stored data byte for byte. Files are added and never changed: a change of an
//! event's stored shape needs a new version with its own file.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use recount_events::ledger::codec::EVENT_TYPES;
use recount_events::ledger::{LedgerEvent, decode, encode};

fn golden() -> Vec<(String, i16, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (event_type, version) = stem.split_once(".v").expect("files are named <type>.v<version>.json");
        let data = std::fs::read_to_string(&path).unwrap().trim_end().to_owned();
        files.push((event_type.to_owned(), version.parse().unwrap(), data));
    }
    files
}

#[test]
fn every_version_can_be_decoded() {
    for (event_type, version, data) in golden() {
        decode(&event_type, version, &data)
            .unwrap_or_else(|error| panic!("{event_type} v{version}: {error:?}"));
    }
}

#[test]
fn events_are_encoded_as_in_the_newest_files() {
    let files = golden();
    for (event_type, version) in EVENT_TYPES {
        let (_, _, data) = files
            .iter()
            .find(|(other, there, _)| other == event_type && there == version)
            .unwrap_or_else(|| panic!("{event_type} v{version} has no golden file"));
        let encoded = encode(&decode(event_type, *version, data).unwrap());
        assert_eq!((encoded.event_type, encoded.version), (*event_type, *version));
        assert_eq!(encoded.data, *data, "the stored shape of {event_type} v{version} has changed");
    }
}

#[test]
fn there_is_one_file_for_each_version() {
    let versions: BTreeSet<(String, i16)> =
        golden().into_iter().map(|(event_type, version, _)| (event_type, version)).collect();
    let expected: BTreeSet<(String, i16)> = EVENT_TYPES
        .iter()
        .flat_map(|(event_type, newest)| (1..=*newest).map(|version| ((*event_type).to_owned(), version)))
        .collect();
    assert_eq!(versions, expected);
}

/// Converting an earlier version keeps its content, and adds only defaults.
#[test]
fn earlier_versions_are_converted_to_the_current_shape() {
    let first = |event_type: &str| {
        let (.., data) = golden()
            .into_iter()
            .find(|(other, version, _)| other == event_type && *version == 1)
            .expect("the first version has a file");
        (decode(event_type, 1, &data).unwrap(), data)
    };
    let (LedgerEvent::AccountOpened(opened), data) = first("account-opened") else { panic!("another event") };
    let data: serde_json::Value = serde_json::from_str(&data).unwrap();
    assert_eq!(data["account"], opened.account.as_str());
    assert_eq!(data["kind"], opened.kind.as_str());
    assert_eq!(data["overdraft"], serde_json::to_value(&opened.overdraft).unwrap());
    assert_eq!(data["metadata"], serde_json::Value::Object(opened.metadata));
    assert!(opened.limits.is_empty() && opened.assets.is_empty() && !opened.on_first_use);

    let (LedgerEvent::TransactionPosted(posted), data) = first("transaction-posted") else {
        panic!("another event")
    };
    let data: serde_json::Value = serde_json::from_str(&data).unwrap();
    assert_eq!(data["transaction"], posted.transaction.as_str());
    assert_eq!(data["entries"], serde_json::to_value(&posted.entries).unwrap());
    assert_eq!(data["effective_at"], serde_json::to_value(posted.effective_at).unwrap());
    assert_eq!(data["reference"], posted.reference.unwrap().as_str());
    assert_eq!(data["metadata"], serde_json::Value::Object(posted.metadata));
    assert_eq!(data["reverses"], posted.reverses.unwrap().as_str());
    assert_eq!(posted.captures, None);
}

/// An empty member is omitted, and an omitted member is empty.
#[test]
fn empty_members_are_omitted() {
    for (event_type, version, data) in [
        ("account-opened", 2, r#"{"account":"a","kind":"asset","overdraft":"none"}"#),
        (
            "transaction-posted",
            2,
            r#"{"transaction":"t","entries":[],"effective_at":"2026-01-31T00:00:00Z","captures":{"hold":"h"}}"#,
        ),
        ("hold-placed", 1, r#"{"hold":"h","debit":"a","credit":"b","asset":"USD/2","amount":"1"}"#),
        ("customer-registered", 1, r#"{"customer":"c","profile":{}}"#),
        ("customer-updated", 1, r#"{"customer":"c","profile":{}}"#),
        ("effective-window-set", 1, r#"{"window":{}}"#),
        ("balance-limits-set", 1, r#"{"account":"a","limits":[{"asset":"USD/2"}]}"#),
        ("chart-set", 1, r#"{"rules":[{"pattern":"a","kind":"asset","overdraft":"none"}]}"#),
    ] {
        assert_eq!(encode(&decode(event_type, version, data).unwrap()).data, data);
    }
}

#[test]
fn an_unknown_version_and_damaged_data_are_different_errors() {
    let newer = decode("account-opened", 99, "{}").unwrap_err().to_string();
    assert!(newer.contains("newer program"), "{newer}");
    let damaged = decode("account-opened", 1, "{}").unwrap_err().to_string();
    assert!(damaged.contains("account-opened"), "{damaged}");
}

/// Every digit of a number, every time and every character survives.
#[test]
fn an_event_decodes_exactly_as_it_was_encoded() {
    let moments = [
        chrono::DateTime::<chrono::Utc>::MIN_UTC,
        chrono::DateTime::<chrono::Utc>::MAX_UTC,
        "0000-01-01T00:00:00Z".parse().unwrap(),
        "9999-12-31T23:59:59.999999999Z".parse().unwrap(),
        "2026-01-31T00:00:00.000001Z".parse().unwrap(),
    ];
    let odd = serde_json::json!({
        "": "\u{0}\u{1f}\"\\/\u{2028}\u{1F4B0}",
        "numbers": [0.1, -0.0, 1e300, 5e-324, f64::MAX, i64::MIN, u64::MAX],
        "nested": {"b": null, "a": [[], {}]},
    });
    for moment in moments {
        let (_, _, data) =
            golden().into_iter().find(|file| file.0 == "transaction-posted" && file.1 == 2).unwrap();
        let LedgerEvent::TransactionPosted(mut posted) = decode("transaction-posted", 2, &data).unwrap()
        else {
            panic!("another event")
        };
        posted.effective_at = moment;
        posted.metadata = odd.as_object().unwrap().clone();
        let event = LedgerEvent::TransactionPosted(posted);
        let encoded = encode(&event);
        assert_eq!(decode(encoded.event_type, encoded.version, &encoded.data).unwrap(), event, "{moment}");
    }
}
