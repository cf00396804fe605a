-- The event store. Appending only inserts: a row that every append changed would get a new version each time, and while
-- anybody holds an old snapshot (a dump, a forgotten psql) no version could be removed, so that each append would search
-- through all of them. Every primary key starts with the log, and every statement of the hot path names exactly one log.

create schema store;

-- Which programs may run on this schema: those that know the step `oldest_program` or a later one. A step that older
-- programs can live with leaves it as it is, so that a new version can be rolled out process by process.
create table store.compatibility (
    oldest_program bigint not null
);
insert into store.compatibility (oldest_program) values (1);

-- The key is derived from the name (see LogKey), so the name needs no unique constraint of its own.
-- `id` is drawn when the log is created: logs of the same name in two deployments differ from their `origin` on.
-- `fence` is raised by a writer that lost its connection in the middle of a commit: a statement of its that is
-- still on the way then finds another fence and changes nothing.
create table store.logs (
    log        bigint      not null constraint logs_pkey primary key,
    id         uuid        not null,
    name       text        not null,
    origin     bytea       not null,
    fence      bigint      not null default 0,
    created_at timestamptz not null default now()
);

-- `json` and not `jsonb`: it keeps the exact bytes, which are what is hashed and proven.
-- `tags` has one tag a line. `hash` stands for the event and for all before it: see EventHash.
create table store.events (
    log         bigint      not null,
    position    bigint      not null constraint events_position_check check (position > 0),
    recorded_at timestamptz not null,
    id          uuid        not null,
    version     smallint    not null,
    hash        bytea       not null,
    event_type  text        not null,
    tags        text        not null,
    data        json        not null,
    meta        json        not null,
    constraint events_pkey primary key (log, position)
) with (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 1000000,
        autovacuum_freeze_min_age = 0);

-- Tags by hash: a third of the cost of text. A reader compares the real tags on the event row.
-- Hashes are random, so an index of all tags of a large log would be written at random places, each of them on another
-- page. A segment has 2^22 positions: what is written concerns the last segment only, and that one fits into memory. A
-- look-up asks each segment from the entity's snapshot on.
create table store.event_tags (
    log     bigint  not null,
    tag     bigint  not null,
    segment integer not null,
    slot    integer not null,
    constraint event_tags_pkey primary key (log, segment, tag, slot)
) with (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 1000000,
        autovacuum_freeze_min_age = 0);

create function store.segment(p_position bigint) returns integer language sql immutable parallel safe as
    $$ select (p_position >> 22)::integer $$;
create function store.slot(p_position bigint) returns integer language sql immutable parallel safe as
    $$ select (p_position & 4194303)::integer $$;
create function store.position(p_segment integer, p_slot integer) returns bigint language sql immutable parallel safe as
    $$ select (p_segment::bigint << 22) | p_slot $$;

-- The Merkle frontier after some positions, every few hundred events. Those between follow from the hashes.
create table store.frontiers (
    log      bigint not null,
    position bigint not null,
    hash     bytea  not null,
    frontier bytea  not null,
    constraint frontiers_pkey primary key (log, position)
);

-- What became of a command with an idempotency key, accepted or rejected. Key and request are hashes. `position` and
-- `hash` are the tip at which it was decided. An outcome is kept for a time that the operator sets, and then forgotten.
create table store.outcomes (
    log         bigint      not null,
    key         uuid        not null,
    request     uuid        not null,
    position    bigint      not null,
    recorded_at timestamptz not null,
    hash        bytea       not null,
    outcome     text        not null,
    constraint outcomes_pkey primary key (log, key)
);

-- Rows come in the order of their time, so an append writes at the end of this index, and the rows of one batch share an
-- entry. A block range index would be smaller, but not for long: where outcomes were forgotten, new ones take their place,
-- and a range that has ever held an old row is searched for good.
create index outcomes_recorded_at_idx on store.outcomes (recorded_at);

-- An entity's state after the event at `position`, which has this `hash`. A cache: it can be thrown away at any time.
create table store.snapshots (
    log      bigint   not null,
    tag      bigint   not null,
    entity   text     not null,
    version  smallint not null,
    position bigint   not null,
    hash     bytea    not null,
    state    json     not null,
    constraint snapshots_pkey primary key (log, tag, entity)
);

