//! Creating the tables of a build, and the views that point at the live build.

use std::time::Duration;

use recount_postgres::{Database, locks};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::follow::status::CatchingUp;
use crate::projection::{Projection, schema_of, schema_of_version};

/// How long looking at the builds may take.
pub(crate) const LOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// The tables for the version that readers see, and for all builds, with the progress of those that are not live.
const REGISTER_SQL: &str = "
    set local client_min_messages to warning;
    create table if not exists public.recount_read_models (
        projection text        not null constraint recount_read_models_pkey primary key,
        version    integer     not null,
        made_at    timestamptz not null default now()
    );
    create table if not exists public.recount_builds (
        projection     text        not null,
        version        integer     not null,
        events_applied bigint      not null default 0,
        events         bigint      not null default 0,
        made_at        timestamptz not null default now(),
        constraint recount_builds_pkey primary key (projection, version)
    )";

/// `hash` is that of the event at `position`, or what stands before the first event. `diverged` means that the log in the
/// store does not contain this tip, so that the rows of the log are wrong.
const PROGRESS_SQL: &str = "
    create table progress (
        log            bigint      not null constraint progress_pkey primary key,
        log_name       text        not null constraint progress_log_name_key unique,
        position       bigint      not null constraint progress_position_check check (position >= 0),
        hash           bytea       not null,
        stopped_at     bigint,
        stopped_reason text,
        diverged       boolean     not null default false,
        updated_at     timestamptz not null
    ) with (fillfactor = 50)";

/// The view that every reader has to read first: see [`swap`](crate::builds::swap::swap).
const PROGRESS_VIEW: (&str, &str) = ("progress", "select * from progress");

/// The read models are not those that this program needs.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("the read models `{projection}` do not exist; run `recount migrate` first")]
    Missing { projection: &'static str },
    #[error(
        "the read models `{projection}` have version {there}, but this program needs version {needed}; \
         run `recount migrate`, which creates the new version beside the old one"
    )]
    Older { projection: &'static str, there: i32, needed: i32 },
    #[error(
        "the read models `{projection}` have version {there}, but this program needs version {needed}; \
         run the newer program"
    )]
    Newer { projection: &'static str, there: i32, needed: i32 },
    #[error(
        "the table `{table}` of the read models has no column `log`, so the rows of a log cannot be found in it"
    )]
    TableWithoutLog { table: String },
    #[error(
        "the read models `{build}` are those of an earlier release and cannot be continued; \
         drop the schema `{build}` and its row in public.recount_read_models, and run `recount migrate`"
    )]
    Outdated { build: String },
    #[error("the schema of the read models could not be created or checked")]
    Database(#[from] sqlx::Error),
}

/// Creates the schema of the build if it does not exist. Several processes may call this at the same time; one of them
/// does the work.
///
/// If there is no live build, this build is live at once. If an older version is live, it stays so until
/// [`go_live`](crate::go_live()) has replaced it.
pub async fn migrate(database: impl Into<Database>, projection: &impl Projection) -> Result<(), SchemaError> {
    let needed = i32::from(projection.version());
    let mut transaction = database.into().begin().await?;
    lock(&mut transaction).await?;
    sqlx::raw_sql(REGISTER_SQL).execute(&mut *transaction).await?;
    let live = live_version(&mut transaction, projection).await?;
    if let Some(there) = live {
        refuse_newer(projection, there)?;
        register(&mut transaction, projection, there).await?;
    }
    if build_exists(&mut transaction, projection).await? {
        require_tips(&mut transaction, projection).await?;
    } else {
        create_build(&mut transaction, projection).await?;
        if let Some(live) = live {
            tracing::info!(
                build = schema_of(projection),
                live = schema_of_version(projection, live),
                "a new build is created beside the live one; a projector fills it and makes it live"
            );
        }
    }
    register(&mut transaction, projection, needed).await?;
    if live.is_none() {
        let view_schema = format!("create schema if not exists {}", projection.view_schema());
        execute_all(&mut transaction, vec![view_schema]).await?;
        create_views(&mut transaction, projection).await?;
        set_live(&mut transaction, projection).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Checks that the schema of the build exists. Changes nothing. The build need not be live.
pub async fn verify(database: impl Into<Database>, projection: &impl Projection) -> Result<(), SchemaError> {
    let database = database.into();
    let look = async {
        let mut lease = database.lease().await?;
        verify_within(&mut lease, projection).await?;
        lease.give_back();
        Ok(())
    };
    database.bounded(LOOK_TIMEOUT, look).await
}

async fn verify_within(
    connection: &mut PgConnection,
    projection: &impl Projection,
) -> Result<(), SchemaError> {
    let missing = SchemaError::Missing { projection: projection.name() };
    let registered: bool = sqlx::query_scalar("select to_regclass('public.recount_read_models') is not null")
        .fetch_one(&mut *connection)
        .await?;
    if !registered {
        return Err(missing);
    }
    let there = live_version(connection, projection).await?.ok_or(missing)?;
    refuse_newer(projection, there)?;
    let needed = i32::from(projection.version());
    if there == needed || build_exists(connection, projection).await? {
        require_tips(connection, projection).await
    } else {
        Err(SchemaError::Older { projection: projection.name(), there, needed })
    }
}

fn refuse_newer(projection: &impl Projection, there: i32) -> Result<(), SchemaError> {
    let needed = i32::from(projection.version());
    if there > needed {
        return Err(SchemaError::Newer { projection: projection.name(), there, needed });
    }
    Ok(())
}

/// Keeps other processes from creating, swapping and dropping schemas until the transaction ends.
pub(crate) async fn lock(transaction: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(locks::PROJECTION_BUILDS)
        .execute(transaction)
        .await?;
    Ok(())
}

/// The version of the live build, which readers see.
pub(crate) async fn live_version(
    connection: &mut PgConnection,
    projection: &impl Projection,
) -> Result<Option<i32>, sqlx::Error> {
    sqlx::query_scalar("select version from public.recount_read_models where projection = $1")
        .bind(projection.name())
        .fetch_optional(connection)
        .await
}

/// The versions of which there is a build: the live one and those that are to replace it.
pub(crate) async fn versions(
    connection: &mut PgConnection,
    projection: &impl Projection,
) -> Result<Vec<i32>, sqlx::Error> {
    sqlx::query_scalar(
        "select version from (
             select version from public.recount_builds where projection = $1
             union select version from public.recount_read_models where projection = $1
         ) as v
         where to_regclass($1 || '_v' || version || '.progress') is not null order by version",
    )
    .bind(projection.name())
    .fetch_all(connection)
    .await
}

/// Records that this version is live.
pub(crate) async fn set_live(
    transaction: &mut PgConnection,
    projection: &impl Projection,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into public.recount_read_models (projection, version) values ($1, $2)
         on conflict on constraint recount_read_models_pkey do update set version = $2, made_at = now()",
    )
    .bind(projection.name())
    .bind(i32::from(projection.version()))
    .execute(transaction)
    .await?;
    Ok(())
}

