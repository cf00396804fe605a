-- The definition of posted, held, incoming and available for all readers. An account's normal side is debit for assets
-- and expenses, credit for all others. *posted* is the sum of the entries on the normal side minus the sum on the
-- other; *held* is the amount by which open holds would reduce it, *incoming* the amount by which they would increase
-- it; *available* is posted minus held.
select log, account, asset, debits, credits, position, held_debits, held_credits, posted, held, incoming,
       posted - held as available
from (
    select *,
           case when on_debit_side then debits - credits else credits - debits end as posted,
           case when on_debit_side then held_credits else held_debits end as held,
           case when on_debit_side then held_debits else held_credits end as incoming
    from (select *, kind in ('asset', 'expense') as on_debit_side from balances) as b
) as figures
