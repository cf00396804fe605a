//! The table `holds`: each hold, how much of it was captured, released or remains, and its status.

use std::collections::HashMap;

use recount_core::{LogKey, Position};
use recount_events::ledger::{AccountName, Amount, Asset, Capture, Direction, HoldId, HoldPlaced};
use recount_projection::ApplyError;
use sqlx::PgConnection;

use super::accounts::Accounts;
use super::balances::{BalanceIndex, Balances, Movement};
use super::rows::{EventStamp, column, contradiction, json, parse_minor_units, storable_time};

/// The holds in a batch, and the events about them in order.
#[derive(Debug, Default)]
pub(super) struct Holds {
    all: Vec<Hold>,
    index: HashMap<HoldId, HoldIndex>,
    events: Vec<HoldEvent>,
}

/// The index of a hold in [`Holds`].
#[derive(Clone, Copy, Debug)]
struct HoldIndex(usize);

#[derive(Debug)]
struct Hold {
    id: HoldId,
    /// Whether the batch's first event about the hold requires an earlier batch to have placed it.
    placed_earlier: bool,
    /// The state before the batch; after [`Holds::apply`], the state after it. `None` if the hold does not exist.
    state: Option<State>,
    /// The event that placed the hold, if this batch did.
    placed: Option<(EventStamp, HoldPlaced)>,
    /// The last event about the hold.
    changed: EventStamp,
}

#[derive(Debug)]
struct State {
    placed_position: Position,
    debit: AccountName,
    credit: AccountName,
    asset: Asset,
    captured: i128,
    released: i128,
    remaining: i128,
    /// Open, or how the last part was used once nothing remains.
    status: &'static str,
}

/// An event about a hold, with the balances that it changes.
#[derive(Debug)]
struct HoldEvent {
    at: EventStamp,
    hold: HoldIndex,
    legs: Legs,
    change: HoldChange,
}

#[derive(Debug)]
enum HoldChange {
    Placed(Box<HoldPlaced>),
    Used(HoldUse),
}

/// How an event divides the remaining amount of a hold, in minor units.
#[derive(Clone, Copy, Debug)]
struct HoldUse {
    captured: i128,
    released: i128,
    remaining: i128,
    /// The status of the hold if nothing remains.
    closed_as: &'static str,
}

/// The balances of a hold's debit and credit account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Legs {
    pub(super) debit: BalanceIndex,
    pub(super) credit: BalanceIndex,
}

/// The account and the asset of the debit and of the credit leg.
type LegKeys<'a> = [(&'a str, &'a str); 2];

impl Legs {
    fn keys<'a>(self, balances: &'a Balances, accounts: &'a Accounts) -> LegKeys<'a> {
        [self.debit, self.credit].map(|leg| balances.key(accounts, leg))
    }

    fn hold(
        self,
        position: Position,
        amount: Amount,
        balances: &mut Balances,
        accounts: &Accounts,
    ) -> Result<(), ApplyError> {
        for (leg, direction) in [(self.debit, Direction::Debit), (self.credit, Direction::Credit)] {
            balances.get_mut(leg).hold(Movement { position, direction, amount }, accounts)?;
        }
        Ok(())
    }

    fn unhold(self, minor_units: i128, balances: &mut Balances) {
        balances.get_mut(self.debit).unhold(Direction::Debit, minor_units);
        balances.get_mut(self.credit).unhold(Direction::Credit, minor_units);
    }
}

impl Holds {
    pub(super) fn place(&mut self, at: EventStamp, event: HoldPlaced, legs: Legs) {
        let hold = self.index_of(at, &event.hold, false);
        self.events.push(HoldEvent { at, hold, legs, change: HoldChange::Placed(Box::new(event)) });
    }

    /// A transaction captures this amount.
    pub(super) fn capture(&mut self, at: EventStamp, capture: &Capture, amount: Amount, legs: Legs) {
        let or_zero = |amount: Option<Amount>| amount.map_or(0, Amount::minor_units);
        let captured = HoldUse {
            captured: amount.minor_units(),
            released: or_zero(capture.released),
            remaining: or_zero(capture.remaining),
            closed_as: "captured",
        };
        self.add_use(at, &capture.hold, legs, captured);
    }

    pub(super) fn release(&mut self, at: EventStamp, hold: &HoldId, amount: Amount, legs: Legs) {
        self.add_use(at, hold, legs, HoldUse::without_capture(amount, "released"));
    }

    pub(super) fn expire(&mut self, at: EventStamp, hold: &HoldId, amount: Amount, legs: Legs) {
        self.add_use(at, hold, legs, HoldUse::without_capture(amount, "expired"));
    }

