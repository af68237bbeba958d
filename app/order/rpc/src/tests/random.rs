//! Random ways through all states: whatever order payments, callbacks, jobs, cancellations, changes, crashes, outages and the
//! clock come in, at rest every captured cent is kept for a confirmed stay or by the policy, or is back, or in an open
//! case; never both, never neither.

mod giving;
mod watching;

use homestay_proto::common::{CancellationPolicy, PolicyWindow};
use homestay_types::date_of_number;
use peers::Fault;

use super::*;

/// Runs in a usual test, and in `cargo xtask prove payments`.
const RUNS: u64 = 150;
const FULL_SIZE: u64 = 2_000;
const STEPS: u64 = 14;
const HOST: i64 = 6;

/// xorshift64*: a seed is all there is to know of a run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.below(sides) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let nth = self.below(u64::try_from(from.len()).unwrap().max(1));
        from.get(usize::try_from(nth).unwrap())
    }
}

fn runs() -> u64 {
    if homestay_testkit::full_size() {
        FULL_SIZE
    } else {
        RUNS
    }
}

fn policy(dice: &mut Dice) -> CancellationPolicy {
    let (name, windows): (_, &[(i64, i64)]) = match dice.below(4) {
        0 => ("flexible", &[(24, 100)]),
        1 => ("moderate", &[(120, 100), (24, 50)]),
        2 => ("strict", &[(336, 100), (168, 50)]),
        _ => ("custom", &[(100, 67), (30, 33), (0, 1)]),
    };
    let windows = windows.iter().map(|(hours_before, refund_percent)| PolicyWindow {
        hours_before: *hours_before,
        refund_percent: *refund_percent,
    });
    CancellationPolicy {
        name: name.into(),
        windows: windows.collect(),
    }
}

/// One order and what happened to it.
struct Run<'w> {
    world: &'w World,
    dice: Dice,
    sn: String,
    house: i64,
    first_day: i64,
    /// What payment-rpc has read of the order and not acted on yet.
    asked: Option<(i64, i64)>,
    /// What the provider has given back without being asked.
    by_itself: i64,
    policy: CancellationPolicy,
    /// Attempts of changes that were asked for before the booking was paid.
    unpaid: std::collections::BTreeSet<i64>,
    /// Percent that the policy gave at the first change of the paid booking: by attempt; and when its guest cancelled it.
    at_change: std::collections::BTreeMap<i64, i64>,
    at_cancel: Option<i64>,
    unpaid_now: bool,
    log: Vec<String>,
}

