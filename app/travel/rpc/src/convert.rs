//! Domain values to and from the wire.

use homestay_proto::common;
use homestay_proto::travel as pb;
use homestay_types::date_of_number;

use crate::block::Block;
use crate::hold::Held;
use crate::house::{House, Review, Shop, mean_star};
use crate::quote::Quote;
use crate::rules::refusal::Refusal;
use crate::rules::terms::Policy;

impl From<House> for pb::House {
    fn from(house: House) -> Self {
        Self {
            id: house.id,
            title: house.title,
            sub_title: house.sub_title,
            banner: house.banner,
            info: house.info,
            people_num: house.people_num,
            shop_id: house.shop_id,
            host_id: house.host_id,
            row_state: i64::from(house.on_sale),
            row_type: i64::from(house.per_person),
            food_info: house.food_info,
            food_cents: house.food_cents,
            price_cents: house.price_cents,
            market_cents: house.market_cents,
            weekend_cents: house.weekend_cents,
            city: house.city,
            time_zone: house.time_zone,
            currency: house.currency,
            units: house.units,
            meals_per_day: house.meals_per_day,
            open_from: date_of_number(house.open_from).to_string(),
            open_until: date_of_number(house.open_until).to_string(),
            star: mean_star(house.star_tenths, house.star_count),
            created_at_ms: house.created_at_ms,
            check_in_minute: house.terms.check_in_minute,
            policy: Some(house.terms.policy.into()),
        }
    }
}

impl From<Policy> for common::CancellationPolicy {
    fn from(policy: Policy) -> Self {
        let windows = policy.windows.into_iter().map(|window| common::PolicyWindow {
            hours_before: window.hours_before,
            refund_percent: window.refund_percent,
        });
        Self {
            name: policy.name,
            windows: windows.collect(),
        }
    }
}

impl From<Refusal> for pb::Refusal {
    fn from(refusal: Refusal) -> Self {
        Self {
            rule: refusal.rule.name().to_owned(),
            date: refusal.date(),
            message: refusal.message,
        }
    }
}

impl From<Shop> for pb::Shop {
    fn from(shop: Shop) -> Self {
        Self {
            id: shop.id,
            title: shop.title,
            info: shop.info,
            tags: shop.tags,
            cover: shop.cover,
            star: mean_star(shop.star_tenths, shop.star_count),
            header_img: shop.header_img,
            host_id: shop.host_id,
            boss_info: shop.boss_info,
            sell_month: shop.sell_month,
            person_consume_cents: shop.person_consume_cents,
            row_state: i64::from(shop.open),
        }
    }
}

impl From<Block> for pb::Block {
    fn from(block: Block) -> Self {
        Self {
            id: block.id,
            house_id: block.house_id,
            unit: block.unit,
            from: date_of_number(block.from).to_string(),
            until: date_of_number(block.until).to_string(),
            note: block.note,
            created_at_ms: block.created_at_ms,
        }
    }
}

impl From<Review> for pb::Comment {
    fn from(review: Review) -> Self {
        Self {
            id: review.id,
            house_id: review.house_id,
            user_id: review.user_id,
            content: review.content,
            star: mean_star(review.star_tenths, 1),
            created_at_ms: review.created_at_ms,
        }
    }
}

impl From<Quote> for common::Quote {
    fn from(quote: Quote) -> Self {
        let lines = quote.lines.into_iter().map(|line| common::PriceLine {
            kind: line.kind.as_str().to_owned(),
            date: line.date,
            unit_cents: line.unit_cents,
            quantity: line.quantity,
            total_cents: line.total_cents,
        });
        Self {
            house_id: quote.homestay_id,
            check_in: quote.check_in,
            check_out: quote.check_out,
            nights: quote.nights,
            guests: quote.guests,
            meals: quote.meals,
            currency: quote.currency,
            room_cents: quote.room_cents,
            meal_cents: quote.meal_cents,
            total_cents: quote.total_cents,
            lines: lines.collect(),
        }
    }
}

impl From<Held> for pb::HoldReply {
    fn from(held: Held) -> Self {
        Self {
            order_sn: held.order_sn.to_string(),
            house: Some(held.house.into()),
            quote: Some(held.quote.into()),
            unit: held.unit,
            repeated: held.repeated,
        }
    }
}