-- Which tags a complete segment of a log has, as a filter: see TagFilter, which has the form of each version. `hash` is that
-- of the segment's last event. A cache: it can be thrown away at any time, and is built again from `store.event_tags`.
create table store.tag_filters (
    log     bigint   not null,
    segment integer  not null,
    version smallint not null,
    hash    bytea    not null,
    filter  bytea    not null,
    constraint tag_filters_pkey primary key (log, segment)
);

-- Bits of a filter cannot be compressed.
alter table store.tag_filters alter column filter set storage external;

-- What falls due in a log, and when. Deadlines follow from events and are changed with them, so they are not history: one
-- that is met, moved or called off is not kept. A name is the domain's; it is compared byte by byte, as programs do.
create table store.deadlines (
    log    bigint           not null,
    name   text collate "C" not null,
    due_at timestamptz      not null,
    constraint deadlines_pkey primary key (log, name)
);

-- What is due in all logs, in pages, with one query.
create index deadlines_due_at_idx on store.deadlines (due_at, log, name);

-- Which logs have moved, in the order of transactions and not of clocks. Readers look for the transactions that had not
-- begun when they looked, and for those that were running then. Rows of long ago are removed; the truth is in `store.events`.
create table store.news (
    xid      xid8   not null default pg_current_xact_id(),
    log      bigint not null,
    position bigint not null,
    hash     bytea  not null
);

create index news_xid_idx on store.news (xid);

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

-- Whether the log has this hash at this position. What was stored about another history than the log's is of no use.
create function store.is_of_log(p_log bigint, p_position bigint, p_hash bytea) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select case when p_position = 0
        then exists (select from store.logs l where l.log = p_log and l.origin = p_hash)
        else exists (select from store.events e where e.log = p_log and e.position = p_position and e.hash = p_hash)
    end
$$;

-- Where the log ends: the position and the hash there, and when the last event was recorded.
create function store.tip(p_log bigint, out "position" bigint, out hash bytea, out recorded_at timestamptz)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
begin
    select e.position, e.hash, e.recorded_at into "position", hash, recorded_at
    from store.events e where e.log = p_log order by e.position desc limit 1;
    if not found then
        select 0, l.origin, 'epoch'::timestamptz into "position", hash, recorded_at
        from store.logs l where l.log = p_log;
    end if;
end
$$;

-- The only way into the log. Compares the tip, position and hash, with the one that the writer decided on; then appends
-- events, tags, outcomes and deadlines, or nothing. Answers whether the tip was that one. Without events and keys it only
-- compares the tip, which is what makes a rejection as fresh as an acceptance.
--
-- Arrays of the same length belong together, an element for each event, tag, outcome or deadline. SQLSTATE RC001: the
-- recorded time is ahead of this server's clock. RC002: a key has an outcome.
create function store.append(
    p_log            bigint,
    p_position       bigint,      -- the tip that the writer decided on
    p_hash           bytea,
    p_fence          bigint,
    p_recorded_at    timestamptz,
    p_frontier       bytea,       -- the Merkle frontier after the batch, if it is to be kept
    p_ids            uuid[],
    p_types          text[],
    p_versions       smallint[],
    p_tags           text[],      -- the tags of each event as lines
    p_data           text[],
    p_metas          text[],
    p_hashes         bytea[],
    p_tag_hashes     bigint[],
    p_tag_events     integer[],   -- for each tag hash, the index of its event, from 1
    p_keys           uuid[],
    p_requests       uuid[],
    p_outcome_events integer[],   -- for each outcome, the index of the last event before it; 0 if there is none
    p_outcomes       text[],
    p_deadlines      text[],      -- names, each once
    p_due_at         timestamptz[] -- null if the deadline is cleared
) returns boolean language plpgsql security definer
set search_path = pg_catalog, pg_temp
-- The plans never depend on the arrays, and planning would cost as much as the insert of a small batch. Row by row through
-- the keys: the planner has no idea of a table that is empty now and full in a minute.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
declare
    v_events  integer := cardinality(p_ids);
    v_end     bigint := p_position + cardinality(p_ids);
    v_fence   bigint;
    v_origin  bytea;
    v_tip     record;
    v_stored  bigint;