impl Run<'_> {
    fn payments(&self) -> Vec<homestay_proto::payment::PaymentView> {
        let all = self.world.payment.state();
        all.payments
            .iter()
            .filter(|p| p.order_sn == self.sn)
            .cloned()
            .collect()
    }

    fn capture(&mut self) {
        let open: Vec<String> = self
            .payments()
            .into_iter()
            .filter(|p| matches!(p.state.as_str(), "pending" | "closed"))
            .map(|p| p.sn)
            .collect();
        if let Some(sn) = self.dice.pick(&open) {
            let mut all = self.world.payment.state();
            let payment = all.payments.iter_mut().find(|p| p.sn == *sn).unwrap();
            payment.state = "captured".into();
            payment.captured_at_ms = self.world.clock.now_ms();
            self.log.push(format!(
                "captured {} for {}",
                payment.amount_cents, payment.charge
            ));
        }
    }

    /// What payment-rpc does when a guest wants to pay: it reads the order, and later, unless the charge was closed meanwhile,
    /// has a payment.
    async fn pay(&mut self) {
        if let Some((charge, cents)) = self.asked.take() {
            let closed = {
                let all = self.world.payment.state();
                let of = |charge| all.closed_charges.contains(&(self.sn.clone(), charge));
                of(charge) || of(-1)
            };
            let live = self
                .payments()
                .iter()
                .any(|p| p.charge == charge && matches!(p.state.as_str(), "pending" | "captured"));
            if !closed && !live {
                self.world.payment.has_for(&self.sn, charge, "pending", cents);
                self.log.push(format!("pays {cents} for {charge}"));
            }
            return;
        }
        let order = self.world.order(&self.sn).await;
        if order.due_cents > 0 {
            self.asked = Some((order.due_charge, order.due_cents));
        }
    }

    async fn cancel(&mut self) {
        let (id, role) = match self.dice.below(4) {
            0 => (HOST, Role::Host),
            1 => (900, Role::Operator),
            _ => (GUEST, Role::Guest),
        };
        let request = pb::CancelRequest {
            sn: self.sn.clone(),
            ..Default::default()
        };
        let preview = self
            .world
            .as_role(id, role)
            .preview_cancel(pb::PreviewCancelRequest { sn: self.sn.clone() })
            .await;
        let before = self.world.order(&self.sn).await.state;
        let done = self.world.as_role(id, role).cancel(request).await;
        self.log.push(format!(
            "cancel by {role}: {:?}",
            done.as_ref()
                .map(|o| &o.get_ref().state)
                .map_err(|s| s.message().to_owned())
        ));
        // The preview is the charge to the cent; unless payment-rpc could not say what the provider had given meanwhile.
        if let (Ok(preview), Ok(order), "confirmed", 0) = (preview, done, before.as_str(), self.by_itself) {
            let (preview, order) = (preview.into_inner(), order.into_inner());
            assert_eq!(preview.kept_cents, order.kept_cents, "{:#?}", self.log);
        }
    }

    async fn change(&mut self) {
        let nights = i64::try_from(1 + self.dice.below(4)).unwrap();
        let from = self.first_day + i64::try_from(self.dice.below(2)).unwrap();
        let key = self.dice.below(6);
        let request = pb::ChangeRequest {
            sn: self.sn.clone(),
            check_in: date_of_number(from).to_string(),
            check_out: date_of_number(from + nights).to_string(),
            guests: i64::try_from(1 + self.dice.below(3)).unwrap(),
            meals: self.dice.one_in(4).then_some(true),
            idempotency_key: if key < 4 {
                format!("{}-{key}", self.sn)
            } else {
                String::new()
            },
            route: "POST /v1/orders/{sn}/changes".into(),
            ..Default::default()
        };
        let known = self.changes().await;
        let quoted = self.world.user(GUEST).quote_change(request.clone()).await;
        let done = self.world.change(request).await;
        // The quote is the change to the cent.
        if let (Ok(quoted), Ok(reply)) = (quoted, &done) {
            let (quoted, made) = (quoted.into_inner(), reply.change.clone().unwrap());
            // One under way may be applied first.
            let new = known.iter().all(|change| {
                change.attempt != made.attempt && !["asked", "held"].contains(&change.state.as_str())
            });
            let paid = reply.order.as_ref().unwrap().state == "confirmed" && !self.unpaid_now;
            if new && paid && made.state == "applied" && self.by_itself == 0 {
                assert_eq!(
                    (quoted.total_cents, quoted.fee_cents, quoted.refund_cents),
                    (made.total_cents, made.fee_cents, made.refund_cents),
                    "{:#?}",
                    self.log
                );
            }
        }
        self.log.push(format!(
            "change to {nights}: {:?}",
            done.map(|r| r.change.map(|c| c.state)).map_err(|e| e.code())
        ));
    }

    /// What travel's sweep does with holds it has heard nothing of.
    async fn resolve(&mut self) {
        let holds: Vec<(String, i64)> = {
            let state = self.world.travel.state();
            let own = state
                .holds
                .values()
                .filter(|h| h.request.order_sn == self.sn && !h.released);
            own.map(|h| (h.request.hold_key.clone(), h.request.attempt))
                .collect()
        };
        let refs: Vec<(&str, &str, i64)> = holds
            .iter()
            .map(|(key, attempt)| (key.as_str(), self.sn.as_str(), *attempt))
            .collect();
        let verdicts = self.world.resolve(&refs).await;
        let mut state = self.world.travel.state();
        for ((key, _), verdict) in holds.iter().zip(verdicts) {
            if verdict == pb::resolve_holds_reply::Verdict::Release {
                state.holds.get_mut(key).unwrap().released = true;
                self.log.push(format!("travel releases {key}"));
            }
        }
    }

    fn another_books(&mut self) {
        let mut request = homestay_proto::travel::HoldRequest {
            hold_key: format!("another-{}-{}", self.sn, self.log.len()),
            order_sn: "another".into(),
            attempt: 1,
            house_id: self.house,
            guests: 1,
            ..Default::default()
        };
        request.check_in = date_of_number(self.first_day).to_string();
        request.check_out = date_of_number(self.first_day + 1).to_string();
        if self.world.travel.book(request) {
            self.log.push("another guest books".into());
        }
    }

    async fn step(&mut self) {
        if self.dice.one_in(4) {
            let nth = usize::try_from(self.dice.below(5)).unwrap();
            let fault = if self.dice.one_in(2) {
                Fault::Request
            } else {
                Fault::Reply
            };
            self.world.faults.lose(nth, fault);
            self.log.push(format!("(call {nth} loses its {fault:?})"));
        }
        match self.dice.below(18) {
            0..=3 => self.pay().await,
            4..=5 => self.capture(),
            6..=8 => {
                let state = self.world.advance(&self.sn).await;
                self.log
                    .push(format!("advance: {:?}", state.map_err(|e| e.code())));
            }
            9 => self.cancel().await,
            10..=11 => self.change().await,
            12 => {
                let minutes = [1, 5, 29, 31, 60, 1_500][usize::try_from(self.dice.below(6)).unwrap()];
                self.world.clock.advance(Duration::from_secs(60 * minutes));
                self.log.push(format!("{minutes} minutes later"));
            }
            13 => {
                let (payment, provider, travel) =
                    (self.dice.one_in(3), self.dice.one_in(3), self.dice.one_in(3));
                self.outage(payment, provider, travel);
                self.log.push(format!(
                    "down: payment {payment}, provider {provider}, travel {travel}"
                ));
            }
            14 => self.provider_gives(),
            15 => self.refused_or_retried(),
            16 => {
                self.world.payment.refunds_done();
                self.resolve().await;
            }
            _ => {
                self.another_books();
                self.world.sweep().await;
            }
        }
        self.world.faults.none();
    }

    fn outage(&self, payment: bool, provider: bool, travel: bool) {
        let mut state = self.world.payment.state();
        (state.down, state.provider_down) = (payment, provider);
        self.world.travel.state().down = travel;
    }

    /// Everything works again, and time passes: messages, jobs and sweeps do the rest.
    async fn rest(&mut self) {
        self.outage(false, false, false);
        for look in 0..3 {
            self.world.clock.advance(Duration::from_secs(3_600));
            let state = self.world.advance(&self.sn).await;
            self.log.push(format!("at rest: {state:?}"));
            // What is refused to the end waits for a person.
            if look < 2 && self.dice.one_in(2) {
                self.refused_or_retried();
            }
            self.world.payment.refunds_done();
            self.resolve().await;
        }
    }

    async fn check(&self, seed: u64) {
        let order = self.world.order(&self.sn).await;
        let payments: Vec<_> = self
            .payments()
            .into_iter()
            .filter(|p| matches!(p.state.as_str(), "captured" | "refund_pending" | "refunded"))
            .collect();
        let told = format!("seed {seed}: {:#?}\n{payments:#?}\n{order:#?}", self.log);
        let mut charges: Vec<i64> = payments
            .iter()
            .filter(|p| p.amount_cents > p.refund_reserved_cents)
            .map(|p| p.charge)
            .collect();
        charges.sort_unstable();
        let paying = charges.len();
        charges.dedup();
        assert_eq!(charges.len(), paying, "two payments for one charge: {told}");
        let refused = self.check_money(&order, &told);
        match order.state.as_str() {
            "confirmed" => {
                assert_eq!(self.world.travel.held(&self.sn), [order.attempt], "{told}");
            }
            // A refund that was refused waits for a person.
            "refund_pending" if refused == 0 => panic!("not at rest: {told}"),
            "cancelled" | "refund_pending" | "refunded" => {
                assert!(self.world.travel.held(&self.sn).is_empty(), "{told}");
            }
            _ => panic!("not at rest: {told}"),
        }
        assert_eq!(order.due_cents, 0, "{told}");
        self.check_fees(&order, &told).await;
    }
}

