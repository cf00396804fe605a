//! Who is calling: the API keys, kept in schema `identity`, and the check of every request.
//!
//! This crate owns the schema `identity`, the rights on it included. It does not decide what a caller may do.

mod authenticator;
mod key;
mod openapi;
mod require;
mod store;

use std::sync::Arc;

use secrecy::SecretString;

pub use authenticator::Authenticator;
pub use openapi::document;
pub use require::require;
pub use store::{ApiKey, IdentityError, create_key, ensure_first_admin_key, list_keys, migrate, revoke_key};

/// The caller of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    pub key_id: Arc<str>,
    pub name: Arc<str>,
}

/// A new key. Its plaintext is stored nowhere.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub key_id: String,
    pub plaintext: SecretString,
}
