//! Builds: the materialisations of a projection, each in its own schema.
//!
//! `schema` creates the tables of a build and the views that readers see. `go_live` waits until a new build has
//! caught up. `swap` points the views at it, in one transaction. `remake` empties the builds of one log, so that they are
//! made again from its start.

pub(crate) mod go_live;
pub(crate) mod remake;
pub(crate) mod schema;
mod swap;
