select log, ledger, created_position, created_at, window_past_days, window_future_days, closed_through, chart
from ledgers
