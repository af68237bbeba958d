use homestay_error::{Code, Error};
use homestay_proto::common::{CancellationPolicy, Empty, PolicyWindow, PriceLine, Quote};
use homestay_proto::travel as pb;
use homestay_proto::travel::list_houses_request::Kind;
use homestay_proto::travel::travel_server::Travel;
use homestay_proto::usercenter as users;
use homestay_proto::usercenter::user_center_server::UserCenter;
use tonic::{Request, Response, Status};

type Reply<T> = Result<Response<T>, Status>;

fn not_here<T>() -> Reply<T> {
    Err(Status::unimplemented("not part of this fake"))
}

/// Nobody is signed in on these routes; a fake that is called as somebody says so.
fn as_nobody<T>(request: &Request<T>) -> Result<(), Status> {
    match request.metadata().get("x-homestay-actor") {
        Some(actor) if actor == "anonymous" => Ok(()),
        _ => Err(Error::new(Code::Forbidden).into()),
    }
}

pub(super) fn house(id: i64) -> pb::House {
    pb::House {
        id,
        title: "Attic".into(),
        sub_title: "under the roof".into(),
        banner: "https://a/1.jpg, https://a/2.jpg".into(),
        info: "steep stairs".into(),
        people_num: 2,
        shop_id: 3,
        host_id: 9,
        row_state: 1,
        row_type: 1,
        food_info: "porridge".into(),
        food_cents: 2850,
        price_cents: 38_899,
        market_cents: 46_000,
        weekend_cents: 0,
        city: "Hangzhou".into(),
        time_zone: "Asia/Shanghai".into(),
        currency: "CNY".into(),
        units: 4,
        meals_per_day: 8,
        open_from: "2026-11-21".into(),
        open_until: "2027-12-26".into(),
        star: 4.5,
        created_at_ms: 1_795_219_200_000,
        policy: Some(policy()),
        check_in_minute: 14 * 60 + 5,
    }
}

pub(super) fn policy() -> CancellationPolicy {
    CancellationPolicy {
        name: "custom".into(),
        windows: vec![PolicyWindow {
            hours_before: 48,
            refund_percent: 80,
        }],
    }
}

/// The host of all houses but 404.
fn as_host<T>(request: &Request<T>, house_id: i64) -> Result<(), Status> {
    let actor = request.metadata().get("x-homestay-actor");
    if house_id == 404 || actor.is_none_or(|actor| actor != "user/9/host") {
        return Err(Error::new(Code::HouseNotFound).into());
    }
    Ok(())
}

/// Answers with what it was asked for in the houses' titles, so that both directions show.
pub(super) struct FakeTravel;

