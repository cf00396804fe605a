-- `position` is the last event that concerns the account, transactions and holds on it included. Those are known by the
-- balances, so that a transaction need not write the account's row as well.
select log, account, kind, overdraft, frozen_debits, frozen_credits, closed, metadata, opened_position, opened_at,
       greatest(changed_position, (
           select max(b.position) from balances as b where b.log = a.log and b.account = a.account
       )) as position,
       limits, assets, on_first_use
from accounts as a
