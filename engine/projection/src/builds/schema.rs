//! Making the tables of a build, and the views that point at the live one.

use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use crate::follow::status::CatchingUp;
use crate::projection::{Projection, schema_of, schema_of_version};

/// One process at a time makes, swaps and drops schemas. The number only has to be the same everywhere.
const MIGRATION_LOCK: i64 = 0x7265_636f_756e_7401;

/// Which version readers see, and which builds there are, with how far those are that nobody sees yet.
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

const PROGRESS_SQL: &str = "
    create table progress (
        log            bigint      not null constraint progress_pkey primary key,
        log_name       text        not null constraint progress_log_name_key unique,
        position       bigint      not null constraint progress_position_check check (position >= 0),
        stopped_at     bigint,
        stopped_reason text,
        updated_at     timestamptz not null
    ) with (fillfactor = 50)";

/// The view that every reader reads first.
const PROGRESS_VIEW: (&str, &str) = ("progress", "select * from progress");

/// Why the read models are not those that this program needs.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("the read models `{projection}` are not there; run `recount migrate` first")]
    Missing { projection: &'static str },
    #[error(
        "the read models `{projection}` are of version {there} and this program needs version {needed}; \
         run `recount migrate`, which begins to make those beside them"
    )]
    Older { projection: &'static str, there: i32, needed: i32 },
    #[error(
        "the read models `{projection}` are of version {there} and this program needs version {needed}: \
         run the newer program"
    )]
    Newer { projection: &'static str, there: i32, needed: i32 },
    #[error("the schema of the read models could not be made or checked")]
    Database(#[from] sqlx::Error),
}

/// Makes the build's schema if it is not there. Several processes may do so at once; one does it.
///
/// If there is nothing yet for readers to see, they see this build at once. If they see one of an older version, they
/// go on doing so until [`go_live`](crate::builds::go_live()) has brought the new one to them.
pub async fn migrate(pool: &PgPool, projection: &impl Projection) -> Result<(), SchemaError> {
    let needed = i32::from(projection.version());
    let mut transaction = pool.begin().await?;
    lock(&mut transaction).await?;
    sqlx::raw_sql(REGISTER_SQL).execute(&mut *transaction).await?;
    let live = live_version(&mut transaction, projection).await?;
    if let Some(there) = live {
        refuse_newer(projection, there)?;
        register(&mut transaction, projection, there).await?;
    }
    if !is_there(&mut transaction, projection).await? {
        make_build(&mut transaction, projection).await?;
        if let Some(live) = live {
            tracing::info!(
                build = schema_of(projection),
                live = schema_of_version(projection, live),
                "a new build is made beside the live one; a projector fills it and brings it to the readers"
            );
        }
    }
    register(&mut transaction, projection, needed).await?;
    if live.is_none() {
        let view_schema = format!("create schema if not exists {}", projection.view_schema());
        execute_all(&mut transaction, vec![view_schema]).await?;
        make_views(&mut transaction, projection).await?;
        set_live(&mut transaction, projection).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Makes sure that the build's schema is there, and changes nothing. Whether readers see it is another matter.
pub async fn verify(pool: &PgPool, projection: &impl Projection) -> Result<(), SchemaError> {
    let mut connection = pool.acquire().await?;
    let missing = SchemaError::Missing { projection: projection.name() };
    let registered: bool = sqlx::query_scalar("select to_regclass('public.recount_read_models') is not null")
        .fetch_one(&mut *connection)
        .await?;
    if !registered {
        return Err(missing);
    }
    let there = live_version(&mut connection, projection).await?.ok_or(missing)?;
    refuse_newer(projection, there)?;
    let needed = i32::from(projection.version());
    if there == needed || is_there(&mut connection, projection).await? {
        Ok(())
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

/// Keeps all others from making, swapping and dropping schemas until the transaction ends.
pub(crate) async fn lock(transaction: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK).execute(transaction).await?;
    Ok(())
}

/// The version that readers see.
pub(crate) async fn live_version(
    connection: &mut PgConnection,
    projection: &impl Projection,
) -> Result<Option<i32>, sqlx::Error> {
    sqlx::query_scalar("select version from public.recount_read_models where projection = $1")
        .bind(projection.name())
        .fetch_optional(connection)
        .await
}

/// Notes that this is the version that readers see.
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

/// Notes, for whoever asks the database, how far the build is on its way to be live.
pub(crate) async fn note_catching_up(
    pool: &PgPool,
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
    .execute(pool)
    .await?;
    Ok(())
}

/// The names of the views, that of the progress first.
pub(crate) fn view_names(projection: &impl Projection) -> Vec<&'static str> {
    views(projection).map(|(name, _)| name).collect()
}

fn views(projection: &impl Projection) -> impl Iterator<Item = (&'static str, &'static str)> {
    std::iter::once(PROGRESS_VIEW).chain(projection.views().iter().copied())
}

/// Makes the views, which must not be there, point at the projection's build.
pub(crate) async fn make_views(
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

async fn make_build(transaction: &mut PgConnection, projection: &impl Projection) -> Result<(), sqlx::Error> {
    let schema = schema_of(projection);
    let steps = vec![
        format!("create schema {schema}"),
        format!("set local search_path to {schema}"),
        PROGRESS_SQL.to_owned(),
        projection.tables_sql().to_owned(),
    ];
    execute_all(transaction, steps).await
}

async fn is_there(connection: &mut PgConnection, projection: &impl Projection) -> Result<bool, sqlx::Error> {
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
