//! The OpenAPI document describes the routes as they are.

use recount_identity::Authenticator;
use recount_query_service::{Reader, router};
use recount_store::LogReader;
use recount_test_support::TestDatabase;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::world::World;

async fn document() -> Value {
    let database = TestDatabase::create().await;
    let pool = database.pool().clone();
    let finishing = CancellationToken::new();
    finishing.cancel();
    let reader = Reader::start(pool.clone(), finishing);
    let routes = router(reader, LogReader::new(pool.clone()), Authenticator::new(pool));
    serde_json::to_value(routes.into_openapi()).unwrap()
}

#[tokio::test]
async fn every_documented_operation_answers_as_documented() {
    let world = World::with_everything().await;
    let document = document().await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 16);
    for (path, operations) in paths {
        let responses = operations["get"]["responses"].as_object().unwrap();
        for status in ["200", "400", "401", "500", "503"] {
            assert!(responses.contains_key(status), "{path} documents {status}");
        }
        assert_eq!(responses.contains_key("404"), path.contains("{ledger}"), "{path}");
        let address = path
            .replace("{ledger}", "books")
            .replace("{account}", "Assets:Cash")
            .replace("{transaction}", "t1")
            .replace("{hold}", "auth-1")
            .replace("{customer}", "c-1");
        let answer = world.get(&address).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let media_type = answer.header("content-type");
        assert!(responses["200"]["content"][media_type].is_object(), "{path}: {media_type}");
        if path.contains("{ledger}") {
            assert!(responses["200"]["headers"]["Recount-Position"].is_object(), "{path}");
            assert_eq!(answer.header("recount-position"), "16", "{path}");
        }
    }
}

#[tokio::test]
async fn every_answer_has_exactly_the_members_of_its_schema() {
    let world = World::with_everything().await;
    let document = document().await;
    for (path, schema, pointer) in [
        ("/v1/ledgers/books", "Ledger", ""),
        ("/v1/ledgers", "LedgerSummary", "/items/0"),
        ("/v1/ledgers/books", "EffectiveWindow", "/effective_window"),
        ("/v1/ledgers/books/assets", "Asset", "/items/0"),
        ("/v1/ledgers/books/accounts/Assets:Cash", "Account", ""),
        ("/v1/ledgers/books/accounts/Assets:Cash", "Frozen", "/frozen"),
        ("/v1/ledgers/books/accounts/Assets:Cash", "Balance", "/balances/0"),
        ("/v1/ledgers/books/accounts/Assets:Cash/statement", "StatementEntry", "/items/0"),
        ("/v1/ledgers/books/transactions/t1", "Transaction", ""),
        ("/v1/ledgers/books/transactions/t1", "Entry", "/entries/0"),
        ("/v1/ledgers/books/holds/auth-1", "Hold", ""),
        ("/v1/ledgers/books/holds", "Hold", "/items/0"),
        ("/v1/ledgers/books/customers/c-1", "Customer", ""),
        ("/v1/ledgers/books/customers", "Customer", "/items/0"),
        ("/v1/ledgers/books/accounts/Assets:Cash/metadata-history", "MetadataChange", "/items/0"),
        ("/v1/ledgers/books/transactions/t1/metadata-history", "MetadataChange", "/items/0"),
        ("/v1/ledgers/books/trial-balance", "TrialBalance", ""),
        ("/v1/ledgers/books/trial-balance", "TrialBalanceRow", "/rows/0"),
        ("/v1/ledgers/books/trial-balance", "AssetTotal", "/totals/0"),
        ("/v1/ledgers/books/events", "EventPage", ""),
        ("/v1/ledgers/books/events", "EventRecord", "/events/0"),
        ("/v1/ledgers/none", "Problem", ""),
    ] {
        let answer = world.get(path).await.json();
        let members = |value: &Value| {
            let mut names: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
            names.sort();
            names
        };
        let mut described = properties(&document, &document["components"]["schemas"][schema]);
        described.sort();
        let mut given = members(answer.pointer(pointer).unwrap());
        if schema == "Problem" {
            // A problem has members of its own besides those of all problems, and optional ones may be absent.
            let required = document["components"]["schemas"][schema]["required"].as_array().unwrap();
            described.retain(|name| required.contains(&Value::from(&**name)));
            given.retain(|name| described.contains(name));
        }
        assert_eq!(given, described, "{schema}");
    }
}

/// The names of a schema's properties, including those of the schemas that it is composed of.
fn properties(document: &Value, schema: &Value) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return properties(document, document.pointer(reference.strip_prefix('#').unwrap()).unwrap());
    }
    let own = schema["properties"].as_object().into_iter().flat_map(|own| own.keys().cloned());
    let parts = schema["allOf"].as_array().into_iter().flatten();
    own.chain(parts.flat_map(|part| properties(document, part))).collect()
}