#[tonic::async_trait]
impl Travel for FakeTravel {
    async fn get_house(&self, request: Request<pb::GetHouseRequest>) -> Reply<pb::House> {
        as_nobody(&request)?;
        match request.into_inner().id {
            404 => Err(Error::new(Code::HouseNotFound).into()),
            id => Ok(Response::new(house(id))),
        }
    }
    async fn list_houses(&self, request: Request<pb::ListHousesRequest>) -> Reply<pb::Houses> {
        as_nobody(&request)?;
        let asked = request.into_inner();
        let kind = Kind::try_from(asked.kind).unwrap().as_str_name();
        let houses = if asked.shop_id == 404 {
            vec![]
        } else {
            vec![pb::House {
                title: format!(
                    "{kind} shop {} last {} offset {} limit {}",
                    asked.shop_id, asked.last_id, asked.offset, asked.limit
                ),
                ..house(1)
            }]
        };
        Ok(Response::new(pb::Houses { houses }))
    }
    async fn search_houses(&self, request: Request<pb::SearchHousesRequest>) -> Reply<pb::SearchHousesReply> {
        as_nobody(&request)?;
        let asked = request.into_inner();
        if asked.guests < 0 {
            return Err(Error::invalid("guests", "must not be negative").into());
        }
        let title = format!(
            "{}|{}|{}|{}|{}|{}|{}|{}",
            asked.city,
            asked.check_in,
            asked.check_out,
            asked.guests,
            asked.min_cents,
            asked.max_cents,
            asked.cursor,
            asked.limit
        );
        let last = asked.cursor == "last";
        Ok(Response::new(pb::SearchHousesReply {
            houses: if last {
                vec![]
            } else {
                vec![pb::House { title, ..house(1) }]
            },
            next_cursor: if last { String::new() } else { "next".into() },
        }))
    }
    async fn list_shops(&self, request: Request<pb::ListShopsRequest>) -> Reply<pb::Shops> {
        as_nobody(&request)?;
        let asked = request.into_inner();
        let shops = vec![pb::Shop {
            id: 3,
            title: format!("last {} limit {}", asked.last_id, asked.limit),
            info: "three houses".into(),
            tags: "lake,quiet".into(),
            cover: "https://a/c.jpg".into(),
            star: 4.4,
            header_img: "https://a/h.jpg".into(),
            host_id: 9,
            sell_month: 12,
            person_consume_cents: 12_345,
            row_state: 1,
            ..pb::Shop::default()
        }];
        Ok(Response::new(pb::Shops { shops }))
    }
    async fn get_shop(&self, request: Request<pb::GetShopRequest>) -> Reply<pb::Shop> {
        as_nobody(&request)?;
        match request.into_inner().id {
            404 => Err(Error::new(Code::ShopNotFound).into()),
            id => Ok(Response::new(pb::Shop {
                id,
                host_id: 8,
                ..pb::Shop::default()
            })),
        }
    }
    async fn list_good_hosts(&self, request: Request<Empty>) -> Reply<pb::GoodHosts> {
        as_nobody(&request)?;
        Ok(Response::new(pb::GoodHosts {
            user_ids: vec![9, 8, 7],
        }))
    }
    async fn list_comments(&self, request: Request<pb::ListCommentsRequest>) -> Reply<pb::Comments> {
        as_nobody(&request)?;
        let asked = request.into_inner();
        let comments = vec![pb::Comment {
            id: 5,
            house_id: 1,
            user_id: 8,
            content: format!("last {} limit {}", asked.last_id, asked.limit),
            star: 4.5,
            created_at_ms: 1,
        }];
        Ok(Response::new(pb::Comments { comments }))
    }
    async fn get_calendar(&self, request: Request<pb::GetCalendarRequest>) -> Reply<pb::Calendar> {
        as_nobody(&request)?;
        let asked = request.into_inner();
        if asked.to <= asked.from {
            return Err(Error::invalid("to", "must be after from").into());
        }
        Ok(Response::new(pb::Calendar {
            house_id: asked.house_id,
            currency: "CNY".into(),
            days: vec![pb::CalendarDay {
                date: asked.from,
                price_cents: 38_899,
                free_units: 3,
                free_meals: 8,
                open: true,
                min_nights: 1,
                arrival: true,
                departure: true,
            }],
        }))
    }
    async fn get_quote(&self, request: Request<pb::GetQuoteRequest>) -> Reply<Quote> {
        as_nobody(&request)?;
        let asked = request.into_inner();
        if asked.guests < 1 {
            return Err(Error::invalid("guests", "must be at least 1").into());
        }
        if asked.house_id == 409 {
            return Err(Error::new(Code::DatesClosed).into());
        }
        Ok(Response::new(Quote {
            house_id: asked.house_id,
            check_in: asked.check_in.clone(),
            check_out: asked.check_out,
            nights: 1,
            guests: asked.guests,
            meals: asked.meals,
            currency: "CNY".into(),
            room_cents: 38_899,
            meal_cents: 5700,
            total_cents: 44_599,
            lines: vec![PriceLine {
                kind: "room".into(),
                date: asked.check_in,
                unit_cents: 38_899,
                quantity: 1,
                total_cents: 38_899,
            }],
        }))
    }
    async fn hold(&self, _: Request<pb::HoldRequest>) -> Reply<pb::HoldReply> {
        not_here()
    }
    async fn release(&self, _: Request<pb::ReleaseRequest>) -> Reply<Empty> {
        not_here()
    }
    async fn sweep_holds(&self, _: Request<Empty>) -> Reply<pb::SweepHoldsReply> {
        not_here()
    }
    async fn get_availability(
        &self,
        request: Request<pb::GetAvailabilityRequest>,
    ) -> Reply<pb::Availability> {
        as_nobody(&request)?;
        let asked = request.into_inner();
        let refusal = pb::Refusal {
            rule: "MIN_NIGHTS".into(),
            date: asked.check_in.clone(),
            message: format!("{} {}", asked.guests, asked.meals),
        };
        Ok(Response::new(pb::Availability {
            available: false,
            quote: Some(Quote {
                house_id: asked.house_id,
                check_in: asked.check_in,
                check_out: asked.check_out,
                ..Quote::default()
            }),
            refusals: if asked.explain { vec![refusal] } else { vec![] },
        }))
    }
    async fn get_rules(&self, request: Request<pb::GetRulesRequest>) -> Reply<pb::HouseRules> {
        as_host(&request, request.get_ref().house_id)?;
        Ok(Response::new(pb::HouseRules {
            arrival_weekdays: 0b100_0001,
            departure_weekdays: 127,
            check_in_minute: 900,
            policy: Some(policy()),
            ..pb::HouseRules::default()
        }))
    }
    async fn set_rules(&self, request: Request<pb::SetRulesRequest>) -> Reply<pb::HouseRules> {
        as_host(&request, request.get_ref().house_id)?;
        Ok(Response::new(request.into_inner().rules.unwrap()))
    }
    async fn list_blocks(&self, request: Request<pb::ListBlocksRequest>) -> Reply<pb::Blocks> {
        as_host(&request, request.get_ref().house_id)?;
        Ok(Response::new(pb::Blocks { blocks: vec![] }))
    }
    async fn create_block(&self, request: Request<pb::CreateBlockRequest>) -> Reply<pb::Block> {
        as_host(&request, request.get_ref().house_id)?;
        let asked = request.into_inner();
        Ok(Response::new(pb::Block {
            id: 77,
            house_id: asked.house_id,
            unit: asked.unit,
            from: asked.from,
            until: asked.until,
            note: asked.note,
            created_at_ms: 1_795_219_200_000,
        }))
    }
    async fn delete_block(&self, request: Request<pb::DeleteBlockRequest>) -> Reply<Empty> {
        as_host(&request, request.get_ref().house_id)?;
        match request.into_inner().block_id {
            77 => Ok(Response::new(Empty {})),
            _ => Err(Error::new(Code::NotFound).into()),
        }
    }
    async fn seed(&self, _: Request<pb::SeedRequest>) -> Reply<pb::SeedReply> {
        not_here()
    }
}

