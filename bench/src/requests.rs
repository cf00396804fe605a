//! The requests, written as bytes.

use std::io::Write;
use std::net::SocketAddr;

use uuid::Uuid;

use crate::random::Random;

/// The asset that is moved.
pub(crate) const ASSET: &str = "USD/2";
/// The accounts of a ledger.
pub(crate) const ACCOUNTS: u32 = 100_000;
/// The limit of the service for one batch.
pub(crate) const BATCH_COMMANDS: u32 = 1_000;

const IN_MEMORY: &str = "writing into memory does not fail";

/// Writes requests of one kind into a reused buffer. The part that all of them share is written only once.
#[derive(Debug)]
pub(crate) struct Requests {
    head: Vec<u8>,
    body: Vec<u8>,
    request: Vec<u8>,
}

impl Requests {
    pub(crate) fn new(method: &str, address: SocketAddr, path: &str, key: &str) -> Requests {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\n"
        );
        Requests { head: head.into_bytes(), body: Vec::new(), request: Vec::new() }
    }

    /// The request with this idempotency key and the body that `write_body` writes.
    pub(crate) fn write(&mut self, idempotency_key: Uuid, write_body: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        self.body.clear();
        write_body(&mut self.body);
        self.request.clear();
        self.request.extend_from_slice(&self.head);
        let rest = format_args!(
            "Idempotency-Key: \"{idempotency_key}\"\r\nContent-Length: {}\r\n\r\n",
            self.body.len()
        );
        self.request.write_fmt(rest).expect(IN_MEMORY);
        self.request.extend_from_slice(&self.body);
        &self.request
    }
}

/// The name of an account.
pub(crate) fn account_name(number: u32) -> String {
    format!("users:{number:06}:main")
}

/// The choice of the accounts of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// Two random accounts.
    Spread,
    /// Always the same two.
    Hot,
    /// Two random ones of this number of accounts from this one on.
    Among { first: u32, accounts: u32 },
}

impl Aim {
    /// The debited and the credited account.
    fn pair(self, random: &mut Random) -> (u32, u32) {
        match self {
            Aim::Spread => random.two_below(ACCOUNTS),
            Aim::Hot => (0, 1),
            Aim::Among { first, accounts } => {
                let (debit, credit) = random.two_below(accounts);
                (first + debit, first + credit)
            }
        }
    }
}

/// Writes the data of one `post-transaction`; `transaction` must be new in the ledger.
pub(crate) fn write_posting(body: &mut Vec<u8>, transaction: Uuid, aim: Aim, random: &mut Random) {
    let (debit, credit) = aim.pair(random);
    let (debit, credit) = (account_name(debit), account_name(credit));
    write!(
        body,
        r#"{{"transaction":"{transaction}","transfers":[{{"debit":"{debit}","credit":"{credit}","asset":"{ASSET}","amount":"1"}}]}}"#,
    )
    .expect(IN_MEMORY);
}

/// Writes a batch of postings.
pub(crate) fn write_postings(body: &mut Vec<u8>, aim: Aim, random: &mut Random) {
    write_batch(body, "post-transaction", 0..BATCH_COMMANDS, |body, _| {
        let transaction = random.uuid();
        write_posting(body, transaction, aim, random);
    });
}

/// Writes a batch that opens these accounts, with unlimited overdraft, so that every posting is accepted.
pub(crate) fn write_openings(body: &mut Vec<u8>, accounts: std::ops::Range<u32>) {
    write_batch(body, "open-account", accounts, |body, account| {
        let account = account_name(account);
        write!(body, r#"{{"account":"{account}","kind":"liability","overdraft":"unlimited"}}"#)
            .expect(IN_MEMORY);
    });
}

fn write_batch(
    body: &mut Vec<u8>,
    command: &str,
    items: std::ops::Range<u32>,
    mut write_data: impl FnMut(&mut Vec<u8>, u32),
) {
    let first = items.start;
    body.push(b'[');
    for item in items {
        if item > first {
            body.push(b',');
        }
        write!(body, r#"{{"command":"{command}","data":"#).expect(IN_MEMORY);
        write_data(body, item);
        body.push(b'}');
    }
    body.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests() -> Requests {
        let address = "127.0.0.1:8080".parse().unwrap();
        Requests::new("POST", address, "/v1/ledgers/x/commands", "rk_a_b")
    }

    #[test]
    fn a_request_is_complete_and_has_the_length_of_its_body() {
        let mut requests = requests();
        requests.write(Uuid::max(), |body| body.extend_from_slice(b"a longer body, that was sent before"));
        let request = requests.write(Uuid::nil(), |body| body.extend_from_slice(b"{}"));
        let expected = "POST /v1/ledgers/x/commands HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\
            Authorization: Bearer rk_a_b\r\nContent-Type: application/json\r\n\
            Idempotency-Key: \"00000000-0000-0000-0000-000000000000\"\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(std::str::from_utf8(request).unwrap(), expected);
    }

    #[test]
    fn a_posting_moves_one_unit_between_two_accounts() {
        let mut body = Vec::new();
        write_posting(&mut body, Uuid::nil(), Aim::Hot, &mut Random::new(1));
        let posting: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let expected = serde_json::json!({
            "transaction": "00000000-0000-0000-0000-000000000000",
            "transfers": [
                {"debit": "users:000000:main", "credit": "users:000001:main", "asset": "USD/2", "amount": "1"},
            ],
        });
        assert_eq!(posting, expected);
    }

    #[test]
    fn a_batch_names_the_command_of_each_item() {
        let mut body = Vec::new();
        write_openings(&mut body, 7..9);
        let batch: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let item = |account: &str| {
            let data = serde_json::json!({"account": account, "kind": "liability", "overdraft": "unlimited"});
            serde_json::json!({"command": "open-account", "data": data})
        };
        assert_eq!(batch, serde_json::json!([item("users:000007:main"), item("users:000008:main")]));
    }

    #[test]
    fn postings_of_a_batch_are_all_different() {
        let mut body = Vec::new();
        write_postings(&mut body, Aim::Spread, &mut Random::new(1));
        let batch: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap();
        let transactions: std::collections::HashSet<_> =
            batch.iter().map(|item| item["data"]["transaction"].as_str().unwrap()).collect();
        assert_eq!(transactions.len(), BATCH_COMMANDS as usize);
    }
}