begin
    if v_events > 0 or cardinality(p_keys) > 0 then
        -- Appends to a log come one after another. A row lock makes no new version of the row.
        select l.fence, l.origin into v_fence, v_origin from store.logs l where l.log = p_log for no key update;
    else
        select l.fence, l.origin into v_fence, v_origin from store.logs l where l.log = p_log;
    end if;
    if v_fence is distinct from p_fence then
        return false;
    end if;
    -- A statement of its own, so that it sees what the previous holder of the lock has appended.
    select e.position, e.hash, e.recorded_at into v_tip
    from store.events e where e.log = p_log order by e.position desc limit 1;
    if coalesce(v_tip.position, 0) <> p_position or coalesce(v_tip.hash, v_origin) <> p_hash then
        return false;
    end if;
    if v_events > 0 then
        -- A process with a wrong clock harms nobody. What is recorded already does not get older when a clock goes back.
        if p_recorded_at > greatest(clock_timestamp() + interval '5 seconds', v_tip.recorded_at) then
            raise exception 'the event would be recorded at %, but it is %', p_recorded_at, clock_timestamp()
                using errcode = 'RC001';
        end if;
        insert into store.events (log, position, recorded_at, id, version, hash, event_type, tags, data, meta)
        select p_log, p_position + e.ordinal, p_recorded_at, e.id, e.version, e.hash, e.event_type, e.tags,
               e.data::json, e.meta::json
        from unnest(p_ids, p_types, p_versions, p_tags, p_data, p_metas, p_hashes)
             with ordinality as e(id, event_type, version, tags, data, meta, hash, ordinal);
        insert into store.event_tags (log, tag, segment, slot)
        select p_log, t.tag, ((p_position + t.event) >> 22)::integer, ((p_position + t.event) & 4194303)::integer
        from unnest(p_tag_hashes, p_tag_events) as t(tag, event);
        insert into store.news (log, position, hash) values (p_log, v_end, p_hashes[v_events]);
        if p_frontier is not null then
            insert into store.frontiers (log, position, hash, frontier)
            values (p_log, v_end, p_hashes[v_events], p_frontier)
            on conflict (log, position) do update set hash = excluded.hash, frontier = excluded.frontier;
        end if;
    end if;
    if cardinality(p_keys) > 0 then
        insert into store.outcomes as o (log, key, request, position, recorded_at, hash, outcome)
        select p_log, n.key, n.request, p_position + n.event, p_recorded_at,
               case when n.event = 0 then p_hash else p_hashes[n.event] end, n.outcome
        from unnest(p_keys, p_requests, p_outcome_events, p_outcomes) as n(key, request, event, outcome)
        on conflict (log, key) do update
        set request = excluded.request, position = excluded.position, recorded_at = excluded.recorded_at,
            hash = excluded.hash, outcome = excluded.outcome
        where not store.is_of_log(o.log, o.position, o.hash);
        get diagnostics v_stored = row_count;
        if v_stored < cardinality(p_keys) then
            raise exception 'a key has an outcome' using errcode = 'RC002';
        end if;
    end if;
    if cardinality(p_deadlines) > 0 then
        if v_events = 0 then
            raise exception 'deadlines change with events, and there are none' using errcode = 'restrict_violation';
        end if;
        delete from store.deadlines d using unnest(p_deadlines, p_due_at) as n(name, due_at)
        where d.log = p_log and d.name = n.name and n.due_at is null;
        insert into store.deadlines (log, name, due_at)
        select p_log, n.name, n.due_at from unnest(p_deadlines, p_due_at) as n(name, due_at) where n.due_at is not null
        on conflict (log, name) do update set due_at = excluded.due_at;
    end if;
    return true;
end
$$;

-- The functions that look up go row by row through the keys and by no other plan, made once, often while the store is
-- still empty: the planner, whose guesses come from statistics of the whole table, would rather read all that a log has.
-- What `offset 0` shuts off is planned by itself, with the key at hand.

-- The positions of the events with this tag that follow `p_after`, in order.
create function store.tagged(p_log bigint, p_tag bigint, p_after bigint, p_limit bigint) returns setof bigint
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
declare
    v_first bigint;
    v_last  bigint := (select t.position from store.tip(p_log) t);
    v_left  bigint := p_limit;
    v_found bigint;
