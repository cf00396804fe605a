//! Metadata that is changed after the fact.

use recount_domain::METADATA_BYTES_MAX;
use recount_events::ledger::LedgerEvent;
use serde_json::json;

use crate::support::*;

#[test]
fn members_are_set_and_the_others_stay() {
    for of in [of_account("alice"), of_transaction("t1")] {
        let book = given(&[pay("t1", "bank", "alice", 1)]);
        let book = book.when(set_metadata(of.clone(), json!({"a": 1, "b": [null, "x"]}))).happens(1);
        let book = book.when(set_metadata(of.clone(), json!({"b": 2, "c": {"d": true}}))).happens(1);
        assert_eq!(book.metadata(&of), json!({"a": 1, "b": 2, "c": {"d": true}}));
        let LedgerEvent::MetadataSet(set) = book.last_event() else { panic!("not set") };
        assert_eq!((&set.of, &set.metadata), (&of, &members(json!({"b": 2, "c": {"d": true}}))));
    }
}

#[test]
fn what_is_so_already_is_not_set_again() {
    for of in [of_account("alice"), of_transaction("t1")] {
        let book = given(&[pay("t1", "bank", "alice", 1), set_metadata(of.clone(), json!({"a": 1, "b": 2}))]);
        book.when(set_metadata(of.clone(), json!({"a": 1}))).nothing_happens();
        book.when(set_metadata(of.clone(), json!({}))).nothing_happens();
        book.when(set_metadata(of.clone(), json!({"a": 1, "b": 3}))).happens(1);
        book.when(set_metadata(of.clone(), json!({"a": null}))).happens(1);
        book.when(set_metadata(of.clone(), json!({"c": null}))).happens(1);
    }
}

#[test]
fn members_are_removed_and_the_others_stay() {
    for of in [of_account("alice"), of_transaction("t1")] {
        let book = given(&[
            pay("t1", "bank", "alice", 1),
            set_metadata(of.clone(), json!({"a": 1, "b": 2, "c": 3})),
        ]);
        let book = book.when(remove_metadata(of.clone(), &["c", "a", "x", "c"])).happens(1);
        assert_eq!(book.metadata(&of), json!({"b": 2}));
        let LedgerEvent::MetadataRemoved(removed) = book.last_event() else { panic!("not removed") };
        assert_eq!((&removed.of, removed.keys.as_slice()), (&of, &["a".to_owned(), "c".to_owned()][..]));
        book.when(remove_metadata(of.clone(), &["a", "x"])).nothing_happens();
        book.when(remove_metadata(of.clone(), &[])).nothing_happens();
    }
}

#[test]
fn the_metadata_that_something_came_with_can_be_changed() {
    let noted = with(posting("t1", transfer("bank", "alice", "USD/2", 1)), |post| {
        post.metadata = members(json!({"a": 1, "b": 2}));
    });
    let book = given(&[recount_domain::Command::PostTransaction(noted)]);
    book.when(set_metadata(of_transaction("t1"), json!({"a": 1}))).nothing_happens();
    let book = book.and(set_metadata(of_transaction("t1"), json!({"c": 3})));
    let book = book.and(remove_metadata(of_transaction("t1"), &["a"]));
    assert_eq!(book.metadata(&of_transaction("t1")), json!({"b": 2, "c": 3}));
}

#[test]
fn there_is_no_metadata_of_what_is_not_there() {
    let book = given(&[]);
    book.when(set_metadata(of_account("nobody"), json!({"a": 1}))).rejected("account-unknown");
    book.when(remove_metadata(of_account("nobody"), &["a"])).rejected("account-unknown");
    book.when(set_metadata(of_transaction("nothing"), json!({"a": 1}))).rejected("transaction-unknown");
    let rejection =
        book.when(remove_metadata(of_transaction("nothing"), &["a"])).rejected("transaction-unknown");
    assert_eq!(rejection.to_string(), "transaction `nothing` does not exist in this ledger");
}

#[test]
fn the_metadata_is_bounded_as_a_whole() {
    // {"a":"xxx"} takes 8 bytes beside its text.
    let filler = |bytes: usize| json!({"a": "x".repeat(bytes - 8)});
    for of in [of_account("alice"), of_transaction("t1")] {
        let book = given(&[pay("t1", "bank", "alice", 1)]);
        let rejection = book
            .when(set_metadata(of.clone(), filler(METADATA_BYTES_MAX + 1)))
            .rejected("metadata-too-large");
        assert_eq!(
            rejection.to_string(),
            format!("the metadata of {of} would take 8193 bytes of JSON, and may take 8192")
        );
        let book = book.when(set_metadata(of.clone(), filler(METADATA_BYTES_MAX))).happens(1);
        let rejection = book.when(set_metadata(of.clone(), json!({"b": 1}))).rejected("metadata-too-large");
        assert_eq!(detail(&rejection, "bytes"), (METADATA_BYTES_MAX + ",\"b\":1".len()).to_string());
        // What replaces does not add.
        let book = book.when(set_metadata(of.clone(), json!({"a": "y"}))).happens(1);
        book.when(set_metadata(of.clone(), json!({"b": 1}))).happens(1);
    }
}
