//! Events that fill a log: the rows that the service would have written for transfers of one pair.

use chrono::{DateTime, Utc};
use recount_core::{Envelope, EventHash, Frontier, LogKey, Tip};
use recount_store::tag_hash;
use uuid::Uuid;

use super::rows::CopyRows;
use super::template::{Names, Template, tags};
use crate::random::Random;
use crate::requests::account_name;

/// How often the service keeps the frontier.
const FRONTIER_INTERVAL: i64 = 256;
/// Events of one append of the service under load, which is one row of news.
const APPEND_EVENTS: usize = 64;

/// Goes on with a log from its tip.
#[derive(Debug)]
pub(crate) struct Filler {
    log: LogKey,
    tip: Tip,
    frontier: Frontier,
    random: Random,
}

/// Rows of all tables of the store.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(super) events: CopyRows,
    pub(super) news: CopyRows,
    pub(super) frontiers: CopyRows,
    /// Log, segment, hash and slot: the order of the key.
    tags: Vec<(i64, i32, i64, i32)>,
}

impl Rows {
    pub(crate) fn new() -> Rows {
        Rows { events: CopyRows::new(), news: CopyRows::new(), frontiers: CopyRows::new(), tags: Vec::new() }
    }

    /// The rows of the tags, in the order of the index, which saves most of the time of filling.
    pub(super) fn take_tags(&mut self) -> CopyRows {
        let mut rows = CopyRows::new();
        self.tags.sort_unstable();
        for (log, segment, tag, slot) in self.tags.drain(..) {
            rows.row(4).bigint(log).bigint(tag).integer(segment).integer(slot);
        }
        rows
    }
}

impl Filler {
    /// The tip and the frontier have to be those of the log.
    pub(crate) fn new(log: LogKey, tip: Tip, frontier: Frontier, seed: u64) -> Filler {
        Filler { log, tip, frontier, random: Random::new(seed) }
    }

    pub(crate) fn tip(&self) -> Tip {
        self.tip
    }

    /// This number of pairs of accounts below the limit.
    pub(crate) fn random_pairs(&mut self, pairs: usize, accounts: u32) -> Vec<(u32, u32)> {
        (0..pairs).map(|_| self.random.two_below(accounts)).collect()
    }

    /// Adds a transfer for each pair of accounts, with a new transaction.
    pub(crate) fn write(
        &mut self,
        rows: &mut Rows,
        template: &Template,
        pairs: &[(u32, u32)],
        recorded_at: DateTime<Utc>,
    ) {
        for append in pairs.chunks(APPEND_EVENTS) {
            let kept = |tip: Tip| tip.position.0 / FRONTIER_INTERVAL;
            let before = kept(self.tip);
            for pair in append {
                self.write_event(rows, template, *pair, recorded_at);
            }
            let Tip { position, hash } = self.tip;
            rows.news.row(3).bigint(self.log.0).bigint(position.0).bytes(&hash.0);
            if before < kept(self.tip) {
                let frontier = self.frontier.to_bytes();
                rows.frontiers.row(4).bigint(self.log.0).bigint(position.0).bytes(&hash.0).bytes(&frontier);
            }
        }
    }

    fn write_event(
        &mut self,
        rows: &mut Rows,
        template: &Template,
        (one, other): (u32, u32),
        recorded_at: DateTime<Utc>,
    ) {
        let (id, transaction): (Uuid, Uuid) = (self.random.uuid(), self.random.uuid());
        let (transaction, first, second) =
            (transaction.to_string(), account_name(one.min(other)), account_name(one.max(other)));
        let names: Names<'_> = [&transaction, &first, &second];
        let (tags, data) = (tags(&names), template.data(&names));
        let Template { event_type, version, meta, .. } = template;
        let position = self.tip.position.next();
        let envelope = Envelope {
            log: self.log,
            position,
            id,
            event_type,
            version: *version,
            tags: &tags,
            data: &data,
            meta,
            recorded_at,
        };
        let hash = EventHash::of(self.tip.hash, &envelope);
        let lines = tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>().join("\n");
        rows.events
            .row(10)
            .bigint(self.log.0)
            .bigint(position.0)
            .time(recorded_at)
            .bytes(id.as_bytes())
            .smallint(*version)
            .bytes(&hash.0)
            .bytes(event_type.as_bytes())
            .bytes(lines.as_bytes())
            .bytes(data.as_bytes())
            .bytes(meta.as_bytes());
        let (segment, slot) = place(position.0);
        rows.tags.extend(tags.iter().map(|tag| (self.log.0, segment, tag_hash(self.log, tag), slot)));
        self.tip = Tip { position, hash };
        self.frontier.push(hash);
    }
}

/// Segment and slot of a position, as `store.segment` and `store.slot` compute them.
fn place(position: i64) -> (i32, i32) {
    const SEGMENT_BITS: u32 = 22;
    let number = |number: i64| i32::try_from(number).expect("a log has fewer than 2^53 events");
    (number(position >> SEGMENT_BITS), number(position & ((1 << SEGMENT_BITS) - 1)))
}
