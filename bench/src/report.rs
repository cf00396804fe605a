//! The figures as a table for people, and as JSON for programs.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::figures::{Comparison, Figures, Round};

/// All results of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Incremented when the meaning of a member changes.
    pub(crate) version: u32,
    pub(crate) cores: u32,
    pub(crate) database: String,
    /// How long the disk takes to make an 8 KiB page durable.
    pub(crate) disk_sync_micros: u64,
    pub(crate) scenarios: Vec<Figures>,
    pub(crate) comparisons: Vec<Comparison>,
}

const IN_MEMORY: &str = "writing into memory does not fail";

impl Report {
    /// Whether every command was answered as expected and is in the log.
    pub(crate) fn is_sound(&self) -> bool {
        self.scenarios.iter().flat_map(|figures| &figures.rounds).all(Round::is_sound)
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        write_table(&mut text, &self.scenarios).expect(IN_MEMORY);
        write_comparisons(&mut text, &self.comparisons).expect(IN_MEMORY);
        write_notes(&mut text, self).expect(IN_MEMORY);
        text
    }
}

/// Writes a report to a file.
pub(crate) fn write_json(report: &impl Serialize, file: &Path) -> anyhow::Result<()> {
    let mut json = serde_json::to_vec_pretty(report)?;
    json.push(b'\n');
    std::fs::write(file, json).with_context(|| format!("cannot write {}", file.display()))
}

/// A line about one round, printed when the round ends.
pub(crate) fn round_line(name: &str, round: &Round) -> String {
    let rate = grouped(round.commands_per_second);
    let mark = if round.is_sound() { "" } else { "  NOT SOUND" };
    format!("{name:16} {rate:>9}/s  p50 {:.2} ms{mark}", round.latency_ms.p50)
}

fn write_table(text: &mut String, scenarios: &[Figures]) -> std::fmt::Result {
    writeln!(
        text,
        "{:16} {:>5} {:>11} {:>8} {:>8} {:>8} {:>8} {:>7}   {:>6} {:>7} {:>8} {:>6} {:>5}",
        "scenario",
        "conns",
        "commands/s",
        "p50 ms",
        "p95",
        "p99",
        "max",
        "errors",
        "client",
        "service",
        "postgres",
        "others",
        "idle"
    )?;
    for figures in scenarios {
        let Round { latency_ms, cpu_percent, .. } = &figures.median;
        let errors: u64 = figures.rounds.iter().map(|round| round.errors).sum();
        let mark = if figures.rounds.iter().all(Round::is_sound) { "" } else { "  NOT SOUND" };
        writeln!(
            text,
            "{:16} {:>5} {:>11} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>7}   {:>5.0}% {:>6.0}% {:>7.0}% {:>5.0}% {:>4.0}%{mark}",
            figures.name,
            figures.connections,
            grouped(figures.median.commands_per_second),
            latency_ms.p50,
            latency_ms.p95,
            latency_ms.p99,
            latency_ms.max,
            errors,
            cpu_percent.client,
            cpu_percent.service,
            cpu_percent.postgres,
            cpu_percent.others,
            cpu_percent.idle,
        )?;
    }
    Ok(())
}

fn write_comparisons(text: &mut String, comparisons: &[Comparison]) -> std::fmt::Result {
    if !comparisons.is_empty() {
        writeln!(text)?;
    }
    for Comparison { what, value, goal, met } in comparisons {
        let value = if *value >= 100.0 { grouped(*value) } else { format!("{value:.2}") };
        write!(text, "{what:36} {value:>8}")?;
        match (goal, met) {
            (Some(goal), Some(true)) => writeln!(text, "   goal {goal:8} reached")?,
            (Some(goal), _) => writeln!(text, "   goal {goal:8} NOT REACHED")?,
            (None, _) => writeln!(text)?,
        }
    }
    Ok(())
}

