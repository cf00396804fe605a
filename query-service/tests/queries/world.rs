//! A query service on its own database, and functions that write the read models as the projector would.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use recount_core::{LogName, NewEvent, Position, RecordedEvent, Tag};
use recount_identity::{self as identity, Authenticator};
use recount_query_service::{Reader, VERSION_MIN, catalogue, router};
use recount_service_kit::database::Database;
use recount_service_kit::health::Health;
use recount_service_kit::http::HttpStack;
use recount_service_kit::telemetry;
use recount_store::{Append, Appended, LogReader, LogWriter, migrations};
use recount_test_support::TestDatabase;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

pub(crate) const LOG: i64 = 42;
const APPEND_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) database: TestDatabase,
    router: Router,
    key: String,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The status and the code of a problem.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        (self.status.as_u16(), self.json()["code"].as_str().unwrap().to_owned())
    }

    /// One member of every item of a page.
    pub(crate) fn column(&self, member: &str) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.body);
        let page = self.json();
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| item[member].clone()).collect()
    }
}

/// Makes the read models older than the queries need. Their successor has applied three of nine events.
pub(crate) async fn rebuild(pool: &PgPool) {
    sqlx::query(
        "with older as (update public.recount_read_models set version = $1 - 1) \
         insert into public.recount_builds values ('ledger', $1, 3, 9)",
    )
    .bind(VERSION_MIN)
    .execute(pool)
    .await
    .unwrap();
}

impl World {
    /// With empty read models.
    pub(crate) async fn empty() -> World {
        let database = TestDatabase::create().await;
        sqlx::raw_sql(include_str!("read.sql")).execute(database.pool()).await.unwrap();
        let reader = database.pool().clone();
        World::on(database, reader).await
    }

    /// Reads the read models through this pool; the keys and the logs are in the database.
    pub(crate) async fn on(database: TestDatabase, read_models: impl Into<Database>) -> World {
        let logs = database.pool().clone();
        World::with_pools(database, read_models, logs).await
    }

    /// Reads the read models and the logs through these pools; the keys are in the database.
    pub(crate) async fn with_pools(
        database: TestDatabase,
        read_models: impl Into<Database>,
        logs: PgPool,
    ) -> World {
        let keys = Database::from(database.pool());
        identity::migrate(&keys).await.unwrap();
        let key = identity::create_key(&keys, "tests").await.unwrap();
        let token = CancellationToken::new();
        let reader = Reader::start(read_models, token.clone());
        let (routes, _) = router(reader, LogReader::new(logs), Authenticator::new(keys)).split_for_parts();
        let stack =
            HttpStack::new(Health::new(token), telemetry::metrics_handle()).with_catalogue(catalogue());
        World { database, router: stack.wrap(routes), key: key.plaintext.expose_secret().to_owned() }
    }

    /// With a ledger, three accounts in two assets, and three transactions: positions 1 to 9.
    pub(crate) async fn with_books() -> World {
        let world = World::empty().await;
        world.create_ledger("books").await;
        world.register_asset(2, "USD/2").await;
        world.register_asset(3, "VACHR/2").await;
        world.open_account(4, "Assets:Cash", "asset").await;
        world.open_account(5, "Equity:Opening", "equity").await;
        world.open_account(6, "assets:late", "asset").await;
        world
            .post(
                7,
                "t1",
                "2013-01-01",
                &[
                    ("Assets:Cash", "debit", "USD/2", "1000", "1000"),
                    ("Equity:Opening", "credit", "USD/2", "1000", "1000"),
                ],
            )
            .await;
        world
            .post(
                8,
                "t2",
                "2013-07-01",
                &[
                    ("Assets:Cash", "credit", "USD/2", "1005", "-5"),
                    ("Equity:Opening", "debit", "USD/2", "1005", "-5"),
                ],
            )
            .await;
        world
            .post(
                9,
                "t3",
                "2013-03-01",
                &[
                    ("Assets:Cash", "debit", "VACHR/2", "250", "250"),
                    ("Equity:Opening", "credit", "VACHR/2", "250", "250"),
                ],
            )
            .await;
        world
    }

