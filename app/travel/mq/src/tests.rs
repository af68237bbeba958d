use std::sync::Arc;
use std::sync::Mutex;

use homestay_bus::{Source, handlers};
use homestay_error::{Code, Error};
use homestay_jobs::{Delivery, Failure};
use homestay_proto::common::{Empty, Quote};
use homestay_proto::travel as pb;
use homestay_proto::travel::travel_client::TravelClient;
use homestay_proto::travel::travel_server::{Travel, TravelServer};
use tonic::{Request, Response, Status};

use crate::table;

type Reply<T> = Result<Response<T>, Status>;

fn not_here<T>() -> Reply<T> {
    Err(Status::unimplemented("not part of this fake"))
}

/// How many holds a sweep bound and released, or how it failed.
type Answer = Result<(i64, i64), Code>;

/// Answers sweeps with these, the last one first.
#[derive(Clone)]
struct FakeTravel(Arc<Mutex<Vec<Answer>>>);

#[tonic::async_trait]
impl Travel for FakeTravel {
    async fn sweep_holds(&self, _: Request<Empty>) -> Reply<pb::SweepHoldsReply> {
        let next = self.0.lock().unwrap().pop();
        match next.expect("no more sweeps than there are answers") {
            Ok((bound, released)) => Ok(Response::new(pb::SweepHoldsReply { bound, released })),
            Err(code) => Err(Error::new(code).into()),
        }
    }
    async fn get_house(&self, _: Request<pb::GetHouseRequest>) -> Reply<pb::House> {
        not_here()
    }
    async fn list_houses(&self, _: Request<pb::ListHousesRequest>) -> Reply<pb::Houses> {
        not_here()
    }
    async fn search_houses(&self, _: Request<pb::SearchHousesRequest>) -> Reply<pb::SearchHousesReply> {
        not_here()
    }
    async fn list_shops(&self, _: Request<pb::ListShopsRequest>) -> Reply<pb::Shops> {
        not_here()
    }
    async fn get_shop(&self, _: Request<pb::GetShopRequest>) -> Reply<pb::Shop> {
        not_here()
    }
    async fn list_good_hosts(&self, _: Request<Empty>) -> Reply<pb::GoodHosts> {
        not_here()
    }
    async fn list_comments(&self, _: Request<pb::ListCommentsRequest>) -> Reply<pb::Comments> {
        not_here()
    }
    async fn get_calendar(&self, _: Request<pb::GetCalendarRequest>) -> Reply<pb::Calendar> {
        not_here()
    }
    async fn get_quote(&self, _: Request<pb::GetQuoteRequest>) -> Reply<Quote> {
        not_here()
    }
    async fn hold(&self, _: Request<pb::HoldRequest>) -> Reply<pb::HoldReply> {
        not_here()
    }
    async fn release(&self, _: Request<pb::ReleaseRequest>) -> Reply<Empty> {
        not_here()
    }
    async fn get_availability(&self, _: Request<pb::GetAvailabilityRequest>) -> Reply<pb::Availability> {
        not_here()
    }
    async fn get_rules(&self, _: Request<pb::GetRulesRequest>) -> Reply<pb::HouseRules> {
        not_here()
    }
    async fn set_rules(&self, _: Request<pb::SetRulesRequest>) -> Reply<pb::HouseRules> {
        not_here()
    }
    async fn list_blocks(&self, _: Request<pb::ListBlocksRequest>) -> Reply<pb::Blocks> {
        not_here()
    }
    async fn create_block(&self, _: Request<pb::CreateBlockRequest>) -> Reply<pb::Block> {
        not_here()
    }
    async fn delete_block(&self, _: Request<pb::DeleteBlockRequest>) -> Reply<Empty> {
        not_here()
    }
    async fn seed(&self, _: Request<pb::SeedRequest>) -> Reply<pb::SeedReply> {
        not_here()
    }
}

/// Runs the tick's job over these answers, the last one first; how many were left over.
async fn tick(answers: Vec<Answer>) -> (Result<(), Failure>, usize) {
    let fake = FakeTravel(Arc::new(Mutex::new(answers)));
    let travel = TravelClient::new(homestay_testkit::fake(TravelServer::new(fake.clone())));
    let handlers = handlers(&table(travel));
    let delivery = Delivery {
        kind: "travel.sweep_holds".into(),
        payload: "{}".into(),
        id: "1".into(),
        attempt: 1,
        token: 1,
    };
    let outcome = handlers["travel.sweep_holds"](delivery).await;
    let left = fake.0.lock().unwrap().len();
    (outcome, left)
}

#[tokio::test]
async fn a_tick_sweeps_until_nothing_is_left_to_do() {
    let (outcome, left) = tick(vec![Ok((9, 9)), Ok((0, 0)), Ok((0, 1)), Ok((2, 0))]).await;
    assert!(outcome.is_ok());
    assert_eq!(left, 1);
}

#[tokio::test]
async fn a_sweep_that_fails_is_tried_again() {
    let (outcome, _) = tick(vec![Err(Code::Unavailable), Ok((1, 0))]).await;
    assert!(matches!(outcome, Err(Failure::Retry(_))));
}

#[test]
fn the_table_has_one_row_every_half_minute() {
    let travel = TravelClient::new(homestay_testkit::fake(TravelServer::new(FakeTravel(
        Arc::default(),
    ))));
    let sources: Vec<Source> = table(travel).into_iter().map(|row| row.source).collect();
    let every = Source::Every {
        kind: "travel.sweep_holds",
        period: std::time::Duration::from_secs(30),
    };
    assert_eq!(sources, [every]);
}
