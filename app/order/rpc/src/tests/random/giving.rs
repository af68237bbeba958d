//! Money that goes back without the order's wish, and money that does not though the order wishes it.

use super::*;
use crate::tests::peers::Stage;

impl Run<'_> {
    /// The provider gives a part of a payment back by itself, or all that is left.
    pub(super) fn provider_gives(&mut self) {
        let left: Vec<(String, i64)> = self
            .payments()
            .into_iter()
            .filter(|p| p.state == "captured")
            .map(|p| (p.sn, p.amount_cents - p.refund_reserved_cents))
            .collect();
        let Some((sn, left)) = self.dice.pick(&left).cloned() else {
            return;
        };
        let cents = match self.dice.below(4) {
            0 => left,
            1 => (left + 1) / 2,
            _ => 1 + i64::try_from(self.dice.below(u64::try_from(left).unwrap())).unwrap(),
        };
        let before = self.world.payment.back(&sn);
        self.world.payment.gives_back(&sn, cents);
        // Else it was what it had refused before.
        self.by_itself += self.world.payment.back(&sn) - before;
        self.log
            .push(format!("the provider gives {cents} of {left} back by itself"));
    }

    /// Refunds of the order's payments that stand so: payment, key and cents.
    fn refunds(&self, stage: Stage) -> Vec<(String, String, i64)> {
        let own: Vec<String> = self.payments().into_iter().map(|p| p.sn).collect();
        let all = self.world.payment.state();
        all.keys
            .iter()
            .filter(|((sn, _), refund)| own.contains(sn) && refund.stage == stage)
            .map(|((sn, key), refund)| (sn.clone(), key.clone(), refund.cents))
            .collect()
    }

    /// The provider refuses a refund that it was asked for, or an operator sends those again that it refused.
    pub(super) fn refused_or_retried(&mut self) {
        if self.dice.one_in(3) {
            self.world.payment.retried();
            self.log.push("an operator retries".into());
            return;
        }
        let asked = self.refunds(Stage::Pending);
        if let Some((sn, key, cents)) = self.dice.pick(&asked) {
            self.world.payment.refuses(sn, key);
            self.log
                .push(format!("the provider refuses {key:?} over {cents}"));
        }
    }

    /// Each captured cent is back, or on a refund that was refused and has an open case, or stays; what stays is what the order
    /// is to have, but for what the provider gave by itself. What is refused.
    pub(super) fn check_money(&self, order: &pb::OrderView, told: &str) -> i64 {
        let captured: Vec<_> = self
            .payments()
            .into_iter()
            .filter(|p| matches!(p.state.as_str(), "captured" | "refund_pending" | "refunded"))
            .collect();
        let refused = self.refunds(Stage::Refused);
        let own_cases: Vec<String> = {
            let own: Vec<String> = self.payments().into_iter().map(|p| p.sn).collect();
            let all = self.world.payment.state();
            let is_own = |case: &&String| {
                case.starts_with(&self.sn) || own.iter().any(|sn| case.starts_with(sn.as_str()))
            };
            all.cases.iter().filter(is_own).cloned().collect()
        };
        let told = &format!("{own_cases:?} {told}");
        for payment in &captured {
            let stuck: i64 = refused
                .iter()
                .filter(|(sn, ..)| *sn == payment.sn)
                .map(|r| r.2)
                .sum();
            assert_eq!(
                payment.refunded_cents + stuck,
                payment.refund_reserved_cents,
                "{told}"
            );
        }
        for (sn, key, _) in &refused {
            assert!(own_cases.contains(&format!("{sn}:{key}:refused")), "{told}");
        }
        let stays: i64 = captured
            .iter()
            .map(|p| p.amount_cents - p.refund_reserved_cents)
            .sum();
        let confirmed = order.state == "confirmed";
        let due = if confirmed {
            order.total_cents
        } else {
            order.kept_cents
        };
        let gone = due - stays;
        assert!(
            (0..=self.by_itself).contains(&gone),
            "{stays} stay of {due}, {} were given: {told}",
            self.by_itself
        );
        assert!(gone == 0 || !own_cases.is_empty(), "{told}");
        assert!(
            self.by_itself > 0 || !refused.is_empty() || own_cases.is_empty(),
            "{told}"
        );
        if confirmed {
            // What a cancellation would be reckoned on is what is there.
            assert_eq!(stays, order.charged_cents - order.refund_cents, "{told}");
        }
        let settled = self.world.payment.state().settled.get(&self.sn).copied();
        assert_eq!(settled.unwrap_or_default(), order.kept_cents, "{told}");
        refused.iter().map(|refund| refund.2).sum()
    }
}
