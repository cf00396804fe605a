//! The table `customers`: whom the accounts belong to. The one table with personal data.

use std::collections::HashMap;

use recount_core::{LogKey, Position};
use recount_events::ledger::{CustomerId, CustomerRegistered, CustomerUpdated, Metadata, Profile};
use sqlx::PgConnection;

use super::contradiction;
use super::rows::{At, Span, column, json, sparse};
use recount_projection::ApplyError;

/// The customers whom a batch concerns.
#[derive(Debug, Default)]
pub(super) struct Customers {
    all: Vec<Customer>,
    index: HashMap<CustomerId, usize>,
}

#[derive(Debug)]
struct Customer {
    id: CustomerId,
    registered: Option<At>,
    /// An event that registers the customer, though an earlier one of the batch takes the customer for registered.
    registered_again: Option<Position>,
    /// What is known about the customer, if the batch says something about that.
    described: Option<Described>,
    forgotten: bool,
    span: Span,
}

#[derive(Debug)]
struct Described {
    profile: Profile,
    metadata: Metadata,
    /// The first event that describes a customer of an earlier batch.
    first: Position,
}

impl Customers {
    pub(super) fn register(&mut self, at: At, event: CustomerRegistered) -> Result<(), ApplyError> {
        let CustomerRegistered { customer, profile, metadata } = event;
        match self.index.get(&customer).map(|index| &mut self.all[*index]) {
            None => {
                let registered = self.customer(at, &customer);
                registered.registered = Some(at);
                registered.described = Some(Described { profile, metadata, first: at.position });
            }
            Some(known) if known.registered.is_some() => {
                return Err(registered_before(at.position, &customer));
            }
            // Whether this event is to blame or the one before it is known once the customer was looked up.
            Some(known) => known.registered_again = known.registered_again.or(Some(at.position)),
        }
        Ok(())
    }

    pub(super) fn update(&mut self, at: At, event: CustomerUpdated) -> Result<(), ApplyError> {
        let CustomerUpdated { customer, profile, metadata } = event;
        let updated = self.customer(at, &customer);
        if updated.forgotten {
            return Err(was_forgotten(at.position, &customer));
        }
        let first = updated.described.as_ref().map_or(at.position, |described| described.first);
        updated.described = Some(Described { profile, metadata, first });
        Ok(())
    }

    /// Nothing that an earlier event of the batch said is written.
    pub(super) fn forget(&mut self, at: At, customer: &CustomerId) {
        let forgotten = self.customer(at, customer);
        forgotten.forgotten = true;
        let first = forgotten.described.as_ref().map_or(at.position, |described| described.first);
        forgotten.described =
            Some(Described { profile: Profile::default(), metadata: Metadata::new(), first });
    }

    /// Something concerns the customer and changes nothing of the row.
    pub(super) fn touch(&mut self, at: At, customer: &CustomerId) {
        self.customer(at, customer);
    }

    fn customer(&mut self, at: At, customer: &CustomerId) -> &mut Customer {
        let all = &mut self.all;
        let index = *self.index.entry(customer.clone()).or_insert_with(|| {
            all.push(Customer {
                id: customer.clone(),
                registered: None,
                registered_again: None,
                described: None,
                forgotten: false,
                span: Span::at(at.position),
            });
            all.len() - 1
        });
        let customer = &mut self.all[index];
        customer.span.last = at.position;
        customer
    }

