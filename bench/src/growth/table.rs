//! The figures of each size beside each other, with their ratios to the smallest size.

use std::fmt::Write;

use serde::Serialize;

use crate::report::grouped;

/// All results of one run.
#[derive(Debug, Serialize)]
pub(crate) struct GrowthReport {
    /// Incremented when the meaning of a member changes.
    pub(crate) version: u32,
    pub(crate) cores: u32,
    pub(crate) database: String,
    /// How long the disk takes to make an 8 KiB page durable.
    pub(crate) disk_sync_micros: u64,
    /// One log at each of its sizes.
    pub(crate) by_events: Vec<Column>,
    /// A log alone, and among others.
    pub(crate) by_logs: Vec<Column>,
}

/// What was measured at one size.
#[derive(Debug, Serialize)]
pub(crate) struct Column {
    pub(crate) title: String,
    figures: Vec<Figure>,
}

#[derive(Debug, Serialize)]
struct Figure {
    name: &'static str,
    unit: &'static str,
    median: f64,
    rounds: Vec<f64>,
}

impl Column {
    pub(crate) fn new(title: String) -> Column {
        Column { title, figures: Vec::new() }
    }

    /// Adds a measured value to the rounds of its figure.
    pub(crate) fn add(&mut self, name: &'static str, unit: &'static str, value: f64) {
        if let Some(figure) = self.figures.iter_mut().find(|figure| figure.name == name) {
            figure.rounds.push(value);
            figure.median = median(&figure.rounds);
        } else {
            self.figures.push(Figure { name, unit, median: value, rounds: vec![value] });
        }
    }

    fn median_of(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.median)
    }
}

fn median(rounds: &[f64]) -> f64 {
    let mut sorted = rounds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

impl GrowthReport {
    pub(crate) fn to_text(&self) -> String {
        let (by_events, by_logs) = (to_text(&self.by_events), to_text(&self.by_logs));
        format!(
            "{by_events}{by_logs}{}; an 8 KiB page is durable after {} µs (median); {} cores\n\
             Medians of all rounds; in parentheses the ratio to the first column.\n",
            self.database, self.disk_sync_micros, self.cores
        )
    }
}

/// The columns as a table.
pub(super) fn to_text(columns: &[Column]) -> String {
    let mut text = String::new();
    write_table(&mut text, columns).expect("writing into memory does not fail");
    text
}

fn write_table(text: &mut String, columns: &[Column]) -> std::fmt::Result {
    let Some(first) = columns.first() else { return Ok(()) };
    write!(text, "{:54}", "")?;
    for column in columns {
        write!(text, " {:>22}", column.title)?;
    }
    writeln!(text)?;
    for Figure { name, unit, median, .. } in &first.figures {
        write!(text, "{:54}", format!("{name}, {unit}"))?;
        for (place, column) in columns.iter().enumerate() {
            let shown = match column.median_of(name) {
                None => "-".to_owned(),
                Some(value) if place == 0 || *median == 0.0 => number(value),
                Some(value) => format!("{} ({:.2})", number(value), value / median),
            };
            write!(text, " {shown:>22}")?;
        }
        writeln!(text)?;
    }
    writeln!(text)
}

/// With about three digits.
fn number(value: f64) -> String {
    match value {
        _ if value.fract() == 0.0 || value >= 100.0 => grouped(value),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_size_is_compared_with_the_first() {
        let (mut small, mut large) = (Column::new("1,000".to_owned()), Column::new("2,000".to_owned()));
        for (round, value) in [3.0, 1.0, 2.0].into_iter().enumerate() {
            small.add("a page", "ms", value);
            large.add("a page", "ms", 2.5 * value);
            assert_eq!(small.figures[0].rounds.len(), round + 1);
        }
        let text = to_text(&[small, large]);
        let line: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(line, ["a", "page,", "ms", "2", "5", "(2.50)"]);
    }
}
