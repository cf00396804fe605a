//! The ledger's read models against an independent fold of the same events, on a real Postgres.

use std::collections::BTreeMap;

use crate::support::{World, log};
use recount_events::ledger::{
    AccountClosed, AccountFrozen, AccountKind, AccountName, AccountOpened, AccountUnfrozen, Amount, Asset,
    AssetRegistered, Direction, Entry, FreezeScope, LedgerCreated, LedgerEvent, Metadata, Overdraft,
    OverdraftLimit, OverdraftPolicySet, TransactionId, TransactionPosted, encode,
};
use recount_events::{LogName, Position};
use recount_projector::engine::{Engine, Outcome};
use recount_projector::ledger::LedgerProjection;

fn account(name: &str) -> AccountName {
    name.parse().unwrap()
}

fn asset(name: &str) -> Asset {
    name.parse().unwrap()
}

fn entry(direction: Direction, name: &str, in_asset: &str, amount: i128) -> Entry {
    Entry { account: account(name), direction, asset: asset(in_asset), amount: Amount::new(amount).unwrap() }
}

fn transfer(debit: &str, credit: &str, in_asset: &str, amount: i128) -> Vec<Entry> {
    vec![entry(Direction::Debit, debit, in_asset, amount), entry(Direction::Credit, credit, in_asset, amount)]
}

fn posted(id: &str, entries: Vec<Entry>) -> TransactionPosted {
    TransactionPosted {
        transaction: id.parse().unwrap(),
        entries,
        effective_at: "2026-01-31T00:00:00Z".parse().unwrap(),
        reference: None,
        metadata: Metadata::new(),
        reverses: None,
    }
}

fn opened(name: &str, kind: AccountKind) -> LedgerEvent {
    LedgerEvent::AccountOpened(AccountOpened {
        account: account(name),
        kind,
        overdraft: Overdraft::None,
        metadata: Metadata::new(),
    })
}

fn created() -> LedgerEvent {
    LedgerEvent::LedgerCreated(LedgerCreated { ledger: "main".to_owned() })
}

async fn append(world: &World, log: &LogName, events: &[LedgerEvent]) -> Position {
    let encoded = events
        .iter()
        .map(|event| {
            let stored = encode(event);
            (stored.event_type, stored.data, event.tags())
        })
        .collect();
    world.append(log, encoded).await
}

async fn caught_up(world: &World, log: &LogName, head: Position) -> Engine<LedgerProjection> {
    let engine = world.engine(LedgerProjection).await;
    assert_eq!(
        engine.catch_up(log, head).await.unwrap(),
        Outcome::At(head),
        "{:?}",
        engine.status().report()
    );
    engine
}

/// A repeatable sequence that looks random.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

const KINDS: [AccountKind; 5] = [
    AccountKind::Asset,
    AccountKind::Liability,
    AccountKind::Equity,
    AccountKind::Income,
    AccountKind::Expense,
];

#[tokio::test]
async fn running_balances_equal_the_fold_of_the_events_whatever_the_batches() {
    let world = World::new().await;
    let main = log("main");
    let names: Vec<String> = (0..20).map(|n| format!("users:{n}")).collect();
    let kind = |name: usize| KINDS[name % KINDS.len()];
    let mut events = vec![created()];
    events.extend(names.iter().enumerate().map(|(n, name)| opened(name, kind(n))));
    let mut dice = Dice(7);
    let mut totals: BTreeMap<(usize, &str), (i128, i128)> = BTreeMap::new();
    let mut expected_entries = Vec::new();
    for n in 0..600 {
        let in_asset = ["USD/2", "BTC/8"][dice.roll(2)];
        let (debit, credit, amount) =
            (dice.roll(20), dice.roll(20), i128::try_from(1 + dice.roll(9_999)).unwrap());
        let position = events.len() + 1;
        for (line, name, direction) in [(0, debit, Direction::Debit), (1, credit, Direction::Credit)] {
            let total = totals.entry((name, in_asset)).or_default();
            *(if direction == Direction::Debit { &mut total.0 } else { &mut total.1 }) += amount;
            let sign = if kind(name).normal_side() == Direction::Debit { 1 } else { -1 };
            let balance = sign * (total.0 - total.1);
            expected_entries.push(format!(
                "{position}/{line} {} {in_asset} {} {amount} {balance}",
                names[name],
                direction.as_str()
            ));
        }
        events.push(LedgerEvent::TransactionPosted(posted(
            &format!("t{n}"),
            transfer(&names[debit], &names[credit], in_asset, amount),
        )));
    }
    let head = append(&world, &main, &events).await;
    let engine = world.engine(LedgerProjection).await;
    let recorded = world.store.read(main.key(), Position::START, 1_000).await.unwrap();
    let mut rest = recorded.as_slice();
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(rest.len().min(1 + dice.roll(90)));
        engine.feed(&main, batch).await.unwrap();
        rest = later;
    }
    assert_eq!(world.progress("ledger_v1", &main).await, head.0);
    let entries = world
        .text("select format('%s/%s %s %s %s %s %s', position, line, account, asset, direction, amount, balance)
               from read.entries order by position, line")
        .await;
    assert_eq!(entries, expected_entries);
    let balances =
        world.text("select format('%s %s %s %s', account, asset, debits, credits) from read.balances").await;
    let mut expected: Vec<String> = totals
        .iter()
        .map(|((name, in_asset), (debits, credits))| {
            format!("{} {in_asset} {debits} {credits}", names[*name])
        })
        .collect();
    expected.sort_unstable();
    let mut balances = balances;
    balances.sort_unstable();
    assert_eq!(balances, expected);
}

