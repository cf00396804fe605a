//! What is printed for the person who started the process.

use std::net::SocketAddr;

use recount_service_kit::identity::NewKey;
use secrecy::ExposeSecret;

/// Shows the first key. This is the only time that it can be shown: only its hash is stored.
pub(crate) fn print_first_key(key: &NewKey, given: bool) {
    if given {
        println!("The admin key that was given is in force: {}", key.key_id);
    } else {
        println!("The admin key, made now and stored only as a hash: keep it.\n");
        println!("    {}\n", key.plaintext.expose_secret());
    }
}

/// Says where everything is, and what to try.
pub(crate) fn print_up(address: SocketAddr, key: Option<&NewKey>, given: bool) {
    println!("\nRecount is up on http://{address}\n");
    println!("    explorer   http://{address}/explorer");
    println!("    readiness  http://{address}/readyz\n");
    let shown = match key {
        Some(key) => {
            print_first_key(key, given);
            if given { "$RECOUNT_KEY" } else { key.plaintext.expose_secret() }
        }
        None => {
            println!(
                "The admin key was shown at the first start; `recount keys create NAME` makes another one.\n"
            );
            "$RECOUNT_KEY"
        }
    };
    println!("Try it:\n");
    println!("    curl -X PUT -H \"Authorization: Bearer {shown}\" http://{address}/v1/ledgers/main\n");
}
