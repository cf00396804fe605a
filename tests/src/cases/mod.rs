//! The ledger's behaviour as cases: given earlier commands, when a command is sent, then this is its outcome. The cases are
//! data in `tests/cases`. The same cases run against the domain in memory and against the service over HTTP.
//!
//! `tests/cases/README.md` describes the format.

mod compare;
mod tokens;

pub use compare::{Outcome, compare, compare_changes, compare_members};

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

/// The setup without a ledger. It is the only one that is not in the file of setups.
pub const NOWHERE: &str = "nowhere";

/// A case as in its file, with placeholders for times.
#[derive(Clone, Debug)]
pub struct CaseTemplate {
    /// The name of the file, without its extension.
    pub subject: String,
    value: Value,
}

/// A case at a given time, with placeholders replaced.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    #[serde(rename = "case")]
    pub name: String,
    /// The initial setup.
    pub on: String,
    #[serde(default)]
    pub given: Vec<Step>,
    /// The time that passes between the given commands and this one.
    #[serde(default, deserialize_with = "tokens::optional_duration")]
    pub passes: Option<Duration>,
    pub when: When,
    pub then: Then,
    /// In a dry run, the balances that would change, and no others.
    #[serde(default)]
    pub changes: Option<BTreeMap<String, Change>>,
    /// The balances afterwards, by account and asset.
    #[serde(default)]
    pub balances: BTreeMap<String, Figures>,
    /// The answers of queries afterwards, by their path in the ledger. Only the members given here are compared.
    #[serde(default)]
    pub shows: BTreeMap<String, serde_json::Map<String, Value>>,
    /// The reason why the case cannot run over HTTP.
    #[serde(default)]
    pub in_memory_only: Option<String>,
}

/// A command, in the form of a batch of the API.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub command: String,
    pub data: Value,
}

/// One command, or a batch.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    command: Option<String>,
    data: Option<Value>,
    batch: Option<Vec<Step>>,
    /// The query of the URL: `atomic=true&dry_run=true`.
    #[serde(default)]
    pub query: String,
}

/// The expected outcome. Only the members given here are compared.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Then {
    /// These events, and no others. In a dry run, the events that the command would cause.
    Events(Vec<ExpectedEvent>),
    /// Accepted without events. The text tells the reader why.
    Nothing(String),
    /// The members of the problem document.
    Rejected(serde_json::Map<String, Value>),
    /// The outcomes of the commands of a batch.
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
#[serde(from = "FiguresForm")]
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
enum FiguresForm {
    /// Posted and available are equal; nothing is held or incoming.
    Posted(Number),
    /// Held and incoming default to zero, available to posted minus held.
    All { posted: Number, held: Option<Number>, incoming: Option<Number>, available: Option<Number> },
}

/// A whole number as a string.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Number(i128);

impl TryFrom<String> for Number {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Number, Self::Error> {
        text.parse().map(Number)
    }
}

impl From<FiguresForm> for Figures {
    fn from(form: FiguresForm) -> Figures {
        let zero = Number(0);
        let (posted, held, incoming, available) = match form {
            FiguresForm::Posted(posted) => (posted, None, None, None),
            FiguresForm::All { posted, held, incoming, available } => (posted, held, incoming, available),
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

    /// Whether the query sets the parameter to true.
    pub fn says(&self, parameter: &str) -> bool {
        self.query.split('&').any(|pair| pair == format!("{parameter}=true"))
    }
}

impl Then {
    /// This outcome and, for a batch, the outcome of each command.
    pub fn all(&self) -> Vec<&Then> {
        match self {
            Then::Outcomes(outcomes) => std::iter::once(self).chain(outcomes).collect(),
            _ => vec![self],
        }
    }
}

impl Step {
    /// Whether a repeat is recognised. A command without an id is a new command each time.
    pub fn is_idempotent(&self) -> bool {
        match self.command.as_str() {
            "post-transaction" | "capture" => self.data.get("transaction").is_some(),
            "reverse-transaction" => self.data.get("reversal").is_some(),
            "hold" => self.data.get("hold").is_some(),
            "register-customer" => self.data.get("customer").is_some(),
            _ => true,
        }
    }
}

impl CaseTemplate {
    /// The case at this time.
    pub fn at(&self, now: DateTime<Utc>) -> Case {
        read(&self.subject, &tokens::replaced(&self.value, now))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    /// The subject of the file, for the reader.
    #[serde(rename = "about")]
    _about: String,
    /// The default setup of the cases.
    on: String,
    cases: Vec<serde_json::Map<String, Value>>,
}

/// Every case, by file.
pub fn all() -> Vec<CaseTemplate> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder())
        .expect("there is a folder of cases")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|it| it == "json") && !path.ends_with(SETUPS))
        .collect();
    paths.sort();
    paths.iter().flat_map(|path| in_file(path)).collect()
}

fn in_file(path: &Path) -> Vec<CaseTemplate> {
    let subject = path.file_stem().expect("it is a file").to_string_lossy().into_owned();
    let CaseFile { on, cases, .. } = read(&subject, &json_of(path));
    let templates = cases.into_iter().map(|mut case| {
        case.entry("on").or_insert_with(|| on.clone().into());
        CaseTemplate { subject: subject.clone(), value: Value::Object(case) }
    });
    templates.collect()
}

const SETUPS: &str = "setups.json";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    /// A description, for the reader.
    #[serde(rename = "about")]
    _about: String,
    /// The setup that this one extends.
    after: Option<String>,
    given: Vec<Step>,
}

/// The commands of a setup, to run on a new ledger.
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
