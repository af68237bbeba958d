use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use homestay_clock::Clock;
use homestay_db::Db;
use homestay_error::{Code, Error};
use homestay_proto::common::{CancellationPolicy, Empty, PolicyWindow};
use homestay_proto::order::order_server::{Order, OrderServer};
use homestay_proto::order::resolve_holds_reply::Verdict;
use homestay_proto::order::{self as order, ResolveHoldsReply, ResolveHoldsRequest};
use homestay_proto::travel as pb;
use homestay_proto::travel::travel_client::TravelClient;
use homestay_proto::travel::travel_server::TravelServer;
use homestay_rpc::{Actor, Channel, LocalSlot};
use homestay_testkit::{TestDb, channel_as, clock, database, fake, serve};
use homestay_types::{Role, date_of_number, day_number};
use tonic::{Request, Response, Status};

use crate::rules::terms::Terms;
use crate::{Config, House, METHODS, MIGRATIONS, TravelService};

/// Where the test clock starts, in Shanghai: a Saturday.
pub(super) const TODAY: &str = "2026-11-21";
/// The order number of the n-th booking.
pub(super) fn sn(n: i64) -> String {
    format!("HSO{n:022}")
}

/// The date `days` after today.
pub(super) fn day(days: i64) -> String {
    date_of_number(day_number(TODAY.parse().unwrap()) + days).to_string()
}

/// The service under test, over a database of its own, called by another service of ours.
pub(super) struct World {
    pub(super) travel: TravelClient<Channel>,
    slot: LocalSlot,
    pub(super) orders: FakeOrders,
    pub(super) clock: Clock,
    pub(super) test_db: TestDb,
}

impl World {
    pub(super) async fn new() -> Self {
        let (clock, ids) = clock();
        let test_db = database(MIGRATIONS).await;
        let orders = FakeOrders::default();
        let service = TravelService::new(
            test_db.db.clone(),
            ids,
            clock.clone(),
            fake(OrderServer::new(orders.clone())),
            Config::default(),
        );
        let slot = serve(TravelServer::new(service), METHODS);
        let travel = TravelClient::new(channel_as(&slot, &Actor::Service("test".into())));
        Self {
            travel,
            slot,
            orders,
            clock,
            test_db,
        }
    }

    /// A world with one shop and these houses.
    pub(super) async fn with(houses: Vec<pb::SeedHouse>) -> Self {
        let world = Self::new().await;
        world.seed(houses).await;
        world
    }

    pub(super) async fn seed(&self, houses: Vec<pb::SeedHouse>) -> pb::SeedReply {
        let request = pb::SeedRequest {
            shops: vec![shop(1, 1)],
            houses,
        };
        self.travel().seed(request).await.unwrap().into_inner()
    }

    pub(super) fn travel(&self) -> TravelClient<Channel> {
        self.travel.clone()
    }

    pub(super) fn db(&self) -> &Db {
        &self.test_db.db
    }

    pub(super) async fn hold(&self, request: pb::HoldRequest) -> Result<pb::HoldReply, Error> {
        Ok(self.travel().hold(request).await?.into_inner())
    }

    pub(super) async fn release(&self, order_sn: String, attempt: i64) {
        let request = pb::ReleaseRequest {
            order_sn,
            attempt,
            only: false,
        };
        self.travel().release(request).await.unwrap();
    }

    /// (free units, free meals) of the days from today.
    pub(super) async fn left(&self, house_id: i64, days: i64) -> Vec<(i64, i64)> {
        let request = pb::GetCalendarRequest {
            house_id,
            from: day(0),
            to: day(days),
        };
        let calendar = self.travel().get_calendar(request).await.unwrap().into_inner();
        calendar
            .days
            .iter()
            .map(|day| (day.free_units, day.free_meals))
            .collect()
    }

    /// Calls of an account.
    pub(super) fn as_user(&self, id: i64, role: Role) -> TravelClient<Channel> {
        TravelClient::new(channel_as(&self.slot, &Actor::User { id, role }))
    }

    /// Only the hold of this attempt.
    pub(super) async fn drop_change(&self, order_sn: String, attempt: i64) {
        let request = pb::ReleaseRequest {
            order_sn,
            attempt,
            only: true,
        };
        self.travel().release(request).await.unwrap();
    }

    /// (days after today, unit, number of the order, attempt) of all nights that are gone.
    pub(super) async fn nights(&self) -> Vec<(i64, i64, String, i64)> {
        use sqlx::Row;
        let rows = sqlx::query("SELECT day, unit, order_sn, attempt FROM night ORDER BY day, unit")
            .fetch_all(self.db().read())
            .await
            .unwrap();
        let today = day_number(TODAY.parse().unwrap());
        rows.iter()
            .map(|row| (row.get::<i64, _>(0) - today, row.get(1), row.get(2), row.get(3)))
            .collect()
    }

    pub(super) async fn count(&self, sql: &'static str) -> i64 {
        use sqlx::Row;
        let row = sqlx::query(sql).fetch_one(self.db().read()).await.unwrap();
        row.get(0)
    }
}

pub(super) fn shop(id: i64, row_state: i64) -> pb::SeedShop {
    pb::SeedShop {
        good_rank: 0,
        shop: Some(pb::Shop {
            id,
            title: format!("Shop {id}"),
            host_id: id + 100,
            row_state,
            ..pb::Shop::default()
        }),
    }
}

