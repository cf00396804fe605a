//! `recount import`: a journal whose balances were worked out by hand.

use std::path::{Path, PathBuf};

use http::Method;
use recount_tests::http::Client;
use recount_tests::ledger::LedgerClient;
use recount_tests::process::{Program, folder};
use serde_json::json;

use crate::{Up, first_key};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn import(name: &str, ledger: &str) -> Program {
    Program::new(["import"]).argument(fixture(name)).argument("--ledger").argument(ledger)
}

async fn balances(client: &Client, ledger: &str) -> String {
    let ledger = LedgerClient::at(client, ledger);
    let head = ledger.head().await;
    ledger.answer_at("/trial-balance?format=csv", head).await.text()
}

fn expected() -> String {
    std::fs::read_to_string(fixture("balances.csv")).unwrap()
}

#[tokio::test]
async fn a_journal_has_the_balances_worked_out_by_hand_however_often_it_is_imported() {
    let up = Up::start().await;
    let program = import("journal.csv", "books").argument("--database-url").argument(up.database.url());
    let ended = program.run_ok().await;
    assert!(ended.stdout.contains("6 posted, 0 already present, 0 refused"), "{}", ended.stdout);
    assert!(ended.stdout.contains("line 17"), "the zero posting is named: {}", ended.stdout);
    assert_eq!(balances(&up.client, "books").await, expected());

    let books = LedgerClient::at(&up.client, "books");
    let head = books.head().await;
    assert!(ended.stdout.contains(&format!("Recount-At-Least: {head} ")), "{}", ended.stdout);
    let ended = program.run_ok().await;
    assert!(ended.stdout.contains("0 posted, 6 already present, 0 refused"), "{}", ended.stdout);
    assert_eq!(books.head().await, head);
    assert_eq!(balances(&up.client, "books").await, expected());

    // It does not matter that an account has been closed in the meantime.
    books.command("close-account", &json!({"account": "Liabilities:Card"})).ok().await;
    let ended = program.run_ok().await;
    assert!(ended.stdout.contains("0 posted, 6 already present, 0 refused"), "{}", ended.stdout);

    // Another ledger can import the same journal. The balances of an earlier day are those of that day.
    let other = import("journal.csv", "other").argument("--database-url").argument(up.database.url());
    other.run_ok().await;
    assert_eq!(balances(&up.client, "other").await, expected());
    let opening = books.answer_at("/trial-balance?format=csv&effective_before=2024-01-02", head).await.text();
    let rows: Vec<&str> = opening.lines().skip(1).collect();
    let days = [
        r#""Assets:Bank","1000.00 USD""#,
        r#""Assets:Cash","50.0 EUR""#,
        r#""Equity:Opening","-50.0 EUR, -1000.00 USD""#,
    ];
    assert_eq!(rows, days);
}

#[tokio::test]
async fn a_file_with_a_mistake_imports_nothing_and_the_error_names_the_line() {
    let up = Up::start().await;
    for (file, texts) in [
        ("bad-lines.csv", ["line 4", "line 6"]),
        ("unbalanced.csv", ["line 4", "-0.01"]),
        ("unknown-kind.csv", ["line 5", "Pocket:Lunch"]),
        ("bad-commodity.csv", ["line 2", "US D"]),
    ] {
        let ended = import(file, "books").argument("--database-url").argument(up.database.url()).run().await;
        assert!(!ended.status.success(), "{file}: {ended:?}");
        for part in texts {
            assert!(ended.stderr.contains(part), "{file}: no `{part}` in: {}", ended.stderr);
        }
        let answer = up.client.get("/v1/ledgers/books/events").answer().await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (404, "ledger-unknown"), "{file}: {answer}");
    }
    let missing = import("no-such-file.csv", "books").argument("--database-url").argument(up.database.url());
    let ended = missing.run().await;
    assert!(!ended.status.success() && ended.stderr.contains("no-such-file.csv"), "{ended:?}");
}

#[tokio::test]
async fn another_journal_with_the_same_ids_needs_a_source_of_its_own() {
    let up = Up::start().await;
    let import = |file: &str| import(file, "books").argument("--database-url").argument(up.database.url());
    import("journal.csv").run_ok().await;
    let books = LedgerClient::at(&up.client, "books");
    let head = books.head().await;
    let ended = import("symbols.csv")
        .argument("--asset")
        .argument("$=USD")
        .argument("--kind")
        .argument("Till=asset")
        .run()
        .await;
    assert!(!ended.status.success(), "{ended:?}");
    for part in ["--source", "Nothing was imported", "transaction 1"] {
        assert!(ended.stderr.contains(part), "no `{part}` in: {}", ended.stderr);
    }
    assert_eq!(books.head().await, head, "something was imported");
    assert_eq!(balances(&up.client, "books").await, expected());
}

