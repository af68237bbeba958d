use homestay_clock::{Clock, Ids};
use homestay_db::Db;
use homestay_error::{Error, Result};
use homestay_proto::common::{Empty, Quote};
use homestay_proto::order::order_client::OrderClient;
use homestay_proto::travel as pb;
use homestay_proto::travel::list_houses_request::Kind;
use homestay_proto::travel::travel_server::Travel;
use homestay_rpc::Channel;
use tonic::{Request, Response, Status};

use crate::availability::availability;
use crate::catalog::{self, List};
use crate::hold::{self, Ask};
use crate::rules::Dates;
use crate::search::{self, Search};
use crate::{Config, block, calendar, host, release, seed, sweep};

/// The server of `homestay.travel.v1.Travel`.
#[derive(Debug, Clone)]
pub struct TravelService {
    db: Db,
    ids: Ids,
    clock: Clock,
    orders: OrderClient<Channel>,
    config: Config,
}

impl TravelService {
    /// A server over the domain's database. `orders` is a channel to order-rpc with a service's identity, which is asked
    /// about holds that no order has claimed.
    #[must_use]
    pub fn new(db: Db, ids: Ids, clock: Clock, orders: Channel, config: Config) -> Self {
        Self {
            db,
            ids,
            clock,
            orders: OrderClient::new(orders),
            config,
        }
    }
}

/// Longest list of any call, and the length where none is asked for.
fn page(limit: i64) -> usize {
    match usize::try_from(limit) {
        Ok(0) | Err(_) => 20,
        Ok(n) => n.min(100),
    }
}

fn all<A, B: From<A>>(from: Vec<A>) -> Vec<B> {
    from.into_iter().map(B::from).collect()
}

#[tonic::async_trait]
impl Travel for TravelService {
    async fn get_house(&self, request: Request<pb::GetHouseRequest>) -> Result<Response<pb::House>, Status> {
        let house = catalog::house(&self.db, request.into_inner().id).await?;
        Ok(Response::new(house.into()))
    }

    async fn list_houses(
        &self,
        request: Request<pb::ListHousesRequest>,
    ) -> Result<Response<pb::Houses>, Status> {
        let request = request.into_inner();
        let list = match Kind::try_from(request.kind) {
            Ok(Kind::Newest) => List::Newest(request.last_id),
            Ok(Kind::Recommended) => List::Recommended(request.offset),
            Ok(Kind::Shop) => List::Shop(request.shop_id, request.last_id),
            Err(_) => return Err(Error::invalid("kind", "is not known here").into()),
        };
        let houses = catalog::houses(&self.db, list, page(request.limit)).await?;
        Ok(Response::new(pb::Houses { houses: all(houses) }))
    }

    async fn search_houses(
        &self,
        request: Request<pb::SearchHousesRequest>,
    ) -> Result<Response<pb::SearchHousesReply>, Status> {
        let request = request.into_inner();
        let wanted = Search {
            city: request.city,
            check_in: request.check_in,
            check_out: request.check_out,
            guests: request.guests,
            min_cents: request.min_cents,
            max_cents: request.max_cents,
            cursor: request.cursor,
            limit: page(request.limit),
        };
        let (houses, next_cursor) = search::search(&self.db, &self.clock, wanted).await?;
        Ok(Response::new(pb::SearchHousesReply {
            houses: all(houses),
            next_cursor,
        }))
    }

    async fn list_shops(
        &self,
        request: Request<pb::ListShopsRequest>,
    ) -> Result<Response<pb::Shops>, Status> {
        let request = request.into_inner();
        let shops = catalog::shops(&self.db, &self.clock, request.last_id, page(request.limit)).await?;
        Ok(Response::new(pb::Shops { shops: all(shops) }))
    }

    async fn get_shop(&self, request: Request<pb::GetShopRequest>) -> Result<Response<pb::Shop>, Status> {
        let shop = catalog::shop(&self.db, &self.clock, request.into_inner().id).await?;
        Ok(Response::new(shop.into()))
    }

    async fn list_good_hosts(&self, _: Request<Empty>) -> Result<Response<pb::GoodHosts>, Status> {
        let user_ids = catalog::good_hosts(&self.db).await?;
        Ok(Response::new(pb::GoodHosts { user_ids }))
    }

    async fn list_comments(
        &self,
        request: Request<pb::ListCommentsRequest>,
    ) -> Result<Response<pb::Comments>, Status> {
        let request = request.into_inner();
        let reviews =
            catalog::reviews(&self.db, request.house_id, request.last_id, page(request.limit)).await?;
        Ok(Response::new(pb::Comments {
            comments: all(reviews),
        }))
    }

    async fn get_calendar(
        &self,
        request: Request<pb::GetCalendarRequest>,
    ) -> Result<Response<pb::Calendar>, Status> {
        let request = request.into_inner();
        let calendar = calendar::calendar(
            &self.db,
            &self.clock,
            request.house_id,
            &request.from,
            &request.to,
        )
        .await?;
        Ok(Response::new(calendar))
    }

