//! `recount import`: a journal of postings becomes transactions of a ledger.
//!
//! The import hands commands to the same engine that the command service runs on. It can be run again, and beside a
//! running service: the id of each transaction is derived from the file's own, so that what is there already is
//! recognised and not posted twice.

mod balance;
mod decimal;
mod form;
mod journal;
mod names;
mod plan;
mod report;

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use recount_command_service::CommandService;
use recount_command_service::ledger::LedgerDomain;
use recount_core::{LogKey, LogName, Position};
use recount_domain::{Command, Request};
use recount_events::ledger::{AccountKind, AccountName};
use recount_writer::{CommandEngine, Outcome, Refusal, Submission, Tuning};

use crate::database::{DatabaseArgs, Deployment};
use form::Form;
use journal::LineError;
use names::{Code, Names};
use plan::Plan;
use report::Report;

/// Commands that go to the engine at a time: enough to share a commit, few enough to show progress.
const CHUNK: usize = 200;
/// Mistakes that are named when a file cannot be read; the number of the others is.
const ERRORS_SHOWN_MAX: usize = 20;

/// Import a journal of postings
///
/// The file is CSV with the columns transaction, date, description, account, amount and commodity, and a row for each
/// posting; amounts are signed, debits positive. Each group of rows with the same transaction becomes one transaction.
/// A file that cannot be read to its end changes nothing.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The journal
    file: PathBuf,
    /// The ledger; it is created if it is not there
    #[arg(long)]
    ledger: LogName,
    /// Where the transactions come from: transactions of one source and name are the same transaction. Say another one
    /// to import a second journal that counts its transactions from 1 again
    #[arg(long, default_value = "journal")]
    source: String,
    /// Of which kind an account is, with all below it: asset, liability, equity, income or expense. Needed for names
    /// whose first part is not Assets, Liabilities, Equity, Income, Revenues or Expenses
    #[arg(long = "kind", value_name = "ACCOUNT=KIND", value_parser = names::parse_kind)]
    kinds: Vec<(String, AccountKind)>,
    /// Under which code a commodity is counted, as in '$=USD', or '=POINTS' where there is none. Needed for symbols and
    /// names that are not asset codes. With decimals, as in '$=USD/2', if later files may have more of them than this one:
    /// a ledger does not change them
    #[arg(long = "asset", value_name = "COMMODITY=CODE", value_parser = names::parse_code)]
    assets: Vec<(String, Code)>,
    /// Under which name an account is kept, with all below it, as in 'Assets:$=Assets:Cash'. Needed for names that are
    /// not account names here
    #[arg(long = "account", value_name = "NAME=ACCOUNT", value_parser = names::parse_account)]
    accounts: Vec<(String, String)>,
    /// The account to which the other side of an exchange is posted, as in Equity:Conversion. Needed for transactions
    /// that give one commodity for another at a price, and so do not add up to zero in each
    #[arg(long, value_name = "ACCOUNT")]
    conversion_account: Option<AccountName>,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    database: DatabaseArgs,
}

pub(crate) async fn run(args: ImportArgs) -> anyhow::Result<()> {
    let file =
        std::fs::read(&args.file).with_context(|| format!("{} cannot be read", args.file.display()))?;
    let names = Names::new(args.accounts.clone(), args.kinds.clone(), args.assets.clone());
    let journal = match journal::read(&file, &args.form, &names, args.conversion_account.as_ref()) {
        Ok(journal) => journal,
        Err(errors) => {
            bail!("{} cannot be imported, and nothing was:\n{}", args.file.display(), listed(&errors))
        }
    };
    // Whatever can be wrong with the file is found before anything is touched.
    let plan = Plan::new(&journal, &names, &args.ledger, &args.source)?;
    let deployment = Deployment::open(&args.database).await?;
    let pool = deployment.service_pool().await?;
    let service = CommandService::start(pool, None, Tuning::default());
    let importer = Importer { engine: service.engine(), ledger: args.ledger.clone(), log: args.ledger.key() };
    let result = importer.import(&journal, plan).await;
    service.stop().await;
    deployment.close().await?;
    let report = result?;
    print!("{report}");
    if report.is_complete() {
        Ok(())
    } else {
        bail!("some transactions were refused; the others were posted")
    }
}

/// Each mistake once, with the first line on which it is.
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
    let told = |error: &&LineError| match counts[error.reason.as_str()] - 1 {
        0 => format!("  {error}"),
        more => format!("  line {}, and {more} more: {}", error.line, error.reason),
    };
    let mut lines: Vec<String> = firsts.iter().take(ERRORS_SHOWN_MAX).map(told).collect();
    if firsts.len() > ERRORS_SHOWN_MAX {
        lines.push(format!("  and {} other mistakes", firsts.len() - ERRORS_SHOWN_MAX));
    }
    lines.join("\n")
}

/// Commands on their way into one ledger.
struct Importer<'e> {
    engine: &'e CommandEngine<LedgerDomain>,
    ledger: LogName,
    log: LogKey,
}

