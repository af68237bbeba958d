use homestay_proto::common::CancellationPolicy;
use homestay_proto::travel::{Discount, HouseRules, Season};
use jiff::civil::Date;

/// Rules of some of the demo's houses, all of several units; the others have none. None of them refuses a stay of two nights
/// that search shows.
pub(super) fn rules_of(id: i64, today: Date) -> Option<HouseRules> {
    let policy = |name: &str| {
        Some(CancellationPolicy {
            name: name.to_owned(),
            windows: Vec::new(),
        })
    };
    let discount = |nights, percent| Discount { nights, percent };
    let rules = match id {
        // Longjing terrace room: the tea harvest costs more, and nobody comes for one night.
        5 => HouseRules {
            seasons: vec![harvest(today)],
            policy: policy("moderate"),
            ..HouseRules::default()
        },
        // Courtyard double.
        9 => HouseRules {
            discounts: vec![discount(3, 5), discount(7, 12)],
            ..HouseRules::default()
        },
        // Springside room: a night to dry.
        12 => HouseRules {
            buffer_days: 1,
            policy: policy("moderate"),
            ..HouseRules::default()
        },
        // Lake front room.
        15 => HouseRules {
            min_nights: 2,
            policy: policy("strict"),
            ..HouseRules::default()
        },
        // Garden double: nobody to open the gate on Mondays, nor to close it.
        18 => HouseRules {
            arrival_weekdays: 0b111_1110,
            departure_weekdays: 0b111_1110,
            max_nights: 14,
            ..HouseRules::default()
        },
        // Villa room with veranda.
        22 => HouseRules {
            advance_min_days: 1,
            advance_max_days: 180,
            check_in_minute: 16 * 60,
            policy: policy("strict"),
            ..HouseRules::default()
        },
        // Studios over the quay: a month is welcome.
        26 => HouseRules {
            discounts: vec![discount(7, 10), discount(28, 30)],
            ..HouseRules::default()
        },
        _ => return None,
    };
    Some(rules)
}

/// The next whole harvest.
fn harvest(today: Date) -> Season {
    let year = today.year() + i16::from((today.month(), today.day()) > (3, 20));
    Season {
        name: "Tea harvest".to_owned(),
        from: format!("{year:04}-03-20"),
        until: format!("{year:04}-04-21"),
        price_cents: 62_000,
        weekend_cents: 70_000,
        min_nights: 2,
    }
}
