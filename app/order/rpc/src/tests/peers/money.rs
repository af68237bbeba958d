//! The fake of payment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use homestay_error::Code;
use homestay_proto::common::Empty;
use homestay_proto::payment as pay;
use homestay_proto::payment::payment_server::Payment;
use tonic::Request;

use super::{Faults, Meanwhile, Reply, reply};
use crate::tests::status;

/// How far the provider is with a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Pending,
    /// Refused: its share stays set apart, and there is an open case.
    Refused,
    Done,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct FakeRefund {
    pub(crate) cents: i64,
    pub(crate) stage: Stage,
}

#[derive(Default)]
pub(crate) struct PaymentState {
    pub(crate) payments: Vec<pay::PaymentView>,
    /// Orders that take no new payments, for one charge at least; and all that was closed.
    pub(crate) closed: Vec<String>,
    pub(crate) closed_charges: BTreeSet<(String, i64)>,
    /// Refunds by payment and key.
    pub(crate) keys: BTreeMap<(String, String), FakeRefund>,
    /// What was settled, by order.
    pub(crate) settled: BTreeMap<String, i64>,
    /// Cases that were opened, by what they are about.
    pub(crate) cases: Vec<String>,
    /// Every refund is refused.
    pub(crate) refuses_refunds: bool,
    /// No call arrives.
    pub(crate) down: bool,
    /// Calls arrive, and nothing more is heard of them.
    pub(crate) hangs: bool,
    /// The provider does not answer: nothing can be closed, but what is known is told.
    pub(crate) provider_down: bool,
    /// Closing finds out that the money came.
    pub(crate) captured_at_close: bool,
    /// Payments and reasons, in the order asked.
    pub(crate) refunds: Vec<(String, String)>,
    /// Once, while an order is closed.
    pub(crate) meanwhile: Option<Meanwhile<String>>,
}

impl PaymentState {
    fn left(&self, payment_sn: &str) -> i64 {
        let payment = self.payments.iter().find(|p| p.sn == payment_sn).unwrap();
        payment.amount_cents - payment.refund_reserved_cents
    }

    /// What is left of all that was captured for an order, less what is settled.
    fn free(&self, order_sn: &str) -> i64 {
        let captured = |p: &&pay::PaymentView| {
            p.order_sn == order_sn && ["captured", "refund_pending", "refunded"].contains(&p.state.as_str())
        };
        let left: i64 = self
            .payments
            .iter()
            .filter(captured)
            .map(|p| p.amount_cents - p.refund_reserved_cents)
            .sum();
        left - self.settled.get(order_sn).copied().unwrap_or_default()
    }

    /// Has a payment say what its refunds come to.
    fn add_up(&mut self, payment_sn: &str) {
        let of = |done: bool| -> i64 {
            let own = self.keys.iter().filter(|((sn, _), _)| sn == payment_sn);
            own.filter(|(_, refund)| !done || refund.stage == Stage::Done)
                .map(|(_, refund)| refund.cents)
                .sum()
        };
        let (reserved, back) = (of(false), of(true));
        let payment = self.payments.iter_mut().find(|p| p.sn == payment_sn).unwrap();
        (payment.refund_reserved_cents, payment.refunded_cents) = (reserved, back);
        if back == payment.amount_cents {
            payment.state = "refunded".into();
        } else if reserved == payment.amount_cents {
            payment.state = "refund_pending".into();
        }
    }

    fn open(&mut self, reference: String) {
        if !self.cases.contains(&reference) {
            self.cases.push(reference);
        }
    }
}

#[derive(Clone)]
pub(crate) struct FakePayment {
    faults: Faults,
    state: Arc<Mutex<PaymentState>>,
}