impl Importer<'_> {
    async fn import(&self, journal: &journal::Journal, mut plan: Plan<'_>) -> anyhow::Result<Report> {
        if self.engine.reader().log(self.log).await?.is_some_and(|log| log.head > Position::START) {
            self.use_assets(journal, &mut plan, true).await?;
            self.refuse_another_journal(&plan).await?;
        }
        self.engine.create_log(&self.ledger).await?;
        let (position, outcomes) = self
            .submit(vec![Command::CreateLedger { ledger: self.ledger.to_string() }.into()], false)
            .await?;
        let mut report = Report::new(self.ledger.clone(), position, journal);
        report.ledger_created = outcomes.iter().any(happened);

        self.use_assets(journal, &mut plan, false).await?;
        self.open_accounts(&plan, &mut report).await?;
        self.post_transactions(&plan, &mut report).await?;
        Ok(report)
    }

    /// Refuses a journal whose transactions have the names of others that are in the ledger from the same source, before
    /// anything of it is there. That a transaction differs from the one with its id is found before all else about it,
    /// so it is found by a dry run in which neither its accounts nor its assets are there yet.
    async fn refuse_another_journal(&self, plan: &Plan<'_>) -> anyhow::Result<()> {
        let commands = plan.post_transactions()?;
        let mut others = Vec::new();
        for chunk in commands.chunks(CHUNK) {
            let requests = chunk.iter().map(|(_, command)| command.clone()).collect();
            let (_, outcomes) = self.submit(requests, true).await?;
            for ((transaction, _), outcome) in chunk.iter().zip(&outcomes) {
                if matches!(outcome, Outcome::Rejected(refusal) if refusal.code == "transaction-conflict") {
                    others.push(format!("  line {}: transaction {}", transaction.line, transaction.name));
                }
            }
        }
        if others.is_empty() {
            return Ok(());
        }
        let named = others.len().min(ERRORS_SHOWN_MAX);
        bail!(
            "{} of the transactions are in the ledger with other content. Either this journal is read with other options \
             than before, or it is another one: import another one with a --source of its own. Nothing was imported:\n{}",
            others.len(),
            others[..named].join("\n")
        )
    }

    /// Registers what the journal counts, or finds out by a dry run as what that would be counted.
    async fn use_assets(
        &self,
        journal: &journal::Journal,
        plan: &mut Plan<'_>,
        dry_run: bool,
    ) -> anyhow::Result<()> {
        for (commodity, scale) in &journal.scales {
            let asset = self.register_asset(commodity, *scale, dry_run).await?;
            plan.use_asset(commodity, asset);
        }
        Ok(())
    }

    /// Registers a commodity in the scale that the file needs, or takes the finer one that the ledger has.
    async fn register_asset(
        &self,
        commodity: &str,
        scale: u8,
        dry_run: bool,
    ) -> anyhow::Result<recount_events::ledger::Asset> {
        let asset: recount_events::ledger::Asset = format!("{commodity}/{scale}").parse()?;
        let (_, outcomes) =
            self.submit(vec![Command::RegisterAsset { asset: asset.clone() }.into()], dry_run).await?;
        match outcomes.into_iter().next() {
            Some(Outcome::Accepted(_)) => Ok(asset),
            Some(Outcome::Rejected(refusal)) => {
                let registered = refusal.details.get("registered").and_then(|value| value.as_str());
                match registered
                    .and_then(|registered| registered.parse::<recount_events::ledger::Asset>().ok())
                {
                    Some(registered) if registered.scale() >= scale => Ok(registered),
                    Some(registered) => bail!(
                        "the ledger counts {commodity} with {} decimals, and the file needs {scale}. A ledger \
                         does not change them: import into another one, and say with --asset COMMODITY=CODE/DECIMALS \
                         if it shall have more than a file writes. Nothing was posted",
                        registered.scale()
                    ),
                    None => bail!("commodity {commodity}: {}", refusal.detail),
                }
            }
            None => bail!("commodity {commodity}: there was no answer"),
        }
    }

    async fn open_accounts(&self, plan: &Plan<'_>, report: &mut Report) -> anyhow::Result<()> {
        let commands = plan.open_accounts();
        for chunk in commands.chunks(CHUNK) {
            let (_, outcomes) = self.submit(chunk.to_vec(), false).await?;
            for outcome in &outcomes {
                match outcome {
                    Outcome::Accepted(_) => report.accounts_opened += usize::from(happened(outcome)),
                    // It is there, of this kind: whether it can be posted to is found with what is new.
                    Outcome::Rejected(refusal) if is_there(refusal) => {}
                    Outcome::Rejected(refusal) => bail!("{} No transaction was posted.", refusal.detail),
                }
            }
        }
        report.accounts = commands.len();
        Ok(())
    }

    async fn post_transactions(&self, plan: &Plan<'_>, report: &mut Report) -> anyhow::Result<()> {
        let commands = plan.post_transactions()?;
        let progress = ProgressBar::new(commands.len() as u64).with_style(style());
        for chunk in commands.chunks(CHUNK) {
            let (position, outcomes) =
                self.submit(chunk.iter().map(|(_, command)| command.clone()).collect(), false).await?;
            for ((transaction, _), outcome) in chunk.iter().zip(&outcomes) {
                match outcome {
                    Outcome::Accepted(_) if happened(outcome) => report.posted += 1,
                    Outcome::Accepted(_) => report.there_already += 1,
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
        // What was committed so far is recognised by the next run.
        let outcome =
            self.engine.submit(&self.ledger, submission).await.context("the import stopped; run it again")?;
        Ok((outcome.position, outcome.outcomes))
    }
}

fn happened(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted(accepted) if !accepted.events.is_empty())
}

/// Whether an account that could not be opened is there, of the kind that was asked for: opened by somebody else, or
/// closed since.
fn is_there(refusal: &Refusal) -> bool {
    let field = refusal.details.get("field").and_then(|value| value.as_str());
    refusal.code == "account-closed" || (refusal.code == "account-conflict" && field != Some("kind"))
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {pos}/{len} transactions, {per_sec}")
        .expect("the template is a constant of this program")
}
