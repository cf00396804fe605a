//! The effects of an accepted command.

use super::*;

impl Model {
    pub(crate) fn apply(&mut self, command: &Command, now: DateTime<Utc>) {
        match command {
            Command::SetEffectiveWindow { window } => self.window = *window,
            Command::ClosePeriod { through } => {
                self.closed_before = Some(*through + chrono::TimeDelta::microseconds(1));
            }
            Command::ReopenPeriod { from } => self.closed_before = Some(*from),
            Command::SetChart { rules } => self.chart = Some(rules.clone()),
            Command::RemoveChart => self.chart = None,
            Command::OpenAccount(open) => {
                let account = opened(open, self.rule(open.account.as_str()));
                self.accounts.insert(open.account.to_string(), account);
            }
            Command::PostTransaction(post) => self.post(ModelTransaction {
                id: post.transaction.to_string(),
                entries: post.entries.clone(),
                effective_at: post.effective_at.unwrap_or(now),
                reference: post.reference.as_ref().map(ToString::to_string),
                reverses: None,
                captures: None,
            }),
            Command::ReverseTransaction(reverse) => {
                let original = self.transaction(reverse.transaction.as_str()).unwrap();
                self.post(ModelTransaction {
                    id: reverse.reversal.to_string(),
                    entries: original.reversal_entries(&reverse.part).unwrap(),
                    effective_at: match reverse.effective_at {
                        ReversalTime::Now => now,
                        ReversalTime::Original => original.effective_at,
                        ReversalTime::At(time) => time,
                    },
                    reference: reverse.reference.as_ref().map(ToString::to_string),
                    reverses: Some(original.id.clone()),
                    captures: None,
                });
            }
            Command::Hold(place) => {
                self.use_accounts([place.debit.as_str(), place.credit.as_str()]);
                self.holds.push(ModelHold {
                    placed: place.clone(),
                    left: units(place.amount),
                    end: HoldEnd::Open,
                });
            }
            Command::Capture(capture) => self.capture(capture, now),
            Command::Release { hold } => self.end(hold.as_str(), HoldEnd::Released),
            Command::Expire { hold } => self.end(hold.as_str(), HoldEnd::Expired),
            other => self.change(other),
        }
    }

    fn change(&mut self, command: &Command) {
        match command {
            Command::FreezeAccount { account, scope } => self.set_frozen(account.as_str(), *scope, true),
            Command::UnfreezeAccount { account, scope } => self.set_frozen(account.as_str(), *scope, false),
            Command::CloseAccount { account } => self.account_mut(account.as_str()).open = false,
            Command::SetOverdraftPolicy { account, overdraft } => {
                self.account_mut(account.as_str()).overdraft = overdraft.clone();
            }
            Command::SetBalanceLimits { account, limits } => {
                self.account_mut(account.as_str()).limits = limits.clone();
            }
            other => panic!("the model does not know {other:?}"),
        }
    }

    fn account_mut(&mut self, account: &str) -> &mut ModelAccount {
        self.accounts.get_mut(account).unwrap()
    }

    fn set_frozen(&mut self, account: &str, scope: FreezeScope, frozen: bool) {
        let account = self.account_mut(account);
        if matches!(scope, FreezeScope::Debits | FreezeScope::Both) {
            account.accepts_debits = !frozen;
        }
        if matches!(scope, FreezeScope::Credits | FreezeScope::Both) {
            account.accepts_credits = !frozen;
        }
    }

    fn use_accounts<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        for name in names {
            let account = self.used(name).unwrap();
            self.accounts.insert(name.to_owned(), account);
        }
    }

    fn post(&mut self, transaction: ModelTransaction) {
        self.use_accounts(transaction.entries.iter().map(|entry| entry.account.as_str()));
        self.movements.extend(movements_of(&transaction.entries));
        self.transactions.push(transaction);
    }

    fn end(&mut self, id: &str, end: HoldEnd) {
        let hold = self.holds.iter_mut().find(|hold| hold.placed.hold.as_str() == id).unwrap();
        (hold.left, hold.end) = (0, end);
    }

    fn capture(&mut self, capture: &CaptureHold, now: DateTime<Utc>) {
        let hold = self.holds.iter_mut().find(|hold| hold.placed.hold == capture.hold).unwrap();
        let amount = capture.amount.map_or(hold.left, units);
        hold.left -= amount;
        let released = if capture.is_final { std::mem::take(&mut hold.left) } else { 0 };
        if hold.left == 0 {
            hold.end = HoldEnd::Captured;
        }
        let taken = ModelCapture { hold: capture.hold.to_string(), amount, left: hold.left, released };
        let transaction = ModelTransaction {
            id: capture.transaction.to_string(),
            entries: crate::support::transfer(
                hold.placed.debit.as_str(),
                hold.placed.credit.as_str(),
                hold.placed.asset.as_str(),
                i128::try_from(amount).unwrap(),
            ),
            effective_at: capture.effective_at.unwrap_or(now),
            reference: capture.reference.as_ref().map(ToString::to_string),
            reverses: None,
            captures: Some(taken),
        };
        self.post(transaction);
    }
}
