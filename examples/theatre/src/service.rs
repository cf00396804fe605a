//! The service: the command API, a query, and the tasks behind them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::routing::get;
use axum::{Json, Router};
use recount_projection::{ProjectionEngine, Status, migrate};
use recount_service_kit::commands::{self, LOG_UNKNOWN, ProblemCatalogue, StoreClock};
use recount_service_kit::database::Database;
use recount_service_kit::health::Health;
use recount_service_kit::http::{Actor, Path};
use recount_service_kit::problem::Problem;
use recount_service_kit::problem_kinds;
use recount_store::{LogReader, LogWriter, migrations};
use recount_writer::deadlines::{self, Pace};
use recount_writer::{CommandEngine, Tuning};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::domain::Theatre;
use crate::read_model::Occupancy;

problem_kinds! {
    /// The rejections as problems, each with a page of its own.
    pub REJECTIONS = 409:
    "no-such-show" "Show not found" "Announce the show first."
    "sold-out" "Sold out" "Try again later: a reservation that is not paid lapses."
    "not-reserved" "Seat not reserved" "Reserve the seat first."
    "too-late" "Reservation lapsed" "Reserve another seat."
}

static CATALOGUE: ProblemCatalogue = ProblemCatalogue {
    rejections: REJECTIONS,
    log_unknown: &LOG_UNKNOWN,
    log_unknown_detail: "There is no such theatre. Create it with PUT /theatres/{theatre}.",
};

/// How long a query may take.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// A running service.
#[derive(Debug)]
pub struct Service {
    engine: CommandEngine<Theatre>,
    clock: StoreClock,
    database: Database,
    read_model: Status,
    tasks: JoinSet<()>,
    stopping: CancellationToken,
}

impl Service {
    /// Starts the service, on a database of its own whose schemas it creates or updates.
    pub async fn start(database: impl Into<Database>) -> anyhow::Result<Service> {
        let database = database.into();
        migrations::run(&database).await?;
        migrate(&database, &Occupancy).await?;
        let stopping = CancellationToken::new();
        let clock = StoreClock::start(&LogReader::new(&database)).await?;
        let engine = CommandEngine::start(LogWriter::new(&database), clock.environment(), Tuning::default());
        let projection = ProjectionEngine::new(Occupancy, LogReader::new(&database), &database);
        let mut tasks = JoinSet::new();
        tasks.spawn(deadlines::run(engine.clone(), Pace::default(), stopping.clone()));
        let read_model = projection.status().clone();
        tasks.spawn(recount_projection::run(projection, stopping.clone()));
        Ok(Service { engine, clock, database, read_model, tasks, stopping })
    }

    /// The API. This theatre trusts its network, so every request has the same actor; a service with users would check
    /// their keys here.
    pub fn router(&self) -> Router {
        let shows = Router::new().route("/{theatre}/shows", get(shows)).with_state(self.database.clone());
        Router::new()
            .nest("/theatres", commands::routes(self.engine.clone(), &CATALOGUE).merge(shows))
            .layer(Extension(Actor(Arc::from("box-office"))))
    }

    /// Adds the checks that the read model follows the log, and that the clocks agree.
    pub fn watch(&self, health: &Health) {
        self.clock.watch(health);
        let status = self.read_model.clone();
        health.add("read model", move || std::future::ready(status.report().check_stopped()));
    }

    /// Finishes the accepted commands, then stops.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        self.engine.stop().await;
        while self.tasks.join_next().await.is_some() {}
    }
}

/// The programme of a theatre.
async fn shows(
    State(database): State<Database>,
    Path(theatre): Path<String>,
) -> Result<Json<Value>, Problem> {
    let theatre = commands::log_name(&theatre)?;
    let shows = sqlx::query_scalar(
        "select coalesce(json_agg(shows order by show), '[]')
         from (select show, seats, reserved, paid from read.shows where log = $1 order by show limit 1000) as shows",
    );
    let shows = shows.bind(theatre.key().0).fetch_one(database.within(QUERY_TIMEOUT)).await;
    shows.map(Json).map_err(|error| Problem::of_database(&error))
}
