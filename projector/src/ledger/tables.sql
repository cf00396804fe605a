-- The ledger's read models. Every key starts with the log; names are compared by bytes, which is fast and the same
-- everywhere. Amounts are numeric and whole: the number of minor units may exceed 64 bits.
-- Tables whose rows change leave room on their pages, so that rows are updated in place.

create table ledgers (
    log              bigint           not null constraint ledgers_pkey primary key,
    ledger           text collate "C" not null,
    created_position bigint           not null,
    created_at       timestamptz      not null
);

create table assets (
    log                 bigint           not null,
    code                text collate "C" not null,
    asset               text collate "C" not null,
    scale               integer          not null,
    registered_position bigint           not null,
    constraint assets_pkey primary key (log, code)
);

-- `changed_position` is the last event about the account itself, transactions not included.
create table accounts (
    log              bigint           not null,
    account          text collate "C" not null,
    kind             text             not null,
    overdraft        json             not null,
    frozen_debits    boolean          not null,
    frozen_credits   boolean          not null,
    closed           boolean          not null,
    metadata         json             not null,
    opened_position  bigint           not null,
    opened_at        timestamptz      not null,
    changed_position bigint           not null,
    constraint accounts_pkey primary key (log, account)
) with (fillfactor = 90);

-- `kind` is the account's, which never changes: here it saves a second look-up for each running balance.
create table balances (
    log      bigint           not null,
    account  text collate "C" not null,
    asset    text collate "C" not null,
    kind     text             not null,
    debits   numeric          not null,
    credits  numeric          not null,
    position bigint           not null,
    constraint balances_pkey primary key (log, account, asset)
) with (fillfactor = 50);

create table transactions (
    log          bigint           not null,
    position     bigint           not null,
    transaction  text collate "C" not null,
    effective_at timestamptz      not null,
    recorded_at  timestamptz      not null,
    reference    text collate "C",
    metadata     json             not null,
    entries      json             not null,
    reverses     text collate "C",
    reversed_by  text collate "C",
    constraint transactions_pkey primary key (log, position),
    constraint transactions_transaction_key unique (log, transaction)
);

-- Most transactions have no reference, and then cost nothing here.
create unique index transactions_reference_key on transactions (log, reference) where reference is not null;

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