async fn play(world: &World, seed: u64, nth: i64) -> String {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    for _ in 0..4 {
        dice.below(2);
    }
    let policy = policy(&mut dice);
    world.travel.state().policy = Some(policy.clone());
    world.payment.state().captured_at_close = dice.one_in(3);
    let house = 1_000 + nth;
    let today = world.clock.now_ms() / 86_400_000;
    let first_day = today + 2 + i64::try_from(dice.below(9)).unwrap();
    let request = pb::CreateRequest {
        house_id: house,
        check_in: date_of_number(first_day).to_string(),
        check_out: date_of_number(first_day + 2).to_string(),
        ..booking()
    };
    let sn = world.create(GUEST, request).await.expect("a booking").sn;
    let mut run = Run {
        world,
        dice,
        sn,
        house,
        first_day,
        asked: None,
        by_itself: 0,
        policy,
        unpaid: std::collections::BTreeSet::new(),
        at_change: std::collections::BTreeMap::new(),
        at_cancel: None,
        unpaid_now: true,
        log: Vec::new(),
    };
    if run.dice.one_in(3) {
        run.pay().await;
        run.pay().await;
        run.capture();
        world.advance(&run.sn).await.expect("paid");
    }
    for _ in 0..STEPS {
        run.watched_step().await;
    }
    run.rest().await;
    run.check(seed).await;
    world.order(&run.sn).await.state
}

async fn prove(first_seed: u64) {
    let world = World::new().await;
    let mut ends = std::collections::BTreeMap::<String, u64>::new();
    for nth in 0..runs() {
        let state = play(&world, first_seed + nth, i64::try_from(nth).unwrap()).await;
        *ends.entry(state).or_default() += 1;
    }
    println!("seeds from {first_seed}: {ends:?}");
    assert!(ends.len() == 4, "the dice find all ends: {ends:?}");
}

#[tokio::test]
async fn at_rest_every_captured_cent_is_kept_or_back_whatever_happened() {
    prove(1).await;
}

#[tokio::test]
async fn and_so_it_is_on_other_ways() {
    prove(1_000_000).await;
}
