-- The look-ups go row by row through the keys, whatever the planner believes of the tables: their plans are made once,
-- often while the store is still empty, and a plan that reads all that a log has would then be kept for good. What
-- `offset 0` shuts off is planned by itself, with the key at hand.

create or replace function store.load_entities(p_log bigint, p_tags bigint[], p_entities text[], p_version smallint)
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
        left join lateral (
            select k.entity, k.position, k.version, k.state from store.snapshots k
            where k.log = p_log and k.tag = w.tag and k.entity = w.entity and k.version = p_version offset 0
        ) as s on true
    )
    select 0, w.position, w.entity, w.version, null::text[], w.state::text
    from wanted w where w.entity is not null
    union all
    select 1, e.position, e.event_type, e.version, e.tags, e.data::text
    from (
        select distinct t.position from wanted w
        cross join lateral (
            select k.position from store.event_tags k
            where k.log = p_log and k.tag = w.tag and k.position > coalesce(w.position, 0) offset 0
        ) as t
    ) as concerned
    cross join lateral (
        select k.position, k.event_type, k.version, k.tags, k.data from store.events k
        where k.log = p_log and k.position = concerned.position offset 0
    ) as e
    order by 1, 2;
end
$$;

create or replace function store.find_outcomes(p_log bigint, p_keys uuid[])
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
        where r.log = p_log and r.key = k.key offset 0
    ) as o;
end
$$;