    /// Makes sure that whoever is changed is there, and was not forgotten.
    pub(super) async fn settle(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), ApplyError> {
        let earlier: Vec<&Customer> =
            self.all.iter().filter(|customer| customer.registered.is_none()).collect();
        if earlier.is_empty() {
            return Ok(());
        }
        let stored: HashMap<String, bool> = sqlx::query_as(
            "select c.customer, c.forgotten
             from unnest($2::text[]) as t(customer)
             cross join lateral (
                 select * from customers as k
                 where k.log = $1 and k.customer between t.customer and t.customer order by k.customer
             ) as c",
        )
        .bind(log.0)
        .bind(column(&earlier, |customer| customer.id.as_str()))
        .fetch_all(connection)
        .await?
        .into_iter()
        .collect();
        for customer in earlier {
            match (stored.get(customer.id.as_str()), &customer.described) {
                (None, _) => return Err(never_registered(customer.span.first, &customer.id)),
                (Some(true), Some(described)) => return Err(was_forgotten(described.first, &customer.id)),
                (Some(_), _) => {}
            }
            if let Some(position) = customer.registered_again {
                return Err(registered_before(position, &customer.id));
            }
        }
        Ok(())
    }

    pub(super) async fn write(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), sqlx::Error> {
        let (mut registered, mut changed) = (Vec::new(), Vec::new());
        for customer in &self.all {
            match (customer.registered, &customer.described) {
                (Some(at), Some(described)) => registered.push((at, customer, described)),
                _ => changed.push(customer),
            }
        }
        if !registered.is_empty() {
            insert(connection, log, &registered).await?;
        }
        if !changed.is_empty() {
            update(connection, log, &changed).await?;
        }
        Ok(())
    }
}

fn never_registered(position: Position, customer: &CustomerId) -> ApplyError {
    contradiction(position, format!("customer `{customer}` was never registered"))
}

fn registered_before(position: Position, customer: &CustomerId) -> ApplyError {
    contradiction(position, format!("customer `{customer}` was registered before"))
}

fn was_forgotten(position: Position, customer: &CustomerId) -> ApplyError {
    contradiction(position, format!("customer `{customer}` was forgotten"))
}

async fn insert(
    connection: &mut PgConnection,
    log: LogKey,
    rows: &[(At, &Customer, &Described)],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into customers (log, customer, profile, metadata, forgotten, registered_position, registered_at,
                                changed_position)
         select $1, customer, profile::json, metadata::json, forgotten, registered_position, registered_at,
                changed_position
         from unnest($2::text[], $3::text[], $4::text[], $5::boolean[], $6::bigint[], $7::timestamptz[], $8::bigint[])
              as u(customer, profile, metadata, forgotten, registered_position, registered_at, changed_position)",
    )
    .bind(log.0)
    .bind(column(rows, |(_, customer, _)| customer.id.as_str()))
    .bind(column(rows, |(.., described)| json(&described.profile)))
    .bind(column(rows, |(.., described)| json(&described.metadata)))
    .bind(column(rows, |(_, customer, _)| customer.forgotten))
    .bind(column(rows, |(at, ..)| at.position.0))
    .bind(column(rows, |(at, ..)| at.recorded_at))
    .bind(column(rows, |(_, customer, _)| customer.span.last.0))
    .execute(connection)
    .await?;
    Ok(())
}

async fn update(connection: &mut PgConnection, log: LogKey, rows: &[&Customer]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update customers as c
         set profile = coalesce(u.profile::json, c.profile), metadata = coalesce(u.metadata::json, c.metadata),
             forgotten = c.forgotten or u.forgotten, changed_position = u.changed_position
         from unnest($2::text[], $3::text[], $4::text[], $5::boolean[], $6::bigint[])
              as u(customer, profile, metadata, forgotten, changed_position)
         cross join lateral (
             select k.ctid from customers as k
             where k.log = $1 and k.customer between u.customer and u.customer order by k.customer
         ) as found
         where c.ctid = found.ctid",
    )
    .bind(log.0)
    .bind(column(rows, |customer| customer.id.as_str()))
    .bind(sparse(rows, |customer| customer.described.as_ref().map(|described| json(&described.profile))))
    .bind(sparse(rows, |customer| customer.described.as_ref().map(|described| json(&described.metadata))))
    .bind(column(rows, |customer| customer.forgotten))
    .bind(column(rows, |customer| customer.span.last.0))
    .execute(connection)
    .await?;
    Ok(())
}
