//! The part of a rejection that does not depend on the command.

/// A kind of rejection. Codes are part of the API and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectionCode {
    pub code: &'static str,
    /// A short phrase, without a full stop.
    pub title: &'static str,
    /// When the code is given, in a sentence.
    pub meaning: &'static str,
    /// What the caller can do about it, in the imperative.
    pub advice: &'static str,
    /// The names of the details that come with it.
    pub details: &'static [&'static str],
    /// Whether the command conflicts with existing state, rather than breaking a rule.
    pub conflict: bool,
}