/// Records how far a build that is not live has come, for operators who look into the database.
pub(crate) async fn note_catching_up(
    database: &Database,
    projection: &impl Projection,
    catching: CatchingUp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update public.recount_builds set events_applied = $3, events = $4 where projection = $1 and version = $2",
    )
    .bind(projection.name())
    .bind(i32::from(projection.version()))
    .bind(catching.events_applied)
    .bind(catching.events)
    .execute(database.within(LOOK_TIMEOUT))
    .await?;
    Ok(())
}

/// The names of the views. The view of the progress is the first one.
pub(crate) fn view_names(projection: &impl Projection) -> Vec<&'static str> {
    views(projection).map(|(name, _)| name).collect()
}

fn views(projection: &impl Projection) -> impl Iterator<Item = (&'static str, &'static str)> {
    std::iter::once(PROGRESS_VIEW).chain(projection.views().iter().copied())
}

/// Creates the views, which must not exist, on the tables of the projection's build.
pub(crate) async fn create_views(
    transaction: &mut PgConnection,
    projection: &impl Projection,
) -> Result<(), sqlx::Error> {
    let view_schema = projection.view_schema();
    let mut steps = vec![format!("set local search_path to {}", schema_of(projection))];
    steps.extend(
        views(projection).map(|(name, query)| format!("create view {view_schema}.{name} as {query}")),
    );
    execute_all(transaction, steps).await
}

async fn create_build(
    transaction: &mut PgConnection,
    projection: &impl Projection,
) -> Result<(), SchemaError> {
    let schema = schema_of(projection);
    let steps = vec![
        format!("create schema {schema}"),
        format!("set local search_path to {schema}"),
        PROGRESS_SQL.to_owned(),
        projection.tables_sql().to_owned(),
    ];
    execute_all(transaction, steps).await?;
    let without: Option<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c
         where c.relnamespace = to_regnamespace($1) and c.relkind in ('r', 'p')
           and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'log'
                                                        and a.atttypid = 'bigint'::regtype and not a.attisdropped)
         limit 1",
    )
    .bind(&schema)
    .fetch_optional(transaction)
    .await?;
    match without {
        Some(table) => Err(SchemaError::TableWithoutLog { table }),
        None => Ok(()),
    }
}

/// Refuses a build whose progress has positions without hashes.
async fn require_tips(
    connection: &mut PgConnection,
    projection: &impl Projection,
) -> Result<(), SchemaError> {
    let build = schema_of(projection);
    let has_tips: bool = sqlx::query_scalar(
        "select exists (select from pg_attribute where attrelid = to_regclass($1) and attname = 'hash')",
    )
    .bind(format!("{build}.progress"))
    .fetch_one(connection)
    .await?;
    if has_tips { Ok(()) } else { Err(SchemaError::Outdated { build }) }
}

async fn build_exists(
    connection: &mut PgConnection,
    projection: &impl Projection,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select to_regnamespace($1) is not null")
        .bind(schema_of(projection))
        .fetch_one(connection)
        .await
}

async fn register(
    transaction: &mut PgConnection,
    projection: &impl Projection,
    version: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into public.recount_builds (projection, version) values ($1, $2) on conflict do nothing",
    )
    .bind(projection.name())
    .bind(version)
    .execute(transaction)
    .await?;
    Ok(())
}

pub(crate) async fn execute_all(
    transaction: &mut PgConnection,
    steps: Vec<String>,
) -> Result<(), sqlx::Error> {
    for step in steps {
        sqlx::raw_sql(AssertSqlSafe(step)).execute(&mut *transaction).await?;
    }
    Ok(())
}
