//! The import itself: reads a file, and submits its commands to the engine.

use std::collections::HashMap;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use recount_command_service::ledger::LedgerDomain;
use recount_core::{LogKey, LogName, Position};
use recount_domain::{Command, Request};
use recount_events::ledger::Asset;
use recount_writer::{CommandEngine, Outcome, Refusal, Submission};

use crate::args::ImportArgs;
use crate::journal::LineError;
use crate::names::Names;
use crate::plan::Plan;
use crate::reader;
use crate::report::Report;

/// Commands per submission: enough to share a commit, few enough to show progress.
const CHUNK_MAX: usize = 200;
/// How many errors are listed when a file cannot be imported; the others are only counted.
const ERRORS_SHOWN_MAX: usize = 20;

/// A file that was read and checked, ready to be imported.
#[derive(Debug)]
pub struct Import {
    ledger: LogName,
    plan: Plan,
}

impl Import {
    /// Reads the file, and reports every error in it.
    pub fn read(args: &ImportArgs) -> anyhow::Result<Import> {
        let path = args.file.display();
        let file = std::fs::read(&args.file).with_context(|| format!("{path} cannot be read"))?;
        let names = Names::new(args.accounts.clone(), args.kinds.clone(), args.assets.clone());
        let journal = match reader::read(&file, &args.format, &names, args.conversion_account.as_ref()) {
            Ok(journal) => journal,
            Err(errors) => bail!("{path} has errors, and nothing was imported:\n{}", listed(&errors)),
        };
        let plan = Plan::new(journal, &names, &args.ledger, &args.source)?;
        Ok(Import { ledger: args.ledger.clone(), plan })
    }

    /// Imports the file. An import that fails on the way can be repeated: it posts only what is missing.
    pub async fn run(self, engine: &CommandEngine<LedgerDomain>) -> anyhow::Result<Report> {
        let importer = Importer { engine, log: self.ledger.key(), ledger: self.ledger };
        importer.import(self.plan).await
    }
}

/// Each error once, with its first line.
fn listed(errors: &[LineError]) -> String {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut firsts = Vec::new();
    for error in errors {
        let count = counts.entry(&error.reason).or_default();
        if *count == 0 {
            firsts.push(error);
        }
        *count += 1;
    }
    let line = |error: &&LineError| match counts[error.reason.as_str()] - 1 {
        0 => format!("  {error}"),
        more => format!("  line {}, and {more} more: {}", error.line, error.reason),
    };
    let mut lines: Vec<String> = firsts.iter().take(ERRORS_SHOWN_MAX).map(line).collect();
    if firsts.len() > ERRORS_SHOWN_MAX {
        lines.push(format!("  and {} other errors", firsts.len() - ERRORS_SHOWN_MAX));
    }
    lines.join("\n")
}

/// Submits commands to one ledger.
struct Importer<'e> {
    engine: &'e CommandEngine<LedgerDomain>,
    ledger: LogName,
    log: LogKey,
}

