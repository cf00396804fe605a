//! A database with a ledger, the service on it, and what Postgres says about it.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use recount_core::{LogKey, LogName, Position, Tip};
use recount_store::{Log, LogReader};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use super::filler::Filler;
use super::template::Template;
use crate::ledger;
use crate::load::{Step, Worker};
use crate::posting::Poster;
use crate::random::Random;
use crate::requests::Aim;
use crate::run::Conditions;
use crate::service::{Program, Role, Service};

pub(super) const LEDGER: &str = "growth";

const CONNECTIONS: usize = 64;
/// How long the sessions of a service may stay after its end.
const SESSIONS_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct World<'a> {
    pub(super) conditions: &'a Conditions<'a>,
    pub(super) name: &'static str,
    pub(super) database_url: String,
    /// One connection, for questions about the database.
    pub(super) pool: PgPool,
    pub(super) log: LogKey,
    /// Seeds, each of which is used once: a repeated command would be recognised and do nothing.
    pub(super) random: Random,
}

impl<'a> World<'a> {
    /// Makes a database, and in it a ledger with this number of accounts and one transaction.
    pub(super) async fn make(
        conditions: &'a Conditions<'a>,
        name: &'static str,
        accounts: u32,
    ) -> anyhow::Result<World<'a>> {
        let database_url = conditions.server.create_database(name).await?;
        let pool = PgPoolOptions::new().max_connections(1).connect(&database_url).await?;
        let log = LEDGER.parse::<LogName>()?.key();
        let mut world = World { conditions, name, database_url, pool, log, random: Random::new(0) };
        world.program().migrate().await?;
        let service = world.serve().await?;
        ledger::make(service.address(), LEDGER, accounts, world.random.next()).await?;
        post(&mut world.poster(&service, Aim::Hot).await?).await?;
        service.stop().await?;
        Ok(world)
    }

    fn program(&self) -> Program<'_> {
        Program {
            path: self.conditions.recount,
            database_url: &self.database_url,
            output_file: self.conditions.server.output_file(self.name),
        }
    }

    pub(super) async fn serve(&self) -> anyhow::Result<Service> {
        self.program().serve(Role::CommandService).await
    }

    pub(super) async fn remove(self) -> anyhow::Result<()> {
        self.pool.close().await;
        self.conditions.server.drop_database(self.name).await
    }

    /// A client with a seed of its own.
    pub(super) async fn poster(&mut self, service: &Service, aim: Aim) -> anyhow::Result<Poster> {
        Poster::of_singles(service.address(), LEDGER, aim, self.random.next()).await
    }

    /// Clients for a load.
    pub(super) async fn posters(&mut self, service: &Service, aim: Aim) -> anyhow::Result<Vec<Poster>> {
        let mut posters = Vec::new();
        for _ in 0..CONNECTIONS {
            posters.push(self.poster(service, aim).await?);
        }
        Ok(posters)
    }

    /// A reader with connections of its own. Close the pool, and their statistics are there.
    pub(super) async fn reader(&self) -> anyhow::Result<(PgPool, LogReader)> {
        let pool = PgPoolOptions::new().max_connections(4).connect(&self.database_url).await?;
        Ok((pool.clone(), LogReader::new(pool)))
    }

    pub(super) async fn log(&self) -> anyhow::Result<Log> {
        LogReader::new(&self.pool).log(self.log).await?.context("the ledger has a log")
    }

    pub(super) async fn head(&self) -> anyhow::Result<i64> {
        Ok(self.log().await?.tip.position.0)
    }

    /// What goes on with the ledger's log.
    pub(super) async fn filler(&mut self) -> anyhow::Result<Filler> {
        let Log { key, tip, .. } = self.log().await?;
        let frontier = LogReader::new(&self.pool).frontier(key, tip).await?;
        Ok(Filler::new(key, tip, frontier, self.random.next()))
    }

    /// The last event as a pattern. It has to be a transfer.
    pub(super) async fn template(&self) -> anyhow::Result<Template> {
        let before = Position(self.head().await? - 1);
        let last = LogReader::new(&self.pool).read(self.log, before, 1).await?;
        Template::of(last.first().context("there is a last event")?)
    }

    /// The tip that the log had at a position.
    pub(super) async fn tip_at(&self, position: i64) -> anyhow::Result<Tip> {
        let events = LogReader::new(&self.pool).read(self.log, Position(position - 1), 1).await?;
        Ok(Tip::at(events.first().context("the log is longer")?))
    }

    /// Brings the tables into the state in which autovacuum keeps them, so that it has nothing to do meanwhile.
    pub(super) async fn tidy_up(&self) -> anyhow::Result<()> {
        for statement in ["vacuum (analyze)", "checkpoint"] {
            sqlx::raw_sql(statement).execute(&self.pool).await?;
        }
        Ok(())
    }

    /// Waits until no other session is left, so that the statistics are complete.
    pub(super) async fn wait_until_alone(&self) -> anyhow::Result<()> {
        const OTHERS: &str = "select count(*) from pg_stat_activity
            where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()";
        let began = Instant::now();
        while sqlx::query_scalar::<_, i64>(OTHERS).fetch_one(&self.pool).await? > 0 {
            ensure!(began.elapsed() < SESSIONS_TIMEOUT, "sessions of the service are still there");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }
}

/// Sends one command, which has to be accepted.
pub(super) async fn post(poster: &mut Poster) -> anyhow::Result<()> {
    match poster.step().await? {
        Step::Acknowledged(_) => Ok(()),
        Step::Refused(answer) => bail!("the service answered {answer}"),
    }
}
