//! A look-up reads only the rows that it needs, even with a plan that was made while the store was empty.

use crate::world::World;
use sqlx::PgConnection;

const EVENTS: i64 = 5_000;

/// Rows of the store that this transaction has read.
async fn rows_read(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "select coalesce(sum(coalesce(idx_tup_fetch, 0) + coalesce(seq_tup_read, 0)), 0)::bigint
         from pg_stat_xact_all_tables where schemaname = 'store'",
    )
    .fetch_one(connection)
    .await
    .unwrap()
}

async fn load_entities(connection: &mut PgConnection, log: i64) -> i64 {
    sqlx::query_scalar(
        "select count(*) from store.tip($1) t, lateral store.load_entities(
             $1, t.position, t.hash, '{7, 8}', '{show:Hamlet, show:Faust}', 1::smallint,
             '{null, null}', '{null, null}', 100000, 1000000000) where part in (0, 1)",
    )
    .bind(log)
    .fetch_one(connection)
    .await
    .unwrap()
}

async fn find_outcomes(connection: &mut PgConnection, log: i64) -> i64 {
    sqlx::query_scalar("select count(*) from store.find_outcomes($1, array[md5('1')::uuid, md5('x')::uuid])")
        .bind(log)
        .fetch_one(connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_plan_made_for_an_empty_store_is_still_good_for_a_full_one() {
    let world = World::create().await;
    let log = world.log.key().0;
    let mut connection = world.database.pool().acquire().await.unwrap();
    // The plans are made here, and this connection keeps them.
    assert_eq!(
        (load_entities(&mut connection, log).await, find_outcomes(&mut connection, log).await),
        (0, 0)
    );
    for sql in [
        "insert into store.events (log, position, recorded_at, id, version, hash, event_type, tags, data, meta)
         select $1, n, now(), gen_random_uuid(), 1, sha256(n::text::bytea), 'reserved', 'show:Hamlet', '{}', '{}'
         from generate_series(1, $2) as n",
        "insert into store.event_tags select $1, 7, 0, n from generate_series(1, $2) as n",
        "insert into store.event_tags select $1, 100 + n, 0, n from generate_series(1, $2) as n",
        "insert into store.outcomes (log, key, request, position, recorded_at, hash, outcome)
         select $1, md5(n::text)::uuid, gen_random_uuid(), n, now(), sha256(n::text::bytea), '{}'
         from generate_series(1, $2) as n",
    ] {
        sqlx::query(sql).bind(log).bind(EVENTS).execute(&mut *connection).await.unwrap();
    }
    sqlx::query("begin").execute(&mut *connection).await.unwrap();
    assert_eq!(load_entities(&mut connection, log).await, EVENTS);
    let read = rows_read(&mut connection).await;
    assert!(read <= 3 * EVENTS, "{read} rows were read to load {EVENTS} events");
    assert_eq!(find_outcomes(&mut connection, log).await, 1);
    let read = rows_read(&mut connection).await - read;
    assert!(read <= 10, "{read} rows were read to find one outcome");
    sqlx::query("rollback").execute(&mut *connection).await.unwrap();
}
