//! Fills a log by COPY, on two connections beside each other.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use super::filler::{Filler, Rows};
use super::rows::CopyRows;
use super::template::Template;

/// Events per COPY.
const CHUNK_EVENTS: usize = 20_000;

const EVENTS: &str =
    "copy store.events (log, position, recorded_at, id, version, hash, event_type, tags, data, meta)
    from stdin (format binary)";
const TAGS: &str = "copy store.event_tags (log, tag, segment, slot) from stdin (format binary)";
const NEWS: &str = "copy store.news (log, position, hash) from stdin (format binary)";
const FRONTIERS: &str = "copy store.frontiers (log, position, hash, frontier) from stdin (format binary)";

/// The connections that rows are copied on.
#[derive(Debug)]
pub(super) struct Copier {
    events: PgConnection,
    tags: PgConnection,
}

impl Copier {
    pub(super) async fn open(database_url: &str) -> anyhow::Result<Copier> {
        Ok(Copier {
            events: PgConnection::connect(database_url).await?,
            tags: PgConnection::connect(database_url).await?,
        })
    }

    pub(super) async fn close(self) -> anyhow::Result<()> {
        tokio::try_join!(self.events.close(), self.tags.close())?;
        Ok(())
    }

    /// The time, as the database has it.
    pub(super) async fn now(&mut self) -> anyhow::Result<DateTime<Utc>> {
        Ok(sqlx::query_scalar("select clock_timestamp()").fetch_one(&mut self.events).await?)
    }

    /// Writes the rows. If this fails, some of them may be there: then the database is of no use.
    pub(super) async fn copy(&mut self, mut rows: Rows) -> anyhow::Result<()> {
        let tags = rows.take_tags();
        let Rows { events, news, frontiers, .. } = rows;
        let on_events = async {
            copy(&mut self.events, EVENTS, events).await?;
            copy(&mut self.events, NEWS, news).await?;
            copy(&mut self.events, FRONTIERS, frontiers).await
        };
        tokio::try_join!(on_events, copy(&mut self.tags, TAGS, tags))?;
        Ok(())
    }

    /// Fills the log until it has this number of events, with transfers between random accounts below a limit.
    pub(super) async fn fill(
        &mut self,
        mut filler: Filler,
        template: &Template,
        events: i64,
        accounts: u32,
    ) -> anyhow::Result<()> {
        let mut ready = Rows::new();
        loop {
            // The next rows are made while these are written.
            let missing = usize::try_from(events - filler.tip().position.0).unwrap_or(0);
            let pairs = filler.random_pairs(missing.min(CHUNK_EVENTS), accounts);
            let (template, now) = (template.clone(), self.now().await?);
            let making = tokio::task::spawn_blocking(move || {
                let mut rows = Rows::new();
                filler.write(&mut rows, &template, &pairs, now);
                (filler, rows)
            });
            self.copy(ready).await?;
            (filler, ready) = making.await.context("the rows could not be made")?;
            if missing == 0 {
                return Ok(());
            }
        }
    }
}

pub(super) async fn copy(
    connection: &mut PgConnection,
    statement: &'static str,
    rows: CopyRows,
) -> anyhow::Result<()> {
    let mut copying = connection.copy_in_raw(statement).await?;
    copying.send(rows.finish()).await?;
    copying.finish().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use recount_core::{Frontier, LogName, RecordedEvent, Tag, Tip};
    use recount_store::{LogReader, LogWriter};
    use recount_test_support::TestDatabase;

    use super::*;

    /// An event as the service writes it.
    fn transfer() -> RecordedEvent {
        let (transaction, debit, credit) = ("5e0c", "users:000001:main", "users:000000:main");
        RecordedEvent {
            log: LogName::key(&"main".parse().unwrap()),
            position: recount_core::Position(1),
            id: uuid::Uuid::nil(),
            event_type: "transaction-posted".to_owned(),
            version: 1,
            tags: vec![
                Tag::new("transaction", transaction),
                Tag::new("account", credit),
                Tag::new("account", debit),
            ],
            data: format!(r#"{{"transaction":"{transaction}","entries":["{debit}","{credit}"]}}"#),
            meta: r#"{"actor":"bench"}"#.to_owned(),
            recorded_at: DateTime::UNIX_EPOCH,
            previous: recount_core::EventHash([0; 32]),
            hash: recount_core::EventHash([0; 32]),
        }
    }

    #[tokio::test]
    async fn a_filled_log_is_one_that_the_service_could_have_written() {
        let database = TestDatabase::create().await;
        recount_store::migrations::run(database.pool()).await.unwrap();
        let store = LogWriter::new(database.pool());
        let name: LogName = "main".parse().unwrap();
        store.create_log(&name).await.unwrap();
        let reader: &LogReader = store.reader();
        let start = reader.log(name.key()).await.unwrap().unwrap().tip;
        let filler = Filler::new(name.key(), start, Frontier::default(), 1);
        let template = Template::of(&transfer()).unwrap();
        let mut copier = Copier::open(database.url()).await.unwrap();
        copier.fill(filler, &template, 700, 10).await.unwrap();
        copier.close().await.unwrap();

        // Each event is authentic and follows from the one before it, or this fails.
        let events = reader.read_after(name.key(), start, 1_000).await.unwrap();
        assert_eq!(events.len(), 700);
        let (mut tip, mut frontier) = (start, Frontier::default());
        for event in &events {
            assert!(tip.leads_to(event));
            tip = Tip::at(event);
            frontier.push(event.hash);
        }
        assert_eq!(reader.log(name.key()).await.unwrap().unwrap().tip, tip);
        assert_eq!(reader.frontier(name.key(), tip).await.unwrap(), frontier);
        let kept: Vec<i64> = sqlx::query_scalar("select position from store.frontiers order by 1")
            .fetch_all(database.pool())
            .await
            .unwrap();
        assert_eq!(kept, [256, 512]);
        let account = Tag::new("account", "users:000003:main");
        let of_account: Vec<&RecordedEvent> =
            events.iter().filter(|event| event.tags.contains(&account)).collect();
        assert!(of_account.len() > 50);
        let found = reader.read_tagged(name.key(), &account, start.position, 1_000).await.unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), of_account);
        assert!(of_account.iter().all(|event| event.data.contains("users:000003:main")));
    }
}
