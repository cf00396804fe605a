//! Customers: registering, updating, linking and forgetting them.

use recount_domain::{Command, Entity};
use recount_events::ledger::{LedgerEvent, Metadata, Personal, Profile, tag};
use serde_json::json;

use crate::support::*;

fn whole_profile() -> Profile {
    let personal = |text: &str| Some(Personal(text.to_owned()));
    Profile {
        name: personal("Alice Example"),
        email: personal("alice@example.org"),
        phone: personal("+1 555 0100"),
        address: personal("1 Main Street"),
        attributes: [("passport".to_owned(), Personal("X123".to_owned()))].into(),
    }
}

fn register_as(profile: Profile, metadata: serde_json::Value) -> Command {
    Command::RegisterCustomer { customer: "c1".parse().unwrap(), profile, metadata: members(metadata) }
}

fn update_to(profile: Profile, metadata: serde_json::Value) -> Command {
    Command::UpdateCustomer { customer: "c1".parse().unwrap(), profile, metadata: members(metadata) }
}

#[test]
fn a_repeated_registration_must_have_the_same_content() {
    let book = given(&[]).when(register_as(whole_profile(), json!({"segment": "retail"}))).accepted(1);
    let LedgerEvent::CustomerRegistered(registered) = book.last_event() else { panic!("not registered") };
    assert_eq!((registered.customer.as_str(), &registered.profile), ("c1", &whole_profile()));
    assert_eq!(registered.metadata, members(json!({"segment": "retail"})));

    let differs = |field: &str, command: Command| {
        let rejection = book.when(command).rejected("customer-conflict");
        assert_eq!(rejection.to_string(), format!("customer `c1` already exists with a different `{field}`"));
    };
    let changed = |change: fn(&mut Profile)| with(whole_profile(), change);
    for profile in [
        changed(|profile| profile.name = None),
        changed(|profile| profile.email = None),
        changed(|profile| profile.phone = None),
        changed(|profile| profile.address = None),
        changed(|profile| profile.attributes.clear()),
    ] {
        differs("profile", register_as(profile, json!({"segment": "retail"})));
    }
    differs("metadata", register_as(whole_profile(), json!({})));
    differs("profile", register("c1", "Alice"));
}

#[test]
fn an_update_replaces_profile_and_metadata() {
    let book = given(&[register_as(whole_profile(), json!({"segment": "retail"}))]);
    book.when(update_to(whole_profile(), json!({"segment": "retail"}))).has_no_effect();
    book.when(update_to(whole_profile(), json!({}))).accepted(1);
    let book = book.when(update("c1", "Alice Other")).accepted(1);
    let Entity::Customer(customer) = &book.entities[&tag::customer(&"c1".parse().unwrap())] else {
        panic!("no customer")
    };
    assert_eq!(
        (&customer.current.profile, &customer.current.metadata),
        (&profile("Alice Other"), &Metadata::new())
    );
    assert_eq!(customer.registered.profile, whole_profile());
    book.when(update("c1", "Alice Other")).has_no_effect();
    // Going back to the registered content is a change.
    book.when(update_to(whole_profile(), json!({"segment": "retail"}))).accepted(1);
}

#[test]
fn a_registration_can_be_repeated_after_an_update() {
    let book = given(&[register("c1", "Alice"), update("c1", "Alice Other")]);
    book.when(register("c1", "Alice")).has_no_effect();
    book.when(register("c1", "Alice Other")).rejected("customer-conflict");
}

#[test]
fn an_account_is_linked_and_unlinked() {
    let book = given(&[register("c1", "Alice"), register("c2", "Bob")]);
    book.when(unlink("c1", "alice")).has_no_effect();
    let book = book.when(link("c1", "alice")).accepted(1);
    // Links are independent: an account may have several customers, and a customer several accounts.
    book.when(unlink("c2", "alice")).has_no_effect();
    book.when(unlink("c1", "bob")).has_no_effect();
    book.when(link("c1", "bob")).accepted(1);
    let book = book.when(link("c2", "alice")).accepted(1);
    let book = book.when(unlink("c1", "alice")).accepted(1);
    book.when(unlink("c2", "alice")).accepted(1);
    book.when(link("c1", "alice")).accepted(1);
}

#[test]
fn links_need_an_existing_customer_and_account() {
    let book = given(&[register("c1", "Alice")]);
    book.when(link("nobody", "alice")).rejected("customer-unknown");
    book.when(link("c1", "nobody")).rejected("account-unknown");
    book.when(unlink("nobody", "alice")).rejected("customer-unknown");
    book.when(unlink("c1", "nobody")).rejected("account-unknown");
    book.and(close("alice")).when(link("c1", "alice")).accepted(1);
}

#[test]
fn a_forgotten_customer_is_forgotten_permanently() {
    let book =
        given(&[register_as(whole_profile(), json!({"segment": "retail"})), update("c1", "Alice Other")]);
    let book = book.when(forget("c1")).accepted(1);
    let json = serde_json::to_string(&book.entities[&tag::customer(&"c1".parse().unwrap())]).unwrap();
    assert!(!json.contains("Alice") && !json.contains("X123") && !json.contains("retail"), "{json}");
    book.when(forget("c1")).has_no_effect();
    let again = register_as(whole_profile(), json!({"segment": "retail"}));
    let rejection = book.when(again).rejected("customer-forgotten");
    assert_eq!(rejection.to_string(), "customer `c1` was forgotten");
    book.when(register_as(Profile::default(), json!({}))).rejected("customer-forgotten");
    book.when(update("c1", "Alice")).rejected("customer-forgotten");
    book.when(update_to(Profile::default(), json!({}))).rejected("customer-forgotten");
    book.when(link("c1", "alice")).rejected("customer-forgotten");
}

#[test]
fn links_of_a_forgotten_customer_remain_and_can_be_removed() {
    let book = given(&[register("c1", "Alice"), link("c1", "alice"), forget("c1")]);
    book.when(link("c1", "alice")).has_no_effect();
    book.when(link("c1", "bob")).rejected("customer-forgotten");
    let book = book.when(unlink("c1", "alice")).accepted(1);
    book.when(unlink("c1", "alice")).has_no_effect();
}

#[test]
fn an_unknown_customer_cannot_be_changed() {
    let book = given(&[]);
    for command in [update("c1", "Alice"), forget("c1")] {
        let rejection = book.when(command).rejected("customer-unknown");
        assert_eq!(rejection.to_string(), "customer `c1` does not exist in this ledger");
    }
}