fn write_notes(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(text)?;
    for figures in &report.scenarios {
        if figures.rounds.len() > 1 {
            let rates: Vec<String> =
                figures.rounds.iter().map(|round| grouped(round.commands_per_second)).collect();
            writeln!(text, "{}: median of {} commands/s", figures.name, rates.join(", "))?;
        }
        for round in &figures.rounds {
            write_round_notes(text, &figures.name, round)?;
        }
    }
    writeln!(
        text,
        "{}; an 8 KiB page is durable after {} µs (median)",
        report.database, report.disk_sync_micros
    )?;
    writeln!(
        text,
        "Shares are of the {} cores that client, service and Postgres share; `others` is everything else on them.\n\
         Closed loop: each connection waits for its response. Raw scenarios have no service: their latency is that of a transaction.",
        report.cores
    )
}

fn write_round_notes(text: &mut String, name: &str, round: &Round) -> std::fmt::Result {
    if let Some(error) = &round.first_error {
        writeln!(text, "{name}: {} errors, the first of them: {error}", round.errors)?;
    }
    if let Some(mismatch) = &round.mismatch {
        writeln!(text, "{name}: {mismatch}")?;
    }
    if let Some(lag) = &round.read_model {
        let behind = lag.events_behind;
        write!(
            text,
            "{name}: includes the projector; at the end of the load the read model was {behind} events behind"
        )?;
        match lag.caught_up_seconds {
            Some(seconds) => writeln!(text, ", and caught up in {seconds:.1} s")?,
            None => writeln!(text, ", and did not catch up in time")?,
        }
    }
    Ok(())
}

/// A whole number with a comma at every thousand.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::figures;
    use crate::figures::{ReadModelLag, compare};

    fn report() -> Report {
        let scenarios =
            vec![figures("spread-64", &[15_400.4, 16_000.0]), figures("hot-64", &[14_000.0, 14_400.0])];
        let comparisons = compare(&scenarios);
        let database = "Postgres 15".to_owned();
        Report { version: 1, cores: 2, database, disk_sync_micros: 70, scenarios, comparisons }
    }

    #[test]
    fn the_table_has_a_line_for_each_scenario_and_each_comparison() {
        let text = report().to_text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1],
            "spread-64           64      16,000     0.50     1.00     2.00     3.25       0      10%     40%      45%     1%    4%"
        );
        assert!(
            text.contains("commands/s at 64 connections, spread   16,000   goal >= 15000 reached"),
            "{text}"
        );
        assert!(
            text.contains("hot-64 / spread-64                       0.91   goal >= 0.95  NOT REACHED"),
            "{text}"
        );
        assert!(text.contains("hot-64: median of 14,000, 14,400 commands/s"), "{text}");
    }

    #[test]
    fn a_scenario_with_errors_is_marked_and_the_first_one_is_shown() {
        let mut report = report();
        assert!(report.is_sound());
        report.scenarios[0].rounds[0].errors = 3;
        report.scenarios[0].rounds[0].first_error = Some("503 busy".to_owned());
        assert!(!report.is_sound());
        let text = report.to_text();
        assert!(text.lines().nth(1).unwrap().ends_with("NOT SOUND"), "{text}");
        assert!(text.contains("spread-64: 3 errors, the first of them: 503 busy"), "{text}");
    }

    #[test]
    fn the_lag_of_the_read_model_is_shown() {
        let mut report = report();
        let lag = ReadModelLag { events_behind: 12, caught_up_seconds: Some(0.25) };
        report.scenarios[0].rounds[0].read_model = Some(lag);
        assert!(report.to_text().contains("was 12 events behind, and caught up in 0.2 s"));
    }

    #[test]
    fn the_json_has_the_same_figures() {
        let json = serde_json::to_value(report()).unwrap();
        assert_eq!(json["scenarios"][0]["name"], "spread-64");
        assert_eq!(json["scenarios"][0]["median"]["commands_per_second"], 16_000.0);
        assert_eq!(json["scenarios"][0]["rounds"].as_array().unwrap().len(), 2);
        assert_eq!(json["scenarios"][0]["median"]["latency_ms"]["p99"], 2.0);
        assert_eq!(json["comparisons"][0]["met"], true);
    }

    #[test]
    fn thousands_are_grouped() {
        let shown = [0.4, 999.0, 1_000.0, 1_234_567.8].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,568"]);
    }
}
