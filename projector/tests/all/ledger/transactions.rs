//! Transactions and their entries: running balances, and reversals.

use std::collections::BTreeMap;

use recount_events::ledger::{AccountKind, Direction, LedgerEvent};

use super::book::{Book, Dice, created, metadata, opened, posted, reversal, transaction, transfer};

const KINDS: [AccountKind; 5] = [
    AccountKind::Asset,
    AccountKind::Liability,
    AccountKind::Equity,
    AccountKind::Income,
    AccountKind::Expense,
];

#[tokio::test]
async fn running_balances_equal_a_fold_of_the_events_for_any_batch_sizes() {
    let mut book = Book::new().await;
    let names: Vec<String> = (0..20).map(|n| format!("users:{n}")).collect();
    let kind = |name: usize| KINDS[name % KINDS.len()];
    let mut events = vec![created()];
    events.extend(names.iter().enumerate().map(|(n, name)| opened(name, kind(n))));
    let mut dice = Dice(7);
    let mut sums: BTreeMap<(usize, &str), (i128, i128)> = BTreeMap::new();
    let mut expected_entries = Vec::new();
    for n in 0..600 {
        let in_asset = ["USD/2", "BTC/8"][dice.roll(2)];
        let (debit, credit, amount) =
            (dice.roll(20), dice.roll(20), i128::try_from(1 + dice.roll(9_999)).unwrap());
        let position = events.len() + 1;
        for (line, name, direction) in [(0, debit, Direction::Debit), (1, credit, Direction::Credit)] {
            let sum = sums.entry((name, in_asset)).or_default();
            *(if direction == Direction::Debit { &mut sum.0 } else { &mut sum.1 }) += amount;
            let sign = if kind(name).normal_side() == Direction::Debit { 1 } else { -1 };
            let balance = sign * (sum.0 - sum.1);
            expected_entries.push(format!(
                "{position}/{line} {} {in_asset} {} {amount} {balance}",
                names[name],
                direction.as_str()
            ));
        }
        let entries = transfer(&names[debit], &names[credit], in_asset, amount);
        events.push(posted(&format!("t{n}"), entries));
    }
    let head = book.append(&events).await;
    book.rebuild_in_batches(|| 1 + dice.roll(90)).await;
    assert_eq!(book.world.progress("ledger_v2", &book.log).await, head.0);
    let entries = book
        .rows("select format('%s/%s %s %s %s %s %s', position, line, account, asset, direction, amount, balance)
               from read.entries order by position, line")
        .await;
    assert_eq!(entries, expected_entries);
    let mut expected: Vec<String> = sums
        .iter()
        .map(|((name, in_asset), (debits, credits))| {
            format!("{} {in_asset} {debits} {credits}", names[*name])
        })
        .collect();
    expected.sort_unstable();
    let mut balances =
        book.rows("select format('%s %s %s %s', account, asset, debits, credits) from read.balances").await;
    balances.sort_unstable();
    assert_eq!(balances, expected);
}

#[tokio::test]
async fn a_transaction_shows_reference_metadata_and_entries() {
    let book = Book::new().await;
    let mut with_all = transaction("one", transfer("a", "b", "USD/2", 5));
    with_all.reference = Some("order 7".parse().unwrap());
    with_all.metadata = metadata(r#"{"note":"a\t\"quoted\" \\ line\n"}"#);
    book.apply([
        opened("a", AccountKind::Asset),
        opened("b", AccountKind::Income),
        LedgerEvent::TransactionPosted(with_all),
        posted("two", transfer("a", "b", "USD/2", 5)),
    ])
    .await;
    assert_eq!(
        book.rows(
            "select concat_ws(' ', position, transaction, reverses, captures, reference, metadata)
                   from read.transactions order by position"
        )
        .await,
        [r#"3 one order 7 {"note":"a\t\"quoted\" \\ line\n"}"#, "4 two {}"]
    );
    assert_eq!(
        book.rows("select entries::text from read.transactions where position = 4").await,
        ["[{\"account\":\"a\",\"direction\":\"debit\",\"asset\":\"USD/2\",\"amount\":\"5\"},\
           {\"account\":\"b\",\"direction\":\"credit\",\"asset\":\"USD/2\",\"amount\":\"5\"}]"]
    );
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn a_transaction_lists_its_reversals_in_order_across_batches() {
    let book = Book::new().await;
    let back = |amount| transfer("b", "a", "USD/2", amount);
    book.apply([
        opened("a", AccountKind::Asset),
        opened("b", AccountKind::Income),
        posted("one", transfer("a", "b", "USD/2", 9)),
        posted("two", transfer("a", "b", "USD/2", 9)),
        reversal("one-z", "one", back(2)),
        reversal("one-y", "one", back(3)),
    ])
    .await;
    let shown = "select concat_ws(' ', transaction, reverses, array_to_string(reversals, '+'), reversed_by)
                 from read.transactions order by position";
    assert_eq!(book.rows(shown).await, ["one one-z+one-y one-z", "two ", "one-z one ", "one-y one "]);
    book.apply([reversal("one-x", "one", back(4)), reversal("two-z", "two", back(9))]).await;
    assert_eq!(
        book.rows(shown).await,
        [
            "one one-z+one-y+one-x one-z",
            "two two-z two-z",
            "one-z one ",
            "one-y one ",
            "one-x one ",
            "two-z two "
        ]
    );
    book.assert_same_event_by_event().await;
}

#[tokio::test]
async fn a_version_1_transaction_captures_no_hold() {
    let book = Book::new().await;
    book.apply([opened("a", AccountKind::Asset), opened("b", AccountKind::Income)]).await;
    let data = r#"{"transaction":"t1","effective_at":"2026-01-31T00:00:00Z","entries":[
        {"account":"a","direction":"debit","asset":"USD/2","amount":"7"},
        {"account":"b","direction":"credit","asset":"USD/2","amount":"7"}]}"#;
    book.world.append(&book.log, vec![("transaction-posted", data.to_owned(), Vec::new())]).await;
    book.apply([posted("t2", transfer("a", "b", "USD/2", 1))]).await;
    assert_eq!(
        book.rows("select concat_ws(' ', transaction, captures) from read.transactions order by position")
            .await,
        ["t1", "t2"]
    );
    let balances = book.rows("select format('%s %s', account, posted) from read.balances order by 1").await;
    assert_eq!(balances, ["a 8", "b 8"]);
}

#[tokio::test]
async fn amounts_beyond_64_bits_are_exact_and_a_balance_beyond_128_bits_stops_the_log() {
    let book = Book::new().await;
    let large = i128::MAX - 1;
    book.apply([
        opened("a", AccountKind::Asset),
        opened("b", AccountKind::Income),
        posted("t1", transfer("a", "b", "USD/2", large)),
        posted("t2", transfer("a", "b", "USD/2", 1)),
    ])
    .await;
    let balances = "select balance::text from read.entries order by position, line";
    let (large, most) = (large.to_string(), i128::MAX.to_string());
    assert_eq!(book.rows(balances).await, [large.as_str(), &large, &most, &most]);
    let (at, reason) = book.stopped_by([posted("t3", transfer("a", "b", "USD/2", 1))]).await;
    assert_eq!((at.0, &*reason), (5, "the balance of account `a` exceeds 128 bits"));
}

#[tokio::test]
async fn the_turnover_of_an_account_may_exceed_128_bits() {
    let book = Book::new().await;
    let there = |id| posted(id, transfer("a", "b", "USD/2", i128::MAX));
    let back = |id, of| reversal(id, of, transfer("b", "a", "USD/2", i128::MAX));
    book.apply([opened("a", AccountKind::Asset), opened("b", AccountKind::Income), there("t1")]).await;
    book.apply([back("t2", "t1")]).await;
    book.apply([there("t3"), back("t4", "t3"), there("t5")]).await;
    book.apply([back("t6", "t5"), posted("t7", transfer("b", "a", "USD/2", i128::MAX))]).await;
    // Between two entries of a transaction a balance may exceed its range.
    let mut to_and_fro = transfer("a", "a", "USD/2", i128::MAX);
    to_and_fro.reverse();
    book.apply([posted("t8", to_and_fro)]).await;
    // Three, four and five times 2^127 - 1.
    let three = "510423550381407695195061911147652317181";
    let [four, five] = ["680564733841876926926749214863536422908", "850705917302346158658436518579420528635"];
    let (most, least) = (i128::MAX.to_string(), (-i128::MAX).to_string());
    assert_eq!(
        book.rows(
            "select concat_ws(' ', account, debits, credits, posted, available) from read.balances
             order by account"
        )
        .await,
        [format!("a {four} {five} {least} {least}"), format!("b {four} {three} {least} {least}")]
    );
    assert_eq!(
        book.rows("select balance::text from read.entries where account = 'a' order by position, line").await,
        [&*most, "0", &most, "0", &most, "0", &least, "-340282366920938463463374607431768211454", &least]
    );
    book.assert_same_event_by_event().await;
}