/// A house for four at 100.00 a night, one unit, ten meals a day at 20.00, open for 400 days.
pub(super) fn house(id: i64) -> pb::House {
    pb::House {
        id,
        title: format!("House {id}"),
        people_num: 4,
        shop_id: 1,
        host_id: 101,
        row_state: 1,
        price_cents: 10_000,
        food_cents: 2000,
        city: "Dali".into(),
        time_zone: "Asia/Shanghai".into(),
        currency: "CNY".into(),
        units: 1,
        meals_per_day: 10,
        open_from: day(0),
        open_until: day(400),
        policy: Some(flexible()),
        check_in_minute: 900,
        created_at_ms: 1,
        ..pb::House::default()
    }
}

/// The policy of a house without one.
pub(super) fn flexible() -> CancellationPolicy {
    CancellationPolicy {
        name: "flexible".into(),
        windows: vec![PolicyWindow {
            hours_before: 24,
            refund_percent: 100,
        }],
    }
}

pub(super) fn seed(house: pb::House) -> pb::SeedHouse {
    pb::SeedHouse {
        house: Some(house),
        ..pb::SeedHouse::default()
    }
}

/// Booking `n` of house 1: two guests, `nights` nights from `from` days after today.
pub(super) fn ask(n: i64, from: i64, nights: i64) -> pb::HoldRequest {
    pb::HoldRequest {
        hold_key: format!("key-{n}"),
        order_sn: sn(n),
        attempt: 1,
        house_id: 1,
        check_in: day(from),
        check_out: day(from + nights),
        guests: 2,
        fingerprint: format!("print-{n}"),
        new_booking: true,
        ..pb::HoldRequest::default()
    }
}

/// The same house for the pure rules.
pub(super) fn plain_house() -> House {
    House {
        id: 1,
        shop_id: 1,
        host_id: 101,
        title: String::new(),
        sub_title: String::new(),
        banner: String::new(),
        info: String::new(),
        people_num: 4,
        on_sale: true,
        per_person: false,
        food_info: String::new(),
        food_cents: 2000,
        price_cents: 10_000,
        market_cents: 0,
        weekend_cents: 0,
        city: String::new(),
        time_zone: "Asia/Shanghai".into(),
        currency: "CNY".into(),
        units: 1,
        meals_per_day: 10,
        open_from: day_number(TODAY.parse().unwrap()),
        open_until: day_number(TODAY.parse().unwrap()) + 1000,
        star_tenths: 0,
        star_count: 0,
        created_at_ms: 0,
        terms: Terms::default(),
    }
}

pub(super) fn code<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Code {
    outcome.unwrap_err().code()
}

/// An order service that answers as it is told: by order number, else WAIT.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeOrders {
    pub(super) verdicts: Arc<std::sync::Mutex<std::collections::HashMap<String, Verdict>>>,
    pub(super) asked: Arc<std::sync::Mutex<Vec<usize>>>,
    pub(super) down: Arc<AtomicBool>,
}

impl FakeOrders {
    pub(super) fn say(&self, order_sn: String, verdict: Verdict) {
        self.verdicts.lock().unwrap().insert(order_sn, verdict);
    }
}

type Reply<T> = Result<Response<T>, Status>;

fn not_here<T>() -> Reply<T> {
    Err(Status::unimplemented("not part of this fake"))
}

#[tonic::async_trait]
impl Order for FakeOrders {
    async fn resolve_holds(&self, request: Request<ResolveHoldsRequest>) -> Reply<ResolveHoldsReply> {
        if self.down.load(Ordering::Relaxed) {
            return Err(Error::new(Code::Unavailable).into());
        }
        let holds = request.into_inner().holds;
        self.asked.lock().unwrap().push(holds.len());
        let verdicts = self.verdicts.lock().unwrap();
        Ok(Response::new(ResolveHoldsReply {
            verdicts: holds
                .iter()
                .map(|hold| {
                    verdicts
                        .get(&hold.order_sn)
                        .copied()
                        .unwrap_or(Verdict::Wait)
                        .into()
                })
                .collect(),
        }))
    }
    async fn create(&self, _: Request<order::CreateRequest>) -> Reply<order::CreateReply> {
        not_here()
    }
    async fn get(&self, _: Request<order::GetRequest>) -> Reply<order::OrderView> {
        not_here()
    }
    async fn list(&self, _: Request<order::ListRequest>) -> Reply<order::ListReply> {
        not_here()
    }
    async fn cancel(&self, _: Request<order::CancelRequest>) -> Reply<order::OrderView> {
        not_here()
    }
    async fn preview_cancel(&self, _: Request<order::PreviewCancelRequest>) -> Reply<order::CancelPreview> {
        not_here()
    }
    async fn change(&self, _: Request<order::ChangeRequest>) -> Reply<order::ChangeReply> {
        not_here()
    }
    async fn quote_change(&self, _: Request<order::ChangeRequest>) -> Reply<order::ChangeView> {
        not_here()
    }
    async fn list_changes(&self, _: Request<order::ListChangesRequest>) -> Reply<order::ChangeList> {
        not_here()
    }
    async fn advance(&self, _: Request<order::AdvanceRequest>) -> Reply<order::AdvanceReply> {
        not_here()
    }
    async fn sweep(&self, _: Request<Empty>) -> Reply<order::SweepReply> {
        not_here()
    }
    async fn mark_told(&self, _: Request<order::MarkToldRequest>) -> Reply<Empty> {
        not_here()
    }
}
