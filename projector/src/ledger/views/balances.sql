-- The one place where readers learn what posted, held, incoming and available are. An account has a normal side: debit
-- for assets and expenses, credit for all others. *posted* is what the entries on that side are more than those on the
-- other; *held* is what open holds would take away, *incoming* what they would bring in; *available* is posted less held.
select log, account, asset, debits, credits, position, held_debits, held_credits, posted, held, incoming,
       posted - held as available
from (
    select *,
           case when on_debit_side then debits - credits else credits - debits end as posted,
           case when on_debit_side then held_credits else held_debits end as held,
           case when on_debit_side then held_debits else held_credits end as incoming
    from (select *, kind in ('asset', 'expense') as on_debit_side from balances) as b
) as figures