begin
    if v_last is null or p_after >= v_last then
        return;
    end if;
    v_first := p_after + 1;
    for v_segment in store.segment(v_first) .. store.segment(v_last) loop
        return query
        select store.position(k.segment, k.slot) from store.event_tags k
        where k.log = p_log and k.segment = v_segment and k.tag = p_tag
          and k.slot >= case when v_segment = store.segment(v_first) then store.slot(v_first) else 0 end
        order by k.slot limit v_left;
        get diagnostics v_found = row_count;
        v_left := v_left - v_found;
        exit when v_left <= 0;
    end loop;
end
$$;

-- A page of what makes up entities, each as it is at this tip. Part 0: its snapshot, if there is one of this version and of
-- this history. Part 1: the later events that carry its tag, in order. Part 2, one row: the position up to which all of
-- them have been read; the next page goes on there. One row with part -1 says that the log does not end at this tip.
--
-- For an entity that has been read up to some position, `p_read` has it, and its snapshot is not looked up. An entity that
-- has no event in segments after one has that one in `p_last_segments`. The page ends at `p_events_max` events or after the
-- event that reaches `p_bytes_max`. Bodies are returned as they are stored: they are unpacked on the way to the caller, and
-- are never all of them in memory or in a temporary file.
create function store.load_entities(
    p_log bigint, p_position bigint, p_hash bytea, p_tags bigint[], p_entities text[], p_version smallint,
    p_read bigint[], p_last_segments integer[], p_events_max integer, p_bytes_max bigint)
returns table (part integer, place bigint, hash bytea, name text, version smallint, tags text, body json)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off
as $$
declare
    v_tip       record := store.tip(p_log);
    v_snapshots bigint[];
    v_next      bigint[];
    v_places    bigint[] := '{}';
    v_found     integer;
begin
    -- The function is stable: all its statements see the same moment.
    if v_tip.position is distinct from p_position or v_tip.hash is distinct from p_hash then
        return query select -1, null::bigint, null::bytea, null::text, null::smallint, null::text, null::json;
        return;
    end if;
    select array_agg(s.position order by w.n), array_agg(coalesce(w.read, s.position, 0) + 1 order by w.n)
    into v_snapshots, v_next
    from unnest(p_tags, p_entities, p_read) with ordinality as w(tag, entity, read, n)
    left join lateral (
        select k.position from store.snapshots k
        where w.read is null and k.log = p_log and k.tag = w.tag and k.entity = w.entity and k.version = p_version
          and store.is_of_log(k.log, k.position, k.hash)
        offset 0
    ) as s on true;
    return query
    select 0, s.position, s.hash, s.entity, s.version, null::text, s.state
    from unnest(p_tags, p_entities, v_snapshots) as w(tag, entity, position)
    cross join lateral (
        select k.position, k.hash, k.entity, k.version, k.state from store.snapshots k
        where w.position is not null and k.log = p_log and k.tag = w.tag and k.entity = w.entity
        offset 0
    ) as s;
    for v_segment in store.segment((select min(n) from unnest(v_next) n)) .. store.segment(p_position) loop
        v_places := v_places || array(
            select distinct store.position(v_segment, t.slot)
            from unnest(p_tags, v_next, p_last_segments) as w(tag, next, last_segment)
            cross join lateral (
                select k.slot from store.event_tags k
                where k.log = p_log and k.segment = v_segment and k.tag = w.tag
                  and k.slot >= case when v_segment = store.segment(w.next) then store.slot(w.next) else 0 end
                  and v_segment >= store.segment(w.next) and v_segment <= coalesce(w.last_segment, v_segment)
                order by k.slot limit p_events_max - cardinality(v_places)
            ) as t
            order by 1 limit p_events_max - cardinality(v_places)
        );
        exit when cardinality(v_places) >= p_events_max;
    end loop;
    return query
    select 1, e.position, e.hash, e.event_type, e.version, e.tags, e.data
    from (
        select k.*, sum(k.bytes) over (order by k.position) - k.bytes as bytes_before
        from unnest(v_places) as p(position)
        cross join lateral (
            select k.position, k.hash, k.event_type, k.version, k.tags, k.data, pg_column_size(k.data)::bigint as bytes
            from store.events k where k.log = p_log and k.position = p.position offset 0
        ) as k
    ) as e
    where e.bytes_before < p_bytes_max
    order by e.position;
    get diagnostics v_found = row_count;
    return query
    select 2, case when v_found = cardinality(v_places) and v_found < p_events_max then p_position
              else v_places[v_found] end,
           null::bytea, null::text, null::smallint, null::text, null::json;
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
    from unnest(p_keys) as k(key)
    cross join lateral (
        select r.key, r.request, r.position, r.outcome from store.outcomes r
        where r.log = p_log and r.key = k.key and store.is_of_log(r.log, r.position, r.hash) offset 0
    ) as o;
