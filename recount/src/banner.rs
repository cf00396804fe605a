//! The text that a start prints for the person who started it.

use std::net::SocketAddr;

use recount_identity::NewKey;
use secrecy::ExposeSecret;

/// Prints the first key. It cannot be shown again: only its hash is stored.
pub(crate) fn print_first_key(key: &NewKey, provided: bool) {
    if provided {
        println!("Using the admin key you provided: {}", key.key_id);
    } else {
        println!("New admin key (shown once, stored as a hash):\n");
        println!("    {}\n", key.plaintext.expose_secret());
    }
}

/// Prints the addresses, and a command to try.
pub(crate) fn print_up(address: SocketAddr, key: Option<&NewKey>, provided: bool) {
    println!("\nRecount is up on http://{address}\n");
    println!("    explorer   http://{address}/explorer");
    println!("    readiness  http://{address}/readyz\n");
    let shown = match key {
        Some(key) => {
            print_first_key(key, provided);
            if provided { "$RECOUNT_KEY" } else { key.plaintext.expose_secret() }
        }
        None => {
            println!(
                "The first start showed the admin key; `recount keys create NAME` creates another key.\n"
            );
            "$RECOUNT_KEY"
        }
    };
    println!("Try it:\n");
    println!("    curl -X PUT -H \"Authorization: Bearer {shown}\" http://{address}/v1/ledgers/main\n");
}
