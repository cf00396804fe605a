//! The table `customers`: the owners of accounts. The only table with personal data.

use std::collections::HashMap;

use recount_core::{LogKey, Position};
use recount_events::ledger::{CustomerId, CustomerRegistered, CustomerUpdated, Metadata, Profile};
use recount_projection::ApplyError;
use sqlx::PgConnection;

use super::rows::{EventStamp, Span, column, contradiction, json, sparse_column};

/// The customers in a batch.
#[derive(Debug, Default)]
pub(super) struct Customers {
    all: Vec<Customer>,
    index: HashMap<CustomerId, CustomerIndex>,
}

/// The index of a customer in [`Customers`].
#[derive(Clone, Copy, Debug)]
struct CustomerIndex(usize);

#[derive(Debug)]
struct Customer {
    id: CustomerId,
    registered: Option<EventStamp>,
    /// The first event that registers the customer after an event of this batch that requires the customer to be
    /// registered.
    registered_again: Option<Position>,
    /// Profile and metadata after the batch, if the batch changes them.
    details: Option<Details>,
    forgotten: bool,
    span: Span,
}

#[derive(Debug)]
struct Details {
    profile: Profile,
    metadata: Metadata,
    /// The first event of the batch that changes profile and metadata.
    first: Position,
}

impl Customers {
    pub(super) fn register(&mut self, at: EventStamp, event: CustomerRegistered) -> Result<(), ApplyError> {
        let CustomerRegistered { customer, profile, metadata } = event;
        match self.index.get(&customer).map(|index| &mut self.all[index.0]) {
            None => {
                let new = self.touched(at, &customer);
                new.registered = Some(at);
                new.details = Some(Details { profile, metadata, first: at.position });
            }
            Some(known) if known.registered.is_some() => {
                return Err(already_registered(at.position, &customer));
            }
            // If an earlier batch registered the customer, this event is the contradiction; otherwise the one before it
            // is. That is known once the stored customers are loaded.
            Some(known) => known.registered_again = known.registered_again.or(Some(at.position)),
        }
        Ok(())
    }

    pub(super) fn update(&mut self, at: EventStamp, event: CustomerUpdated) -> Result<(), ApplyError> {
        let CustomerUpdated { customer, profile, metadata } = event;
        let updated = self.touched(at, &customer);
        if updated.forgotten {
            return Err(was_forgotten(at.position, &customer));
        }
        updated.set_details(at, profile, metadata);
        Ok(())
    }

    /// Replaces the details of earlier events too, so that they are never written.
    pub(super) fn forget(&mut self, at: EventStamp, customer: &CustomerId) {
        let forgotten = self.touched(at, customer);
        forgotten.forgotten = true;
        forgotten.set_details(at, Profile::default(), Metadata::new());
    }

    /// Notes an event that concerns the customer without changing profile or metadata.
    pub(super) fn touch(&mut self, at: EventStamp, customer: &CustomerId) {
        self.touched(at, customer);
    }

    /// The customer, who is added if new to the batch.
    fn touched(&mut self, at: EventStamp, customer: &CustomerId) -> &mut Customer {
        let all = &mut self.all;
        let index = *self.index.entry(customer.clone()).or_insert_with(|| {
            all.push(Customer {
                id: customer.clone(),
                registered: None,
                registered_again: None,
                details: None,
                forgotten: false,
                span: Span::at(at.position),
            });
            CustomerIndex(all.len() - 1)
        });
        let customer = &mut self.all[index.0];
        customer.span.last = at.position;
        customer
    }

    /// Checks that each changed customer was registered, and that no forgotten customer gets new details.
    pub(super) async fn check_registered(
        &self,
        connection: &mut PgConnection,
        log: LogKey,
    ) -> Result<(), ApplyError> {
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
            match (stored.get(customer.id.as_str()), &customer.details) {
                (None, _) => return Err(never_registered(customer.span.first, &customer.id)),
                (Some(true), Some(details)) => return Err(was_forgotten(details.first, &customer.id)),
                (Some(_), _) => {}
            }
            if let Some(position) = customer.registered_again {
                return Err(already_registered(position, &customer.id));
            }
        }
        Ok(())
    }

    pub(super) async fn write(&self, connection: &mut PgConnection, log: LogKey) -> Result<(), sqlx::Error> {
        let (mut registered, mut changed) = (Vec::new(), Vec::new());
        for customer in &self.all {
            match (customer.registered, &customer.details) {
                (Some(at), Some(details)) => registered.push((at, customer, details)),
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

impl Customer {
    fn set_details(&mut self, at: EventStamp, profile: Profile, metadata: Metadata) {
        let first = self.details.as_ref().map_or(at.position, |details| details.first);
        self.details = Some(Details { profile, metadata, first });
    }
}

fn never_registered(position: Position, customer: &CustomerId) -> ApplyError {
    contradiction(position, format!("customer `{customer}` was never registered"))
}

fn already_registered(position: Position, customer: &CustomerId) -> ApplyError {
    contradiction(position, format!("customer `{customer}` was already registered"))
}

fn was_forgotten(position: Position, customer: &CustomerId) -> ApplyError {
    contradiction(position, format!("customer `{customer}` was forgotten"))
}

async fn insert(
    connection: &mut PgConnection,
    log: LogKey,
    rows: &[(EventStamp, &Customer, &Details)],
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
    .bind(column(rows, |(.., details)| json(&details.profile)))
    .bind(column(rows, |(.., details)| json(&details.metadata)))
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
    .bind(sparse_column(rows, |customer| customer.details.as_ref().map(|details| json(&details.profile))))
    .bind(sparse_column(rows, |customer| customer.details.as_ref().map(|details| json(&details.metadata))))
    .bind(column(rows, |customer| customer.forgotten))
    .bind(column(rows, |customer| customer.span.last.0))
    .execute(connection)
    .await?;
    Ok(())
}
