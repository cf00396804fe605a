-- The ledger's read models. Every key starts with the log. Names are compared by bytes (collation "C"), which is fast
-- and does not depend on the locale. Amounts are whole numerics in minor units: they may exceed 64 bits, and sums 128
-- bits. Tables whose rows change have a low fillfactor, so that rows are updated on the same page.
--
-- Positions: `opened_position`, `placed_position` and so on are the position of the event that created the row,
-- `changed_position` that of the last event about the row.

-- `chart` holds the rules of the chart of accounts; null if the ledger has no chart. No transaction takes effect at or
-- before `closed_through`. The days of the effective window are null where the window is unlimited.
create table ledgers (
    log                bigint           not null constraint ledgers_pkey primary key,
    ledger             text collate "C" not null,
    window_past_days   bigint,
    window_future_days bigint,
    closed_through     timestamptz,
    chart              json,
    created_position   bigint           not null,
    created_at         timestamptz      not null,
    changed_position   bigint           not null
);

create table assets (
    log                 bigint           not null,
    code                text collate "C" not null,
    asset               text collate "C" not null,
    scale               integer          not null,
    registered_position bigint           not null,
    constraint assets_pkey primary key (log, code)
);

-- `changed_position` does not count transactions and holds: their positions are in the balances. `opening_metadata` is
-- the metadata at opening; null until `metadata` changes.
create table accounts (
    log              bigint           not null,
    account          text collate "C" not null,
    kind             text             not null,
    overdraft        json             not null,
    limits           json             not null,
    assets           json             not null,
    on_first_use     boolean          not null,
    frozen_debits    boolean          not null,
    frozen_credits   boolean          not null,
    closed           boolean          not null,
    metadata         json             not null,
    opening_metadata json,
    opened_position  bigint           not null,
    opened_at        timestamptz      not null,
    changed_position bigint           not null,
    constraint accounts_pkey primary key (log, account)
) with (fillfactor = 90);

-- The sums of posted entries and of open holds. `kind` is a copy of the account's kind, which never changes: it saves a
-- lookup in `accounts` for each running balance.
create table balances (
    log          bigint           not null,
    account      text collate "C" not null,
    asset        text collate "C" not null,
    kind         text             not null,
    debits       numeric          not null,
    credits      numeric          not null,
    held_debits  numeric          not null,
    held_credits numeric          not null,
    position     bigint           not null,
    constraint balances_pkey primary key (log, account, asset)
) with (fillfactor = 50);

-- `reversals` are the transactions that reverse this one, in order of position; null while there are none. `captures`
-- is the hold that the transaction captures. `posting_metadata` is the metadata at posting; null until `metadata`
-- changes.
create table transactions (
    log              bigint           not null,
    position         bigint           not null,
    transaction      text collate "C" not null,
    effective_at     timestamptz      not null,
    recorded_at      timestamptz      not null,
    reference        text collate "C",
    metadata         json             not null,
    posting_metadata json,
    entries          json             not null,
    reverses         text collate "C",
    reversals        text[] collate "C",
    captures         text collate "C",
    constraint transactions_pkey primary key (log, position),
    constraint transactions_transaction_key unique (log, transaction)
);

-- Partial indexes: most transactions have no reference, reverse nothing and capture nothing.
create unique index transactions_reference_key on transactions (log, reference) where reference is not null;
create index transactions_log_reverses_position_idx on transactions (log, reverses, position)
    where reverses is not null;
create index transactions_log_captures_position_idx on transactions (log, captures, position)
    where captures is not null;

-- `line` is the entry's index in its transaction. `balance` is the account's posted balance in the asset after the
-- entry, on the account's normal side.
create table entries (
    log          bigint           not null,
    account      text collate "C" not null,
    position     bigint           not null,
    line         integer          not null,
    asset        text collate "C" not null,
    direction    text             not null,
    amount       numeric          not null,
    balance      numeric          not null,
    transaction  text collate "C" not null,
    effective_at timestamptz      not null,
    recorded_at  timestamptz      not null,
    constraint entries_pkey primary key (log, account, position, line)
);

create index entries_log_account_asset_position_line_idx on entries (log, account, asset, position, line);

-- `amount` = `captured` + `released` + `remaining`. `status` is open while something remains, and then captured,
-- released or expired, depending on the event that used the last part.
create table holds (
    log              bigint           not null,
    hold             text collate "C" not null,
    debit            text collate "C" not null,
    credit           text collate "C" not null,
    asset            text collate "C" not null,
    amount           numeric          not null,
    captured         numeric          not null,
    released         numeric          not null,
    remaining        numeric          not null,
    status           text collate "C" not null,
    expires_at       timestamptz,
    metadata         json             not null,
    placed_position  bigint           not null,
    placed_at        timestamptz      not null,
    changed_position bigint           not null,
    changed_at       timestamptz      not null,
    constraint holds_pkey primary key (log, hold)
) with (fillfactor = 80);

-- Few holds are open and most are closed, so each index has the status before the position.
create index holds_log_status_placed_position_idx on holds (log, status, placed_position);
create index holds_log_debit_status_placed_position_idx on holds (log, debit, status, placed_position);
create index holds_log_credit_status_placed_position_idx on holds (log, credit, status, placed_position);

-- The changes of the metadata of accounts and transactions after opening or posting. Rows are added and never changed.
-- `set_members` is an object, `removed_keys` an array.
create table metadata_changes (
    log          bigint           not null,
    owner_kind   text collate "C" not null,
    owner        text collate "C" not null,
    position     bigint           not null,
    recorded_at  timestamptz      not null,
    set_members  json             not null,
    removed_keys json             not null,
    constraint metadata_changes_pkey primary key (log, owner_kind, owner, position)
);

-- The only table with personal data. When a customer is forgotten, the row stays, with empty profile and metadata.
create table customers (
    log                 bigint           not null,
    customer            text collate "C" not null,
    profile             json             not null,
    metadata            json             not null,
    forgotten           boolean          not null,
    registered_position bigint           not null,
    registered_at       timestamptz      not null,
    changed_position    bigint           not null,
    constraint customers_pkey primary key (log, customer)
) with (fillfactor = 80);

create table customer_accounts (
    log             bigint           not null,
    customer        text collate "C" not null,
    account         text collate "C" not null,
    linked_position bigint           not null,
    linked_at       timestamptz      not null,
    constraint customer_accounts_pkey primary key (log, customer, account)
);

create index customer_accounts_log_account_customer_idx on customer_accounts (log, account, customer);