#[tokio::test]
async fn options_map_symbols_and_account_names() {
    let up = Up::start().await;
    let symbols =
        |ledger: &str| import("symbols.csv", ledger).argument("--database-url").argument(up.database.url());
    let ended = symbols("shop").argument("--kind").argument("Till=asset").run().await;
    assert!(!ended.status.success() && ended.stderr.contains("--asset"), "{ended:?}");
    let ended = symbols("shop").argument("--asset").argument("$=USD").run().await;
    assert!(!ended.status.success() && ended.stderr.contains("--kind"), "{ended:?}");
    let ended =
        symbols("shop").argument("--asset").argument("$=USD").argument("--kind").argument("Till").run().await;
    assert!(!ended.status.success(), "{ended:?}");
    symbols("shop")
        .argument("--asset")
        .argument("$=USD")
        .argument("--kind")
        .argument("Till=asset")
        .run_ok()
        .await;
    let rows = balances(&up.client, "shop").await;
    assert_eq!(
        rows,
        "\"account\",\"balance\"\n\"Till:Main\",\"12.50 USD\"\n\"revenues:Sales\",\"-12.50 USD\"\n"
    );
}

#[tokio::test]
async fn a_ledger_gets_the_configured_decimals_and_keeps_them() {
    let up = Up::start().await;
    let import = |file: &str, ledger: &str| {
        import(file, ledger).argument("--database-url").argument(up.database.url())
    };
    import("round.csv", "round").run_ok().await;
    let ended = import("journal.csv", "round").run().await;
    assert!(!ended.status.success(), "{ended:?}");
    for part in ["has USD with 0 decimals, but the file needs 2", "--asset", "Nothing was posted"] {
        assert!(ended.stderr.contains(part), "no `{part}` in: {}", ended.stderr);
    }
    assert_eq!(LedgerClient::at(&up.client, "round").head().await, 5, "something was imported");

    import("round.csv", "fine").argument("--asset=USD=USD/2").run_ok().await;
    import("journal.csv", "fine").run_ok().await;
    let rows = balances(&up.client, "fine").await;
    assert!(rows.contains(r#""Assets:Bank","1980.50 USD""#), "{rows}");
}

#[tokio::test]
async fn the_output_of_another_program_is_imported_unchanged() {
    let up = Up::start().await;
    let options = [
        "--column=transaction=txnidx",
        "--decimal-mark=.",
        "--asset=$=USD",
        "--asset==POINTS",
        "--account=assets:broker:vti <2024>=assets:broker:vti",
    ];
    let printed = || {
        let program = import("printed.csv", "printed").argument("--database-url").argument(up.database.url());
        options.into_iter().fold(program, Program::argument)
    };
    let ended = printed().run().await;
    assert!(!ended.status.success(), "{ended:?}");
    for part in
        ["line 4: transaction 2 exchanges commodities", "-2500.00 USD, 12.345 VTI", "--conversion-account"]
    {
        assert!(ended.stderr.contains(part), "no `{part}` in: {}", ended.stderr);
    }
    let ended = printed().argument("--conversion-account=equity:conversion").run_ok().await;
    for part in ["3 posted", "line 8", "Exchanges: 1"] {
        assert!(ended.stdout.contains(part), "no `{part}` in: {}", ended.stdout);
    }
    let rows = balances(&up.client, "printed").await;
    let rows: Vec<&str> = rows.lines().skip(1).collect();
    let expected = [
        r#""assets:bank","7500.00 USD""#,
        r#""assets:broker:vti","12.345 VTI""#,
        r#""assets:points","40 POINTS""#,
        r#""equity:conversion","2500.00 USD, -12.345 VTI""#,
        r#""equity:opening","-10000.00 USD""#,
        r#""revenues:points","-40 POINTS""#,
    ];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn options_describe_the_format_of_a_foreign_file() {
    let up = Up::start().await;
    let columns = ["transaction=Buchung", "date=Datum", "description=Text", "account=Konto", "amount=Betrag"];
    let program = import("buchungen.csv", "buero").argument("--database-url").argument(up.database.url());
    let program =
        columns.into_iter().fold(program, |program, column| program.argument("--column").argument(column));
    let program =
        program.argument("--separator=;").argument("--decimal-mark=,").argument("--date-format=%d.%m.%Y");
    let ended = program.run().await;
    assert!(!ended.status.success() && ended.stderr.contains("the header lacks commodity"), "{ended:?}");
    program.argument("--column=commodity=währung").run_ok().await;
    let rows = balances(&up.client, "buero").await;
    let rows: Vec<&str> = rows.lines().skip(1).collect();
    let expected =
        [r#""Assets:Bank für Sozialwirtschaft","-1234.50 EUR""#, r#""Expenses:Wohnen:Büro","1234.50 EUR""#];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn the_private_postgres_can_be_used_whether_up_runs_or_not() {
    let data = folder();
    let import = |ledger: &str| import("journal.csv", ledger).argument("--data").argument(data.path());
    import("before").run_ok().await;

    let mut process = Program::listening(["up", "--data"]).argument(data.path()).start().await;
    let client = process.client().with_key(&first_key(&process.stdout()));
    assert_eq!(balances(&client, "before").await, expected());
    import("meanwhile").run_ok().await;
    assert_eq!(balances(&client, "meanwhile").await, expected());

    process.stop().await;
    import("after").run_ok().await;
    process.start_again().await;
    assert_eq!(balances(&client, "after").await, expected());
    let ledgers = client.ask(Method::GET, "/v1/ledgers").ok().await.json();
    assert_eq!(ledgers["items"].as_array().map(Vec::len), Some(3), "{ledgers}");
}
