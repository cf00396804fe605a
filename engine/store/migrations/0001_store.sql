-- The event store. Every primary key and unique constraint starts with the log, and every statement of the hot
-- path names exactly one log: so the same schema runs unchanged when it is distributed by log.

create schema store;

-- The key is derived from the name (see LogKey), so the name needs no unique constraint of its own.
-- `fence` is raised by a writer that lost its connection in the middle of a commit: a statement of its that is
-- still on the way then finds another fence and changes nothing.
-- `moved_at` is the database's clock: it finds the logs with news, whichever process wrote them.
create table store.logs (
    log         bigint      not null constraint logs_pkey primary key,
    name        text        not null,
    head        bigint      not null default 0 constraint logs_head_check check (head >= 0),
    fence       bigint      not null default 0,
    recorded_at timestamptz not null default 'epoch',
    moved_at    timestamptz not null default clock_timestamp(),
    created_at  timestamptz not null default now()
) with (fillfactor = 50);

create index logs_moved_at_idx on store.logs (moved_at);

-- `json` and not `jsonb`: it keeps the exact bytes, which is what will be hashed and proven.
create table store.events (
    log         bigint      not null,
    position    bigint      not null constraint events_position_check check (position > 0),
    id          uuid        not null,
    event_type  text        not null,
    version     smallint    not null,
    tags        text[]      not null,
    data        json        not null,
    meta        json        not null,
    recorded_at timestamptz not null,
    constraint events_pkey primary key (log, position)
);

-- Tags by hash: a third of the cost of text. A reader compares the real tags on the event row.
create table store.event_tags (
    log      bigint not null,
    tag      bigint not null,
    position bigint not null,
    constraint event_tags_pkey primary key (log, tag, position)
);

-- What became of a command with an idempotency key, accepted or rejected. Key and request are hashes.
create table store.outcomes (
    log         bigint      not null,
    key         uuid        not null,
    request     uuid        not null,
    position    bigint      not null,
    outcome     text        not null,
    recorded_at timestamptz not null,
    constraint outcomes_pkey primary key (log, key)
);

-- An entity's state after the event at `position`. A cache: it can be thrown away at any time.
create table store.snapshots (
    log      bigint   not null,
    tag      bigint   not null,
    entity   text     not null,
    version  smallint not null,
    position bigint   not null,
    state    json     not null,
    constraint snapshots_pkey primary key (log, tag, entity)
);

create function store.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the log is append-only: % on %.% is refused', tg_op, tg_table_schema, tg_table_name
        using errcode = 'restrict_violation';
end
$$;

create trigger events_are_immutable before update or delete on store.events
    for each row execute function store.refuse_change();
create trigger events_are_not_truncated before truncate on store.events
    for each statement execute function store.refuse_change();
create trigger event_tags_are_immutable before update or delete on store.event_tags
    for each row execute function store.refuse_change();
create trigger event_tags_are_not_truncated before truncate on store.event_tags
    for each statement execute function store.refuse_change();

-- The only way into the log. Compare-and-set on the head; then events, tags and outcomes, or nothing.
-- Answers whether the head was where the writer thought. Without events and keys it only verifies the head, which
-- is what makes a rejection as fresh as an acceptance.
create function store.append(
    p_log         bigint,
    p_head        bigint,
    p_fence       bigint,
    p_recorded_at timestamptz,
    p_ids         uuid[],
    p_types       text[],
    p_versions    smallint[],
    p_tags        text[],    -- the tags of each event as lines
    p_data        text[],
    p_metas       text[],
    p_tag_hashes  bigint[],
    p_tag_events  integer[], -- for each hash, the index of its event, from 1
    p_keys        uuid[],
    p_requests    uuid[],
    p_positions   bigint[],
    p_outcomes    text[]
) returns boolean language plpgsql security definer
set search_path = pg_catalog, pg_temp
-- The plan never depends on the arrays, and planning would cost as much as the insert of a small batch.
set plan_cache_mode = force_generic_plan
as $$
begin
    if cardinality(p_ids) > 0 then
        update store.logs
        set head = p_head + cardinality(p_ids), recorded_at = p_recorded_at, moved_at = clock_timestamp()
        where log = p_log and head = p_head and fence = p_fence;
        if not found then
            return false;
        end if;
        insert into store.events (log, position, id, event_type, version, tags, data, meta, recorded_at)
        select p_log, p_head + e.ordinal, e.id, e.event_type, e.version, string_to_array(e.tags, e'\n'),
               e.data::json, e.meta::json, p_recorded_at
        from unnest(p_ids, p_types, p_versions, p_tags, p_data, p_metas)
             with ordinality as e(id, event_type, version, tags, data, meta, ordinal);
        insert into store.event_tags (log, tag, position)
        select p_log, t.tag, p_head + t.event
        from unnest(p_tag_hashes, p_tag_events) as t(tag, event);
    elsif cardinality(p_keys) > 0 then
        perform from store.logs where log = p_log and head = p_head and fence = p_fence for share;
        if not found then
            return false;
        end if;
    else
        perform from store.logs where log = p_log and head = p_head and fence = p_fence;
        return found;
    end if;
    if cardinality(p_keys) > 0 then
        insert into store.outcomes (log, key, request, position, outcome, recorded_at)
        select p_log, o.key, o.request, o.position, o.outcome, p_recorded_at
        from unnest(p_keys, p_requests, p_positions, p_outcomes) as o(key, request, position, outcome);
    end if;
    return true;
