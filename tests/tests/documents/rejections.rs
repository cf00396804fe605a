//! The catalogue of rejections.

use std::fmt::Write;

use recount_domain::RejectionCode;

use crate::{check, repository};

#[test]
fn the_catalogue_is_that_of_the_domain() {
    let mut text = String::from(
        "# Rejections\n\n\
         Made from the definition in `domain/src/rejection.rs`; a test keeps it so.\n\n\
         A command that the ledger rejects is answered with a problem document (RFC 9457) whose `code` is one of these. \
         Nothing happened, and nothing will: with an `Idempotency-Key` the same rejection is answered again. Status 409 \
         says that the command collides with what is there, 422 that it breaks a rule.\n\n\
         The codes stand in their order of precedence: of several reasons the first is given, whatever the order of the \
         command's members. The members beside `code` and `detail` hold the names and figures that led to the rejection; \
         amounts are strings of minor units on the account's normal side.\n\n\
         | code | status | when |\n| --- | --- | --- |\n",
    );
    for code in RejectionCode::ALL {
        row(&mut text, code);
    }
    for code in RejectionCode::ALL {
        section(&mut text, code);
    }
    check(&repository().join("docs/REJECTIONS.md"), &text);
}

/// A ledger that is not there is found by its address, before anything is decided.
fn status(code: &RejectionCode) -> u16 {
    match code {
        RejectionCode { code: "ledger-unknown", .. } => 404,
        RejectionCode { conflict: true, .. } => 409,
        _ => 422,
    }
}

fn row(text: &mut String, code: &RejectionCode) {
    let RejectionCode { code: name, meaning, .. } = code;
    writeln!(text, "| [`{name}`](#{name}) | {} | {meaning} |", status(code))
        .expect("a string can be written");
}

fn section(text: &mut String, code: &RejectionCode) {
    let RejectionCode { code: name, meaning, advice, details, .. } = code;
    let members: Vec<String> = details.iter().map(|member| format!("`{member}`")).collect();
    let members = if members.is_empty() { "none".to_owned() } else { members.join(", ") };
    write!(text, "\n## {name}\n\n{meaning}\n\n{advice}\n\nMembers: {members}.\n")
        .expect("a string can be written");
}
