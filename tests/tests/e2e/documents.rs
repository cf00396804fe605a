//! The documents of the service match it: the OpenAPI document, the pages of the problems, and the explorer.

use http::Method;
use recount_tests::http::{Answer, Client};
use recount_tests::ledger::LedgerClient;
use serde_json::{Map, Value, json};

use crate::Up;

/// The operations of the document: method, path and description.
async fn operations(client: &Client) -> Vec<(Method, String, Value)> {
    let document = client.get("/openapi.json").ok().await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let members = |value: &Value| -> Map<String, Value> { value.as_object().unwrap().clone() };
    members(&document["paths"])
        .into_iter()
        .flat_map(|(path, item)| {
            members(&item).into_iter().map(move |(method, operation)| {
                (method.to_uppercase().parse().unwrap(), path.clone(), operation)
            })
        })
        .collect()
}

#[tokio::test]
async fn every_operation_of_the_openapi_document_answers_as_documented() {
    let up = Up::start().await;
    let ledger = LedgerClient::at(&up.client, "main");
    ledger.set_up().await;
    ledger.pay("t1").await;
    let hold = json!({"hold": "h1", "debit": "bank", "credit": "users:bob", "asset": "USD/2", "amount": "1"});
    ledger.command("hold", &hold).ok().await;
    let registered = ledger.command("register-customer", &json!({"customer": "c-1"})).ok().await;
    ledger.trial_balance(registered.position()).await;

    let operations = operations(&up.client).await;
    assert!(operations.len() >= 15, "{}", operations.len());
    for (method, path, operation) in operations {
        let real = [
            ("ledger", "main"),
            ("account", "bank"),
            ("transaction", "t1"),
            ("hold", "h1"),
            ("customer", "c-1"),
        ]
        .iter()
        .fold(path.clone(), |path, (parameter, name)| path.replace(&format!("{{{parameter}}}"), name));
        assert!(!real.contains('{'), "a parameter in {path} has no value");
        let mut ask = up.client.ask(method.clone(), &real);
        if !operation["requestBody"].is_null() {
            ask = ask.json(&json!({}));
        }
        let answer = ask.answer().await;
        let documented = &operation["responses"][answer.status.as_str()];
        assert!(!documented.is_null(), "{method} {path} does not document {answer}");
        assert!(!["not-found", "internal"].contains(&&*answer.code()), "{method} {path}: {answer}");
        if method == Method::GET {
            assert_eq!(answer.status, 200, "{method} {path}: {answer}");
        }

        let without_key = up.process.client().ask(method.clone(), &real).answer().await;
        assert_eq!(without_key.status, 401, "{method} {path} without a key: {without_key}");
        assert!(
            !operation["responses"]["401"].is_null(),
            "{method} {path} does not document that it needs a key"
        );
    }
}

#[tokio::test]
async fn every_problem_has_a_page_for_programs_and_for_people() {
    let up = Up::start().await;
    let client = up.process.client();
    let listed = client.get("/problems").ok().await.json();
    let listed = listed["problems"].as_array().unwrap().clone();
    let codes: Vec<&str> = listed.iter().map(|problem| problem["code"].as_str().unwrap()).collect();
    for code in ["insufficient-funds", "malformed-json", "position-not-reached"] {
        assert!(codes.contains(&code), "{code} is not among {codes:?}");
    }
    let html = client.get("/problems").header("accept", "text/html").ok().await.text();
    for problem in &listed {
        let page = problem["type"].as_str().unwrap();
        assert_eq!(&client.get(page).ok().await.json(), problem);
        let shown = client.get(page).header("accept", "text/html").ok().await.text();
        assert!(shown.contains(problem["title"].as_str().unwrap()), "{shown}");
        assert!(html.contains(&format!("href=\"{page}\"")), "{page} is not on the page of all problems");
    }
}

/// The addresses that the page loads: the values of its `src` and `href` attributes.
fn loaded_by(html: &str) -> Vec<String> {
    ["src=\"", "href=\""]
        .iter()
        .flat_map(|attribute| html.split(attribute).skip(1))
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

async fn followed(client: &Client, path: &str) -> (String, Answer) {
    let mut path = path.to_owned();
    for _ in 0..5 {
        let answer = client.get(&path).answer().await;
        match answer.headers.get("location") {
            Some(location) if answer.status.is_redirection() => {
                location.to_str().unwrap().clone_into(&mut path)
            }
            _ => return (path, answer),
        }
    }
    panic!("too many redirects: {path}");
}

#[tokio::test]
async fn the_explorer_loads_nothing_from_other_hosts() {
    let up = Up::start().await;
    let client = up.process.client();
    let (path, page) = followed(&client, "/").await;
    assert!(path.starts_with("/explorer"), "{path}");
    assert_eq!(page.status, 200, "{page}");
    let html = page.text();
    let loaded = loaded_by(&html);
    assert!(
        loaded.iter().any(|name| name.ends_with(".js")) && loaded.iter().any(|name| name.ends_with(".css"))
    );
    let folder = path.rsplit_once('/').unwrap().0;
    for name in loaded {
        assert!(!name.contains("//"), "{name} is on another host");
        let asset = client.get(format!("{folder}/{}", name.trim_start_matches("./"))).ok().await;
        let text = asset.text();
        if name.ends_with(".css") {
            assert!(!text.contains("url(http") && !text.contains("@import"), "{name} loads from elsewhere");
        }
        if name.ends_with("swagger-initializer.js") {
            assert!(text.contains("/openapi.json"), "{text}");
            assert!(!text.contains("http:") && !text.contains("https:"), "{text}");
            // By default, Swagger UI sends the address of the document to a validator on the web.
            assert!(text.contains("validatorUrl"), "{text}");
        }
    }
}