#[tokio::test]
async fn an_account_shows_its_policy_its_freezes_its_end_and_the_last_event_concerning_it() {
    let world = World::new().await;
    let main = log("main");
    let limit = OverdraftLimit { asset: asset("USD/2"), amount: Amount::new(500).unwrap() };
    let freeze =
        |name: &str, scope| LedgerEvent::AccountFrozen(AccountFrozen { account: account(name), scope });
    let head = append(
        &world,
        &main,
        &[
            created(),
            LedgerEvent::AssetRegistered(AssetRegistered { asset: asset("USD/2") }),
            opened("a", AccountKind::Asset),
            opened("b", AccountKind::Income),
            freeze("a", FreezeScope::Both),
        ],
    )
    .await;
    let engine = caught_up(&world, &main, head).await;
    let shown = "select format('%s %s %s %s%s%s %s %s', account, kind, overdraft, frozen_debits, frozen_credits, closed,
                 opened_position, position) from read.accounts order by account";
    assert_eq!(world.text(shown).await, ["a asset \"none\" ttf 3 5", "b income \"none\" fff 4 4"]);
    let head = append(
        &world,
        &main,
        &[
            LedgerEvent::AccountUnfrozen(AccountUnfrozen {
                account: account("a"),
                scope: FreezeScope::Debits,
            }),
            LedgerEvent::OverdraftPolicySet(OverdraftPolicySet {
                account: account("b"),
                overdraft: Overdraft::Limited(vec![limit]),
            }),
            LedgerEvent::TransactionPosted(posted("t1", transfer("a", "b", "USD/2", 5))),
            LedgerEvent::AccountClosed(AccountClosed { account: account("b") }),
        ],
    )
    .await;
    assert_eq!(engine.catch_up(&main, head).await.unwrap(), Outcome::At(head));
    assert_eq!(
        world.text(shown).await,
        [
            "a asset \"none\" ftf 3 8",
            "b income {\"limited\":[{\"asset\":\"USD/2\",\"amount\":\"500\"}]} fft 4 9"
        ]
    );
    assert_eq!(
        world.text("select format('%s %s %s', ledger, created_position, log) from read.ledgers").await,
        [format!("main 1 {}", main.key().0)]
    );
    assert_eq!(
        world
            .text("select format('%s %s %s %s', code, asset, scale, registered_position) from read.assets")
            .await,
        ["USD USD/2 2 2"]
    );
}

