-- Lets the service role check keys. Only the owner creates and revokes them. The role may be absent: a deployment whose
-- login may not create roles runs its services as the owner.
do $$
begin
    if exists (select from pg_roles where rolname = 'recount_service') then
        grant usage on schema identity to recount_service;
        grant select on identity.api_keys to recount_service;
    end if;
end;
$$;
