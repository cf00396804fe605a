//! One log among many others.

use std::time::{Duration, Instant};

use recount_core::{EventHash, Frontier, LogName, Position, Tip};
use recount_store::{CommitListener, LogCursor, LogReader};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::fill::Copier;
use super::filler::{Filler, Rows};
use super::measure::{LOADED_ACCOUNTS, measure_appends, millis};
use super::rows::CopyRows;
use super::table::{Column, to_text};
use super::template::Template;
use super::world::{World, post};
use crate::report::grouped;
use crate::requests::Aim;
use crate::run::Conditions;

/// The events of the log itself, before it is measured: so many that its own growth makes no difference.
const OWN_EVENTS: i64 = 500_000;
/// The events of each of the other logs.
const EVENTS: usize = 3;
const LOGS_AT_ONCE: usize = 5_000;
const LOOKS: usize = 50;
/// A cursor looks at a page of all logs once a second.
const PAGE_INTERVAL: Duration = Duration::from_millis(1_050);
const PAGES: usize = 5;
const COMMANDS: usize = 50;
/// Much longer than it takes: a listener that misses a notification looks anyway.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(1);

const LOGS: &str = "copy store.logs (log, id, name, origin) from stdin (format binary)";

/// Measures a log alone, and then among this number of others.
pub(super) async fn measure(conditions: &Conditions<'_>, logs: u32) -> anyhow::Result<Vec<Column>> {
    let mut world = World::make(conditions, "growth-logs", LOADED_ACCOUNTS).await?;
    let template = world.template().await?;
    let mut copier = Copier::open(&world.database_url).await?;
    copier.fill(world.filler().await?, &template, OWN_EVENTS, LOADED_ACCOUNTS).await?;
    copier.close().await?;
    let mut columns = Vec::new();
    for logs in [0, logs] {
        make_logs(&mut world, &template, logs).await?;
        world.tidy_up().await?;
        let mut column = Column::new(format!("{} logs", grouped(f64::from(logs + 1))));
        for _ in 0..conditions.rounds {
            measure_cursor(&world, &mut column).await?;
        }
        let aim = Aim::Among { first: 0, accounts: LOADED_ACCOUNTS };
        measure_appends(&mut world, aim, &mut column).await?;
        measure_noticing(&mut world, &mut column).await?;
        columns.push(column);
        // A long run may be interrupted.
        eprintln!("{}", to_text(&columns));
    }
    world.remove().await?;
    Ok(columns)
}

/// Makes logs with a few events each.
async fn make_logs(world: &mut World<'_>, template: &Template, logs: u32) -> anyhow::Result<()> {
    let mut copier = Copier::open(&world.database_url).await?;
    let mut connection = PgConnection::connect(&world.database_url).await?;
    let numbers: Vec<u32> = (0..logs).collect();
    for some in numbers.chunks(LOGS_AT_ONCE) {
        let (mut made, mut rows, now) = (CopyRows::new(), Rows::new(), copier.now().await?);
        for number in some {
            let (name, id): (LogName, Uuid) = (format!("other-{number}").parse()?, world.random.uuid());
            let origin = EventHash::origin(id, &name);
            made.row(4)
                .bigint(name.key().0)
                .bytes(id.as_bytes())
                .bytes(name.as_str().as_bytes())
                .bytes(&origin.0);
            let tip = Tip { position: Position::START, hash: origin };
            let mut filler = Filler::new(name.key(), tip, Frontier::default(), world.random.next());
            let pairs = filler.random_pairs(EVENTS, LOADED_ACCOUNTS);
            filler.write(&mut rows, template, &pairs, now);
        }
        super::fill::copy(&mut connection, LOGS, made).await?;
        copier.copy(rows).await?;
    }
    connection.close().await?;
    copier.close().await
}

/// How long a follower takes to look at all logs, and at those that have moved.
pub(super) async fn measure_cursor(world: &World<'_>, column: &mut Column) -> anyhow::Result<()> {
    let (pool, reader) = world.reader().await?;
    let (mut cursor, began) = (LogCursor::new(reader), Instant::now());
    let pages = sweep(&mut cursor).await?;
    column.add("looking at all logs", "ms", millis(began.elapsed()));
    column.add("its pages", "number", f64::from(pages));
    for _ in 0..LOOKS {
        let began = Instant::now();
        cursor.look().await?;
        column.add("a look at the news", "ms", millis(began.elapsed()));
    }
    for _ in 0..PAGES {
        tokio::time::sleep(PAGE_INTERVAL).await;
        let began = Instant::now();
        cursor.look().await?;
        column.add("a look with a page of all logs", "ms", millis(began.elapsed()));
    }
    pool.close().await;
    Ok(())
}

async fn sweep(cursor: &mut LogCursor) -> anyhow::Result<u32> {
    let mut pages = 1;
    while !cursor.look().await?.complete {
        pages += 1;
    }
    Ok(pages)
}

/// How long it takes from sending a command until a follower sees that the log has moved.
async fn measure_noticing(world: &mut World<'_>, column: &mut Column) -> anyhow::Result<()> {
    let service = world.serve().await?;
    let mut poster = world.poster(&service, Aim::Hot).await?;
    let (pool, reader) = world.reader().await?;
    let mut listener = CommitListener::listen(&reader).await;
    let mut cursor = LogCursor::new(LogReader::new(pool.clone()));
    sweep(&mut cursor).await?;
    for _ in 0..COMMANDS {
        let head = world.head().await?;
        let began = Instant::now();
        let answered = async {
            post(&mut poster).await?;
            anyhow::Ok(began.elapsed())
        };
        let noticed = async {
            loop {
                let moved = cursor.look().await?.logs;
                if moved.iter().any(|log| log.key == world.log && log.tip.position.0 > head) {
                    return anyhow::Ok(began.elapsed());
                }
                listener.changed(LISTEN_TIMEOUT).await;
            }
        };
        let (answered, noticed) = tokio::try_join!(answered, noticed)?;
        column.add("a command is answered after", "ms", millis(answered));
        column.add("a follower notices it after", "ms", millis(noticed));
    }
    drop((listener, cursor));
    pool.close().await;
    service.stop().await
}
