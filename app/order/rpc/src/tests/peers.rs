//! Fakes of travel and payment: small, in memory, and able to lose what they are asked or what they answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use futures::future::BoxFuture;
use homestay_error::Code;
use homestay_proto::common::{CancellationPolicy, Empty, PriceLine, Quote};
use homestay_proto::payment as pay;
use homestay_proto::payment::payment_server::Payment;
use homestay_proto::travel as tr;
use homestay_proto::travel::travel_server::Travel;
use homestay_types::{date_of_number, day_number, parse_date};
use tonic::{Request, Response, Status};

use super::status;

type Reply<T> = Result<Response<T>, Status>;

/// How a call is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It never arrives.
    Request,
    /// It is carried out, and nobody hears of it.
    Reply,
}

/// Counts the calls of all peers, and loses one of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    calls: usize,
    lost: Option<(usize, Fault)>,
}

impl Faults {
    /// Loses the `nth` call from now, from 0.
    pub(crate) fn lose(&self, nth: usize, fault: Fault) {
        *self.0.lock().unwrap() = Plan {
            calls: 0,
            lost: Some((nth, fault)),
        };
    }

    /// Loses no more calls.
    pub(crate) fn none(&self) {
        *self.0.lock().unwrap() = Plan::default();
    }

    /// Calls counted since.
    pub(crate) fn calls(&self) -> usize {
        self.0.lock().unwrap().calls
    }

    /// Counts a call; whether its reply is to be lost.
    fn call(&self) -> Result<bool, Status> {
        let mut plan = self.0.lock().unwrap();
        let nth = plan.calls;
        plan.calls += 1;
        match plan.lost {
            Some((lost, Fault::Request)) if lost == nth => Err(status(Code::Unavailable)),
            Some((lost, Fault::Reply)) if lost == nth => Ok(true),
            _ => Ok(false),
        }
    }
}

fn reply<T>(lost: bool, answer: Result<T, Status>) -> Reply<T> {
    if lost {
        return Err(status(Code::Timeout));
    }
    answer.map(Response::new)
}

#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) request: tr::HoldRequest,
    pub(crate) released: bool,
    /// The stay it is for.
    nights: (i64, i64),
}

/// Something to be done after a call was carried out and before its reply.
type Meanwhile<T> = Box<dyn Fn(T) -> BoxFuture<'static, ()> + Send>;

#[derive(Default)]
pub(crate) struct TravelState {
    pub(crate) holds: BTreeMap<String, Held>,
    /// Every booking is refused with this.
    pub(crate) refusal: Option<Code>,
    /// No call arrives.
    pub(crate) down: bool,
    /// Of all houses; none: they say nothing.
    pub(crate) policy: Option<CancellationPolicy>,
    pub(crate) meanwhile: Option<Meanwhile<tr::HoldRequest>>,
}

#[derive(Clone)]
pub(crate) struct FakeTravel {
    faults: Faults,
    state: Arc<Mutex<TravelState>>,
}

