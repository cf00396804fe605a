//! Commands by name, and the body of a batch: a list of `{"command": "…", "data": {…}}`.

use crate::http::{invalid_at, parse_json};
use crate::problem::{Problem, kinds};
use serde_json::value::RawValue;

/// Commands in one batch: limits how long one request keeps the writer busy.
pub(super) const BATCH_COMMANDS_MAX: usize = 1_000;

/// The commands that a domain accepts over HTTP, each under its name.
pub trait NamedCommand: Copy + 'static {
    /// A command as the domain takes it.
    type Request;

    const ALL: &'static [Self];

    fn name(self) -> &'static str;

    /// Parses the data of the command, which stands at the JSON pointer `pointer` in the body.
    fn parse(self, data: &[u8], pointer: &str) -> Result<Self::Request, Problem>;
}

#[derive(Debug, serde::Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
struct BatchItem {
    command: String,
    data: Box<RawValue>,
}

objects!(BatchItem);

/// Parses a batch.
pub fn read_batch<C: NamedCommand>(body: &[u8]) -> Result<Vec<C::Request>, Problem> {
    // Tracking the place of an error takes time, so it is done only for a body that fails.
    let items: Vec<BatchItem> = serde_json::from_slice(body).or_else(|_| parse_json(body))?;
    if !(1..=BATCH_COMMANDS_MAX).contains(&items.len()) {
        let count = items.len();
        let reason = format!("a batch has 1 to {BATCH_COMMANDS_MAX} commands, and this one has {count}");
        return Err(invalid_at("", &reason));
    }
    let request = |(index, item): (usize, &BatchItem)| {
        let command = C::ALL.iter().find(|command| command.name() == item.command);
        let command = command.ok_or_else(|| {
            let reason = format!("no command is named `{}`; the commands are {}", item.command, names::<C>());
            invalid_at(format!("/{index}/command"), &reason)
        })?;
        command.parse(item.data.get().as_bytes(), &format!("/{index}/data"))
    };
    items.iter().enumerate().map(request).collect()
}

/// The problem of a path that names no command.
pub fn unknown_command<C: NamedCommand>(name: &str) -> Problem {
    Problem::new(
        &kinds::UNKNOWN_COMMAND,
        format!("No command is named `{name}`. The commands are {}.", names::<C>()),
    )
}

fn names<C: NamedCommand>() -> String {
    let names: Vec<&str> = C::ALL.iter().map(|command| command.name()).collect();
    names.join(", ")
}
