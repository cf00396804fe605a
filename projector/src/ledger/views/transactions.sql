-- `reversed_by` is the first reversal. It dates from before partial reversals, when there was at most one.
select log, position, transaction, effective_at, recorded_at, reference, metadata, entries, reverses,
       reversals[1] as reversed_by, coalesce(reversals, '{}') as reversals, captures
from transactions
