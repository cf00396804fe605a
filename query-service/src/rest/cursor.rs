//! Cursors: where the next page of a list starts. They are opaque to clients and valid only for the list that issued them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use recount_service_kit::problem::{Problem, kinds};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longer than any cursor that is issued: names have at most 255 bytes.
const LEN_MAX: usize = 1_024;
const HASH_LEN: usize = 8;
const NOT_ISSUED: &str = "The cursor was not issued by this service.";

/// The cursor that points behind the row with this key, in the list with this hash.
pub(super) fn encode(list: u64, key: &impl Serialize) -> String {
    let mut bytes = list.to_be_bytes().to_vec();
    serde_json::to_writer(&mut bytes, key).expect("a key is made of texts and numbers");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The key in a cursor that the list with this hash issued.
pub(super) fn decode<K: DeserializeOwned>(list: u64, cursor: &str) -> Result<K, Problem> {
    let bytes = Some(cursor)
        .filter(|cursor| cursor.len() <= LEN_MAX)
        .and_then(|cursor| URL_SAFE_NO_PAD.decode(cursor).ok())
        .filter(|bytes| bytes.len() > HASH_LEN)
        .ok_or_else(|| invalid(NOT_ISSUED))?;
    let (hash, key) = bytes.split_at(HASH_LEN);
    if hash != list.to_be_bytes() {
        return Err(invalid("The cursor was issued for another list, or for this list with other filters."));
    }
    serde_json::from_slice(key).map_err(|_| invalid(NOT_ISSUED))
}

fn invalid(detail: &'static str) -> Problem {
    Problem::new(&kinds::INVALID_CURSOR, detail).with("parameter", "cursor")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_decodes_to_its_key_in_its_own_list() {
        let cursor = encode(7, &(42_i64, "users:alice"));
        let (position, account): (i64, String) = decode(7, &cursor).unwrap();
        assert_eq!((position, &*account), (42, "users:alice"));
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let cursor = encode(7, &42_i64);
        assert_eq!(decode::<i64>(8, &cursor).unwrap_err().kind().code, "invalid-cursor");
    }

    #[test]
    fn a_malformed_cursor_is_refused() {
        let wrong_key = encode(7, &"text");
        let long = "A".repeat(LEN_MAX + 1);
        for cursor in ["", "x", "!!!", "AAAA", "AAAAAAAAAAA", &wrong_key, &long] {
            assert_eq!(decode::<i64>(7, cursor).unwrap_err().kind().code, "invalid-cursor", "{cursor:?}");
        }
    }
}
