//! An event that the service wrote, as a pattern for others of its kind.

use anyhow::{Context, ensure};
use recount_core::{RecordedEvent, Tag};

const TRANSACTION: &str = "transaction";
const ACCOUNT: &str = "account";

/// A posted transaction between two accounts. Everything but the names in it is as the service wrote it.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(super) event_type: String,
    pub(super) version: i16,
    pub(super) meta: String,
    data: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The name at this place of [`Names`].
    Name(usize),
}

/// The names in an event: the transaction, and the accounts in the order of their tags.
pub(super) type Names<'a> = [&'a str; 3];

impl Template {
    pub(crate) fn of(event: &RecordedEvent) -> anyhow::Result<Template> {
        let names: Vec<&str> = event.tags.iter().map(|tag| tag.parts().1).collect();
        let names: Names<'_> = names.try_into().ok().context("a transfer has three tags")?;
        ensure!(event.tags == tags(&names), "the tags of a transfer are others than expected");
        let template = Template {
            event_type: event.event_type.clone(),
            version: event.version,
            meta: event.meta.clone(),
            data: parts(&event.data, &names),
        };
        let found = template.data.iter().filter(|part| matches!(part, Part::Name(_))).count();
        ensure!(found >= names.len(), "the data of a transfer does not have its names");
        Ok(template)
    }

    /// The data of an event with these names.
    pub(super) fn data(&self, names: &Names<'_>) -> String {
        let texts = self.data.iter().map(|part| match part {
            Part::Text(text) => text,
            Part::Name(place) => names[*place],
        });
        texts.collect()
    }
}

/// The tags of an event with these names, in the order in which the service writes them.
pub(super) fn tags(names: &Names<'_>) -> Vec<Tag> {
    let [transaction, first, second] = names;
    vec![Tag::new(TRANSACTION, transaction), Tag::new(ACCOUNT, first), Tag::new(ACCOUNT, second)]
}

fn parts(text: &str, names: &Names<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text;
    let next =
        |rest: &str| (0..names.len()).filter_map(|place| Some((rest.find(names[place])?, place))).min();
    while let Some((at, place)) = next(rest) {
        parts.push(Part::Text(rest[..at].to_owned()));
        parts.push(Part::Name(place));
        rest = &rest[at + names[place].len()..];
    }
    parts.push(Part::Text(rest.to_owned()));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_a_text_are_its_places() {
        let name = Part::Name;
        let text = |text: &str| Part::Text(text.to_owned());
        let found = parts("<b a b>", &["t", "a", "b"]);
        assert_eq!(found, [text("<"), name(2), text(" "), name(1), text(" "), name(2), text(">")]);
    }
}
