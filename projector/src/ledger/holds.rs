//! The table `holds`: value that was set aside, and what became of it.

use std::collections::HashMap;

use recount_core::{LogKey, Position};
use recount_events::ledger::{AccountName, Amount, Asset, Capture, Direction, HoldId, HoldPlaced};
use sqlx::PgConnection;

use super::accounts::Accounts;
use super::balances::Balances;
use super::contradiction;
use super::rows::{At, column, json, minor_units, storable};
use recount_projection::ApplyError;

/// The holds that a batch concerns, and what happens to them, in order.
#[derive(Debug, Default)]
pub(super) struct Holds {
    all: Vec<Hold>,
    index: HashMap<HoldId, usize>,
    moves: Vec<Move>,
}

#[derive(Debug)]
struct Hold {
    id: HoldId,
    /// Whether the first event about it in the batch takes it for placed.
    earlier: bool,
    /// What is set aside by it: before the batch, and after it once the batch was run. `None` if it is not there.
    state: Option<State>,
    /// The event that placed it, if the batch did.
    placed: Option<(At, HoldPlaced)>,
    /// The last event about it.
    changed: At,
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
    /// What took the last of it, once nothing remains.
    status: &'static str,
}

/// What an event does to a hold and to the balances of its two accounts.
#[derive(Debug)]
struct Move {
    at: At,
    /// Index of the hold.
    hold: usize,
    legs: Legs,
    what: What,
}

/// The indexes of the two balances on which a hold sets something aside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Legs {
    pub(super) debit: usize,
    pub(super) credit: usize,
}

#[derive(Debug)]
enum What {
    Placed(Box<HoldPlaced>),
    Used(Use),
}

/// What becomes of what was left of a hold, in minor units.
#[derive(Clone, Copy, Debug)]
struct Use {
    captured: i128,
    released: i128,
    remaining: i128,
    /// What the hold is then, if nothing remains.
    closed_as: &'static str,
}

impl Holds {
    pub(super) fn place(&mut self, at: At, event: HoldPlaced, legs: Legs) {
        let hold = self.index(at, &event.hold, false);
        self.moves.push(Move { at, hold, legs, what: What::Placed(Box::new(event)) });
    }

    /// A transaction posts so much of what is held.
    pub(super) fn capture(&mut self, at: At, capture: &Capture, amount: Amount, legs: Legs) {
        let what_if_any = |amount: Option<Amount>| amount.map_or(0, Amount::minor_units);
        let captured = Use {
            captured: amount.minor_units(),
            released: what_if_any(capture.released),
            remaining: what_if_any(capture.remaining),
            closed_as: "captured",
        };
        self.use_up(at, &capture.hold, legs, captured);
    }

    pub(super) fn release(&mut self, at: At, hold: &HoldId, amount: Amount, legs: Legs) {
        self.use_up(at, hold, legs, Use::given_back(amount, "released"));
    }

    pub(super) fn expire(&mut self, at: At, hold: &HoldId, amount: Amount, legs: Legs) {
        self.use_up(at, hold, legs, Use::given_back(amount, "expired"));
    }

    fn use_up(&mut self, at: At, hold: &HoldId, legs: Legs, what: Use) {
        let hold = self.index(at, hold, true);
        self.moves.push(Move { at, hold, legs, what: What::Used(what) });
    }

    fn index(&mut self, at: At, id: &HoldId, earlier: bool) -> usize {
        let all = &mut self.all;
        let index = *self.index.entry(id.clone()).or_insert_with(|| {
            all.push(Hold { id: id.clone(), earlier, state: None, placed: None, changed: at });
            all.len() - 1
        });
        self.all[index].changed = at;
        index
    }