#[tokio::test]
async fn a_transaction_and_its_reversal_name_each_other_in_one_batch_and_in_two() {
    let world = World::new().await;
    let main = log("main");
    let reversal = |id: &str, of: &str| TransactionPosted {
        reverses: Some(of.parse::<TransactionId>().unwrap()),
        ..posted(id, transfer("b", "a", "USD/2", 5))
    };
    let mut with_all = posted("one", transfer("a", "b", "USD/2", 5));
    with_all.reference = Some("order 7".parse().unwrap());
    with_all.metadata.insert("note".to_owned(), "a\t\"quoted\" \\ line\n".into());
    let head = append(
        &world,
        &main,
        &[
            opened("a", AccountKind::Asset),
            opened("b", AccountKind::Income),
            LedgerEvent::TransactionPosted(with_all),
            LedgerEvent::TransactionPosted(posted("two", transfer("a", "b", "USD/2", 5))),
            LedgerEvent::TransactionPosted(reversal("un-one", "one")),
        ],
    )
    .await;
    let engine = caught_up(&world, &main, head).await;
    let head = append(&world, &main, &[LedgerEvent::TransactionPosted(reversal("un-two", "two"))]).await;
    engine.catch_up(&main, head).await.unwrap();
    assert_eq!(
        world
            .text("select concat_ws(' ', position, transaction, reverses, reversed_by, reference, metadata) from read.transactions order by position")
            .await,
        [
            "3 one un-one order 7 {\"note\":\"a\\t\\\"quoted\\\" \\\\ line\\n\"}",
            "4 two un-two {}",
            "5 un-one one {}",
            "6 un-two two {}"
        ]
    );
    assert_eq!(
        world.text("select entries::text from read.transactions where position = 4").await,
        ["[{\"account\":\"a\",\"direction\":\"debit\",\"asset\":\"USD/2\",\"amount\":\"5\"},\
           {\"account\":\"b\",\"direction\":\"credit\",\"asset\":\"USD/2\",\"amount\":\"5\"}]"]
    );
}

#[tokio::test]
async fn amounts_beyond_64_bits_are_exact_and_totals_beyond_128_bits_stop_the_log() {
    let world = World::new().await;
    let main = log("main");
    let large = i128::MAX - 1;
    let head = append(
        &world,
        &main,
        &[
            opened("a", AccountKind::Asset),
            opened("b", AccountKind::Income),
            LedgerEvent::TransactionPosted(posted("t1", transfer("a", "b", "USD/2", large))),
            LedgerEvent::TransactionPosted(posted("t2", transfer("a", "b", "USD/2", 1))),
        ],
    )
    .await;
    let engine = caught_up(&world, &main, head).await;
    let balances = "select balance::text from read.entries order by position, line";
    let (large, most) = (large.to_string(), i128::MAX.to_string());
    assert_eq!(world.text(balances).await, [large.as_str(), &large, &most, &most]);
    let head = append(
        &world,
        &main,
        &[LedgerEvent::TransactionPosted(posted("t3", transfer("a", "b", "USD/2", 1)))],
    )
    .await;
    assert_eq!(engine.catch_up(&main, head).await.unwrap(), Outcome::Stopped);
    assert_eq!(engine.status().report().stopped[0].1.at, head);
}

#[tokio::test]
async fn an_event_that_contradicts_what_came_before_stops_the_log_before_it() {
    let world = World::new().await;
    let repeated = || LedgerEvent::TransactionPosted(posted("t1", transfer("a", "b", "USD/2", 1)));
    let accounts = [opened("a", AccountKind::Asset), opened("b", AccountKind::Income)];
    let cases = [
        (
            "unopened",
            LedgerEvent::TransactionPosted(posted("t2", transfer("a", "nobody", "USD/2", 1))),
            "never opened",
        ),
        ("repeated", repeated(), "transactions_transaction_key"),
        ("reopened", opened("a", AccountKind::Asset), "accounts_pkey"),
    ];
    for (name, bad, reason) in cases {
        let name = log(name);
        let mut events = accounts.to_vec();
        events.extend([
            repeated(),
            bad,
            LedgerEvent::TransactionPosted(posted("t9", transfer("a", "b", "USD/2", 1))),
        ]);
        let head = append(&world, &name, &events).await;
        let engine = world.engine(LedgerProjection).await;
        assert_eq!(engine.catch_up(&name, head).await.unwrap(), Outcome::Stopped);
        let stopped = &engine.status().report().stopped[0].1;
        assert_eq!(stopped.at, Position(4), "{name}");
        assert!(stopped.reason.contains(reason), "{name}: {}", stopped.reason);
        assert_eq!(world.progress("ledger_v1", &name).await, 3);
    }
}

#[tokio::test]
async fn an_event_of_a_newer_program_stops_the_log_and_says_so() {
    let world = World::new().await;
    let main = log("main");
    append(&world, &main, &[created()]).await;
    let head = world.append(&main, vec![("account-merged", "{}".to_owned(), Vec::new())]).await;
    let engine = world.engine(LedgerProjection).await;
    assert_eq!(engine.catch_up(&main, head).await.unwrap(), Outcome::Stopped);
    assert!(engine.status().report().stopped[0].1.reason.contains("newer program"));
    assert_eq!(world.text("select ledger from read.ledgers").await, ["main"]);
}
