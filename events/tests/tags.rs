//! The tags of each event, and the person whom it is about.
//!
//! Tags are stored with the events and hashed into proofs, so their form is part of the contract.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

use recount_core::Tag;
use recount_events::ledger::codec::EVENT_TYPES;
use recount_events::ledger::{
    AccountName, Asset, CustomerId, HoldId, LedgerEvent, MetadataOwner, Reference, TransactionId, decode,
    encode, tag,
};

/// A stored event and its tags.
const ROWS: &[(&str, &str, &[&str])] = &[
    ("ledger-created", r#"{"ledger":"main"}"#, &["ledger:"]),
    ("asset-registered", r#"{"asset":"USD/2"}"#, &["asset:USD"]),
    ("effective-window-set", r#"{"window":{}}"#, &["ledger:"]),
    ("period-closed", r#"{"through":"2026-01-01T00:00:00Z"}"#, &["ledger:"]),
    ("period-reopened", r#"{"from":"2026-01-01T00:00:00Z"}"#, &["ledger:"]),
    ("time-corrected", r#"{"from":"2099-01-01T00:00:00Z","to":"2026-01-01T00:00:00Z"}"#, &["ledger:"]),
    ("chart-set", r#"{"rules":[]}"#, &["ledger:"]),
    ("chart-removed", "{}", &["ledger:"]),
    ("account-opened", r#"{"account":"a:b","kind":"asset","overdraft":"none"}"#, &["account:a:b"]),
    ("account-frozen", r#"{"account":"a:b","scope":"both"}"#, &["account:a:b"]),
    ("account-unfrozen", r#"{"account":"a:b","scope":"both"}"#, &["account:a:b"]),
    ("account-closed", r#"{"account":"a:b"}"#, &["account:a:b"]),
    ("overdraft-policy-set", r#"{"account":"a:b","overdraft":"none"}"#, &["account:a:b"]),
    ("balance-limits-set", r#"{"account":"a:b","limits":[]}"#, &["account:a:b"]),
    (
        "hold-placed",
        r#"{"hold":"h","debit":"b","credit":"a","asset":"USD/2","amount":"1"}"#,
        &["hold:h", "account:b", "account:a"],
    ),
    (
        "hold-released",
        r#"{"hold":"h","debit":"b","credit":"a","asset":"USD/2","amount":"1"}"#,
        &["hold:h", "account:b", "account:a"],
    ),
    (
        "hold-expired",
        r#"{"hold":"h","debit":"a","credit":"a","asset":"USD/2","amount":"1"}"#,
        &["hold:h", "account:a"],
    ),
    (
        "transaction-posted",
        r#"{"transaction":"t","entries":[
            {"account":"b","direction":"debit","asset":"USD/2","amount":"2"},
            {"account":"a","direction":"credit","asset":"USD/2","amount":"1"},
            {"account":"b","direction":"credit","asset":"USD/2","amount":"1"}
        ],"effective_at":"2026-01-01T00:00:00Z"}"#,
        &["transaction:t", "account:a", "account:b"],
    ),
    (
        "transaction-posted",
        r#"{"transaction":"t","entries":[],"effective_at":"2026-01-01T00:00:00Z","reference":"order 1",
            "reverses":"s","captures":{"hold":"h"}}"#,
        &["transaction:t", "transaction:s", "reference:order 1", "hold:h"],
    ),
    ("metadata-set", r#"{"of":{"account":"a:b"},"metadata":{}}"#, &["account:a:b"]),
    ("metadata-set", r#"{"of":{"transaction":"t"},"metadata":{}}"#, &["transaction:t"]),
    ("metadata-removed", r#"{"of":{"account":"a:b"},"keys":[]}"#, &["account:a:b"]),
    ("customer-registered", r#"{"customer":"c","profile":{}}"#, &["customer:c"]),
    ("customer-updated", r#"{"customer":"c","profile":{}}"#, &["customer:c"]),
    ("account-linked", r#"{"customer":"c","account":"a:b"}"#, &["customer:c", "account:a:b", "link:c a:b"]),
    ("account-unlinked", r#"{"customer":"c","account":"a:b"}"#, &["customer:c", "account:a:b", "link:c a:b"]),
    ("customer-forgotten", r#"{"customer":"c"}"#, &["customer:c"]),
];

fn event(event_type: &str, data: &str) -> LedgerEvent {
    let (_, version) = EVENT_TYPES.iter().find(|(name, _)| *name == event_type).unwrap();
    decode(event_type, *version, data).unwrap()
}

#[test]
fn an_event_is_tagged_with_the_entities_that_it_concerns() {
    for (event_type, data, expected) in ROWS {
        let tags = event(event_type, data).tags();
        let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
        assert_eq!(tags, *expected, "{event_type}");
    }
}

#[test]
fn every_event_type_has_a_row() {
    for (event_type, _) in EVENT_TYPES {
        assert!(ROWS.iter().any(|row| row.0 == *event_type), "{event_type}");
    }
}

#[test]
fn only_events_with_a_profile_have_a_data_subject() {
    for (event_type, data, _) in ROWS {
        let event = event(event_type, data);
        let subject = event.data_subject().map(CustomerId::as_str);
        // Only a profile has personal fields.
        let expected = encode(&event).data.contains(r#""profile""#).then_some("c");
        assert_eq!(subject, expected, "{event_type}");
    }
}

#[test]
fn tags_of_lookups_match_tags_of_events() {
    let account: AccountName = "a:b".parse().unwrap();
    let transaction: TransactionId = "t".parse().unwrap();
    let customer: CustomerId = "c".parse().unwrap();
    let (hold, asset): (HoldId, Asset) = ("h".parse().unwrap(), "USD/2".parse().unwrap());
    let reference: Reference = "order 1".parse().unwrap();
    let tags = [
        (tag::ledger(), tag::LEDGER, ""),
        (tag::asset(&asset), tag::ASSET, "USD"),
        (tag::account(&account), tag::ACCOUNT, "a:b"),
        (tag::transaction(&transaction), tag::TRANSACTION, "t"),
        (tag::reference(&reference), tag::REFERENCE, "order 1"),
        (tag::hold(&hold), tag::HOLD, "h"),
        (tag::customer(&customer), tag::CUSTOMER, "c"),
        (tag::link(&customer, &account), tag::LINK, "c a:b"),
    ];
    for (tag, kind, name) in tags {
        assert_eq!(tag.parts(), (kind, name));
        assert!(ROWS.iter().any(|row| row.2.contains(&tag.as_str())), "no event has {tag}");
    }
    assert_eq!(MetadataOwner::Account(account).to_string(), "account:a:b");
    assert_eq!(MetadataOwner::Transaction(transaction).tag().as_str(), "transaction:t");
}