    /// Loads what there is of earlier batches, and runs the batch over holds and balances.
    pub(super) async fn settle(
        &mut self,
        connection: &mut PgConnection,
        log: LogKey,
        balances: &mut Balances,
        accounts: &Accounts,
    ) -> Result<(), ApplyError> {
        let earlier: Vec<&str> =
            self.all.iter().filter(|hold| hold.earlier).map(|hold| hold.id.as_str()).collect();
        if !earlier.is_empty() {
            for (hold, state) in load(connection, log, &earlier).await? {
                if let Some(&index) = self.index.get(&hold) {
                    self.all[index].state = Some(state);
                }
            }
        }
        for Move { at, hold, legs, what } in std::mem::take(&mut self.moves) {
            let hold = &mut self.all[hold];
            match what {
                What::Placed(event) => hold.run_placed(at, *event, legs, balances, accounts)?,
                What::Used(used) => hold.run_used(at, used, legs, balances, accounts)?,
            }
        }
        Ok(())
    }
}

impl Use {
    fn given_back(amount: Amount, closed_as: &'static str) -> Use {
        Use { captured: 0, released: amount.minor_units(), remaining: 0, closed_as }
    }

    /// What there has to be before it; `None` beyond 128 bits.
    fn before(self) -> Option<i128> {
        self.captured.checked_add(self.released)?.checked_add(self.remaining)
    }
}

impl Hold {
    fn run_placed(
        &mut self,
        at: At,
        event: HoldPlaced,
        legs: Legs,
        balances: &mut Balances,
        accounts: &Accounts,
    ) -> Result<(), ApplyError> {
        if let Some(state) = &self.state {
            let reason = format!("hold `{}` was placed at position {}", self.id, state.placed_position);
            return Err(contradiction(at.position, reason));
        }
        balances.get_mut(legs.debit).hold(at.position, Direction::Debit, event.amount, accounts)?;
        balances.get_mut(legs.credit).hold(at.position, Direction::Credit, event.amount, accounts)?;
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

    fn run_used(
        &mut self,
        at: At,
        used: Use,
        legs: Legs,
        balances: &mut Balances,
        accounts: &Accounts,
    ) -> Result<(), ApplyError> {
        let refuse = |reason: String| Err(contradiction(at.position, reason));
        let Some(state) = &mut self.state else {
            return refuse(format!("there is no hold `{}`", self.id));
        };
        let asset = state.asset.as_str();
        if balances.key(accounts, legs.debit) != (state.debit.as_str(), asset)
            || balances.key(accounts, legs.credit) != (state.credit.as_str(), asset)
        {
            return refuse(format!("hold `{}` is of other accounts or of another asset", self.id));
        }
        if used.before() != Some(state.remaining) {
            let Use { captured, released, remaining, .. } = used;
            return refuse(format!(
                "it captures {captured} of hold `{}`, releases {released} and leaves {remaining}, but {} was left",
                self.id, state.remaining
            ));
        }
        state.captured += used.captured;
        state.released += used.released;
        state.remaining = used.remaining;
        if used.remaining == 0 {
            state.status = used.closed_as;
        }
        balances.get_mut(legs.debit).give_back(Direction::Debit, used.captured + used.released);
        balances.get_mut(legs.credit).give_back(Direction::Credit, used.captured + used.released);
        Ok(())
    }
}

/// What there is of these holds.
async fn load(
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
            captured: minor_units(&captured)?,
            released: minor_units(&released)?,
            remaining: minor_units(&remaining)?,
            // Whatever it was, an event that uses up what remains changes it.
            status: "open",
        };
        Ok((HoldId::from_stored(&hold), state))
    };
    rows.into_iter().map(read).collect()
}

/// Writing, once all is settled.
impl Holds {
    pub(super) async fn write(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), sqlx::Error> {
        let (mut placed, mut used) = (Vec::new(), Vec::new());
        for hold in &self.all {
            match (&hold.state, &hold.placed) {
                (Some(state), Some((at, event))) => {
                    placed.push(Placed { at: *at, event, state, changed: hold.changed })
                }
                (Some(state), None) => used.push((hold, state)),
                // It is not there, so that nothing was run: the batch would not have come here.
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
    at: At,
    event: &'a HoldPlaced,
    state: &'a State,
    changed: At,
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
    .bind(column(rows, |row| row.event.expires_at.map(storable)))
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
