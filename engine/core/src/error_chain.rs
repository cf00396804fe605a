//! An error with its causes, in one line.

use std::error::Error;
use std::fmt;

/// Shows an error and its causes, separated by colons. An error that repeats its cause in its own text is shown once.
///
/// ```
/// use recount_core::ErrorChain;
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("the port cannot be read")]
/// struct Port(#[from] std::num::ParseIntError);
///
/// let error: Port = "many".parse::<u16>().unwrap_err().into();
/// assert_eq!(ErrorChain(&error).to_string(), "the port cannot be read: invalid digit found in string");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ErrorChain<'a>(pub &'a (dyn Error + 'a));

impl<'a> ErrorChain<'a> {
    /// The sources of the error, the nearest first.
    pub fn sources(self) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
        std::iter::successors(self.0.source(), |&error| error.source())
    }
}

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.to_string();
        f.write_str(&shown)?;
        for source in self.sources() {
            let cause = source.to_string();
            if !shown.ends_with(&cause) {
                write!(f, ": {cause}")?;
                shown = cause;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        source: Option<Box<Link>>,
    }

    fn link(text: &'static str, source: Option<Link>) -> Link {
        Link { text, source: source.map(Box::new) }
    }

    #[test]
    fn an_error_is_printed_with_its_sources() {
        let error = link("reading failed", Some(link("the connection broke", Some(link("timed out", None)))));
        assert_eq!(ErrorChain(&error).to_string(), "reading failed: the connection broke: timed out");
    }

    #[test]
    fn a_source_that_the_error_already_repeats_is_printed_once() {
        let error =
            link("reading failed: timed out", Some(link("timed out", Some(link("os error 110", None)))));
        assert_eq!(ErrorChain(&error).to_string(), "reading failed: timed out: os error 110");
    }
}
