//! Which scenarios there are, and which of them take turns.

use anyhow::{bail, ensure};

use crate::raw::Way;
use crate::requests::Aim;
use crate::service::Role;

/// A load, and what it is put on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) connections: usize,
    pub(crate) work: Work,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// Single commands over HTTP.
    Singles(Aim),
    /// Batches over HTTP, on so many ledgers.
    Batches { ledgers: usize },
    /// Plain inserts of the rows of batches, a log for each connection; no service.
    Inserts,
    /// Appends of batches of so many commands in one round trip; no service.
    Appends { way: Way, commands: usize },
}

/// Scenarios on one database. If there are several, they take turns, as their ratio is what matters.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) role: Role,
    pub(crate) scenarios: Vec<Scenario>,
}

/// Everything, in the order in which it runs.
fn everything() -> Vec<Group> {
    let singles = |name, connections, aim| Scenario { name, connections, work: Work::Singles(aim) };
    let batches = |name, ledgers| Scenario { name, connections: 4, work: Work::Batches { ledgers } };
    let inserts = |name, connections| Scenario { name, connections, work: Work::Inserts };
    let appends =
        |name, way, commands| Scenario { name, connections: 1, work: Work::Appends { way, commands } };
    let group = |scenarios: Vec<Scenario>| Group { role: Role::CommandService, scenarios };
    vec![
        group(vec![singles("spread-1", 1, Aim::Spread)]),
        group(vec![singles("spread-16", 16, Aim::Spread)]),
        group(vec![singles("spread-64", 64, Aim::Spread), singles("hot-64", 64, Aim::Hot)]),
        group(vec![singles("spread-256", 256, Aim::Spread)]),
        group(vec![singles("hot-1", 1, Aim::Hot)]),
        group(vec![singles("hot-16", 16, Aim::Hot)]),
        group(vec![singles("hot-256", 256, Aim::Hot)]),
        group(vec![
            batches("batch-1000", 1),
            inserts("raw-1000", 4),
            batches("batch-1000-logs", 4),
            inserts("raw-1000-1", 1),
        ]),
        group(vec![appends("raw-function-1", Way::Function, 1), appends("raw-cte-1", Way::Cte, 1)]),
        group(vec![appends("raw-function-64", Way::Function, 64), appends("raw-cte-64", Way::Cte, 64)]),
        Group { role: Role::Up, scenarios: vec![singles("up-spread-64", 64, Aim::Spread)] },
    ]
}

/// What was asked for: all of it, or the scenarios of these names; a text that is no name asks for the scenarios whose
/// names begin with it.
pub(crate) fn plan(only: &[String]) -> anyhow::Result<Vec<Group>> {
    let mut groups = everything();
    let names: Vec<&str> =
        groups.iter().flat_map(|group| &group.scenarios).map(|scenario| scenario.name).collect();
    for asked in only {
        ensure!(!asked.is_empty(), "--only takes a name");
        if !names.iter().any(|name| name.starts_with(asked.as_str())) {
            bail!("no scenario is called `{asked}`; there are {}", names.join(", "));
        }
    }
    let is_asked_for = |scenario: &Scenario| {
        only.is_empty()
            || only.iter().any(|asked| match names.contains(&asked.as_str()) {
                true => scenario.name == asked,
                false => scenario.name.starts_with(asked.as_str()),
            })
    };
    for group in &mut groups {
        group.scenarios.retain(is_asked_for);
    }
    groups.retain(|group| !group.scenarios.is_empty());
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(only: &[&str]) -> Vec<Vec<&'static str>> {
        let only: Vec<String> = only.iter().map(ToString::to_string).collect();
        let names = |group: &Group| group.scenarios.iter().map(|scenario| scenario.name).collect();
        plan(&only).unwrap().iter().map(names).collect()
    }

    #[test]
    fn a_name_asks_for_one_scenario_and_its_beginning_for_several() {
        assert_eq!(planned(&["hot-1"]), [["hot-1"]]);
        assert_eq!(planned(&["raw-f"]), [["raw-function-1"], ["raw-function-64"]]);
        assert_eq!(planned(&["hot-64", "spread-64"]), [["spread-64", "hot-64"]]);
    }

    #[test]
    fn nothing_asks_for_everything_and_every_name_is_one() {
        let all = planned(&[]).concat();
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert!(all.contains(&"spread-256") && all.contains(&"raw-1000"));
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        assert!(plan(&["spred".to_owned()]).is_err());
        assert!(plan(&[String::new()]).is_err());
    }
}