#[tokio::test]
async fn every_operation_documents_its_path_parameters_and_how_to_wait_for_a_position() {
    let document = document().await;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let parameters = operations["get"]["parameters"].as_array().unwrap();
        let named = |place: &str| -> Vec<&str> {
            let of_place = parameters.iter().filter(|parameter| parameter["in"] == place);
            of_place.map(|parameter| parameter["name"].as_str().unwrap()).collect()
        };
        let variables: Vec<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(named("path"), variables, "{path}");
        // The log is always current.
        let waits = path.contains("{ledger}") && !path.ends_with("/events");
        let headers: &[&str] = if waits { &["Recount-At-Least", "Prefer"] } else { &[] };
        assert_eq!(named("header"), headers, "{path}");
        for parameter in parameters {
            assert!(!parameter["description"].as_str().unwrap().is_empty(), "{path}: {parameter}");
            assert_eq!(parameter["required"], parameter["in"] == "path", "{path}: {parameter}");
        }
    }
}

#[tokio::test]
async fn every_list_documents_how_to_page_through_it() {
    let document = document().await;
    let mut lists = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let operation = &operations["get"];
        let ok = &operation["responses"]["200"];
        let schema = &ok["content"]["application/json"]["schema"]["$ref"];
        let Some(page) = schema.as_str().filter(|name| name.contains("/Page_")) else { continue };
        lists.push(path.rsplit('/').next().unwrap());
        let parameter = |name: &str| -> &Value {
            let mut parameters = operation["parameters"].as_array().unwrap().iter();
            let found = parameters.find(|parameter| parameter["name"] == name && parameter["in"] == "query");
            &found.unwrap_or_else(|| panic!("{path} has no {name}"))["schema"]
        };
        let limit = parameter("limit");
        assert_eq!(
            (&limit["minimum"], &limit["maximum"], &limit["default"]),
            (&1.into(), &500.into(), &50.into())
        );
        assert!(parameter("cursor")["type"].to_string().contains("string"), "{path}");
        assert!(ok["headers"]["Link"].is_object(), "{path}");
        let page = document.pointer(page.strip_prefix('#').unwrap()).unwrap();
        assert!(page["properties"]["next"].is_object(), "{path}");
    }
    lists.sort_unstable();
    assert_eq!(
        lists,
        [
            "accounts",
            "assets",
            "customers",
            "holds",
            "ledgers",
            "metadata-history",
            "metadata-history",
            "statement",
            "transactions"
        ]
    );
}

#[tokio::test]
async fn the_log_documents_the_limits_of_a_page() {
    let document = document().await;
    let log = &document["paths"]["/v1/ledgers/{ledger}/events"]["get"];
    assert_eq!(log["operationId"], "list_events");
    let schema = |name: &str| {
        let mut parameters = log["parameters"].as_array().unwrap().iter();
        parameters.find(|parameter| parameter["name"] == name).unwrap()["schema"].clone()
    };
    let limit = schema("limit");
    assert_eq!(
        (&limit["minimum"], &limit["maximum"], &limit["default"]),
        (&1.into(), &1_000.into(), &100.into())
    );
    assert_eq!(schema("after")["minimum"], 0);
}

#[tokio::test]
async fn every_problem_is_documented_as_a_problem_document() {
    for (path, operations) in document().await["paths"].as_object().unwrap() {
        for (status, response) in operations["get"]["responses"].as_object().unwrap() {
            let content = response["content"].as_object().unwrap();
            assert_eq!(content.contains_key("application/problem+json"), status != "200", "{path}: {status}");
            assert!(status == "200" || content.len() == 1, "{path}: {status}");
            assert_eq!(response["headers"]["Retry-After"].is_object(), status == "503", "{path}: {status}");
        }
    }
}

#[tokio::test]
async fn members_that_may_be_absent_are_not_required() {
    let world = World::with_everything().await;
    let profile = world.get("/v1/ledgers/books/customers/c-1").await.json()["profile"].clone();
    assert_eq!(profile, serde_json::json!({ "name": "Alice" }));
    let document = document().await;
    let schemas = &document["components"]["schemas"];
    for (schema, required) in [
        ("Profile", serde_json::json!(null)),
        ("BalanceLimit", serde_json::json!(["asset"])),
        ("ChartRule", serde_json::json!(["pattern", "kind", "overdraft"])),
    ] {
        assert_eq!(schemas[schema]["required"], required, "{schema}");
    }
}

#[tokio::test]
async fn every_reference_in_the_document_resolves() {
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
