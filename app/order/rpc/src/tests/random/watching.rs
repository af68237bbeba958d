//! What is known of a random way from outside: what the policy gave at each change, and what fees must add up to.

use super::*;

impl Run<'_> {
    pub(super) async fn changes(&self) -> Vec<pb::ChangeView> {
        let request = pb::ListChangesRequest { sn: self.sn.clone() };
        let list = self
            .world
            .user(GUEST)
            .list_changes(request)
            .await
            .expect("changes");
        list.into_inner().changes
    }

    /// What the policy gives at `now_ms`, told anew: the window with the longest notice that is still kept.
    fn percent(&self, order: &pb::OrderView) -> i64 {
        let left_ms = order.check_in_at_ms - self.world.clock.now_ms();
        let open = self
            .policy
            .windows
            .iter()
            .filter(|w| w.hours_before * 3_600_000 <= left_ms);
        open.max_by_key(|w| w.hours_before)
            .map_or(0, |w| w.refund_percent)
    }

    /// A step, and what the model learns from it.
    pub(super) async fn watched_step(&mut self) {
        let before = self.world.order(&self.sn).await;
        let known: Vec<i64> = self.changes().await.iter().map(|c| c.attempt).collect();
        self.unpaid_now = before.state == "awaiting_payment";
        let percent = self.percent(&before);
        self.step().await;
        for change in self.changes().await {
            if known.contains(&change.attempt) {
                continue;
            }
            if before.state == "confirmed" {
                self.at_change.insert(change.attempt, percent);
            } else {
                self.unpaid.insert(change.attempt);
            }
        }
        let after = self.world.order(&self.sn).await;
        if before.state == "confirmed" && after.state != "confirmed" {
            self.at_cancel = Some(percent);
        }
    }

    /// Fees add up, and no way of changing and cancelling gives the guest more than the policy gave when they began.
    pub(super) async fn check_fees(&self, order: &pb::OrderView, told: &str) {
        let applied: Vec<_> = self
            .changes()
            .await
            .into_iter()
            .filter(|c| c.state == "applied")
            .collect();
        let lines = |kind: Option<&str>| -> i64 {
            let all = order
                .lines
                .iter()
                .filter(|line| kind.is_none_or(|kind| line.kind == kind));
            all.map(|line| line.total_cents).sum()
        };
        assert_eq!(lines(None), order.total_cents, "{told}");
        let fees: i64 = applied.iter().map(|change| change.fee_cents).sum();
        assert_eq!(lines(Some("change_fee")), fees, "{told}");
        for change in applied.iter().filter(|c| self.at_change.contains_key(&c.attempt)) {
            let less = change.old_total_cents - change.total_cents;
            let back = change.refund_cents;
            // No more than the provider has left.
            let capped = self.by_itself > 0 && (0..less.max(0)).contains(&back);
            assert!(back == less.max(0) || capped, "{told}");
            assert!(change.fee_cents == 0 || less >= 0, "{told}");
        }
        // Whoever else ends a paid booking gives everything back.
        let by_guest = matches!(order.cancelled_by.as_str(), "" | "guest");
        let first = applied
            .iter()
            .find_map(|change| self.at_change.get(&change.attempt))
            .copied();
        let Some(percent) = first
            .or(self.at_cancel)
            .filter(|_| by_guest && self.by_itself == 0)
        else {
            return;
        };
        let unpaid = applied
            .iter()
            .filter(|change| self.unpaid.contains(&change.attempt));
        let back = order.refund_cents - unpaid.map(|change| change.refund_cents).sum::<i64>();
        let roundings = i64::try_from(applied.len()).unwrap() + 1;
        assert!(
            back * 100 <= order.charged_cents * percent + 100 * roundings,
            "{back} back of {} at {percent} %: {told}",
            order.charged_cents
        );
    }
}
