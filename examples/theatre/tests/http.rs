//! The theatre over HTTP, on a real Postgres.

use std::time::Duration;

use recount_service_kit::commands::PROBLEMS;
use recount_service_kit::test_kit::TestApi;
use recount_test_support::{TestDatabase, eventually};
use serde_json::json;
use theatre::service::{REJECTIONS, Service};

#[tokio::test]
async fn seats_are_sold_over_http_and_the_programme_shows_it() {
    let database = TestDatabase::create().await;
    let service = Service::start(database.pool().clone()).await.unwrap();
    let api = TestApi::new(service.router(), &[REJECTIONS, PROBLEMS]);
    let post = async |body| api.post("/theatres/globe/commands", &body).await;
    let reserve = || json!({"command": "reserve", "data": {"show": "hamlet", "guest": "ann"}});

    let (status, problem) = post(reserve()).await;
    assert_eq!((status, &problem["code"]), (404, &json!("log-unknown")));
    assert_eq!(api.get(problem["type"].as_str().unwrap()).await.0, 200);
    assert_eq!(api.put("/theatres/globe").await.0, 204);
    for (show, seats) in [("two\nlines", 2), ("hamlet", 3_000_000)] {
        let refused = post(json!({"command": "announce", "data": {"show": show, "seats": seats}})).await;
        assert_eq!((refused.0, &refused.1["code"]), (400, &json!("invalid-request")), "{show:?}");
    }

    let announce = json!({"command": "announce", "data": {"show": "hamlet", "seats": 2}});
    let (status, answer) = post(json!([announce, reserve(), reserve(), reserve()])).await;
    assert_eq!((status, &answer["position"]), (200, &json!(3)));
    assert_eq!(answer["outcomes"][3]["rejected"]["code"], "sold-out");
    let (status, answer) = post(json!({"command": "pay", "data": {"show": "hamlet", "seat": 1}})).await;
    assert_eq!((status, &answer["events"][0]["type"]), (200, &json!("paid")));

    let programme = json!([{"show": "hamlet", "seats": 2, "reserved": 1, "paid": 1}]);
    eventually(Duration::from_secs(60), "the programme is up to date", async || {
        api.get("/theatres/globe/shows").await.1 == programme
    })
    .await;
    let (_, events) = api.get("/theatres/globe/events?after=3").await;
    assert_eq!((&events[0]["type"], &events[0]["position"]), (&json!("paid"), &json!(4)));
    service.stop().await;
}
