//! Every version of every event that was ever written can be read, and today's events are written as their files say.
//!
//! `golden/<type>.v<version>.json` holds stored data byte for byte. Files are added and never changed: a change of an
//! event's stored shape needs a new version, and its own file.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use recount_events::ledger::{decode, encode};

fn golden() -> Vec<(String, i16, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (event_type, version) = stem.split_once(".v").expect("files are named <type>.v<version>.json");
        let data = std::fs::read_to_string(&path).unwrap().trim_end().to_owned();
        files.push((event_type.to_owned(), version.parse().unwrap(), data));
    }
    files
}

#[test]
fn every_version_that_was_ever_written_can_be_read() {
    for (event_type, version, data) in golden() {
        decode(&event_type, version, &data)
            .unwrap_or_else(|error| panic!("{event_type} v{version}: {error:?}"));
    }
}

#[test]
fn what_is_written_today_is_what_the_files_hold() {
    let files = golden();
    for (event_type, version, data) in &files {
        let newest =
            files.iter().filter(|(other, ..)| other == event_type).map(|(_, version, _)| version).max();
        if newest == Some(version) {
            let encoded = encode(&decode(event_type, *version, data).unwrap());
            assert_eq!((encoded.event_type, encoded.version), (event_type.as_str(), *version));
            assert_eq!(encoded.data, *data, "{event_type} v{version} is stored in another shape now");
        }
    }
}

#[test]
fn every_event_has_a_file() {
    let types: BTreeSet<String> = golden().into_iter().map(|(event_type, ..)| event_type).collect();
    let expected = [
        "account-closed",
        "account-frozen",
        "account-opened",
        "account-unfrozen",
        "asset-registered",
        "ledger-created",
        "overdraft-policy-set",
        "transaction-posted",
    ];
    assert_eq!(types.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn an_event_of_a_newer_program_is_told_from_a_damaged_one() {
    let newer = decode("account-opened", 99, "{}").unwrap_err().to_string();
    assert!(newer.contains("newer program"), "{newer}");
    let damaged = decode("account-opened", 1, "{}").unwrap_err().to_string();
    assert!(damaged.contains("account-opened"), "{damaged}");
}
