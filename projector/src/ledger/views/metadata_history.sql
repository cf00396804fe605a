-- Every change of the metadata of accounts and transactions. The first is what was given when they came to be, which
-- their own rows know: most metadata is never changed, and then has no row more.
-- (The parts have the same types and collations to the letter, or a condition on the view would not reach their indexes.)
select log, owner_kind, owner, position, recorded_at, set_members, removed_keys
from metadata_changes
union all
select log, 'account'::text collate "C", account, opened_position, opened_at, coalesce(opening_metadata, metadata),
       '[]'::json
from accounts
union all
select log, 'transaction'::text collate "C", transaction, position, recorded_at, coalesce(posting_metadata, metadata),
       '[]'::json
from transactions
