-- Every change of the metadata of accounts and transactions. The first is the metadata at opening or posting and comes
-- from the owner's row: most metadata never changes and then needs no row in `metadata_changes`. The parts of the union
-- must have exactly the same types and collations. Otherwise Postgres does not push a condition on the view down to
-- their indexes.
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
