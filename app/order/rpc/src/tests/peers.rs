//! Fakes of travel and payment: small, in memory, and able to lose what they are asked or what they answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use futures::future::BoxFuture;
use homestay_error::Code;
use homestay_proto::common::{CancellationPolicy, Empty, PriceLine, Quote};
use homestay_proto::travel as tr;
use homestay_proto::travel::travel_server::Travel;
use homestay_types::{date_of_number, day_number, parse_date};
use tonic::{Request, Response, Status};

use super::status;

mod money;

pub(crate) use money::{FakePayment, Stage};

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