impl FakeTravel {
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            faults,
            state: Arc::default(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, TravelState> {
        self.state.lock().unwrap()
    }

    /// Attempts of an order that hold nights.
    pub(crate) fn held(&self, sn: &str) -> Vec<i64> {
        let state = self.state();
        let held = state
            .holds
            .values()
            .filter(|hold| hold.request.order_sn == sn && !hold.released);
        held.map(|hold| hold.request.attempt).collect()
    }

    /// Somebody else books the nights of the usual booking.
    pub(crate) fn taken_by_another(&self) {
        let request = tr::HoldRequest {
            order_sn: "another".into(),
            house_id: 7,
            ..Default::default()
        };
        let night = day_number(parse_date("2026-12-02").unwrap());
        let held = Held {
            request,
            released: false,
            nights: (night, night + 1),
        };
        self.state().holds.insert("another".into(), held);
    }

    /// Somebody else books; whether the nights were free.
    pub(crate) fn book(&self, request: tr::HoldRequest) -> bool {
        self.take(request).is_ok()
    }

    fn take(&self, request: tr::HoldRequest) -> Result<tr::HoldReply, Status> {
        let mut state = self.state();
        if state.down {
            return Err(status(Code::Unavailable));
        }
        if let Some(known) = state.holds.get(&request.hold_key) {
            if known.request.fingerprint != request.fingerprint {
                return Err(status(Code::IdempotencyKeyReused));
            }
            if known.released {
                return Err(status(Code::IdempotencyKeyExpired));
            }
            return Ok(answer(&known.request, known.nights, true));
        }
        if let Some(code) = state.refusal {
            return Err(status(code));
        }
        let nights = nights(&request);
        let taken = state.holds.values().any(|hold| {
            let same = hold.request.house_id == request.house_id && !hold.released;
            let own = request.new_booking
                && request.change_of_attempt > 0
                && hold.request.order_sn == request.order_sn;
            same && !own && hold.nights.0 < nights.1 && nights.0 < hold.nights.1
        });
        if taken {
            return Err(status(Code::DatesTaken));
        }
        let mut answer = answer(&request, nights, false);
        if let (Some(house), Some(policy)) = (&mut answer.house, &state.policy) {
            house.policy = Some(policy.clone());
        }
        let total = answer.quote.as_ref().map_or(0, |quote| quote.total_cents);
        if request.expected_total_cents > 0 && request.expected_total_cents != total {
            return Err(status(Code::PriceChanged));
        }
        let held = Held {
            request: request.clone(),
            released: false,
            nights,
        };
        state.holds.insert(request.hold_key, held);
        Ok(answer)
    }
}

fn nights(request: &tr::HoldRequest) -> (i64, i64) {
    if request.check_in.is_empty() {
        // Asia/Shanghai is eight hours ahead.
        let day = |s: i64| (s + 8 * 3600).div_euclid(86_400);
        return (day(request.start_s), day(request.end_s));
    }
    let day = |text: &str| day_number(parse_date(text).unwrap());
    (day(&request.check_in), day(&request.check_out))
}

fn answer(request: &tr::HoldRequest, nights: (i64, i64), repeated: bool) -> tr::HoldReply {
    let count = nights.1 - nights.0;
    let meals = if request.meals { 3_000 * request.guests } else { 0 };
    // House 99 costs nothing; the fifties are sold per person. From 1000 on the last digit says it: 9 and 5.
    let (room, quantity) = match request.house_id {
        99 => (0, 1),
        50..=59 => (10_000, request.guests),
        id if id >= 1000 && id % 10 == 9 => (0, 1),
        id if id >= 1000 && id % 10 == 5 => (10_000, request.guests),
        _ => (10_000, 1),
    };
    let line = |kind: &str, day: i64, cents: i64, quantity: i64| PriceLine {
        kind: kind.into(),
        date: date_of_number(day).to_string(),
        unit_cents: cents,
        quantity,
        total_cents: cents * quantity,
    };
    let mut lines: Vec<_> = (nights.0..nights.1)
        .map(|day| line("room", day, room, quantity))
        .collect();
    if request.meals {
        lines.extend((nights.0..nights.1).map(|day| line("meals", day, 3_000, request.guests)));
    }
    tr::HoldReply {
        order_sn: request.order_sn.clone(),
        house: Some(tr::House {
            id: request.house_id,
            title: "Bamboo House".into(),
            sub_title: "by the river".into(),
            banner: "a.jpg, b.jpg".into(),
            info: "quiet".into(),
            people_num: 4,
            shop_id: 5,
            host_id: 6,
            row_state: 1,
            food_info: "noodles".into(),
            food_cents: 3_000,
            price_cents: 10_000,
            market_cents: 12_000,
            time_zone: "Asia/Shanghai".into(),
            currency: "CNY".into(),
            units: 1,
            ..Default::default()
        }),
        quote: Some(Quote {
            house_id: request.house_id,
            check_in: date_of_number(nights.0).to_string(),
            check_out: date_of_number(nights.1).to_string(),
            nights: count,
            guests: request.guests,
            meals: request.meals,
            currency: "CNY".into(),
            room_cents: room * quantity * count,
            meal_cents: meals * count,
            total_cents: (room * quantity + meals) * count,
            lines,
        }),
        unit: 1,
        repeated,
    }
}

#[tonic::async_trait]
impl Travel for FakeTravel {
    async fn hold(&self, request: Request<tr::HoldRequest>) -> Reply<tr::HoldReply> {
        let lost = self.faults.call()?;
        let request = request.into_inner();
        let answer = self.take(request.clone());
        let meanwhile = self.state().meanwhile.as_ref().map(|run| run(request));
        if let Some(run) = meanwhile {
            run.await;
        }
        reply(lost, answer)
    }

