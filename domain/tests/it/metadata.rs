//! Changes to metadata.

use recount_domain::METADATA_BYTES_MAX;
use recount_events::ledger::LedgerEvent;
use serde_json::json;

use crate::support::*;

#[test]
fn setting_members_keeps_the_others() {
    for of in [of_account("alice"), of_transaction("t1")] {
        let book = given(&[pay("t1", "bank", "alice", 1)]);
        let book = book.when(set_metadata(of.clone(), json!({"a": 1, "b": [null, "x"]}))).accepted(1);
        let book = book.when(set_metadata(of.clone(), json!({"b": 2, "c": {"d": true}}))).accepted(1);
        assert_eq!(book.metadata(&of), json!({"a": 1, "b": 2, "c": {"d": true}}));
        let LedgerEvent::MetadataSet(set) = book.last_event() else { panic!("not set") };
        assert_eq!((&set.of, &set.metadata), (&of, &members(json!({"b": 2, "c": {"d": true}}))));
    }
}

#[test]
fn setting_the_same_values_again_changes_nothing() {
    for of in [of_account("alice"), of_transaction("t1")] {
        let book = given(&[pay("t1", "bank", "alice", 1), set_metadata(of.clone(), json!({"a": 1, "b": 2}))]);
        book.when(set_metadata(of.clone(), json!({"a": 1}))).has_no_effect();
        book.when(set_metadata(of.clone(), json!({}))).has_no_effect();
        book.when(set_metadata(of.clone(), json!({"a": 1, "b": 3}))).accepted(1);
        book.when(set_metadata(of.clone(), json!({"a": null}))).accepted(1);
        book.when(set_metadata(of.clone(), json!({"c": null}))).accepted(1);
    }
}

#[test]
fn removing_members_keeps_the_others() {
    for of in [of_account("alice"), of_transaction("t1")] {
        let book = given(&[
            pay("t1", "bank", "alice", 1),
            set_metadata(of.clone(), json!({"a": 1, "b": 2, "c": 3})),
        ]);
        let book = book.when(remove_metadata(of.clone(), &["c", "a", "x", "c"])).accepted(1);
        assert_eq!(book.metadata(&of), json!({"b": 2}));
        let LedgerEvent::MetadataRemoved(removed) = book.last_event() else { panic!("not removed") };
        assert_eq!((&removed.of, removed.keys.as_slice()), (&of, &["a".to_owned(), "c".to_owned()][..]));
        book.when(remove_metadata(of.clone(), &["a", "x"])).has_no_effect();
        book.when(remove_metadata(of.clone(), &[])).has_no_effect();
    }
}

#[test]
fn the_original_metadata_can_be_changed() {
    let noted = with(posting("t1", transfer("bank", "alice", "USD/2", 1)), |post| {
        post.metadata = members(json!({"a": 1, "b": 2}));
    });
    let book = given(&[recount_domain::Command::PostTransaction(noted)]);
    book.when(set_metadata(of_transaction("t1"), json!({"a": 1}))).has_no_effect();
    let book = book.and(set_metadata(of_transaction("t1"), json!({"c": 3})));
    let book = book.and(remove_metadata(of_transaction("t1"), &["a"]));
    assert_eq!(book.metadata(&of_transaction("t1")), json!({"b": 2, "c": 3}));
}

#[test]
fn metadata_of_unknown_owners_cannot_be_changed() {
    let book = given(&[]);
    book.when(set_metadata(of_account("nobody"), json!({"a": 1}))).rejected("account-unknown");
    book.when(remove_metadata(of_account("nobody"), &["a"])).rejected("account-unknown");
    book.when(set_metadata(of_transaction("nothing"), json!({"a": 1}))).rejected("transaction-unknown");
    let rejection =
        book.when(remove_metadata(of_transaction("nothing"), &["a"])).rejected("transaction-unknown");
    assert_eq!(rejection.to_string(), "transaction `nothing` does not exist in this ledger");
}

#[test]
fn the_size_limit_applies_to_the_merged_metadata() {
    // {"a":"xxx"} has 8 bytes besides the text.
    let filler = |bytes: usize| json!({"a": "x".repeat(bytes - 8)});
    for of in [of_account("alice"), of_transaction("t1")] {
        let book = given(&[pay("t1", "bank", "alice", 1)]);
        let rejection = book
            .when(set_metadata(of.clone(), filler(METADATA_BYTES_MAX + 1)))
            .rejected("metadata-too-large");
        assert_eq!(
            rejection.to_string(),
            format!("the metadata of {of} would have 8193 bytes of JSON; the limit is 8192")
        );
        let book = book.when(set_metadata(of.clone(), filler(METADATA_BYTES_MAX))).accepted(1);
        let rejection = book.when(set_metadata(of.clone(), json!({"b": 1}))).rejected("metadata-too-large");
        assert_eq!(detail(&rejection, "bytes"), (METADATA_BYTES_MAX + ",\"b\":1".len()).to_string());
        // A replaced value does not count.
        let book = book.when(set_metadata(of.clone(), json!({"a": "y"}))).accepted(1);
        book.when(set_metadata(of.clone(), json!({"b": 1}))).accepted(1);
    }
}
