//! The ledger's behaviour as cases: given what has happened, when a command comes, then this is its answer. They are data,
//! in `tests/cases`, and the same for whatever runs them: the domain in memory, or the service over HTTP.
//!
//! `tests/cases/README.md` says how a case is written.

mod compare;
mod tokens;

pub use compare::{Told, compare, compare_changes, compare_members};

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

/// No ledger at all: the one setup that is not in the file of setups.
pub const NOWHERE: &str = "nowhere";

/// A case as it stands in its file.
#[derive(Clone, Debug)]
pub struct Written {
    /// The name of the file, without its ending.
    pub subject: String,
    value: Value,
}

/// A case at a moment: what it says of time is in moments.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    #[serde(rename = "case")]
    pub name: String,
    /// The setup that it begins on.
    pub on: String,
    #[serde(default)]
    pub given: Vec<Step>,
    /// How long it takes from what is given to the command.
    #[serde(default, deserialize_with = "tokens::optional_duration")]
    pub passes: Option<Duration>,
    pub when: When,
    pub then: Then,
    /// Of a dry run, the balances that would change, and no others.
    #[serde(default)]
    pub changes: Option<BTreeMap<String, Change>>,
    /// Afterwards, by account and asset.
    #[serde(default)]
    pub balances: BTreeMap<String, Figures>,
    /// What queries answer afterwards, by their path in the ledger; members that are not named may be anything.
    #[serde(default)]
    pub shows: BTreeMap<String, serde_json::Map<String, Value>>,
    /// Why it cannot be told over HTTP.
    #[serde(default)]
    pub in_memory_only: Option<String>,
}

/// A command, as it stands in a batch of the API.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub command: String,
    pub data: Value,
}

/// What is asked: one command, or a batch.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    command: Option<String>,
    data: Option<Value>,
    batch: Option<Vec<Step>>,
    /// As in the address: `atomic=true&dry_run=true`.
    #[serde(default)]
    pub query: String,
}

/// What comes of it. Objects need not be told whole: what is not named may be anything.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Then {
    /// These events, and no others; of a dry run, those that would happen.
    Events(Vec<ExpectedEvent>),
    /// It is accepted and brings no event. What it holds is a remark for the reader: why not.
    Nothing(String),
    /// The members of the problem document.
    Rejected(serde_json::Map<String, Value>),
    /// Of a batch whose commands stand for themselves, what comes of each.
    Outcomes(Vec<Then>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedEvent {
    #[serde(rename = "type")]
    pub event_type: String,
    #[serde(default)]
    pub data: serde_json::Map<String, Value>,
}

/// A balance, in minor units on the account's normal side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "WrittenFigures")]
pub struct Figures {
    pub posted: i128,
    pub held: i128,
    pub incoming: i128,
    pub available: i128,
}

/// A balance before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub before: Figures,
    pub after: Figures,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum WrittenFigures {
    /// Nothing is held or incoming.
    Posted(Number),
    /// What is left out of held and incoming is zero; available is what is posted less what is held.
    All { posted: Number, held: Option<Number>, incoming: Option<Number>, available: Option<Number> },
}

/// A whole number as text.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Number(i128);

impl TryFrom<String> for Number {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Number, Self::Error> {
        text.parse().map(Number)
    }
}

impl From<WrittenFigures> for Figures {
    fn from(written: WrittenFigures) -> Figures {
        let zero = Number(0);
        let (posted, held, incoming, available) = match written {
            WrittenFigures::Posted(posted) => (posted, None, None, None),
            WrittenFigures::All { posted, held, incoming, available } => (posted, held, incoming, available),
        };
        let (Number(posted), Number(held), Number(incoming)) =
            (posted, held.unwrap_or(zero), incoming.unwrap_or(zero));
        let available = available.map_or(posted - held, |Number(available)| available);
        Figures { posted, held, incoming, available }
    }
}

impl When {
    /// The commands, and whether they are a batch.
    pub fn steps(&self) -> (Vec<Step>, bool) {
        match (&self.command, &self.data, &self.batch) {
            (Some(command), Some(data), None) => {
                (vec![Step { command: command.clone(), data: data.clone() }], false)
            }
            (None, None, Some(batch)) => (batch.clone(), true),
            _ => panic!("a `when` has a `command` with `data`, or a `batch`: {self:?}"),
        }
    }

    /// Whether the query says so.
    pub fn says(&self, parameter: &str) -> bool {
        self.query.split('&').any(|pair| pair == format!("{parameter}=true"))
    }
}

impl Then {
    /// This and, of a batch, that of each of its commands.
    pub fn all(&self) -> Vec<&Then> {
        match self {
            Then::Outcomes(outcomes) => std::iter::once(self).chain(outcomes).collect(),
            _ => vec![self],
        }
    }
}

impl Step {
    /// Whether repeating it is told by an id from doing it once more.
    pub fn can_be_told_again(&self) -> bool {
        match self.command.as_str() {
            "post-transaction" | "capture" => self.data.get("transaction").is_some(),
            "reverse-transaction" => self.data.get("reversal").is_some(),
            "hold" => self.data.get("hold").is_some(),
            "register-customer" => self.data.get("customer").is_some(),
            _ => true,
        }
    }
}

impl Written {
    /// The case at this moment.
    pub fn at(&self, now: DateTime<Utc>) -> Case {
        read(&self.subject, &tokens::replaced(&self.value, now))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    /// What the file is about, for its reader.
    #[serde(rename = "about")]
    _about: String,
    /// The setup of the cases that name none.
    on: String,
    cases: Vec<serde_json::Map<String, Value>>,
}

/// Every case, by file.
pub fn all() -> Vec<Written> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder())
        .expect("there is a folder of cases")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|it| it == "json") && !path.ends_with(SETUPS))
        .collect();
    paths.sort();
    paths.iter().flat_map(|path| in_file(path)).collect()
}

fn in_file(path: &Path) -> Vec<Written> {
    let subject = path.file_stem().expect("it is a file").to_string_lossy().into_owned();
    let CaseFile { on, cases, .. } = read(&subject, &json_of(path));
    let written = cases.into_iter().map(|mut case| {
        case.entry("on").or_insert_with(|| on.clone().into());
        Written { subject: subject.clone(), value: Value::Object(case) }
    });
    written.collect()
}

const SETUPS: &str = "setups.json";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    /// What it is, for the reader of the file.
    #[serde(rename = "about")]
    _about: String,
    /// The setup that it goes on from.
    after: Option<String>,
    given: Vec<Step>,
}

/// What happens in the setup of this name, on a ledger that was created.
pub fn setup(name: &str) -> Vec<Step> {
    let mut setups: BTreeMap<String, Setup> = read(SETUPS, &json_of(&folder().join(SETUPS)));
    let mut steps = Vec::new();
    let mut next = Some(name.to_owned());
    while let Some(name) = next {
        let setup = setups.remove(&name).unwrap_or_else(|| panic!("there is no setup `{name}`"));
        steps.splice(0..0, setup.given);
        next = setup.after;
    }
    steps
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

fn json_of(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read<T: serde::de::DeserializeOwned>(from: &str, value: &Value) -> T {
    T::deserialize(value).unwrap_or_else(|error| panic!("{from}: {error} in {value}"))
}