end
$$;

-- Makes a log if it is not there; answers the name that its key has, which is another one if two names collide.
create function store.create_log(p_log bigint, p_name text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_id uuid := gen_random_uuid();
begin
    insert into store.logs (log, id, name, origin)
    values (p_log, v_id, p_name, sha256(convert_to(e'recount log v1\n', 'UTF8') || uuid_send(v_id)
                                        || convert_to(p_name, 'UTF8')))
    on conflict (log) do nothing;
    return (select l.name from store.logs l where l.log = p_log);
end
$$;

-- Shuts out every append to the log that is still on the way, after the one that is running.
create function store.raise_fence(p_log bigint) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
    update store.logs set fence = fence + 1 where log = p_log;
$$;

-- Removes the news but those of the last `p_keep` transactions, some thousand at a time; and those of transactions that are
-- yet to come, which a restored dump has brought from another server. Answers how many.
create function store.trim_news(p_keep bigint) returns bigint
language sql security definer set search_path = pg_catalog, pg_temp as $$
    with old as (
        delete from store.news where ctid in (
            select n.ctid from store.news n
            where n.xid < greatest(pg_snapshot_xmax(pg_current_snapshot())::text::bigint - p_keep, 0)::text::xid8
            order by n.xid limit 20000 for update skip locked
        ) returning 1
    ), foreign_news as (
        delete from store.news where ctid in (
            select n.ctid from store.news n where n.xid >= pg_snapshot_xmax(pg_current_snapshot())
            order by n.xid limit 20000 for update skip locked
        ) returning 1
    )
    select (select count(*) from old) + (select count(*) from foreign_news);
$$;

-- Forgets outcomes that are older than `p_age`, up to `p_limit` of them, the oldest first. Answers how many.
create function store.forget_outcomes(p_age interval, p_limit integer) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set enable_hashjoin = off
as $$
declare
    -- Read once: an index is of no use for a time that is another one for each row.
    v_before timestamptz := clock_timestamp() - greatest(p_age, interval '1 day');
    v_gone   bigint;
begin
    delete from store.outcomes where ctid = any (array(
        select o.ctid from store.outcomes o where o.recorded_at < v_before
        order by o.recorded_at limit p_limit for update skip locked
    ));
    get diagnostics v_gone = row_count;
    return v_gone;
end
$$;

-- Who publishes which logs to Kafka, and how far they are. Not part of the log: it may be lost, and then the
-- relay publishes again what the consumers have already seen.
create schema relay;

-- A relay that sees the same `beat` for as long as a lease lasts, by a clock that only counts, may take the shard: no
-- wall clock is compared with another.
create table relay.leases (
    shard  smallint not null constraint leases_pkey primary key,
    holder uuid     not null,
    beat   bigint   not null default 0
);

-- `hash` is that of the event at `position`: what is published is the log that had it.
create table relay.progress (
    log      bigint not null constraint progress_pkey primary key,
    position bigint not null,
    hash     bytea  not null
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
-- These read with the rights of their caller.
grant execute on function store.segment, store.slot, store.position, store.is_of_log, store.tip, store.tagged,
    store.load_entities, store.find_outcomes to public;

do $$
begin
    if exists (select from pg_roles where rolname = 'recount_service') then
        grant usage on schema store, relay to recount_service;
        grant select on all tables in schema store to recount_service;
        grant insert, update, delete on store.snapshots, store.tag_filters to recount_service;
        grant execute on all functions in schema store to recount_service;
        grant select, insert, update, delete on all tables in schema relay to recount_service;
    end if;
end
$$;
