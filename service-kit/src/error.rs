//! Printing errors with their sources.

use std::error::Error;
use std::fmt;

/// The error and all of its sources on one line, separated by colons.
pub fn chain<'e>(error: &'e (dyn Error + 'e)) -> impl fmt::Display + 'e {
    Chain(error)
}

/// The sources of an error, the nearest first.
pub fn sources<'e>(error: &'e (dyn Error + 'e)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&error| error.source())
}

struct Chain<'e>(&'e (dyn Error + 'e));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = self.0.to_string();
        f.write_str(&written)?;
        for source in sources(self.0) {
            let text = source.to_string();
            // Many errors repeat their source in their own text.
            if !written.ends_with(&text) {
                write!(f, ": {text}")?;
                written = text;
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
        assert_eq!(chain(&error).to_string(), "reading failed: the connection broke: timed out");
    }

    #[test]
    fn a_source_that_the_error_already_repeats_is_printed_once() {
        let error =
            link("reading failed: timed out", Some(link("timed out", Some(link("os error 110", None)))));
        assert_eq!(chain(&error).to_string(), "reading failed: timed out: os error 110");
    }
}
