//! The figures of a round, of a scenario, and their comparison with the goals.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::cpu::CpuShares;
use crate::load::Loaded;

/// Latencies of the requests of a round, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Latency {
    pub(crate) fn of(micros: &Histogram<u64>) -> Latency {
        let ms = |micros: u64| Duration::from_micros(micros).as_secs_f64() * 1_000.0;
        let at = |quantile: f64| ms(micros.value_at_quantile(quantile));
        Latency { p50: at(0.50), p95: at(0.95), p99: at(0.99), max: ms(micros.max()) }
    }
}

/// One round of a scenario.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Round {
    pub(crate) commands_per_second: f64,
    pub(crate) commands: u64,
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
    pub(crate) latency_ms: Latency,
    pub(crate) cpu_percent: CpuShares,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
    /// How the log differs from the acknowledged commands, if it does.
    pub(crate) mismatch: Option<String>,
    /// The lag of the read model, if one was updated during the load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) read_model: Option<ReadModelLag>,
}

/// The lag of a read model at the end of the load.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ReadModelLag {
    pub(crate) events_behind: i64,
    /// How long it then took to catch up; `None` if it did not within the timeout.
    pub(crate) caught_up_seconds: Option<f64>,
}

impl Round {
    pub(crate) fn of(loaded: Loaded, mismatch: Option<String>) -> Round {
        let seconds = loaded.elapsed.as_secs_f64();
        let commands = u32::try_from(loaded.commands).unwrap_or(u32::MAX);
        Round {
            commands_per_second: f64::from(commands) / seconds,
            commands: loaded.commands,
            requests: loaded.latencies.len(),
            seconds,
            latency_ms: Latency::of(&loaded.latencies),
            cpu_percent: loaded.cpu,
            errors: loaded.errors,
            first_error: loaded.first_error,
            mismatch,
            read_model: None,
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.errors == 0 && self.mismatch.is_none()
    }
}

/// All rounds of a scenario.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) name: String,
    pub(crate) connections: usize,
    /// The round with the median rate.
    pub(crate) median: Round,
    pub(crate) rounds: Vec<Round>,
}

impl Figures {
    /// There is at least one round.
    pub(crate) fn of(name: &str, connections: usize, rounds: Vec<Round>) -> Figures {
        let mut by_rate: Vec<&Round> = rounds.iter().collect();
        by_rate.sort_by(|a, b| a.commands_per_second.total_cmp(&b.commands_per_second));
        let median = by_rate[by_rate.len() / 2].clone();
        Figures { name: name.to_owned(), connections, median, rounds }
    }
}

/// A figure and its goal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Comparison {
    pub(crate) what: &'static str,
    pub(crate) value: f64,
    /// As text. `None` if the figure is only informative.
    pub(crate) goal: Option<&'static str>,
    pub(crate) met: Option<bool>,
}

/// The comparisons for which all scenarios were measured.
pub(crate) fn compare(all: &[Figures]) -> Vec<Comparison> {
    let find = |name: &str| all.iter().find(|figures| figures.name == name);
    let ratio = |a: &str, b: &str| Some(median_ratio(find(a)?, find(b)?));
    let goal = |what, value: Option<f64>, goal, met: fn(f64) -> bool| {
        value.map(|value| Comparison { what, value, goal: Some(goal), met: Some(met(value)) })
    };
    let known =
        |what, value: Option<f64>| value.map(|value| Comparison { what, value, goal: None, met: None });
    let rate = find("spread-64").map(|figures| figures.median.commands_per_second);
    let alone = find("spread-1").map(|figures| figures.median.latency_ms.p50);
    [
        goal("commands/s at 64 connections, spread", rate, ">= 15000", |value| value >= 15_000.0),
        goal("hot-64 / spread-64", ratio("hot-64", "spread-64"), ">= 0.95", |value| value >= 0.95),
        // A ledger has one writer, which uses one connection; four ledgers use four.
        goal("batch-1000 / raw-1000-1", ratio("batch-1000", "raw-1000-1"), ">= 0.5", |value| value >= 0.5),
        goal("batch-1000-logs / raw-1000", ratio("batch-1000-logs", "raw-1000"), ">= 0.5", |value| {
            value >= 0.5
        }),
        goal("p50 at 1 connection, ms", alone, "< 1", |value| value < 1.0),
        known("batch-1000 / raw-1000", ratio("batch-1000", "raw-1000")),
        known("up-spread-64 / spread-64", ratio("up-spread-64", "spread-64")),
        known("spread-1 / append-1", ratio("spread-1", "append-1")),
        known("spread-64 / append-64", ratio("spread-64", "append-64")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The median of the ratios of interleaved rounds, which is robust against a machine that is slower for a while. For
/// scenarios whose rounds are not interleaved, the ratio of the medians.
fn median_ratio(a: &Figures, b: &Figures) -> f64 {
    if a.rounds.len() != b.rounds.len() {
        return a.median.commands_per_second / b.median.commands_per_second;
    }
    let pairs = a.rounds.iter().zip(&b.rounds);
    let mut ratios: Vec<f64> = pairs.map(|(a, b)| a.commands_per_second / b.commands_per_second).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn round(commands_per_second: f64) -> Round {
        Round {
            commands_per_second,
            commands: 10,
            requests: 10,
            seconds: 1.0,
            latency_ms: Latency { p50: 0.5, p95: 1.0, p99: 2.0, max: 3.25 },
            cpu_percent: CpuShares { client: 10.0, service: 40.0, postgres: 45.0, others: 1.0, idle: 4.0 },
            errors: 0,
            first_error: None,
            mismatch: None,
            read_model: None,
        }
    }

    pub(crate) fn figures(name: &str, rates: &[f64]) -> Figures {
        Figures::of(name, 64, rates.iter().copied().map(round).collect())
    }

    #[test]
    fn percentiles_are_in_milliseconds() {
        let mut micros = Histogram::new(3).unwrap();
        for latency in 1..=1_000 {
            micros.record(latency * 10).unwrap();
        }
        let latency = Latency::of(&micros);
        let near = |value: f64, expected: f64| (value - expected).abs() < expected / 100.0;
        assert!(near(latency.p50, 5.0) && near(latency.p95, 9.5) && near(latency.p99, 9.9), "{latency:?}");
        assert!(near(latency.max, 10.0), "{latency:?}");
    }

    #[test]
    fn the_median_round_is_shown() {
        assert_eq!(figures("x", &[3.0, 1.0, 2.0]).median.commands_per_second, 2.0);
    }

    #[test]
    fn a_ratio_is_taken_of_interleaved_rounds() {
        let all = [figures("hot-64", &[10.0, 200.0, 29.0]), figures("spread-64", &[10.0, 100.0, 30.0])];
        let comparisons = compare(&all);
        let hot = comparisons.iter().find(|comparison| comparison.what == "hot-64 / spread-64").unwrap();
        assert_eq!((hot.value, hot.met), (1.0, Some(true)));
        assert_eq!(comparisons.len(), 2, "a scenario that was not measured is not compared: {comparisons:?}");
        assert_eq!(comparisons[0].met, Some(false));
    }
}
