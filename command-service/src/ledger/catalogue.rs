//! The ledger's own kinds of problems: the unknown ledger and the rejections.

use std::sync::LazyLock;

use recount_domain::RejectionCode;
use recount_service_kit::problem::ProblemKind;

use super::problems::LEDGER_UNKNOWN;
use recount_service_kit::commands::ProblemCatalogue;

static REJECTIONS: LazyLock<Vec<ProblemKind>> = LazyLock::new(|| {
    // A ledger that was not created is the same problem whether the store or the domain finds out.
    let codes = RejectionCode::ALL.iter().filter(|code| code.code != LEDGER_UNKNOWN.code);
    codes.map(kind_of).collect()
});

/// The unknown ledger, then the ledger's rejections in the order of their precedence.
pub fn catalogue() -> &'static [&'static ProblemKind] {
    static CATALOGUE: LazyLock<Vec<&'static ProblemKind>> =
        LazyLock::new(|| std::iter::once(&LEDGER_UNKNOWN).chain(REJECTIONS.iter()).collect());
    &CATALOGUE
}

/// The problems of the command endpoint that the ledger names.
pub(super) fn problems() -> &'static ProblemCatalogue {
    static PROBLEMS: LazyLock<ProblemCatalogue> = LazyLock::new(|| ProblemCatalogue {
        rejections: catalogue(),
        log_unknown: &LEDGER_UNKNOWN,
        log_unknown_detail: "There is no such ledger. Create it with PUT /v1/ledgers/{ledger}.",
    });
    &PROBLEMS
}

fn kind_of(code: &RejectionCode) -> ProblemKind {
    let status = if code.conflict { 409 } else { 422 };
    ProblemKind { code: code.code, status, title: code.title, advice: code.advice }
}
