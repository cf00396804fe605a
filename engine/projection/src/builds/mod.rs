//! Builds: the materialisations of a projection, each in its own schema.
//!
//! `schema` creates the tables of a build and the views that readers see. `go_live` waits until a new build has
//! caught up. `swap` points the views at it, in one transaction.

pub(crate) mod go_live;
pub(crate) mod schema;
mod swap;
