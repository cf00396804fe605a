//! The faults of a command, in any order.

use super::*;

impl Model {
    /// The outcome of the request at this time.
    pub(crate) fn outcome(&self, request: &Request, now: DateTime<Utc>) -> ModelOutcome {
        let Some(mut faults) = self.faults(&request.command, now) else { return ModelOutcome::NoEffect };
        for expectation in &request.expect {
            faults.extend(self.fault_of_expectation(expectation));
        }
        let first = RejectionCode::ALL.iter().find(|code| faults.contains(code.code));
        first.map_or(ModelOutcome::Accepted, |code| ModelOutcome::Rejected(code.code))
    }

    fn fault_of_expectation(&self, expectation: &Expectation) -> Option<&'static str> {
        let Some(account) = self.used(expectation.account.as_str()) else { return Some("account-unknown") };
        let sums = self.sums(expectation.account.as_str(), expectation.asset.as_str(), &[], &[]);
        let [posted, held, incoming, available] = sums.figures(account.is_debit_normal);
        let actual = match expectation.figure {
            Figure::Posted => posted,
            Figure::Held => held,
            Figure::Incoming => incoming,
            Figure::Available => available,
        };
        let met = match expectation.comparison {
            Comparison::AtLeast => actual >= expectation.amount,
            Comparison::AtMost => actual <= expectation.amount,
            Comparison::Equal => actual == expectation.amount,
        };
        (!met).then_some("expectation-failed")
    }

    /// All faults of the command; `None` if its effect already holds.
    fn faults(&self, command: &Command, now: DateTime<Utc>) -> Option<Faults> {
        let one = |fault: &'static str| Some(Faults::from([fault]));
        match command {
            Command::SetEffectiveWindow { window } => (self.window != *window).then(Faults::new),
            Command::ClosePeriod { through } if self.is_closed(*through) => None,
            Command::ClosePeriod { through } if *through >= now => one("period-not-over"),
            Command::ClosePeriod { .. } => Some(Faults::new()),
            Command::ReopenPeriod { from } => self.is_closed(*from).then(Faults::new),
            Command::SetChart { rules } => (self.chart.as_ref() != Some(rules)).then(Faults::new),
            Command::RemoveChart => self.chart.is_some().then(Faults::new),
            Command::OpenAccount(open) => self.faults_of_opening(open),
            Command::PostTransaction(post) => match self.transaction(post.transaction.as_str()) {
                Some(existing) => conflict(existing.matches(
                    &post.entries,
                    post.effective_at,
                    post.reference.as_ref().map(|reference| reference.as_str()),
                    None,
                    None,
                )),
                None => Some(self.faults_of_posting(
                    &Draft {
                        entries: post.entries.clone(),
                        effective_at: post.effective_at,
                        reference: post.reference.as_ref().map(|reference| reference.as_str()),
                    },
                    true,
                    now,
                )),
            },
            Command::ReverseTransaction(reverse) => self.faults_of_reversal(reverse, now),
            Command::Hold(place) => self.faults_of_hold(place, now),
            Command::Capture(capture) => self.faults_of_capture(capture, now),
            Command::Release { hold } => match self.hold(hold.as_str()) {
                None => one("hold-unknown"),
                Some(hold) if hold.end == HoldEnd::Released => None,
                Some(hold) => Some(hold.ended(now).into_iter().collect()),
            },
            Command::Expire { hold } => match self.hold(hold.as_str()) {
                None => one("hold-unknown"),
                Some(hold) if hold.end == HoldEnd::Expired => None,
                Some(hold) if hold.has_expired(now) => Some(Faults::new()),
                Some(hold) if hold.end == HoldEnd::Open => one("hold-not-due"),
                Some(_) => one("hold-closed"),
            },
            other => self.faults_of_change(other),
        }
    }

    /// The faults of a change to an account.
    fn faults_of_change(&self, command: &Command) -> Option<Faults> {
        let (Command::FreezeAccount { account, .. }
        | Command::UnfreezeAccount { account, .. }
        | Command::CloseAccount { account }
        | Command::SetOverdraftPolicy { account, .. }
        | Command::SetBalanceLimits { account, .. }) = command
        else {
            panic!("the model does not know {command:?}")
        };
        let name = account.as_str();
        let Some(account) = self.accounts.get(name) else { return Some(Faults::from(["account-unknown"])) };
        if let Command::CloseAccount { .. } = command {
            let mut faults = Faults::new();
            for [posted, held, incoming, _] in ASSETS.map(|asset| self.figures(name, asset)) {
                faults.extend((posted != 0).then_some("account-not-empty"));
                faults.extend((held != 0 || incoming != 0).then_some("account-has-holds"));
            }
            return account.open.then_some(faults);
        }
        let already_holds = match command {
            Command::FreezeAccount { scope, .. } => match scope {
                FreezeScope::Debits => !account.accepts_debits,
                FreezeScope::Credits => !account.accepts_credits,
                FreezeScope::Both => !account.accepts_debits && !account.accepts_credits,
            },
            Command::UnfreezeAccount { scope, .. } => match scope {
                FreezeScope::Debits => account.accepts_debits,
                FreezeScope::Credits => account.accepts_credits,
                FreezeScope::Both => account.accepts_debits && account.accepts_credits,
            },
            Command::SetOverdraftPolicy { overdraft, .. } => account.overdraft == *overdraft,
            Command::SetBalanceLimits { limits, .. } => account.limits == *limits,
            _ => false,
        };
        let faults = if account.open { Faults::new() } else { Faults::from(["account-closed"]) };
        (!already_holds).then_some(faults)
    }

    fn faults_of_opening(&self, open: &OpenAccount) -> Option<Faults> {
        if let Some(existing) = self.accounts.get(open.account.as_str()) {
            let was = &existing.opened;
            let same = open.kind.is_none_or(|kind| Some(kind) == was.kind)
                && (open.overdraft.is_none() || open.overdraft == was.overdraft)
                && (open.limits.is_none() || open.limits == was.limits)
                && (open.assets.is_empty() || open.assets == was.assets)
                && open.metadata == was.metadata;
            return match (same, existing.open) {
                (false, _) => Some(Faults::from(["account-conflict"])),
                (true, false) => Some(Faults::from(["account-closed"])),
                (true, true) => None,
            };
        }
        let mut faults = Faults::new();
        match (self.rule(open.account.as_str()), open.kind) {
            (None, _) if self.chart.is_some() => drop(faults.insert("account-not-in-chart")),
            (None, None) => drop(faults.insert("kind-missing")),
            (Some(rule), Some(kind)) if rule.kind != kind => drop(faults.insert("kind-not-in-chart")),
            _ => {}
        }
        if let Some(rule) = self.rule(open.account.as_str())
            && !rule.assets.is_empty()
            && !open.assets.iter().all(|asset| rule.assets.contains(asset))
        {
            faults.insert("asset-not-allowed");
        }
        Some(faults)
    }

    fn is_closed(&self, time: DateTime<Utc>) -> bool {
        self.closed_before.is_some_and(|before| time < before)
    }

    fn faults_of_time(&self, effective_at: DateTime<Utc>, now: DateTime<Utc>) -> Faults {
        let days = (effective_at.date_naive() - now.date_naive()).num_days();
        let mut faults = Faults::new();
        if self.window.past_days.is_some_and(|past| days < -i64::from(past)) {
            faults.insert("effective-too-early");
        }
        if self.window.future_days.is_some_and(|future| days > i64::from(future)) {
            faults.insert("effective-too-late");
        }
        if self.is_closed(effective_at) {
            faults.insert("period-closed");
        }
        faults
    }

    fn faults_of_posting(&self, draft: &Draft<'_>, limited: bool, now: DateTime<Utc>) -> Faults {
        let mut faults = Faults::new();
        let taken = |reference: &str| {
            self.transactions.iter().any(|transaction| transaction.reference.as_deref() == Some(reference))
        };
        faults.extend(draft.reference.filter(|reference| taken(reference)).map(|_| "reference-taken"));
        if draft.entries.len() < 2 {
            faults.insert("entries-out-of-bounds");
        }
        let movements = movements_of(&draft.entries);
        for entry in &draft.entries {
            match sums(movements.iter(), None, entry.asset.as_str()) {
                (debits, credits) if debits.in_range().is_none() || credits.in_range().is_none() => {
                    faults.insert("balance-overflow");
                }
                (debits, credits) if debits != credits => {
                    faults.insert("unbalanced");
                }
                _ => {}
            }
        }
        if let Some(effective_at) = draft.effective_at {
            faults.extend(self.faults_of_time(effective_at, now));
        }
        faults.extend(self.faults_of_movements(&movements, &[], limited));
        faults
    }

    /// The faults of posting and holding these movements.
    fn faults_of_movements(&self, posted: &[Movement], held: &[Movement], limited: bool) -> Faults {
        let mut faults = Faults::new();
        for Movement { account: name, asset, debit, .. } in posted.iter().chain(held) {
            if !ASSETS.contains(&asset.as_str()) {
                let same_code = ASSETS.iter().any(|known| known.split('/').next() == asset.split('/').next());
                faults.insert(if same_code { "asset-scale-differs" } else { "asset-unknown" });
            }
            let Some(account) = self.used(name) else {
                faults.insert("account-unknown");
                continue;
            };
            let frozen = if *debit > 0 { !account.accepts_debits } else { !account.accepts_credits };
            if !account.open {
                faults.insert("account-closed");
            } else if frozen {
                faults.insert("account-frozen");
            } else if !account.only.is_empty() && !account.only.contains(asset) {
                faults.insert("asset-not-allowed");
            }
            if limited {
                let before = self.sums(name, asset, &[], &[]);
                let after = self.sums(name, asset, posted, held);
                faults.extend(faults_of_limits(&account, asset, before, after));
            }
        }
        faults
    }

    fn faults_of_reversal(&self, reverse: &ReverseTransaction, now: DateTime<Utc>) -> Option<Faults> {
        let one = |fault: &'static str| Some(Faults::from([fault]));
        let id = reverse.transaction.as_str();
        let existing = self.transaction(reverse.reversal.as_str());
        let Some(original) = self.transaction(id) else {
            return one(if existing.is_some() { "transaction-conflict" } else { "transaction-unknown" });
        };
        let entries = original.reversal_entries(&reverse.part);
        let effective_at = match reverse.effective_at {
            ReversalTime::Now => None,
            ReversalTime::Original => Some(original.effective_at),
            ReversalTime::At(time) => Some(time),
        };
        let reference = reverse.reference.as_ref().map(|reference| reference.as_str());
        if let Some(existing) = existing {
            let Some(entries) = entries else { return one("transaction-conflict") };
            return conflict(existing.matches(&entries, effective_at, reference, Some(id), None));
        }
        let mut faults = Faults::new();
        let reversals = || self.transactions.iter().filter(|other| other.reverses.as_deref() == Some(id));
        let back: Vec<Entry> = reversals().flat_map(|reversal| reversal.entries.clone()).collect();
        let whole = original.reversal_entries(&ReversedPart::Whole).unwrap();
        let left = |entry: &Entry| leg_sum(&whole, entry) - leg_sum(&back, entry);
        let is_exhausted = whole.iter().all(|entry| left(entry) == 0);
        if reversals().next().is_some() && (reverse.part == ReversedPart::Whole || is_exhausted) {
            faults.insert("transaction-already-reversed");
        }
        let Some(entries) = entries else {
            faults.insert("reversal-ambiguous");
            return Some(faults);
        };
        if reverse.part != ReversedPart::Whole
            && entries.iter().any(|entry| leg_sum(&entries, entry) > left(entry))
        {
            faults.insert("reversal-exceeded");
        }
        faults.extend(self.faults_of_posting(&Draft { entries, effective_at, reference }, true, now));
        Some(faults)
    }

    fn faults_of_hold(&self, place: &PlaceHold, now: DateTime<Utc>) -> Option<Faults> {
        if let Some(existing) = self.hold(place.hold.as_str()) {
            return if existing.placed == *place { None } else { Some(Faults::from(["hold-conflict"])) };
        }
        let held = ModelHold { placed: place.clone(), left: units(place.amount), end: HoldEnd::Open };
        let mut faults = self.faults_of_movements(&[], &held.movements(), true);
        if place.expires_at.is_some_and(|deadline| now >= deadline) {
            faults.insert("deadline-passed");
        }
        Some(faults)
    }

    fn faults_of_capture(&self, capture: &CaptureHold, now: DateTime<Utc>) -> Option<Faults> {
        let one = |fault: &'static str| Some(Faults::from([fault]));
        let reference = capture.reference.as_ref().map(|reference| reference.as_str());
        if let Some(existing) = self.transaction(capture.transaction.as_str()) {
            let Some(taken) = existing.captures.as_ref().filter(|taken| taken.hold == capture.hold.as_str())
            else {
                return one("transaction-conflict");
            };
            let all = taken.left == 0 && taken.released == 0;
            let same = capture.amount.map_or(all, |amount| units(amount) == taken.amount)
                && (all || capture.is_final == (taken.released > 0))
                && capture.effective_at.is_none_or(|time| time == existing.effective_at)
                && existing.reference.as_deref() == reference;
            return conflict(same);
        }
        let Some(hold) = self.hold(capture.hold.as_str()) else { return one("hold-unknown") };
        if let Some(ended) = hold.ended(now) {
            return one(ended);
        }
        let amount = capture.amount.map_or(hold.left, units);
        if amount > hold.left {
            return one("hold-exceeded");
        }
        let entries = crate::support::transfer(
            hold.placed.debit.as_str(),
            hold.placed.credit.as_str(),
            hold.placed.asset.as_str(),
            i128::try_from(amount).unwrap(),
        );
        let draft = Draft { entries, effective_at: capture.effective_at, reference };
        // Limits do not apply to captures: they were checked when the hold was placed.
        Some(self.faults_of_posting(&draft, false, now))
    }
}

/// No effect if the content is the same, otherwise a conflict.
fn conflict(same: bool) -> Option<Faults> {
    if same { None } else { Some(Faults::from(["transaction-conflict"])) }
}

fn faults_of_limits(account: &ModelAccount, asset: &str, before: Sums, after: Sums) -> Faults {
    if !after.are_in_range() {
        return Faults::from(["balance-overflow"]);
    }
    let [posted_before, _, incoming_before, available_before] = before.figures(account.is_debit_normal);
    let [posted, _, incoming, available] = after.figures(account.is_debit_normal);
    let (floor, ceiling) = limits_of(account, asset);
    let mut faults = Faults::new();
    if available < floor.min(available_before) {
        faults.insert("insufficient-funds");
    }
    if posted + incoming > ceiling.max(posted_before + incoming_before) {
        faults.insert("maximum-exceeded");
    }
    faults
}