    fn add_use(&mut self, at: EventStamp, hold: &HoldId, legs: Legs, used: HoldUse) {
        let hold = self.index_of(at, hold, true);
        self.events.push(HoldEvent { at, hold, legs, change: HoldChange::Used(used) });
    }

    fn index_of(&mut self, at: EventStamp, id: &HoldId, placed_earlier: bool) -> HoldIndex {
        let all = &mut self.all;
        let index = *self.index.entry(id.clone()).or_insert_with(|| {
            all.push(Hold { id: id.clone(), placed_earlier, state: None, placed: None, changed: at });
            HoldIndex(all.len() - 1)
        });
        self.all[index.0].changed = at;
        index
    }

    /// Loads the state of holds that earlier batches placed.
    pub(super) async fn load(
        &mut self,
        connection: &mut PgConnection,
        log: LogKey,
    ) -> Result<(), sqlx::Error> {
        let earlier: Vec<&str> =
            self.all.iter().filter(|hold| hold.placed_earlier).map(|hold| hold.id.as_str()).collect();
        if earlier.is_empty() {
            return Ok(());
        }
        for (hold, state) in select(connection, log, &earlier).await? {
            if let Some(&index) = self.index.get(&hold) {
                self.all[index.0].state = Some(state);
            }
        }
        Ok(())
    }

    /// Applies the events in order to the holds and their balances.
    pub(super) fn apply(&mut self, balances: &mut Balances, accounts: &Accounts) -> Result<(), ApplyError> {
        for HoldEvent { at, hold, legs, change } in std::mem::take(&mut self.events) {
            let hold = &mut self.all[hold.0];
            match change {
                HoldChange::Placed(event) => {
                    let amount = event.amount;
                    hold.place(at, *event)?;
                    legs.hold(at.position, amount, balances, accounts)?;
                }
                HoldChange::Used(used) => {
                    hold.apply_use(at, used, legs.keys(balances, accounts))?;
                    legs.unhold(used.captured + used.released, balances);
                }
            }
        }
        Ok(())
    }
}

impl HoldUse {
    fn without_capture(amount: Amount, closed_as: &'static str) -> HoldUse {
        HoldUse { captured: 0, released: amount.minor_units(), remaining: 0, closed_as }
    }

    /// The amount that must remain before the event; `None` if it exceeds 128 bits.
    fn required(self) -> Option<i128> {
        self.captured.checked_add(self.released)?.checked_add(self.remaining)
    }
}

impl Hold {
    fn place(&mut self, at: EventStamp, event: HoldPlaced) -> Result<(), ApplyError> {
        if let Some(state) = &self.state {
            let reason =
                format!("hold `{}` was already placed at position {}", self.id, state.placed_position);
            return Err(contradiction(at.position, reason));
        }
        self.state = Some(State {
            placed_position: at.position,
            debit: event.debit.clone(),
            credit: event.credit.clone(),
            asset: event.asset.clone(),
            captured: 0,
            released: 0,
            remaining: event.amount.minor_units(),
            status: "open",
        });
        self.placed = Some((at, event));
        Ok(())
    }

    fn apply_use(&mut self, at: EventStamp, used: HoldUse, legs: LegKeys<'_>) -> Result<(), ApplyError> {
        let refuse = |reason: String| Err(contradiction(at.position, reason));
        let Some(state) = &mut self.state else {
            return refuse(format!("there is no hold `{}`", self.id));
        };
        let asset = state.asset.as_str();
        if legs != [(state.debit.as_str(), asset), (state.credit.as_str(), asset)] {
            return refuse(format!("hold `{}` has other accounts or another asset", self.id));
        }
        if used.required() != Some(state.remaining) {
            let HoldUse { captured, released, remaining, .. } = used;
            return refuse(format!(
                "the event captures {captured} of hold `{}`, releases {released} and leaves {remaining}, \
                 but {} remained",
                self.id, state.remaining
            ));
        }
        state.captured += used.captured;
        state.released += used.released;
        state.remaining = used.remaining;
        if used.remaining == 0 {
            state.status = used.closed_as;
        }
        Ok(())
    }
}

