-- Deadlines: what falls due in a log, and when. They follow from events and are changed with them, so they are not
-- history: a deadline that is met, moved or called off is not kept.

-- A name is the domain's; it is compared byte by byte, as programs compare it.
create table store.deadlines (
    log    bigint           not null,
    name   text collate "C" not null,
    due_at timestamptz      not null,
    constraint deadlines_pkey primary key (log, name)
);

-- What is due in all logs, in pages, with one query.
create index deadlines_due_at_idx on store.deadlines (due_at, log, name);

-- `store.append`, and the deadlines that its events set and clear; all of it or nothing. No name is given twice.
create function store.append_with_deadlines(
    p_log         bigint,
    p_head        bigint,
    p_fence       bigint,
    p_recorded_at timestamptz,
    p_ids         uuid[],
    p_types       text[],
    p_versions    smallint[],
    p_tags        text[],
    p_data        text[],
    p_metas       text[],
    p_tag_hashes  bigint[],
    p_tag_events  integer[],
    p_keys        uuid[],
    p_requests    uuid[],
    p_positions   bigint[],
    p_outcomes    text[],
    p_set         text[],
    p_due_at      timestamptz[], -- for each deadline that is set
    p_cleared     text[]
) returns boolean language plpgsql security definer
set search_path = pg_catalog, pg_temp
-- Row by row through the primary key, by a plan that is made once: the planner has no idea of a table that is empty now
-- and full in a minute.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_bitmapscan = off
as $$
begin
    -- The lock on the head, which an append of events takes, keeps the changes of two appends apart.
    if cardinality(p_ids) = 0 then
        raise exception 'deadlines change with events, and there are none' using errcode = 'restrict_violation';
    end if;
    if not store.append(p_log, p_head, p_fence, p_recorded_at, p_ids, p_types, p_versions, p_tags, p_data, p_metas,
                        p_tag_hashes, p_tag_events, p_keys, p_requests, p_positions, p_outcomes) then
        return false;
    end if;
    delete from store.deadlines where log = p_log and name = any (p_cleared);
    insert into store.deadlines (log, name, due_at)
    select p_log, d.name, d.due_at from unnest(p_set, p_due_at) as d(name, due_at)
    on conflict (log, name) do update set due_at = excluded.due_at;
    return true;
end
$$;

revoke all on function store.append_with_deadlines from public;

do $$
begin
    if exists (select from pg_roles where rolname = 'recount_service') then
        grant select on store.deadlines to recount_service;
        grant execute on function store.append_with_deadlines to recount_service;
    end if;
end
$$;
