-- `position` is the last event that concerns the account, including transactions and holds. Their positions come from
-- the balances, so that a transaction does not have to update the account's row.
select log, account, kind, overdraft, frozen_debits, frozen_credits, closed, metadata, opened_position, opened_at,
       greatest(changed_position, (
           select max(b.position) from balances as b where b.log = a.log and b.account = a.account
       )) as position,
       limits, assets, on_first_use
from accounts as a
