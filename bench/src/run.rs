//! Runs the planned groups, each with its own database and service, round by round.

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::cores::Cores;
use crate::cpu::Processes;
use crate::figures::{Figures, ReadModelLag, Round};
use crate::ledger;
use crate::load::{Loaded, Measurement, Worker, drive};
use crate::plan::{Group, Scenario, Work};
use crate::posting::Poster;
use crate::random::Random;
use crate::raw::{self, Appender, Inserter, Rows};
use crate::requests::{ACCOUNTS, Aim, BATCH_COMMANDS};
use crate::server::Server;
use crate::service::{Program, Role, Service};

/// After this time, connections, plans and caches are warm.
const WARM_UP_INTERVAL: Duration = Duration::from_secs(1);
/// Batches of the service that are inserted again, one after another.
const CAPTURED_BATCHES_MAX: usize = 32;
/// How long the read model may take to catch up after the load.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(180);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The conditions that all scenarios share.
#[derive(Debug)]
pub(crate) struct Conditions<'a> {
    pub(crate) server: &'a Server,
    pub(crate) recount: &'a Path,
    pub(crate) rounds: u32,
    pub(crate) duration: Duration,
    pub(crate) cores: Cores,
}

/// A database and the service on it, for one group, so that the data of an earlier group has no influence.
struct World<'a> {
    conditions: &'a Conditions<'a>,
    database_url: String,
    pool: PgPool,
    service: Service,
}

/// A scenario and the logs that it writes to.
struct Scene {
    scenario: Scenario,
    ledgers: Vec<String>,
    logs: Vec<i64>,
    rows: Rc<Vec<Rows>>,
    rounds: Vec<Round>,
}

/// Runs the scenarios of a group, and reports each round to `progress`.
pub(crate) async fn run_group(
    conditions: &Conditions<'_>,
    group: &Group,
    progress: impl Fn(&str, &Round),
) -> anyhow::Result<Vec<Figures>> {
    let server = conditions.server;
    let name = group.scenarios.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join("+");
    let database_url = server.create_database(&name).await?;
    let program = Program {
        path: conditions.recount,
        database_url: &database_url,
        output_file: server.output_file(&name),
    };
    program.migrate().await?;
    let service = program.serve(group.role).await?;
    let pool = PgPoolOptions::new().max_connections(2).connect(&database_url).await?;
    let world = World { conditions, database_url, pool, service };

    let mut scenes = Vec::new();
    for (index, scenario) in (0_u64..).zip(&group.scenarios) {
        scenes.push(world.prepare(*scenario, &mut Random::new(index)).await?);
    }
    let rounds = if scenes.len() > 1 { conditions.rounds } else { 1 };
    for number in 0..rounds {
        for scene in &mut scenes {
            server.checkpoint().await?;
            // Each round has different commands.
            let mut round = world.measure(scene, &mut Random::new(1_000 + u64::from(number))).await?;
            if group.role == Role::Up {
                round.read_model = Some(world.read_model_lag(scene.logs[0]).await?);
            }
            progress(scene.scenario.name, &round);
            scene.rounds.push(round);
        }
    }
    world.pool.close().await;
    world.service.stop().await?;
    server.drop_database(&name).await?;
    Ok(scenes.into_iter().map(Scene::into_figures).collect())
}

impl Scene {
    fn into_figures(self) -> Figures {
        Figures::of(self.scenario.name, self.scenario.connections, self.rounds)
    }
}

