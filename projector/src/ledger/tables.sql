-- The ledger's read models. Every key starts with the log; names are compared by bytes, which is fast and the same
-- everywhere. Amounts are numeric and whole: the number of minor units may exceed 64 bits, and sums 128 bits.
-- Tables whose rows change leave room on their pages, so that rows are updated in place.
--
-- Positions: `opened_position`, `placed_position` … is where a thing began, `changed_position` the last event about the
-- thing itself.

-- `chart` holds the rules of the chart of accounts, null where any name may be used. Nothing takes effect up to
-- `closed_through`; the days of the effective window are null where it has no end.
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

-- `changed_position` leaves out transactions and holds: the balances know those. `opening_metadata` is what `metadata`
-- was when the account was opened; null as long as it still is.
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

-- The sums of what was posted, and of what open holds set aside. `kind` is the account's, which never changes: here it
-- saves a second look-up for each running balance.
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

-- `reversals` are the transactions that take this one back, in their order; null as long as there is none. `captures`
-- is the hold that it captures. `posting_metadata` is what `metadata` was when it was posted; null as long as it still is.
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

-- Most transactions have no reference, reverse nothing and capture nothing, and then cost nothing here.
create unique index transactions_reference_key on transactions (log, reference) where reference is not null;
create index transactions_log_reverses_position_idx on transactions (log, reverses, position)
    where reverses is not null;
create index transactions_log_captures_position_idx on transactions (log, captures, position)
    where captures is not null;

-- `line` is the entry's index in its transaction; `balance` is the account's posted balance in the asset after it, on
-- the account's normal side.
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

-- `amount` is `captured` and `released` and `remaining`. `status` is open as long as something remains, and then says
-- what took the last of it: captured, released or expired.
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

-- Few holds are open and most are history, so a status is looked for among its own.
create index holds_log_status_placed_position_idx on holds (log, status, placed_position);
create index holds_log_debit_status_placed_position_idx on holds (log, debit, status, placed_position);
create index holds_log_credit_status_placed_position_idx on holds (log, credit, status, placed_position);

-- What happened to the metadata of accounts and transactions after the fact. Rows are added and never changed.
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

-- Personal data is here and nowhere else in the read models. Of a customer who was forgotten nothing but the row is left.
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
