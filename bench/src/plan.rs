//! The scenarios, and their groups.

use anyhow::{bail, ensure};

use crate::requests::Aim;
use crate::service::Role;

/// A load and its target.
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
    /// Batches over HTTP, spread over this number of ledgers.
    Batches { ledgers: usize },
    /// Plain inserts of the rows of batches, with one log per connection and without a service.
    Inserts,
    /// Appends of batches of this number of commands in one round trip, without a service.
    Appends { commands: usize },
}

/// Scenarios on one database. The rounds of several scenarios are interleaved, because their ratio matters.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) role: Role,
    pub(crate) scenarios: Vec<Scenario>,
}

/// All groups, in the order in which they run.
fn all_groups() -> Vec<Group> {
    let singles = |name, connections, aim| Scenario { name, connections, work: Work::Singles(aim) };
    let batches = |name, ledgers| Scenario { name, connections: 4, work: Work::Batches { ledgers } };
    let inserts = |name, connections| Scenario { name, connections, work: Work::Inserts };
    let appends = |name, commands| Scenario { name, connections: 1, work: Work::Appends { commands } };
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
        group(vec![appends("append-1", 1), appends("append-64", 64)]),
        Group { role: Role::Up, scenarios: vec![singles("up-spread-64", 64, Aim::Spread)] },
    ]
}

/// The selected scenarios: all, or those with these names. A text that is no scenario's name selects all scenarios whose
/// names start with it.
pub(crate) fn plan(only: &[String]) -> anyhow::Result<Vec<Group>> {
    let mut groups = all_groups();
    let names: Vec<&str> =
        groups.iter().flat_map(|group| &group.scenarios).map(|scenario| scenario.name).collect();
    for prefix in only {
        ensure!(!prefix.is_empty(), "--only takes a name");
        if !names.iter().any(|name| name.starts_with(prefix.as_str())) {
            bail!("there is no scenario `{prefix}`, only {}", names.join(", "));
        }
    }
    let is_selected = |scenario: &Scenario| {
        only.is_empty()
            || only.iter().any(|prefix| match names.contains(&prefix.as_str()) {
                true => scenario.name == prefix,
                false => scenario.name.starts_with(prefix.as_str()),
            })
    };
    for group in &mut groups {
        group.scenarios.retain(is_selected);
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
    fn a_name_selects_one_scenario_and_a_prefix_several() {
        assert_eq!(planned(&["hot-1"]), [["hot-1"]]);
        assert_eq!(planned(&["app"]), [["append-1", "append-64"]]);
        assert_eq!(planned(&["hot-64", "spread-64"]), [["spread-64", "hot-64"]]);
    }

    #[test]
    fn no_name_selects_all_scenarios_and_all_names_differ() {
        let all = planned(&[]).concat();
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert!(all.contains(&"spread-256") && all.contains(&"raw-1000"));
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert!(plan(&["speed".to_owned()]).is_err());
        assert!(plan(&[String::new()]).is_err());
    }
}