impl FakePayment {
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            faults,
            state: Arc::default(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, PaymentState> {
        self.state.lock().unwrap()
    }

    /// A payment of an order in a state; returns its number.
    pub(crate) fn has(&self, order_sn: &str, state: &str, amount_cents: i64) -> String {
        self.has_for(order_sn, 0, state, amount_cents)
    }

    /// The same for a charge.
    pub(crate) fn has_for(&self, order_sn: &str, charge: i64, state: &str, amount_cents: i64) -> String {
        let mut all = self.state();
        let nth = i64::try_from(all.payments.len()).unwrap();
        let sn = format!("PMT{nth:022}");
        all.payments.push(pay::PaymentView {
            sn: sn.clone(),
            order_sn: order_sn.into(),
            charge,
            state: state.into(),
            amount_cents,
            currency: "CNY".into(),
            captured_at_ms: homestay_testkit::NOW_MS + 1_000 + nth,
            pay_type: "SANDBOX".into(),
            ..Default::default()
        });
        sn
    }

    /// The provider gives all that is left back of its own accord.
    pub(crate) fn refunded_by_provider(&self, sn: &str) {
        let left = self.state().left(sn);
        self.gives_back(sn, left);
    }

    /// The provider gives so much back of its own accord: what is owed by a refund it refused, or else of what is left. A part
    /// is a case.
    pub(crate) fn gives_back(&self, sn: &str, cents: i64) {
        let mut all = self.state();
        let refused = all
            .keys
            .iter_mut()
            .find(|((of, _), refund)| of == sn && refund.stage == Stage::Refused && refund.cents == cents);
        if let Some((key, refund)) = refused {
            refund.stage = Stage::Done;
            let case = format!("{}:{}:refused", key.0, key.1);
            all.cases.retain(|open| *open != case);
            all.add_up(sn);
            return;
        }
        assert!(cents <= all.left(sn));
        let nth = all.keys.len();
        let refund = FakeRefund {
            cents,
            stage: Stage::Done,
        };
        all.keys
            .insert((sn.to_owned(), format!("provider:{nth}")), refund);
        all.add_up(sn);
        let order = all.payments.iter().find(|p| p.sn == sn).unwrap().order_sn.clone();
        // A part, or money that was passed on.
        if all.left(sn) > 0 || all.free(&order) < 0 {
            all.open(format!("{sn}:provider:{nth}"));
        }
    }

    /// The provider refuses a refund it was asked for.
    pub(crate) fn refuses(&self, sn: &str, key: &str) {
        let mut all = self.state();
        let known = (sn.to_owned(), key.to_owned());
        all.keys.get_mut(&known).unwrap().stage = Stage::Refused;
        all.open(format!("{sn}:{key}:refused"));
        all.add_up(sn);
    }

    /// An operator has refunds sent again that the provider refused.
    pub(crate) fn retried(&self) {
        let mut all = self.state();
        for refund in all.keys.values_mut() {
            if refund.stage == Stage::Refused {
                refund.stage = Stage::Pending;
            }
        }
        all.cases.retain(|case| !case.ends_with(":refused"));
    }

    /// What is back of a payment.
    pub(crate) fn back(&self, sn: &str) -> i64 {
        let all = self.state();
        all.payments
            .iter()
            .find(|p| p.sn == sn)
            .unwrap()
            .refund_reserved_cents
    }

    /// State of a payment.
    pub(crate) fn of(&self, sn: &str) -> String {
        let all = self.state();
        all.payments.iter().find(|p| p.sn == sn).unwrap().state.clone()
    }

    /// The provider carries out all refunds it was asked for and has not refused.
    pub(crate) fn refunds_done(&self) {
        let mut all = self.state();
        let mut touched = BTreeSet::new();
        for ((sn, _), refund) in &mut all.keys {
            if refund.stage == Stage::Pending {
                refund.stage = Stage::Done;
                touched.insert(sn.clone());
            }
        }
        for sn in touched {
            all.add_up(&sn);
        }
    }

    fn list(&self, order_sn: &str) -> Vec<pay::PaymentView> {
        let state = self.state();
        state
            .payments
            .iter()
            .filter(|p| p.order_sn == order_sn)
            .cloned()
            .collect()
    }
}

/// Takes all the time the call was given.
async fn hang() {
    let left = homestay_rpc::deadline::left().unwrap_or(homestay_rpc::deadline::CALL);
    tokio::time::pause();
    tokio::time::advance(left).await;
    tokio::time::resume();
    std::future::pending::<()>().await;
}

#[tonic::async_trait]
impl Payment for FakePayment {
    async fn list_for_order(&self, request: Request<pay::ListForOrderRequest>) -> Reply<pay::PaymentList> {
        let lost = self.faults.call()?;
        if self.state().hangs {
            hang().await;
        }
        if self.state().down {
            return Err(status(Code::Unavailable));
        }
        let payments = self.list(&request.into_inner().order_sn);
        reply(lost, Ok(pay::PaymentList { payments }))
    }

    async fn close_for_order(
        &self,
        request: Request<pay::CloseForOrderRequest>,
    ) -> Reply<pay::CloseForOrderReply> {
        let lost = self.faults.call()?;
        if self.state().hangs {
            hang().await;
        }
        let r = request.into_inner();
        let sn = r.order_sn;
        {
            let mut state = self.state();
            if state.down {
                return Err(status(Code::Unavailable));
            }
            if !state.closed.contains(&sn) {
                state.closed.push(sn.clone());
            }
            let charge = if r.all_charges { -1 } else { r.charge };
            state.closed_charges.insert((sn.clone(), charge));
            if state.provider_down {
                return Err(status(Code::Provider));
            }
            let end = if state.captured_at_close {
                "captured"
            } else {
                "closed"
            };
            for payment in &mut state.payments {
                let meant = r.all_charges || payment.charge == r.charge;
                if payment.order_sn == sn && payment.state == "pending" && meant {
                    payment.state = end.into();
                }
            }
        }
        let payments = self.list(&sn);
        let meanwhile = self.state().meanwhile.take().map(|run| run(sn));
        if let Some(run) = meanwhile {
            run.await;
        }
        reply(lost, Ok(pay::CloseForOrderReply { payments }))
    }

