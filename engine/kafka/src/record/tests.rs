use rdkafka::message::BorrowedHeaders;

use recount_core::EventHash;

use super::*;

fn log() -> LogName {
    "household-2026".parse().unwrap()
}

fn sample() -> RecordedEvent {
    let previous = EventHash([0xab; 32]);
    let mut event = RecordedEvent {
        log: log().key(),
        position: Position(7),
        id: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
        event_type: "thing-happened".to_owned(),
        version: 3,
        tags: vec![Tag::new("seat", "users:zoë \"quoted\""), Tag::new("hall", "")],
        // A serializer would change the spaces, the order of the keys and the form of the numbers: they must be kept.
        data: "{ \"b\": 1.00,  \"a\": \"\\u00e9 é\" }".to_owned(),
        meta: "{\"request\" :null}".to_owned(),
        recorded_at: "2026-11-21T09:30:00.000120Z".parse().unwrap(),
        previous,
        hash: previous,
    };
    event.hash = EventHash::of(previous, &event.envelope());
    event
}

fn read_back(headers: &OwnedHeaders, value: &str) -> Result<(LogName, RecordedEvent), RecordError> {
    event(Some(b"household-2026"), Some(headers), Some(value.as_bytes()))
}

fn with_header(name: &str, replaced: Option<&str>) -> OwnedHeaders {
    let mut changed = OwnedHeaders::new();
    for found in headers(&log(), &sample()).iter() {
        let value = if found.key == name { replaced.map(str::as_bytes) } else { found.value };
        if value.is_some() {
            changed = changed.insert(Header { key: found.key, value });
        }
    }
    changed
}

#[test]
fn an_event_is_read_back_from_its_record_byte_for_byte() {
    let written = sample();
    let (name, read) = read_back(&headers(&log(), &written), &written.data).unwrap();
    assert_eq!(name, log());
    assert_eq!(read, written);
}

#[test]
fn the_headers_are_those_of_a_cloud_event_in_binary_mode() {
    let headers = headers(&log(), &sample());
    let shown: Vec<(&str, &str)> = headers
        .iter()
        .map(|header| (header.key, std::str::from_utf8(header.value.unwrap()).unwrap()))
        .collect();
    assert_eq!(
        shown,
        [
            ("ce_specversion", "1.0"),
            ("ce_id", "01890a5d-ac96-774b-bcce-b302099a8057"),
            ("ce_type", "thing-happened"),
            ("ce_source", "/logs/household-2026"),
            ("ce_time", "2026-11-21T09:30:00.000120Z"),
            ("ce_position", "7"),
            ("ce_schemaversion", "3"),
            ("ce_tags", "[\"seat:users:zoë \\\"quoted\\\"\",\"hall:\"]"),
            ("ce_meta", "{\"request\" :null}"),
            ("ce_previous", &"ab".repeat(32)),
            ("ce_hash", &sample().hash.to_string()),
            ("content-type", "application/json"),
        ]
    );
}

#[test]
fn the_error_for_a_missing_header_names_the_header() {
    for name in [
        header::ID,
        header::TYPE,
        header::SOURCE,
        header::TIME,
        header::POSITION,
        header::SCHEMA_VERSION,
        header::TAGS,
        header::META,
        header::PREVIOUS,
        header::HASH,
    ] {
        let error = read_back(&with_header(name, None), "{}").unwrap_err();
        assert!(matches!(error, RecordError::Missing(missing) if missing == name), "{error}");
    }
}

#[test]
fn a_record_with_an_unreadable_header_is_not_an_event() {
    for (name, value) in [
        (header::ID, "seven"),
        (header::TIME, "yesterday"),
        (header::POSITION, "1.5"),
        (header::SCHEMA_VERSION, "99999"),
        (header::TAGS, "seat:a"),
        (header::META, "{"),
        (header::PREVIOUS, "0xab"),
        (header::HASH, "not a hash"),
    ] {
        let error = read_back(&with_header(name, Some(value)), "{}").unwrap_err();
        assert!(matches!(error, RecordError::Unreadable(unreadable, _) if unreadable == name), "{error}");
    }
    let error = read_back(&with_header(header::POSITION, Some("0")), "{}").unwrap_err();
    assert!(matches!(error, RecordError::Position(0)));
}

#[test]
fn a_record_that_was_changed_is_not_an_event() {
    let is_changed = |read: Result<(LogName, RecordedEvent), RecordError>| matches!(read, Err(RecordError::Changed { log: of, position: Position(_) }) if of == log());
    assert!(is_changed(read_back(&headers(&log(), &sample()), "{\"forged\": true}")));
    for (name, value) in [
        (header::ID, "01890a5d-ac96-774b-bcce-b302099a8058"),
        (header::TYPE, "thing-undone"),
        (header::TIME, "2026-11-21T09:30:00.000121Z"),
        (header::POSITION, "8"),
        (header::SCHEMA_VERSION, "2"),
        (header::TAGS, "[]"),
        (header::META, "{}"),
        (header::PREVIOUS, &"cd".repeat(32)),
        (header::HASH, &"cd".repeat(32)),
    ] {
        assert!(is_changed(read_back(&with_header(name, Some(value)), &sample().data)), "{name}");
    }
}

#[test]
fn a_record_whose_type_is_too_long_to_be_hashed_is_not_an_event() {
    let headers = with_header(header::TYPE, Some(&"x".repeat(TYPE_BYTES_MAX + 1)));
    let error = read_back(&headers, &sample().data).unwrap_err();
    assert!(matches!(error, RecordError::Unreadable(header::TYPE, _)), "{error}");
}

#[test]
fn a_record_whose_value_is_not_json_is_not_an_event() {
    let headers = headers(&log(), &sample());
    assert!(matches!(read_back(&headers, "{\"a\":"), Err(RecordError::Unreadable("value", _))));
    let tombstone = event(Some(b"household-2026"), Some(&headers), None);
    assert!(matches!(tombstone, Err(RecordError::Missing("value"))));
}

#[test]
fn a_record_whose_key_differs_from_its_source_is_not_an_event() {
    let headers = headers(&log(), &sample());
    let moved = event(Some(b"other"), Some(&headers), Some(b"{}"));
    assert!(matches!(moved, Err(RecordError::OtherSource { .. })));
    let no_name = event(Some(b"no name"), Some(&headers), Some(b"{}"));
    assert!(matches!(no_name, Err(RecordError::Log(_))));
    let bare = event(Some(b"other"), None::<&BorrowedHeaders>, Some(b"{}"));
    assert!(matches!(bare, Err(RecordError::Missing("header"))));
}