/// Those of the holds that are stored.
async fn select(
    connection: &mut PgConnection,
    log: LogKey,
    holds: &[&str],
) -> Result<Vec<(HoldId, State)>, sqlx::Error> {
    type Row = (String, i64, String, String, String, String, String, String);
    let rows: Vec<Row> = sqlx::query_as(
        "select h.hold, h.placed_position, h.debit, h.credit, h.asset, h.captured::text, h.released::text,
                h.remaining::text
         from unnest($2::text[]) as t(hold)
         cross join lateral (
             select * from holds as k where k.log = $1 and k.hold between t.hold and t.hold order by k.hold
         ) as h",
    )
    .bind(log.0)
    .bind(holds)
    .fetch_all(connection)
    .await?;
    let read = |(hold, placed_position, debit, credit, asset, captured, released, remaining): Row| {
        let state = State {
            placed_position: Position(placed_position),
            debit: AccountName::from_stored(&debit),
            credit: AccountName::from_stored(&credit),
            asset: Asset::from_stored(&asset),
            captured: parse_minor_units(&captured)?,
            released: parse_minor_units(&released)?,
            remaining: parse_minor_units(&remaining)?,
            // An event that uses a closed hold is a contradiction, so the stored status does not matter.
            status: "open",
        };
        Ok((HoldId::from_stored(&hold), state))
    };
    rows.into_iter().map(read).collect()
}

/// Writing, after the checks.
impl Holds {
    pub(super) async fn write(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), sqlx::Error> {
        let (mut placed, mut used) = (Vec::new(), Vec::new());
        for hold in &self.all {
            match (&hold.state, &hold.placed) {
                (Some(state), Some((at, event))) => {
                    placed.push(Placed { at: *at, event, state, changed: hold.changed })
                }
                (Some(state), None) => used.push((hold, state)),
                // Cannot get here: using a hold that does not exist was a contradiction.
                (None, _) => {}
            }
        }
        if !placed.is_empty() {
            insert(connection, log, &placed).await?;
        }
        if !used.is_empty() {
            update(connection, log, &used).await?;
        }
        Ok(())
    }
}

struct Placed<'a> {
    at: EventStamp,
    event: &'a HoldPlaced,
    state: &'a State,
    changed: EventStamp,
}

async fn insert(connection: &mut PgConnection, log: LogKey, rows: &[Placed<'_>]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into holds (log, hold, debit, credit, asset, amount, captured, released, remaining, status, expires_at,
                            metadata, placed_position, placed_at, changed_position, changed_at)
         select $1, hold, debit, credit, asset, amount::numeric, captured::numeric, released::numeric,
                remaining::numeric, status, expires_at, metadata::json, placed_position, placed_at, changed_position,
                changed_at
         from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
                     $10::text[], $11::timestamptz[], $12::text[], $13::bigint[], $14::timestamptz[], $15::bigint[],
                     $16::timestamptz[])
              as u(hold, debit, credit, asset, amount, captured, released, remaining, status, expires_at, metadata,
                   placed_position, placed_at, changed_position, changed_at)",
    )
    .bind(log.0)
    .bind(column(rows, |row| row.event.hold.as_str()))
    .bind(column(rows, |row| row.event.debit.as_str()))
    .bind(column(rows, |row| row.event.credit.as_str()))
    .bind(column(rows, |row| row.event.asset.as_str()))
    .bind(column(rows, |row| row.event.amount.to_string()))
    .bind(column(rows, |row| row.state.captured.to_string()))
    .bind(column(rows, |row| row.state.released.to_string()))
    .bind(column(rows, |row| row.state.remaining.to_string()))
    .bind(column(rows, |row| row.state.status))
    .bind(column(rows, |row| row.event.expires_at.map(storable_time)))
    .bind(column(rows, |row| json(&row.event.metadata)))
    .bind(column(rows, |row| row.at.position.0))
    .bind(column(rows, |row| row.at.recorded_at))
    .bind(column(rows, |row| row.changed.position.0))
    .bind(column(rows, |row| row.changed.recorded_at))
    .execute(connection)
    .await?;
    Ok(())
}

async fn update(
    connection: &mut PgConnection,
    log: LogKey,
    rows: &[(&Hold, &State)],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update holds as h
         set captured = u.captured::numeric, released = u.released::numeric, remaining = u.remaining::numeric,
             status = u.status, changed_position = u.changed_position, changed_at = u.changed_at
         from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::timestamptz[])
              as u(hold, captured, released, remaining, status, changed_position, changed_at)
         cross join lateral (
             select k.ctid from holds as k where k.log = $1 and k.hold between u.hold and u.hold order by k.hold
         ) as found
         where h.ctid = found.ctid",
    )
    .bind(log.0)
    .bind(column(rows, |(hold, _)| hold.id.as_str()))
    .bind(column(rows, |(_, state)| state.captured.to_string()))
    .bind(column(rows, |(_, state)| state.released.to_string()))
    .bind(column(rows, |(_, state)| state.remaining.to_string()))
    .bind(column(rows, |(_, state)| state.status))
    .bind(column(rows, |(hold, _)| hold.changed.position.0))
    .bind(column(rows, |(hold, _)| hold.changed.recorded_at))
    .execute(connection)
    .await?;
    Ok(())
}
