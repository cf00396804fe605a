//! Making the tables of a build, and the views that point at it.

use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use super::projection::{Projection, schema_of};

/// One process at a time makes schemas. The number only has to be the same everywhere.
const MIGRATION_LOCK: i64 = 0x7265_636f_756e_7401;

const PROGRESS_SQL: &str = "
    create table progress (
        log            bigint      not null constraint progress_pkey primary key,
        log_name       text        not null constraint progress_log_name_key unique,
        position       bigint      not null constraint progress_position_check check (position >= 0),
        stopped_at     bigint,
        stopped_reason text,
        updated_at     timestamptz not null
    ) with (fillfactor = 50)";

/// Why the read models are not those that this program needs.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("the read models `{projection}` are not there; run `recount migrate` first")]
    Missing { projection: &'static str },
    #[error(
        "the read models `{projection}` are of version {there} and this program needs version {needed}: {}",
        advice(*.there, *.needed, projection)
    )]
    OtherVersion { projection: &'static str, there: i32, needed: i32 },
    #[error("the schema of the read models could not be made or checked")]
    Database(#[from] sqlx::Error),
}

fn advice(there: i32, needed: i32, projection: &str) -> String {
    if there > needed {
        "run the newer program".to_owned()
    } else {
        format!(
            "they hold nothing that the events do not, so drop the schema `{projection}_v{there}` with its views, \
             delete `{projection}` from public.recount_read_models, and run `recount migrate`"
        )
    }
}

/// Makes the build's schema if it is not there. Several processes may do so at once; one does it.
pub async fn migrate(pool: &PgPool, projection: &impl Projection) -> Result<(), SchemaError> {
    let mut transaction = pool.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK).execute(&mut *transaction).await?;
    sqlx::raw_sql(
        "create table if not exists public.recount_read_models (
             projection text        not null constraint recount_read_models_pkey primary key,
             version    integer     not null,
             made_at    timestamptz not null default now()
         )",
    )
    .execute(&mut *transaction)
    .await?;
    if !is_there(&mut transaction, projection).await? {
        create(&mut transaction, projection).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Makes sure that the build's schema is there, and changes nothing.
pub async fn verify(pool: &PgPool, projection: &impl Projection) -> Result<(), SchemaError> {
    let mut connection = pool.acquire().await?;
    let missing = SchemaError::Missing { projection: projection.name() };
    let table: bool = sqlx::query_scalar("select to_regclass('public.recount_read_models') is not null")
        .fetch_one(&mut *connection)
        .await?;
    if table && is_there(&mut connection, projection).await? { Ok(()) } else { Err(missing) }
}

async fn is_there(connection: &mut PgConnection, projection: &impl Projection) -> Result<bool, SchemaError> {
    let there: Option<i32> =
        sqlx::query_scalar("select version from public.recount_read_models where projection = $1")
            .bind(projection.name())
            .fetch_optional(connection)
            .await?;
    let needed = i32::from(projection.version());
    match there {
        None => Ok(false),
        Some(there) if there == needed => Ok(true),
        Some(there) => Err(SchemaError::OtherVersion { projection: projection.name(), there, needed }),
    }
}

async fn create(connection: &mut PgConnection, projection: &impl Projection) -> Result<(), SchemaError> {
    let schema = schema_of(projection);
    let view_schema = projection.view_schema();
    let mut steps = vec![
        format!("create schema {schema}"),
        format!("create schema if not exists {view_schema}"),
        format!("set local search_path to {schema}"),
        PROGRESS_SQL.to_owned(),
        projection.tables_sql().to_owned(),
    ];
    for (name, query) in projection.views().iter().chain(&[("progress", "select * from progress")]) {
        steps.push(format!("create view {view_schema}.{name} as {query}"));
    }
    for step in steps {
        sqlx::raw_sql(AssertSqlSafe(step)).execute(&mut *connection).await?;
    }
    sqlx::query("insert into public.recount_read_models (projection, version) values ($1, $2)")
        .bind(projection.name())
        .bind(i32::from(projection.version()))
        .execute(connection)
        .await?;
    Ok(())
}
