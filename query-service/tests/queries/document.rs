//! The OpenAPI document: it is made with the routes, and what it says of them is true.

use recount_query_service::{Reader, router};
use recount_service_kit::identity::Authenticator;
use recount_test_support::TestDatabase;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::world::World;

async fn document() -> Value {
    let database = TestDatabase::create().await;
    let pool = database.pool().clone();
    let finishing = CancellationToken::new();
    finishing.cancel();
    let routes = router(Reader::start(pool.clone(), finishing), Authenticator::new(pool));
    serde_json::to_value(routes.into_openapi()).unwrap()
}

#[tokio::test]
async fn every_documented_operation_answers_as_documented() {
    let world = World::with_books().await;
    let document = document().await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 9);
    for (path, operations) in paths {
        let responses = operations["get"]["responses"].as_object().unwrap();
        for status in ["200", "400", "401", "500", "503"] {
            assert!(responses.contains_key(status), "{path} documents {status}");
        }
        assert_eq!(responses.contains_key("404"), path.contains("{ledger}"), "{path}");
        let address = path
            .replace("{ledger}", "books")
            .replace("{account}", "Assets:Cash")
            .replace("{transaction}", "t1");
        let answer = world.get(&address).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let media_type = answer.header("content-type");
        assert!(responses["200"]["content"][media_type].is_object(), "{path}: {media_type}");
        if path.contains("{ledger}") {
            assert!(responses["200"]["headers"]["Recount-Position"].is_object(), "{path}");
            assert_eq!(answer.header("recount-position"), "9", "{path}");
        }
    }
}

#[tokio::test]
async fn every_answer_has_exactly_the_members_of_its_schema() {
    let world = World::with_books().await;
    let document = document().await;
    for (path, schema, pointer) in [
        ("/v1/ledgers/books", "Ledger", ""),
        ("/v1/ledgers/books/assets", "Asset", "/items/0"),
        ("/v1/ledgers/books/accounts/Assets:Cash", "Account", ""),
        ("/v1/ledgers/books/accounts/Assets:Cash", "Frozen", "/frozen"),
        ("/v1/ledgers/books/accounts/Assets:Cash", "Balance", "/balances/0"),
        ("/v1/ledgers/books/accounts/Assets:Cash/statement", "StatementEntry", "/items/0"),
        ("/v1/ledgers/books/transactions/t1", "Transaction", ""),
        ("/v1/ledgers/books/transactions/t1", "Entry", "/entries/0"),
        ("/v1/ledgers/books/trial-balance", "TrialBalance", ""),
        ("/v1/ledgers/books/trial-balance", "TrialBalanceRow", "/rows/0"),
        ("/v1/ledgers/books/trial-balance", "AssetTotal", "/totals/0"),
        ("/v1/ledgers/none", "Problem", ""),
    ] {
        let answer = world.get(path).await.json();
        let members = |value: &Value| {
            let mut names: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
            names.sort();
            names
        };
        let described = members(&document["components"]["schemas"][schema]["properties"]);
        let mut given = members(answer.pointer(pointer).unwrap());
        // A problem may have members beyond those of all problems.
        given.retain(|name| schema != "Problem" || described.contains(name));
        assert_eq!(given, described, "{schema}");
    }
}

#[tokio::test]
async fn every_reference_in_the_document_leads_somewhere() {
    let document = document().await;
    let mut references = Vec::new();
    gather(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn gather<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(reference) if name == "$ref" => references.push(reference),
                    _ => gather(value, references),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, references)),
        _ => {}
    }
}
