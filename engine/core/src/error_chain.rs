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
pub struct ErrorChain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.to_string();
        f.write_str(&shown)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            let cause = error.to_string();
            if !shown.ends_with(&cause) {
                write!(f, ": {cause}")?;
                shown = cause;
            }
            source = error.source();
        }
        Ok(())
    }
}
