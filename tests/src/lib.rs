//! What the tests share: a second domain, which keeps the engine generic, and worlds to run things in.

pub mod theatre;
pub mod world;