impl Importer<'_> {
    async fn import(&self, mut plan: Plan) -> anyhow::Result<Report> {
        if self.engine.reader().log(self.log).await?.is_some_and(|log| log.tip.position > Position::START) {
            self.use_assets(&mut plan, true).await?;
            self.refuse_another_journal(&plan).await?;
        }
        self.engine.create_log(&self.ledger).await?;
        let (position, outcomes) = self
            .submit(vec![Command::CreateLedger { ledger: self.ledger.to_string() }.into()], false)
            .await?;
        let mut report = Report::new(self.ledger.clone(), position, plan.journal());
        report.ledger_created = outcomes.iter().any(has_events);

        self.use_assets(&mut plan, false).await?;
        self.open_accounts(&plan, &mut report).await?;
        self.post_transactions(&plan, &mut report).await?;
        Ok(report)
    }

    /// Refuses a journal whose transactions have the same source and names as other transactions in the ledger, before
    /// anything is imported. The domain compares a transaction with the existing one of the same id before it checks
    /// anything else, so a dry run finds the conflict although accounts and assets are still missing.
    async fn refuse_another_journal(&self, plan: &Plan) -> anyhow::Result<()> {
        let commands = plan.post_transactions()?;
        let mut conflicts = Vec::new();
        for chunk in commands.chunks(CHUNK_MAX) {
            let requests = chunk.iter().map(|(_, command)| command.clone()).collect();
            let (_, outcomes) = self.submit(requests, true).await?;
            for ((transaction, _), outcome) in chunk.iter().zip(&outcomes) {
                if matches!(outcome, Outcome::Rejected(refusal) if refusal.code == "transaction-conflict") {
                    conflicts.push(format!("  line {}: transaction {}", transaction.line, transaction.name));
                }
            }
        }
        if conflicts.is_empty() {
            return Ok(());
        }
        let shown = conflicts.len().min(ERRORS_SHOWN_MAX);
        bail!(
            "{} of the transactions are already in the ledger with different content. Either the options differ from those \
             of the earlier import, or this is another journal: import it with its own --source. Nothing was imported:\n{}",
            conflicts.len(),
            conflicts[..shown].join("\n")
        )
    }

    /// Registers the assets of the journal, or finds them with a dry run.
    async fn use_assets(&self, plan: &mut Plan, dry_run: bool) -> anyhow::Result<()> {
        for (commodity, scale) in plan.journal().scales.clone() {
            let asset = self.register_asset(&commodity, scale, dry_run).await?;
            plan.use_asset(&commodity, asset);
        }
        Ok(())
    }

    /// Registers a commodity with the scale that the file needs, or uses the finer one of the ledger.
    async fn register_asset(&self, commodity: &str, scale: u8, dry_run: bool) -> anyhow::Result<Asset> {
        let asset: Asset = format!("{commodity}/{scale}").parse()?;
        let (_, outcomes) =
            self.submit(vec![Command::RegisterAsset { asset: asset.clone() }.into()], dry_run).await?;
        match outcomes.into_iter().next() {
            Some(Outcome::Accepted(_)) => Ok(asset),
            Some(Outcome::Rejected(refusal)) => {
                let registered = refusal.details.get("registered").and_then(|value| value.as_str());
                match registered.and_then(|registered| registered.parse::<Asset>().ok()) {
                    Some(registered) if registered.scale() >= scale => Ok(registered),
                    Some(registered) => bail!(
                        "the ledger has {commodity} with {} decimals, but the file needs {scale}. A ledger cannot change \
                         them: import into another ledger, and use --asset COMMODITY=CODE/DECIMALS to give it more \
                         decimals than the file has. Nothing was posted",
                        registered.scale()
                    ),
                    None => bail!("commodity {commodity}: {}", refusal.detail),
                }
            }
            None => bail!("commodity {commodity}: no answer"),
        }
    }

    async fn open_accounts(&self, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
        let commands = plan.open_accounts();
        for chunk in commands.chunks(CHUNK_MAX) {
            let (_, outcomes) = self.submit(chunk.to_vec(), false).await?;
            for outcome in &outcomes {
                match outcome {
                    Outcome::Accepted(_) => report.accounts_opened += usize::from(has_events(outcome)),
                    // It exists with this kind. Whether it accepts postings is checked with each transaction.
                    Outcome::Rejected(refusal) if account_exists(refusal) => {}
                    Outcome::Rejected(refusal) => bail!("{} No transaction was posted.", refusal.detail),
                }
            }
        }
        report.accounts = commands.len();
        Ok(())
    }

    async fn post_transactions(&self, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
        let commands = plan.post_transactions()?;
        let progress = ProgressBar::new(commands.len() as u64).with_style(style());
        for chunk in commands.chunks(CHUNK_MAX) {
            let (position, outcomes) =
                self.submit(chunk.iter().map(|(_, command)| command.clone()).collect(), false).await?;
            for ((transaction, _), outcome) in chunk.iter().zip(&outcomes) {
                match outcome {
                    Outcome::Accepted(_) if has_events(outcome) => report.posted += 1,
                    Outcome::Accepted(_) => report.already_present += 1,
                    Outcome::Rejected(refusal) => report.refuse(transaction, refusal),
                }
            }
            report.position = position;
            progress.inc(chunk.len() as u64);
        }
        progress.finish_and_clear();
        Ok(())
    }

    async fn submit(
        &self,
        commands: Vec<Request>,
        dry_run: bool,
    ) -> anyhow::Result<(Position, Vec<Outcome>)> {
        let meta = r#"{"actor":"import"}"#.into();
        let bytes = commands.len();
        let submission = Submission { commands, atomic: false, dry_run, key: None, meta, bytes };
        // The next run recognises everything committed so far.
        let outcome = self
            .engine
            .submit(&self.ledger, submission)
            .await
            .context("the import stopped; run it again to continue")?;
        Ok((outcome.position, outcome.outcomes))
    }
}

fn has_events(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted(accepted) if !accepted.events.is_empty())
}

/// Whether an account that could not be opened exists with the requested kind: it may have other settings, or be closed.
fn account_exists(refusal: &Refusal) -> bool {
    let field = refusal.details.get("field").and_then(|value| value.as_str());
    refusal.code == "account-closed" || (refusal.code == "account-conflict" && field != Some("kind"))
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {pos}/{len} transactions, {per_sec}")
        .expect("the template is a valid constant")
}