    async fn get_quote(&self, request: Request<pb::GetQuoteRequest>) -> Result<Response<Quote>, Status> {
        let request = request.into_inner();
        let dates = Dates::Iso {
            check_in: request.check_in,
            check_out: request.check_out,
        };
        let (_, _, quote) = hold::evaluate(
            &self.db,
            &self.clock,
            request.house_id,
            &dates,
            request.guests,
            request.meals,
        )
        .await?;
        Ok(Response::new(quote.into()))
    }

    async fn hold(&self, request: Request<pb::HoldRequest>) -> Result<Response<pb::HoldReply>, Status> {
        let held = hold::hold(&self.db, &self.clock, ask(request.into_inner())?).await?;
        Ok(Response::new(held.into()))
    }

    async fn release(&self, request: Request<pb::ReleaseRequest>) -> Result<Response<Empty>, Status> {
        let request = request.into_inner();
        release::release(&self.db, request.order_sn, request.attempt, request.only).await?;
        Ok(Response::new(Empty {}))
    }

    async fn sweep_holds(&self, _: Request<Empty>) -> Result<Response<pb::SweepHoldsReply>, Status> {
        let done = sweep::sweep(&self.db, &self.clock, &self.orders, &self.config).await?;
        Ok(Response::new(done))
    }

    async fn get_availability(
        &self,
        request: Request<pb::GetAvailabilityRequest>,
    ) -> Result<Response<pb::Availability>, Status> {
        let request = request.into_inner();
        let dates = Dates::Iso {
            check_in: request.check_in,
            check_out: request.check_out,
        };
        let found = availability(
            &self.db,
            &self.clock,
            request.house_id,
            &dates,
            request.guests,
            request.meals,
        )
        .await?;
        Ok(Response::new(pb::Availability {
            available: found.refusals.is_empty(),
            quote: Some(found.quote.into()),
            refusals: if request.explain {
                all(found.refusals)
            } else {
                Vec::new()
            },
        }))
    }

    async fn get_rules(
        &self,
        request: Request<pb::GetRulesRequest>,
    ) -> Result<Response<pb::HouseRules>, Status> {
        let actor = homestay_rpc::actor(&request);
        let rules = host::rules(&self.db, &actor, request.into_inner().house_id).await?;
        Ok(Response::new(rules))
    }

    async fn set_rules(
        &self,
        request: Request<pb::SetRulesRequest>,
    ) -> Result<Response<pb::HouseRules>, Status> {
        let actor = homestay_rpc::actor(&request);
        let request = request.into_inner();
        let rules = request.rules.unwrap_or_default();
        let rules = host::set_rules(&self.db, &actor, request.house_id, rules).await?;
        Ok(Response::new(rules))
    }

    async fn list_blocks(
        &self,
        request: Request<pb::ListBlocksRequest>,
    ) -> Result<Response<pb::Blocks>, Status> {
        let actor = homestay_rpc::actor(&request);
        let house_id = request.into_inner().house_id;
        let blocks = block::list(&self.db, &self.clock, &actor, house_id).await?;
        Ok(Response::new(pb::Blocks { blocks: all(blocks) }))
    }

    async fn create_block(
        &self,
        request: Request<pb::CreateBlockRequest>,
    ) -> Result<Response<pb::Block>, Status> {
        let actor = homestay_rpc::actor(&request);
        let request = request.into_inner();
        let wanted = block::Wanted {
            house_id: request.house_id,
            from: request.from,
            until: request.until,
            unit: request.unit,
            note: request.note,
        };
        let made = block::create(&self.db, &self.ids, &self.clock, &actor, wanted).await?;
        Ok(Response::new(made.into()))
    }

    async fn delete_block(
        &self,
        request: Request<pb::DeleteBlockRequest>,
    ) -> Result<Response<Empty>, Status> {
        let actor = homestay_rpc::actor(&request);
        let request = request.into_inner();
        block::remove(&self.db, &actor, request.house_id, request.block_id).await?;
        Ok(Response::new(Empty {}))
    }

    async fn seed(&self, request: Request<pb::SeedRequest>) -> Result<Response<pb::SeedReply>, Status> {
        let created = seed::seed(&self.db, &self.clock, request.into_inner()).await?;
        Ok(Response::new(created))
    }
}

pub(crate) fn ask(request: pb::HoldRequest) -> Result<Ask> {
    if request.hold_key.is_empty() {
        return Err(Error::invalid("holdKey", "is not set"));
    }
    if request.attempt < 1 {
        return Err(Error::invalid("attempt", "must be at least 1"));
    }
    if !(0..request.attempt).contains(&request.change_of_attempt) {
        return Err(Error::invalid("changeOfAttempt", "must be an earlier attempt"));
    }
    let order_sn = request
        .order_sn
        .parse()
        .map_err(|what| Error::invalid("orderSn", format!("is {what}")))?;
    Ok(Ask {
        hold_key: request.hold_key,
        fingerprint: request.fingerprint,
        order_sn,
        attempt: request.attempt,
        house_id: request.house_id,
        dates: Dates::of(
            &request.check_in,
            &request.check_out,
            request.start_s,
            request.end_s,
        ),
        guests: request.guests,
        meals: request.meals,
        expected_total_cents: request.expected_total_cents,
        new_booking: request.new_booking,
        change_of_attempt: request.change_of_attempt,
    })
}
