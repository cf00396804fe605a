-- The changes that the events of `with_everything` make beside adding rows.
update read.holds set captured = 40, remaining = 60, expires_at = '2026-02-01T00:00:00Z', position = 11
where hold = 'auth-1';
update read.transactions set captures = 'auth-1' where transaction = 't4';
update read.balances set held_debits = 60, incoming = 60 where account = 'Assets:Cash' and asset = 'USD/2';
update read.balances set held_credits = 60, held_debits = 7, held = 7, incoming = 60, available = 28
where account = 'Equity:Opening' and asset = 'USD/2';
insert into read.balances (log, account, asset, debits, credits, position, held_debits)
values (42, 'assets:late', 'USD/2', 0, 0, 12, 7);
update read.customers set forgotten = true, profile = '{}', metadata = '{}' where customer = 'c-2';
insert into read.metadata_history values
    (42, 'account', 'Assets:Cash', 4, '2026-01-01T00:00:00Z', '{"note":1.50}', '[]'),
    (42, 'account', 'Assets:Cash', 14, '2026-01-02T00:00:00Z', '{"tier":"gold"}', '[]'),
    (42, 'account', 'Assets:Cash', 16, '2026-01-03T00:00:00Z', '{}', '["note"]'),
    (42, 'account', 'assets:late', 6, '2026-01-01T00:00:00Z', '{}', '[]'),
    (42, 'transaction', 't1', 7, '2026-01-01T00:00:00Z', '{"note":"May"}', '[]');