impl World<'_> {
    async fn prepare(&self, scenario: Scenario, random: &mut Random) -> anyhow::Result<Scene> {
        let mut scene = Scene {
            scenario,
            ledgers: Vec::new(),
            logs: Vec::new(),
            rows: Rc::default(),
            rounds: Vec::new(),
        };
        let (served, raw) = match scenario.work {
            Work::Singles(_) => (1, 0),
            Work::Batches { ledgers } => (ledgers, 0),
            Work::Inserts | Work::Appends { .. } => (0, scenario.connections),
        };
        for number in 0..served {
            let ledger = format!("{}-{number}", scenario.name);
            ledger::make(self.service.address(), &ledger, ACCOUNTS, random.next()).await?;
            scene.logs.push(ledger::log_key(&self.pool, &ledger).await?);
            scene.ledgers.push(ledger);
        }
        for number in 0..raw {
            let name = format!("{}-{number}", scenario.name);
            scene.logs.push(raw::make_log(&self.pool, &name, random).await?);
        }
        if raw > 0 {
            scene.rows = Rc::new(self.rows_of_the_service(scenario, random).await?);
        }
        Ok(scene)
    }

    /// Makes the service write batches, and reads their rows back.
    async fn rows_of_the_service(
        &self,
        scenario: Scenario,
        random: &mut Random,
    ) -> anyhow::Result<Vec<Rows>> {
        let address = self.service.address();
        let ledger = format!("{}-source", scenario.name);
        ledger::make(address, &ledger, ACCOUNTS, random.next()).await?;
        let log = ledger::log_key(&self.pool, &ledger).await?;
        let after = ledger::heads(&self.pool, &[log]).await?;
        let commands = match scenario.work {
            Work::Appends { commands } => {
                ledger::post_singles(address, &ledger, commands * CAPTURED_BATCHES_MAX, random).await?;
                commands
            }
            _ => {
                ledger::post_batches(address, &ledger, CAPTURED_BATCHES_MAX, random).await?;
                BATCH_COMMANDS as usize
            }
        };
        raw::capture(&self.pool, log, after, commands, CAPTURED_BATCHES_MAX).await
    }

    async fn measure(&self, scene: &Scene, random: &mut Random) -> anyhow::Result<Round> {
        let before = ledger::heads(&self.pool, &scene.logs).await?;
        let loaded = self.load(scene, random).await?;
        let verified = ledger::verify(&self.pool, &scene.logs, before, loaded.acknowledged).await;
        Ok(Round::of(loaded, verified.err().map(|error| format!("{error:#}"))))
    }

    async fn load(&self, scene: &Scene, random: &mut Random) -> anyhow::Result<Loaded> {
        let connections = 0..scene.scenario.connections;
        let (address, url) = (self.service.address(), &self.database_url);
        match scene.scenario.work {
            Work::Singles(aim) => {
                let mut workers = Vec::new();
                for _ in connections {
                    workers.push(Poster::of_singles(address, &scene.ledgers[0], aim, random.next()).await?);
                }
                self.drive(workers).await
            }
            Work::Batches { ledgers } => {
                let mut workers = Vec::new();
                for number in connections {
                    let ledger = &scene.ledgers[number % ledgers];
                    workers.push(Poster::of_batches(address, ledger, Aim::Spread, random.next()).await?);
                }
                self.drive(workers).await
            }
            Work::Inserts => {
                let mut workers = Vec::new();
                for log in &scene.logs {
                    workers.push(Inserter::open(url, *log, Rc::clone(&scene.rows), random.next()).await?);
                }
                self.drive(workers).await
            }
            Work::Appends { .. } => {
                let (log, rows) = (scene.logs[0], Rc::clone(&scene.rows));
                self.drive(vec![Appender::open(url, log, rows, random.next()).await?]).await
            }
        }
    }

    async fn drive<W: Worker + 'static>(&self, workers: Vec<W>) -> anyhow::Result<Loaded> {
        let postgres = self.conditions.server.postgres_pid()?;
        let measurement = Measurement {
            warm_up: WARM_UP_INTERVAL,
            duration: self.conditions.duration,
            processes: Processes {
                cores: self.conditions.cores.clone(),
                service: self.service.pid(),
                postgres,
            },
        };
        drive(workers, measurement).await
    }

    /// How far behind the read model is now, and how long it takes to catch up.
    async fn read_model_lag(&self, log: i64) -> anyhow::Result<ReadModelLag> {
        let began = Instant::now();
        let events_behind = self.events_behind(log).await?;
        let mut behind = events_behind;
        while behind > 0 && began.elapsed() < CATCH_UP_TIMEOUT {
            tokio::time::sleep(POLL_INTERVAL).await;
            behind = self.events_behind(log).await?;
        }
        let caught_up_seconds = (behind == 0).then(|| began.elapsed().as_secs_f64());
        Ok(ReadModelLag { events_behind, caught_up_seconds })
    }

    async fn events_behind(&self, log: i64) -> anyhow::Result<i64> {
        let behind =
            "select t.position - coalesce((select p.position from read.progress p where p.log = $1), 0)
                      from store.tip($1) t";
        Ok(sqlx::query_scalar(behind).bind(log).fetch_one(&self.pool).await?)
    }
}
