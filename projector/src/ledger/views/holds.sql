select log, hold, debit, credit, asset, amount, captured, released, remaining, status, expires_at, metadata,
       placed_position, placed_at, changed_at, changed_position as position
from holds