    /// The books, and at positions 10 to 16: two holds (`t4` captures a part of `auth-1`), two customers (`c-1` has two
    /// accounts), and changes of metadata. The log has as many events.
    pub(crate) async fn with_everything() -> World {
        let world = World::with_books().await;
        world.place_hold(10, "auth-1", "Assets:Cash", "Equity:Opening", "100").await;
        let entries = [
            ("Assets:Cash", "debit", "USD/2", "40", "35"),
            ("Equity:Opening", "credit", "USD/2", "40", "35"),
        ];
        world.post(11, "t4", "2013-08-01", &entries).await;
        world.place_hold(12, "auth-2", "assets:late", "Assets:Cash", "7").await;
        world.register_customer(13, "c-1").await;
        world.register_customer(14, "c-2").await;
        world.link(15, "c-1", "Assets:Cash").await;
        world.link(16, "c-1", "assets:late").await;
        sqlx::raw_sql(include_str!("everything.sql")).execute(world.pool()).await.unwrap();
        world.write_log("books", &[("account:Assets:Cash", "{}"); 16]).await;
        world
    }

    /// Writes a log as the command service would: an event for each tag and data.
    pub(crate) async fn write_log(&self, name: &str, events: &[(&str, &str)]) {
        migrations::run(self.pool()).await.unwrap();
        let writer = LogWriter::new(self.pool().clone());
        let name: LogName = name.parse().unwrap();
        writer.create_log(&name).await.unwrap();
        let log = writer.reader().log(name.key()).await.unwrap().unwrap();
        let recorded_at: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let frontier = writer.reader().frontier(log.key, log.tip).await.unwrap();
        let mut batch = Append::new(log.key, log.tip.hash, frontier, log.fence, recorded_at);
        for (n, (tag, data)) in (1..).zip(events) {
            batch.push_event(NewEvent {
                id: Uuid::from_u128(n),
                event_type: "account-opened",
                version: 1,
                tags: vec![Tag::from_stored(tag)],
                data: (*data).to_owned(),
                meta: r#"{"actor":"tests"}"#.into(),
            });
        }
        assert_eq!(writer.append(&batch, APPEND_TIMEOUT).await.unwrap(), Appended::Done);
    }

    /// The first event of a log, read from the store.
    pub(crate) async fn first_event(&self, name: &str) -> RecordedEvent {
        let log = name.parse::<LogName>().unwrap().key();
        LogReader::new(self.pool().clone()).read(log, Position::START, 1).await.unwrap().remove(0)
    }

    async fn place_hold(&self, position: i64, hold: &str, debit: &str, credit: &str, amount: &str) {
        sqlx::query(
            "insert into read.holds values ($1, $2, $3, $4, 'USD/2', $5::text::numeric, 0, 0, $5::text::numeric, \
             'open', null, '{}', $6, '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', $6)",
        )
        .bind(LOG)
        .bind(hold)
        .bind(debit)
        .bind(credit)
        .bind(amount)
        .bind(position)
        .execute(self.pool())
        .await
        .unwrap();
        self.advance(position).await;
    }

    async fn register_customer(&self, position: i64, customer: &str) {
        sqlx::query(
            "insert into read.customers values ($1, $2, '{\"name\":\"Alice\"}', '{\"tier\":1.50}', false, $3, \
             '2026-01-01T00:00:00Z', $3)",
        )
        .bind(LOG)
        .bind(customer)
        .bind(position)
        .execute(self.pool())
        .await
        .unwrap();
        self.advance(position).await;
    }