    async fn refund(&self, request: Request<pay::RefundRequest>) -> Reply<pay::RefundView> {
        let lost = self.faults.call()?;
        let r = request.into_inner();
        let mut state = self.state();
        if state.down {
            return Err(status(Code::Unavailable));
        }
        if state.refuses_refunds {
            return Err(status(Code::PaymentState));
        }
        let key = (r.payment_sn.clone(), r.key.clone());
        let left = state.left(&r.payment_sn);
        let amount = if r.amount_cents == 0 { left } else { r.amount_cents };
        let payment = state.payments.iter().find(|p| p.sn == r.payment_sn).unwrap();
        let captured = ["captured", "refund_pending", "refunded"].contains(&payment.state.as_str());
        let free = state.free(&payment.order_sn);
        let view = |amount_cents| {
            Ok(pay::RefundView {
                amount_cents,
                ..Default::default()
            })
        };
        match state.keys.get(&key) {
            Some(known) if r.amount_cents != 0 && known.cents != amount => {
                return Err(status(Code::IdempotencyKeyReused));
            }
            Some(known) => return reply(lost, view(known.cents)),
            None if !captured => return Err(status(Code::PaymentState)),
            // All of nothing: somebody else has seen to it.
            None if r.amount_cents == 0 && r.key.is_empty() && left == 0 => return reply(lost, view(0)),
            None if amount == 0 || amount > left || amount > free => return Err(status(Code::RefundExceeds)),
            None => {}
        }
        let refund = FakeRefund {
            cents: amount,
            stage: Stage::Pending,
        };
        state.keys.insert(key, refund);
        state.add_up(&r.payment_sn);
        state.refunds.push((r.payment_sn, r.reason));
        reply(lost, view(amount))
    }

    async fn create(&self, _: Request<pay::CreateRequest>) -> Reply<pay::PaymentView> {
        unreachable!("order-rpc does not ask")
    }
    async fn get(&self, _: Request<pay::GetRequest>) -> Reply<pay::PaymentView> {
        unreachable!("order-rpc does not ask")
    }
    async fn execute_refund(&self, _: Request<pay::ExecuteRefundRequest>) -> Reply<pay::RefundView> {
        unreachable!("order-rpc does not ask")
    }
    async fn callback(&self, _: Request<pay::CallbackRequest>) -> Reply<pay::CallbackReply> {
        unreachable!("order-rpc does not ask")
    }
    async fn sweep(&self, _: Request<Empty>) -> Reply<pay::SweepReply> {
        unreachable!("order-rpc does not ask")
    }
    async fn sandbox_page(&self, _: Request<pay::SandboxPageRequest>) -> Reply<pay::SandboxCharge> {
        unreachable!("order-rpc does not ask")
    }
    async fn sandbox_act(&self, _: Request<pay::SandboxActRequest>) -> Reply<pay::SandboxCharge> {
        unreachable!("order-rpc does not ask")
    }
    async fn sandbox_deliver(&self, _: Request<pay::SandboxDeliverRequest>) -> Reply<Empty> {
        unreachable!("order-rpc does not ask")
    }
    async fn settle(&self, request: Request<pay::SettleRequest>) -> Reply<pay::SettleReply> {
        let lost = self.faults.call()?;
        let r = request.into_inner();
        let mut state = self.state();
        if state.down {
            return Err(status(Code::Unavailable));
        }
        match state.settled.get(&r.order_sn) {
            Some(known) if *known != r.amount_cents => return Err(status(Code::IdempotencyKeyReused)),
            Some(_) => {}
            None if r.amount_cents > state.free(&r.order_sn) => return Err(status(Code::PaymentState)),
            None => {
                state.settled.insert(r.order_sn, r.amount_cents);
            }
        }
        reply(lost, Ok(pay::SettleReply::default()))
    }
    async fn open_case(&self, request: Request<pay::OpenCaseRequest>) -> Reply<pay::Case> {
        let lost = self.faults.call()?;
        self.state().open(request.into_inner().r#ref);
        reply(lost, Ok(pay::Case::default()))
    }
    async fn list_cases(&self, _: Request<pay::ListCasesRequest>) -> Reply<pay::CaseList> {
        unreachable!("order-rpc does not ask")
    }
    async fn get_case(&self, _: Request<pay::GetCaseRequest>) -> Reply<pay::Case> {
        unreachable!("order-rpc does not ask")
    }
    async fn note_case(&self, _: Request<pay::NoteCaseRequest>) -> Reply<pay::Case> {
        unreachable!("order-rpc does not ask")
    }
    async fn resolve_case(&self, _: Request<pay::ResolveCaseRequest>) -> Reply<pay::Case> {
        unreachable!("order-rpc does not ask")
    }
}
