//! Why a command is rejected.

mod catalogue;
mod code;
mod values;

pub use catalogue::Rejection;
pub use code::RejectionCode;
pub use values::{AssetList, Timestamp};

#[cfg(test)]
mod tests {
    use super::*;

    /// Details are members of the problem document beside the members that every problem document has.
    #[test]
    fn no_detail_has_the_name_of_another_problem_member() {
        const MEMBERS: [&str; 8] =
            ["type", "title", "status", "detail", "instance", "code", "pointer", "failed_command"];
        for code in RejectionCode::ALL {
            assert!(code.details.iter().all(|detail| !MEMBERS.contains(detail)), "{}", code.code);
        }
    }
}
