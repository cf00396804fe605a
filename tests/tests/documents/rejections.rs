//! `docs/REJECTIONS.md`, the catalogue of rejections.

use std::fmt::Write;

use recount_domain::RejectionCode;

use crate::{check, repository};

#[test]
fn the_catalogue_matches_the_domain() {
    let mut text = String::from(
        "# Rejections\n\n\
         Generated from `domain/src/rejection/catalogue.rs`; a test keeps it up to date.\n\n\
         If the ledger rejects a command, the answer is a problem document (RFC 9457) with one of these codes. The \
         command has no effect. If it is repeated with the same `Idempotency-Key`, it gets the same rejection again. \
         Status 409 means that the command conflicts with existing state, 422 that it breaks a rule.\n\n\
         The codes are in order of precedence: if several apply, the first is given, whatever the order of the command's \
         members. The members beside `code` and `detail` hold the names and figures that led to the rejection. Amounts \
         are strings of minor units on the account's normal side.\n\n\
         | code | status | title |\n| --- | --- | --- |\n",
    );
    for code in RejectionCode::ALL {
        row(&mut text, code);
    }
    for code in RejectionCode::ALL {
        section(&mut text, code);
    }
    check(&repository().join("docs/REJECTIONS.md"), &text);
}

/// An unknown ledger is detected from the URL, before anything is decided.
fn status(code: &RejectionCode) -> u16 {
    match code {
        RejectionCode { code: "ledger-unknown", .. } => 404,
        RejectionCode { conflict: true, .. } => 409,
        _ => 422,
    }
}

fn row(text: &mut String, code: &RejectionCode) {
    let RejectionCode { code: name, title, .. } = code;
    writeln!(text, "| [`{name}`](#{name}) | {} | {title} |", status(code)).expect("a string can be written");
}

fn section(text: &mut String, code: &RejectionCode) {
    let RejectionCode { code: name, title, meaning, advice, details, .. } = code;
    let members: Vec<String> = details.iter().map(|member| format!("`{member}`")).collect();
    let members = if members.is_empty() { "none".to_owned() } else { members.join(", ") };
    write!(text, "\n## {name}\n\n**{title}.** {meaning}\n\n{advice}\n\nMembers: {members}.\n")
        .expect("a string can be written");
}
