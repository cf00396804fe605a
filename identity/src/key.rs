//! The text of an API key, `rk_<id>_<secret>`: generating, parsing and hashing it.

use std::fmt::Write;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::NewKey;

const PREFIX: &str = "rk_";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;
const ID_LEN_MAX: usize = 32;
/// 256 bits take 43 characters in base64, and more in simpler encodings.
const SECRET_LEN_MIN: usize = 43;
const SECRET_LEN_MAX: usize = 128;

/// The SHA-256 of a secret. Only this is stored and compared.
pub(crate) type SecretHash = [u8; 32];

/// The two parts of a well-formed key.
#[derive(Clone, Copy)]
pub(crate) struct KeyParts<'a> {
    pub(crate) id: &'a str,
    secret: &'a str,
}

impl<'a> KeyParts<'a> {
    /// Splits a key; none if it is malformed.
    pub(crate) fn parse(text: &'a str) -> Option<KeyParts<'a>> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let id_ok =
            (1..=ID_LEN_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let secret_ok = (SECRET_LEN_MIN..=SECRET_LEN_MAX).contains(&secret.len())
            && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        (id_ok && secret_ok).then_some(KeyParts { id, secret })
    }

    pub(crate) fn hash(self) -> SecretHash {
        Sha256::digest(self.secret.as_bytes()).into()
    }
}

/// A new random key and the hash of its secret.
pub(crate) fn generate() -> Result<(NewKey, SecretHash), getrandom::Error> {
    let mut random = [0u8; ID_BYTES + SECRET_BYTES];
    getrandom::fill(&mut random)?;
    let (id, secret) = random.split_at(ID_BYTES);
    let key_id = hex(id);
    let plaintext = format!("{PREFIX}{key_id}_{}", hex(secret));
    let hash = KeyParts::parse(&plaintext).expect("a generated key is well-formed: its test says so").hash();
    let plaintext = SecretString::from(plaintext);
    Ok((NewKey { key_id, plaintext }, hash))
}

/// A key that the operator provides, and the hash of its secret; none if it is malformed.
pub(crate) fn adopt(plaintext: SecretString) -> Option<(NewKey, SecretHash)> {
    let parts = KeyParts::parse(plaintext.expose_secret())?;
    let (key_id, hash) = (parts.id.to_owned(), parts.hash());
    Some((NewKey { key_id, plaintext }, hash))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing into a string does not fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_can_be_parsed() {
        let (key, hash) = generate().unwrap();
        let parts = KeyParts::parse(key.plaintext.expose_secret()).unwrap();
        assert_eq!(parts.id, key.key_id);
        assert_eq!(parts.hash(), hash);
        assert_eq!(key.plaintext.expose_secret().len(), 3 + 16 + 1 + 64);
    }

    #[test]
    fn two_generated_keys_differ_in_id_and_secret() {
        let ((one, one_hash), (two, two_hash)) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one.key_id, two.key_id);
        assert_ne!(one_hash, two_hash);
    }

    #[test]
    fn a_new_key_does_not_print_its_secret() {
        let (key, _) = generate().unwrap();
        let shown = format!("{key:?}");
        assert!(!shown.contains(key.plaintext.expose_secret()), "{shown}");
    }

    #[test]
    fn a_malformed_key_is_not_parsed() {
        let secret = "s".repeat(43);
        assert!(KeyParts::parse(&format!("rk_id_{secret}")).is_some());
        for bad in [
            String::new(),
            "rk_".into(),
            format!("id_{secret}"),
            format!("rk__{secret}"),
            format!("rk_{secret}"),
            format!("rk_i d_{secret}"),
            format!("rk_id_{}", &secret[1..]),
            format!("rk_id_{}", "s".repeat(129)),
            format!("rk_id_{secret}\u{e9}"),
            format!("rk_{}_{secret}", "i".repeat(33)),
        ] {
            assert!(KeyParts::parse(&bad).is_none(), "{bad:?}");
        }
    }
}
