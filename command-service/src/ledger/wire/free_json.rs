//! Free-form JSON that is never changed silently: it is read from the text as sent, and refused if the value read would
//! differ from the value written.

use std::fmt;
use std::marker::PhantomData;

use recount_domain::METADATA_BYTES_MAX;
use recount_events::ledger::Metadata;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::fields::FormError;

/// Levels of nesting in metadata: far below the depth at which JSON parsers give up, even when it is wrapped in other
/// JSON.
const DEPTH_MAX: usize = 32;
/// The longest text of metadata: room for a six-byte escape for every character, and for spaces. Nested text is read
/// once per level, so this limits that work as well.
const TEXT_BYTES_MAX: usize = 8 * METADATA_BYTES_MAX;

/// Metadata as it was sent. Most commands have none; that costs nothing.
#[derive(Debug, Default)]
pub(super) struct MetadataData(Option<Box<RawValue>>);

/// The members of an object as they were written, including duplicate names.
#[derive(Debug)]
pub(super) struct Members<T>(Vec<(String, T)>);

impl<'de> Deserialize<'de> for MetadataData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<MetadataData, D::Error> {
        Box::deserialize(deserializer).map(|json| MetadataData(Some(json)))
    }
}

impl MetadataData {
    /// The metadata; it is the member `metadata` of its command.
    pub(super) fn into_metadata(self) -> Result<Metadata, FormError> {
        let Some(json) = self.0 else { return Ok(Metadata::new()) };
        metadata(json.get()).map_err(|error| error.within("metadata"))
    }
}

fn metadata(json: &str) -> Result<Metadata, FormError> {
    if !json.starts_with('{') {
        return Err(FormError::new("", "metadata must be an object"));
    }
    if json.len() > TEXT_BYTES_MAX {
        let reason =
            format!("metadata has at most {TEXT_BYTES_MAX} bytes as sent, and this has {}", json.len());
        return Err(FormError::new("", reason));
    }
    let metadata = object(json, DEPTH_MAX)?;
    if metadata.is_empty() {
        return Ok(metadata);
    }
    let bytes = serde_json::to_string(&metadata).map_or(usize::MAX, |json| json.len());
    if bytes > METADATA_BYTES_MAX {
        let reason = format!("metadata has at most {METADATA_BYTES_MAX} bytes of JSON, and this has {bytes}");
        return Err(FormError::new("", reason));
    }
    Ok(metadata)
}

/// A value with at most this many levels of nesting. The recursion is no deeper.
fn value(json: &RawValue, levels: usize) -> Result<Value, FormError> {
    let text = json.get();
    match text.as_bytes().first() {
        Some(b'{' | b'[') if levels == 0 => {
            Err(FormError::new("", format!("metadata is nested at most {DEPTH_MAX} levels deep")))
        }
        Some(b'{') => object(text, levels - 1).map(Value::Object),
        Some(b'[') => {
            let values = read::<Vec<&RawValue>>(text)?.into_iter().enumerate();
            let values =
                values.map(|(n, json)| value(json, levels - 1).map_err(|error| error.within(&n.to_string())));
            values.collect::<Result<_, _>>().map(Value::Array)
        }
        Some(b'-' | b'0'..=b'9') if !is_kept(text) => {
            Err(FormError::new("", "this number loses digits as a JSON number: give it as a string"))
        }
        _ => read(text),
    }
}

fn object(text: &str, levels: usize) -> Result<Map<String, Value>, FormError> {
    let members: Members<&RawValue> = read(text)?;
    let mut object = Map::new();
    for (name, json) in members.0 {
        let value = value(json, levels).map_err(|error| error.within(&name))?;
        if object.contains_key(&name) {
            return Err(duplicate(&name));
        }
        object.insert(name, value);
    }
    Ok(object)
}

/// The error of a name that an object has twice.
pub(super) fn duplicate(name: &str) -> FormError {
    FormError::new("", format!("duplicate field `{name}`")).within(name)
}

/// Reads well-formed JSON, which can still hold a string that is not valid text.
fn read<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, FormError> {
    serde_json::from_str(json).map_err(|_| {
        FormError::new("", "an escape in a string stands for half a character (a lone surrogate)")
    })
}

/// Whether JSON readers keep a number as it is written: a 64-bit integer, or a number that is, to the last digit, the
/// shortest text of the nearest double. That includes every number of up to 15 digits and every double that a program
/// prints.
fn is_kept(number: &str) -> bool {
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return true;
    }
    let kept = number.parse::<f64>().ok().filter(|double| double.is_finite());
    kept.is_some_and(|double| {
        let written = decimal(number);
        written.is_some() && written == decimal(&format!("{double:e}"))
    })
}

/// The significant digits of a number, and the power of ten of the last one.
fn decimal(number: &str) -> Option<(String, i64)> {
    let number = number.trim_start_matches('-');
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some((String::new(), 0));
    }
    let decimals = i64::try_from(fraction.len()).ok()?;
    let exponent = exponent.parse::<i64>().ok()?.checked_sub(decimals)?.checked_add(zeros)?;
    Some((significant.to_owned(), exponent))
}

