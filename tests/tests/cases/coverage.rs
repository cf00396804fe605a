//! The cases cover every command, event and rejection.

use std::collections::BTreeSet;

use chrono::DateTime;
use recount_command_service::ledger::CommandKind;
use recount_domain::RejectionCode;
use recount_events::ledger::codec::EVENT_TYPES;
use recount_tests::cases::{self, Case, Then};

fn cases() -> Vec<Case> {
    cases::all().iter().map(|case| case.at(DateTime::UNIX_EPOCH)).collect()
}

/// The outcomes of the cases, including those of the commands of batches.
fn answers(cases: &[Case]) -> Vec<&Then> {
    cases.iter().flat_map(|case| case.then.all()).collect()
}

#[test]
fn every_rejection_has_a_case_that_names_all_its_members() {
    let cases = cases();
    let rejected = |code: &RejectionCode| {
        answers(&cases).into_iter().any(|then| match then {
            Then::Rejected(members) => {
                members.get("code").is_some_and(|it| it == code.code)
                    && code.details.iter().all(|member| members.contains_key(*member))
            }
            _ => false,
        })
    };
    let missing: Vec<&str> =
        RejectionCode::ALL.iter().filter(|code| !rejected(code)).map(|code| code.code).collect();
    assert!(missing.is_empty(), "no case is rejected with {missing:?} and all members");
}

/// The members of every problem document, and of a batch.
const MEMBERS_OF_ANY: [&str; 6] = ["type", "title", "status", "detail", "code", "failed_command"];

#[test]
fn rejection_members_differ_from_general_problem_members() {
    for code in RejectionCode::ALL {
        let hiding: Vec<_> = code.details.iter().filter(|member| MEMBERS_OF_ANY.contains(member)).collect();
        assert!(hiding.is_empty(), "{}: {hiding:?}", code.code);
    }
}

#[test]
fn every_command_has_a_case() {
    let asked: BTreeSet<String> =
        cases().iter().flat_map(|case| case.when.steps().0).map(|step| step.command).collect();
    let missing: Vec<&str> = CommandKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let missing: Vec<&str> = missing.into_iter().filter(|name| !asked.contains(*name)).collect();
    assert!(missing.is_empty(), "no case sends {missing:?}");
}

#[test]
fn every_event_has_a_case() {
    let cases = cases();
    let happened: BTreeSet<&str> = answers(&cases)
        .into_iter()
        .flat_map(|then| match then {
            Then::Events(events) => events.iter().map(|event| event.event_type.as_str()).collect(),
            _ => Vec::new(),
        })
        .collect();
    // PUT of a ledger causes one, and an operator's tool the other; no command does.
    let all = EVENT_TYPES.iter().map(|(name, _)| *name);
    let all = all.filter(|name| !matches!(*name, "ledger-created" | "time-corrected"));
    let missing: Vec<&str> = all.filter(|name| !happened.contains(name)).collect();
    assert!(missing.is_empty(), "no case causes {missing:?}");
}

#[test]
fn every_case_has_a_unique_name_that_is_a_sentence() {
    let mut names: Vec<String> = cases().into_iter().map(|case| case.name).collect();
    for name in &names {
        assert!(name.starts_with(char::is_uppercase) && name.split(' ').count() > 2, "{name}");
        assert!(!name.ends_with('.'), "{name}");
    }
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "two cases have the same name");
    assert!(count >= 120, "there are {count}");
}

#[test]
fn most_cases_run_over_http() {
    let cases = cases();
    let in_memory =
        cases.iter().filter(|case| case.in_memory_only.is_some() || case.passes.is_some()).count();
    assert!(in_memory * 8 <= cases.len(), "{in_memory} of {}", cases.len());
}