    pub(crate) async fn link(&self, position: i64, customer: &str, account: &str) {
        sqlx::query("insert into read.customer_accounts values ($1, $2, $3, $4, '2026-01-01T00:00:00Z')")
            .bind(LOG)
            .bind(customer)
            .bind(account)
            .bind(position)
            .execute(self.pool())
            .await
            .unwrap();
        self.advance(position).await;
    }

    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut headers = headers.to_vec();
        let bearer = format!("Bearer {}", self.key);
        headers.push(("authorization", &bearer));
        self.send(path, &headers).await
    }

    /// Sends exactly these headers, and no key.
    pub(crate) async fn send(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn create_ledger(&self, name: &str) {
        sqlx::query("insert into read.ledgers values ($1, $2, 1, '2026-01-01T00:00:00Z')")
            .bind(LOG)
            .bind(name)
            .execute(self.pool())
            .await
            .unwrap();
        sqlx::query("insert into read.progress values ($1, $2, 1, sha256(''), null, null, false, now())")
            .bind(LOG)
            .bind(name)
            .execute(self.pool())
            .await
            .unwrap();
    }

    pub(crate) async fn advance(&self, position: i64) {
        sqlx::query("update read.progress set position = $2 where log = $1")
            .bind(LOG)
            .bind(position)
            .execute(self.pool())
            .await
            .unwrap();
    }

    pub(crate) async fn register_asset(&self, position: i64, asset: &str) {
        let (code, scale) = asset.split_once('/').unwrap();
        sqlx::query("insert into read.assets values ($1, $2, $3, $4::int, $5)")
            .bind(LOG)
            .bind(code)
            .bind(asset)
            .bind(scale.parse::<i32>().unwrap())
            .bind(position)
            .execute(self.pool())
            .await
            .unwrap();
        self.advance(position).await;
    }

    pub(crate) async fn open_account(&self, position: i64, account: &str, kind: &str) {
        sqlx::query(
            "insert into read.accounts values ($1, $2, $3, '\"unlimited\"', false, true, false, \
             '{\"note\":1.50}', $4, '2026-01-01T00:00:00Z', $4)",
        )
        .bind(LOG)
        .bind(account)
        .bind(kind)
        .bind(position)
        .execute(self.pool())
        .await
        .unwrap();
        self.advance(position).await;
    }

    /// Entries as account, direction, asset, amount, and the balance after it on the account's normal side.
    pub(crate) async fn post(
        &self,
        position: i64,
        transaction: &str,
        effective: &str,
        entries: &[(&str, &str, &str, &str, &str)],
    ) {
        for (line, (account, direction, asset, amount, balance)) in entries.iter().enumerate() {
            sqlx::query(
                "insert into read.entries values ($1, $2, $3, $4, $5, $6, $7::text::numeric, $8::text::numeric, $9, \
                 $10::text::timestamptz, '2026-01-01T00:00:00Z')",
            )
            .bind(LOG)
            .bind(account)
            .bind(position)
            .bind(i32::try_from(line).unwrap())
            .bind(asset)
            .bind(direction)
            .bind(amount)
            .bind(balance)
            .bind(transaction)
            .bind(format!("{effective}T00:00:00Z"))
            .execute(self.pool())
            .await
            .unwrap();
            sqlx::query(
                "insert into read.balances (log, account, asset, debits, credits, position, posted, available) \
                 values ($1, $2, $3, \
                     case when $4 = 'debit' then $5::text::numeric else 0 end, \
                     case when $4 = 'credit' then $5::text::numeric else 0 end, $6, \
                     $7::text::numeric, $7::text::numeric) \
                 on conflict (log, account, asset) do update set debits = balances.debits + excluded.debits, \
                     credits = balances.credits + excluded.credits, position = excluded.position, \
                     posted = excluded.posted, available = excluded.available",
            )
            .bind(LOG)
            .bind(account)
            .bind(asset)
            .bind(direction)
            .bind(amount)
            .bind(position)
            .bind(balance)
            .execute(self.pool())
            .await
            .unwrap();
        }
        let entries = entries.iter().map(|(account, direction, asset, amount, _)| {
            json!({ "account": account, "direction": direction, "asset": asset, "amount": amount })
        });
        sqlx::query(
            "insert into read.transactions values ($1, $2, $3, $4::text::timestamptz, '2026-01-01T00:00:00Z', $5, \
             '{}', $6::text::json, null, null)",
        )
        .bind(LOG)
        .bind(position)
        .bind(transaction)
        .bind(format!("{effective}T00:00:00Z"))
        .bind(format!("ref-{transaction}"))
        .bind(Value::from_iter(entries).to_string())
        .execute(self.pool())
        .await
        .unwrap();
        self.advance(position).await;
    }
}