end
$$;

-- The functions that look up go row by row through the keys and by no other plan, made once: the planner, whose
-- guesses come from statistics of the whole table, would rather read all that a log has, and planning alone would cost
-- more than the look-up.

-- Of each entity its snapshot, if there is one of this version, and the later events that carry its tag.
create function store.load_entities(p_log bigint, p_tags bigint[], p_entities text[], p_version smallint)
returns table (part integer, place bigint, name text, version smallint, tags text[], body text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off
as $$
begin
    return query
    with wanted as materialized (
        select w.tag, s.entity, s.position, s.version, s.state
        from unnest(p_tags, p_entities) as w(tag, entity)
        left join store.snapshots s
            on s.log = p_log and s.tag = w.tag and s.entity = w.entity and s.version = p_version
    )
    select 0, w.position, w.entity, w.version, null::text[], w.state::text
    from wanted w where w.entity is not null
    union all
    select 1, e.position, e.event_type, e.version, e.tags, e.data::text
    from (
        select distinct t.position from wanted w
        join store.event_tags t on t.log = p_log and t.tag = w.tag and t.position > coalesce(w.position, 0)
    ) as concerned
    join store.events e on e.log = p_log and e.position = concerned.position
    order by 1, 2;
end
$$;

-- The outcomes that are recorded for these keys.
create function store.find_outcomes(p_log bigint, p_keys uuid[])
returns table (key uuid, request uuid, place bigint, outcome text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off
as $$
begin
    return query
    select o.key, o.request, o.position, o.outcome
    from unnest(p_keys) as k(key) join store.outcomes o on o.log = p_log and o.key = k.key;
end
$$;

-- Makes a log if it is not there; answers the name that its key has, which is another one if two names collide.
create function store.create_log(p_log bigint, p_name text) returns text
language sql security definer set search_path = pg_catalog, pg_temp as $$
    insert into store.logs (log, name) values (p_log, p_name) on conflict (log) do nothing;
    select name from store.logs where log = p_log;
$$;

-- Shuts out every statement of the log that is still on the way.
create function store.raise_fence(p_log bigint) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
    update store.logs set fence = fence + 1 where log = p_log;
$$;

-- Who publishes which logs to Kafka, and how far they are. Not part of the log: it may be lost, and then the
-- relay publishes again what the consumers have already seen.
create schema relay;

create table relay.leases (
    shard      smallint    not null constraint leases_pkey primary key,
    holder     uuid        not null,
    expires_at timestamptz not null
);

create table relay.progress (
    log      bigint not null constraint progress_pkey primary key,
    position bigint not null
) with (fillfactor = 50);

-- The role of the services: they read the log and append to it, and have no right to change it.
-- Where this login may not create roles, the triggers alone protect the log.
do $$
begin
    if not exists (select from pg_roles where rolname = 'recount_service') then
        create role recount_service nologin;
        grant recount_service to current_user;
    end if;
exception
    when duplicate_object or unique_violation then null;
    when insufficient_privilege then raise notice 'role recount_service is not there and cannot be made';
end
$$;

revoke all on all functions in schema store from public;

do $$
begin
    if exists (select from pg_roles where rolname = 'recount_service') then
        grant usage on schema store, relay to recount_service;
        grant select on all tables in schema store to recount_service;
        grant insert, update, delete on store.snapshots to recount_service;
        grant execute on function store.append, store.load_entities, store.find_outcomes, store.create_log,
            store.raise_fence to recount_service;
        grant select, insert, update, delete on all tables in schema relay to recount_service;
    end if;
end
$$;
