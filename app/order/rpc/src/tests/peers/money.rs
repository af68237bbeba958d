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

#[derive(Default)]
pub(crate) struct PaymentState {
    pub(crate) payments: Vec<pay::PaymentView>,
    /// Orders that take no new payments, for one charge at least; and all that was closed.
    pub(crate) closed: Vec<String>,
    pub(crate) closed_charges: BTreeSet<(String, i64)>,
    /// Refunds by payment and key, with their amounts.
    pub(crate) keys: BTreeMap<(String, String), i64>,
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

    /// The provider gives money back of its own accord.
    pub(crate) fn refunded_by_provider(&self, sn: &str) {
        let mut all = self.state();
        let payment = all.payments.iter_mut().find(|p| p.sn == sn).unwrap();
        payment.state = "refunded".into();
        payment.refunded_cents = payment.amount_cents;
        payment.refund_reserved_cents = payment.amount_cents;
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

    /// The provider carries out all refunds it was asked for.
    pub(crate) fn refunds_done(&self) {
        for payment in &mut self.state().payments {
            payment.refunded_cents = payment.refund_reserved_cents;
            if payment.state == "refund_pending" {
                payment.state = "refunded".into();
            }
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
        let payment = state.payments.iter_mut().find(|p| p.sn == r.payment_sn).unwrap();
        let left = payment.amount_cents - payment.refund_reserved_cents;
        let amount = if r.amount_cents == 0 { left } else { r.amount_cents };
        let captured = payment.state == "captured";
        match state.keys.get(&key) {
            Some(known) => assert!(
                r.amount_cents == 0 || *known == amount,
                "another amount under {key:?}"
            ),
            None if !captured || amount > left => return Err(status(Code::PaymentState)),
            None => {
                state.keys.insert(key, amount);
                let payment = state.payments.iter_mut().find(|p| p.sn == r.payment_sn).unwrap();
                payment.refund_reserved_cents += amount;
                if payment.refund_reserved_cents == payment.amount_cents {
                    payment.state = "refund_pending".into();
                }
                state.refunds.push((r.payment_sn, r.reason));
            }
        }
        reply(lost, Ok(pay::RefundView::default()))
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
        let known = state.settled.insert(r.order_sn, r.amount_cents);
        assert!(known.is_none_or(|cents| cents == r.amount_cents));
        reply(lost, Ok(pay::SettleReply::default()))
    }
    async fn open_case(&self, request: Request<pay::OpenCaseRequest>) -> Reply<pay::Case> {
        let lost = self.faults.call()?;
        self.state().cases.push(request.into_inner().r#ref);
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
