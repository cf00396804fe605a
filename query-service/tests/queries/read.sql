-- Schema `read` as the projector promises it, with tables in place of the views of the live build.
create schema read;
create table public.recount_read_models (projection text primary key, version int not null);
create table public.recount_builds (
    projection text, version int, events_applied bigint not null, events bigint not null,
    primary key (projection, version)
);
insert into public.recount_read_models values ('ledger', 2);
create table read.progress (
    log bigint primary key, log_name text not null unique, position bigint not null,
    hash bytea not null, stopped_at bigint, stopped_reason text, diverged bool not null default false,
    updated_at timestamptz not null
);
create table read.ledgers (
    log bigint primary key, ledger text not null, created_position bigint not null, created_at timestamptz not null,
    window_past_days bigint, window_future_days bigint, closed_through timestamptz, chart json
);
create table read.assets (
    log bigint, code text, asset text not null, scale int not null, registered_position bigint not null,
    primary key (log, code)
);
create table read.accounts (
    log bigint, account text collate "C", kind text not null, overdraft json not null, frozen_debits bool not null,
    frozen_credits bool not null, closed bool not null, metadata json not null, opened_position bigint not null,
    opened_at timestamptz not null, position bigint not null, limits json not null default '[]',
    assets json not null default '[]', on_first_use bool not null default false,
    primary key (log, account)
);
create table read.balances (
    log bigint, account text collate "C", asset text, debits numeric not null, credits numeric not null,
    position bigint not null, held_debits numeric not null default 0, held_credits numeric not null default 0,
    posted numeric not null default 0, held numeric not null default 0, incoming numeric not null default 0,
    available numeric not null default 0,
    primary key (log, account, asset)
);
create table read.transactions (
    log bigint, position bigint, transaction text not null, effective_at timestamptz not null,
    recorded_at timestamptz not null, reference text, metadata json not null, entries json not null, reverses text,
    reversed_by text, reversals text[] not null default '{}', captures text,
    primary key (log, position), unique (log, transaction), unique (log, reference)
);
create table read.entries (
    log bigint, account text collate "C", position bigint, line int, asset text not null, direction text not null,
    amount numeric not null, balance numeric not null, transaction text not null, effective_at timestamptz not null,
    recorded_at timestamptz not null,
    primary key (log, account, position, line)
);
create index entries_by_asset on read.entries (log, account, asset, position, line);
create table read.holds (
    log bigint, hold text collate "C", debit text not null, credit text not null, asset text not null,
    amount numeric not null, captured numeric not null, released numeric not null, remaining numeric not null,
    status text not null, expires_at timestamptz, metadata json not null, placed_position bigint not null,
    placed_at timestamptz not null, changed_at timestamptz not null, position bigint not null,
    primary key (log, hold)
);
create table read.metadata_history (
    log bigint, owner_kind text, owner text, position bigint, recorded_at timestamptz not null, set_members json not null,
    removed_keys json not null,
    primary key (log, owner_kind, owner, position)
);
create table read.customers (
    log bigint, customer text collate "C", profile json not null, metadata json not null, forgotten bool not null,
    registered_position bigint not null, registered_at timestamptz not null, position bigint not null,
    primary key (log, customer)
);
create table read.customer_accounts (
    log bigint, customer text collate "C", account text collate "C", linked_position bigint not null,
    linked_at timestamptz not null,
    primary key (log, customer, account)
);