    async fn release(&self, request: Request<tr::ReleaseRequest>) -> Reply<Empty> {
        let lost = self.faults.call()?;
        let r = request.into_inner();
        let mut state = self.state();
        if state.down {
            return Err(status(Code::Unavailable));
        }
        for hold in state.holds.values_mut() {
            let attempt = hold.request.attempt;
            let meant = attempt == r.attempt || !r.only && attempt < r.attempt;
            if hold.request.order_sn == r.order_sn && meant {
                hold.released = true;
            }
        }
        reply(lost, Ok(Empty {}))
    }

    async fn get_house(&self, _: Request<tr::GetHouseRequest>) -> Reply<tr::House> {
        unreachable!("order-rpc does not ask")
    }
    async fn list_houses(&self, _: Request<tr::ListHousesRequest>) -> Reply<tr::Houses> {
        unreachable!("order-rpc does not ask")
    }
    async fn search_houses(&self, _: Request<tr::SearchHousesRequest>) -> Reply<tr::SearchHousesReply> {
        unreachable!("order-rpc does not ask")
    }
    async fn list_shops(&self, _: Request<tr::ListShopsRequest>) -> Reply<tr::Shops> {
        unreachable!("order-rpc does not ask")
    }
    async fn get_shop(&self, _: Request<tr::GetShopRequest>) -> Reply<tr::Shop> {
        unreachable!("order-rpc does not ask")
    }
    async fn list_good_hosts(&self, _: Request<Empty>) -> Reply<tr::GoodHosts> {
        unreachable!("order-rpc does not ask")
    }
    async fn list_comments(&self, _: Request<tr::ListCommentsRequest>) -> Reply<tr::Comments> {
        unreachable!("order-rpc does not ask")
    }
    async fn get_calendar(&self, _: Request<tr::GetCalendarRequest>) -> Reply<tr::Calendar> {
        unreachable!("order-rpc does not ask")
    }
    async fn get_quote(&self, request: Request<tr::GetQuoteRequest>) -> Reply<Quote> {
        let r = request.into_inner();
        let request = tr::HoldRequest {
            house_id: r.house_id,
            check_in: r.check_in,
            check_out: r.check_out,
            guests: r.guests,
            meals: r.meals,
            ..Default::default()
        };
        let quote = answer(&request, nights(&request), false).quote.unwrap();
        Ok(Response::new(quote))
    }
    async fn sweep_holds(&self, _: Request<Empty>) -> Reply<tr::SweepHoldsReply> {
        unreachable!("order-rpc does not ask")
    }
    async fn get_availability(&self, _: Request<tr::GetAvailabilityRequest>) -> Reply<tr::Availability> {
        unreachable!("order-rpc does not ask")
    }
    async fn get_rules(&self, _: Request<tr::GetRulesRequest>) -> Reply<tr::HouseRules> {
        unreachable!("order-rpc does not ask")
    }
    async fn set_rules(&self, _: Request<tr::SetRulesRequest>) -> Reply<tr::HouseRules> {
        unreachable!("order-rpc does not ask")
    }
    async fn list_blocks(&self, _: Request<tr::ListBlocksRequest>) -> Reply<tr::Blocks> {
        unreachable!("order-rpc does not ask")
    }
    async fn create_block(&self, _: Request<tr::CreateBlockRequest>) -> Reply<tr::Block> {
        unreachable!("order-rpc does not ask")
    }
    async fn delete_block(&self, _: Request<tr::DeleteBlockRequest>) -> Reply<Empty> {
        unreachable!("order-rpc does not ask")
    }
    async fn seed(&self, _: Request<tr::SeedRequest>) -> Reply<tr::SeedReply> {
        unreachable!("order-rpc does not ask")
    }
}

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
