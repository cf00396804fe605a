-- `reversed_by` is the first of the reversals: it was the only one before a transaction could be reversed in parts.
select log, position, transaction, effective_at, recorded_at, reference, metadata, entries, reverses,
       reversals[1] as reversed_by, coalesce(reversals, '{}') as reversals, captures
from transactions