/// Knows the accounts 8 and 9, if it is up.
pub(super) struct FakeUsers {
    pub(super) up: bool,
}

#[tonic::async_trait]
impl UserCenter for FakeUsers {
    async fn get_profiles(&self, request: Request<users::GetProfilesRequest>) -> Reply<users::Profiles> {
        as_nobody(&request)?;
        if !self.up {
            return Err(Error::new(Code::Unavailable).into());
        }
        // In an order of its own.
        let known = [8, 9].into_iter().filter(|id| request.get_ref().ids.contains(id));
        let profiles = known.map(|id| users::Profile {
            id,
            nickname: format!("N{id}"),
            avatar: format!("A{id}"),
            info: format!("I{id}"),
        });
        Ok(Response::new(users::Profiles {
            profiles: profiles.collect(),
        }))
    }
    async fn register(&self, _: Request<users::RegisterRequest>) -> Reply<users::Session> {
        not_here()
    }
    async fn login(&self, _: Request<users::LoginRequest>) -> Reply<users::Session> {
        not_here()
    }
    async fn wx_mini_auth(&self, _: Request<users::WxMiniAuthRequest>) -> Reply<users::Session> {
        not_here()
    }
    async fn refresh(&self, _: Request<users::RefreshRequest>) -> Reply<users::Session> {
        not_here()
    }
    async fn logout(&self, _: Request<users::LogoutRequest>) -> Reply<Empty> {
        not_here()
    }
    async fn get_user(&self, _: Request<users::GetUserRequest>) -> Reply<users::User> {
        not_here()
    }
    async fn seed(&self, _: Request<users::SeedRequest>) -> Reply<users::SeedReply> {
        not_here()
    }
    async fn change_password(&self, _: Request<users::ChangePasswordRequest>) -> Reply<users::Session> {
        not_here()
    }
    async fn grant(&self, _: Request<users::GrantRequest>) -> Reply<users::GrantReply> {
        not_here()
    }
    async fn list_by_role(&self, _: Request<users::ListByRoleRequest>) -> Reply<users::Users> {
        not_here()
    }
}