impl<T> Members<T> {
    pub(super) fn into_vec(self) -> Vec<(String, T)> {
        self.0
    }
}

impl<T> Default for Members<T> {
    fn default() -> Members<T> {
        Members(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<T>, D::Error> {
        struct Object<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = Members<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<T>, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Metadata, FormError> {
        serde_json::from_str::<MetadataData>(json).unwrap().into_metadata()
    }

    /// The place of the error, and the reason.
    fn refused(json: &str) -> (String, String) {
        let FormError { at, reason } = read(json).expect_err(json);
        (at, reason)
    }

    #[test]
    fn a_number_that_would_change_is_refused_with_its_place() {
        for number in [
            "0.12345678901234567890",
            "123456789012345.678",
            "1.0000000000000000001",
            "123456789012345678901234567890",
            "18446744073709551616",
            "-9223372036854775809",
            "12345678901234567890.5",
            "12345678901234567890e-5",
            "0.10000000000000001",
            "1e-400",
            "-1e-400",
            "1e400",
            "1.2345678e-320",
            "1e-99999999999999999999",
            "1e99999999999999999999",
        ] {
            let (at, reason) = refused(&format!(r#"{{"a/b":[1,{{"n~":{number}}}]}}"#));
            assert_eq!(at, "/metadata/a~1b/1/n~0", "{number}");
            assert!(reason.contains("as a string"), "{reason}");
        }
    }

    #[test]
    fn a_number_that_is_kept_as_written_is_accepted() {
        for number in [
            "0",
            "-0",
            "0.000",
            "0e5",
            "0e99999999999999999999",
            "1.5",
            "1.50",
            "-0.123456789012345",
            "123456789012345",
            "12345678901.2345",
            "0.30000000000000004",
            "5e-324",
            "1.7976931348623157e308",
            "1e300",
            "1E+2",
            "100e-2",
            "18446744073709551615",
            "-9223372036854775808",
        ] {
            let metadata = read(&format!(r#"{{"n":{number}}}"#)).expect(number);
            let double = |text: &str| text.parse::<f64>().unwrap();
            assert!(
                (double(&metadata["n"].to_string()) - double(number)).abs() == 0.0,
                "{number}: {metadata:?}"
            );
        }
    }

    #[test]
    fn a_duplicate_name_is_refused_with_its_place() {
        for (json, place) in [
            (r#"{"a":1,"b":2,"a":1}"#, "/metadata/a"),
            (r#"{"a":1,"\u0061":2}"#, "/metadata/a"),
            (r#"{"list":[{},{"deep":{"a":1,"a":2}}]}"#, "/metadata/list/1/deep/a"),
            (r#"{"":1,"":2}"#, "/metadata/"),
        ] {
            let (at, reason) = refused(json);
            assert_eq!(at, place, "{json}");
            assert!(reason.starts_with("duplicate field"), "{reason}");
        }
        assert!(read(r#"{"a":{"a":[{"a":1},{"a":1}]},"A":1}"#).is_ok());
    }

    #[test]
    fn metadata_is_an_object_of_limited_size_and_depth() {
        for json in ["null", "5", "[]", r#""text""#] {
            assert_eq!(refused(json), ("/metadata".to_owned(), "metadata must be an object".to_owned()));
        }
        let nested = |levels| format!(r#"{{"a":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert!(read(&nested(DEPTH_MAX)).is_ok());
        assert!(refused(&nested(DEPTH_MAX + 1)).1.contains("32 levels"));
        assert!(refused(&nested(500)).1.contains("32 levels"));
        let long = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - r#"{"a":""}"#.len()));
        assert!(read(&long(METADATA_BYTES_MAX)).is_ok());
        assert!(refused(&long(METADATA_BYTES_MAX + 1)).1.contains("this has 8193"));
        // Spaces and escapes do not count, up to the limit of the text.
        let spaced = |bytes: usize| format!(r#"{{{}"a":1}}"#, " ".repeat(bytes - r#"{"a":1}"#.len()));
        assert!(read(&spaced(TEXT_BYTES_MAX)).is_ok());
        assert!(refused(&spaced(TEXT_BYTES_MAX + 1)).1.contains("as sent"));
    }

    #[test]
    fn metadata_is_read_as_it_was_written() {
        let json = r#" { "text": "a\u00e4\"", "list": [ null , true, -1.5 ], "object": { } } "#;
        let expected: Metadata = serde_json::from_str(json).unwrap();
        assert_eq!(read(json).unwrap(), expected);
        assert_eq!(read("{ }").unwrap(), Metadata::new());
        assert_eq!(MetadataData::default().into_metadata().unwrap(), Metadata::new());
        let (at, reason) = refused(r#"{"a":["\ud800"]}"#);
        assert_eq!((&*at, reason.contains("half a character")), ("/metadata/a/0", true), "{reason}");
    }
}
