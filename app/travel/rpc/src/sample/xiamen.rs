use super::city::{City, HouseSpec, ROOM, ShopSpec};

pub(super) const CITY: City = City {
    name: "Xiamen",
    shops: &[
        ShopSpec {
            title: "鼓浪屿琴房 Gulangyu Piano",
            info: "A villa of 1912 on the island without cars.",
            tags: "island,music,villa",
            boss_info: "Meets guests at the ferry with a hand cart.",
            good_rank: 6,
        },
        ShopSpec {
            title: "沙坡尾 Shapowei Harbour",
            info: "Rooms over the old fishing harbour and its studios.",
            tags: "harbour,seafood,art",
            boss_info: "Knows what came in this morning.",
            good_rank: 0,
        },
    ],
    houses: &[
        HouseSpec {
            title: "Villa room with veranda 老别墅露台房",
            sub_title: "Red bricks, a palm, a piano somewhere",
            info: "High ceilings and a fan; the air conditioning is quiet. The veranda belongs to the room.",
            units: 2,
            yuan: 488,
            market_yuan: 588,
            weekend_yuan: 588,
            food_info: "Breakfast: sand tea noodles or toast",
            food_yuan: 30,
            meals_per_day: 8,
            recommended_rank: 5,
            ..ROOM
        },
        HouseSpec {
            title: "Organ loft 风琴阁楼",
            sub_title: "The smallest room of the island, and the highest",
            info: "Eighty-eight steps. The sea on three sides, and the bells of the church on the fourth.",
            people_num: 1,
            yuan: 218,
            market_yuan: 260,
            ..ROOM
        },
        HouseSpec {
            title: "Consul's suite 领事套房",
            sub_title: "Two rooms and a salon for four",
            info: "Furniture of the house's first owner, wired anew in 2024. A cot and a high chair are there.",
            people_num: 4,
            yuan: 880,
            market_yuan: 1080,
            weekend_yuan: 1080,
            food_info: "Breakfast in the salon",
            food_yuan: 48,
            meals_per_day: 8,
            ..ROOM
        },
        HouseSpec {
            shop: 1,
            title: "Harbour bunks 渔港床位",
            sub_title: "Sold per person, eight bunks from a retired trawler",
            info: "Real portholes. Women's and mixed room. The ice factory starts at four: bring ear plugs, or buy some here.",
            people_num: 8,
            units: 2,
            per_person: true,
            yuan: 72,
            market_yuan: 90,
            weekend_yuan: 82,
            food_info: "The cook's seafood supper",
            food_yuan: 55,
            meals_per_day: 16,
            ..ROOM
        },
        HouseSpec {
            shop: 1,
            title: "Studio over the quay 码头一居",
            sub_title: "Kitchen, washing machine, a month is welcome",
            info: "Fifty in the old cannery, for those who work from here: a desk with a view of ropes and cats, a cable for the network.",
            units: 50,
            yuan: 258,
            market_yuan: 300,
            ..ROOM
        },
        HouseSpec {
            shop: 1,
            title: "Captain's flat 船长公寓",
            sub_title: "Two bedrooms with a telescope on the balcony",
            info: "Ships to Kinmen pass in the morning. Lift, parking, and a supermarket in the house.",
            people_num: 5,
            yuan: 620,
            market_yuan: 720,
            weekend_yuan: 720,
            food_info: "The cook's seafood supper",
            food_yuan: 88,
            meals_per_day: 10,
            ..ROOM
        },
        HouseSpec {
            shop: 1,
            title: "Net loft 渔网工坊",
            sub_title: "One large room for three under old beams",
            info: "Nets were mended here until 1998. The floor is new, the smell is gone.",
            people_num: 3,
            yuan: 338,
            market_yuan: 390,
            weekend_yuan: 378,
            ..ROOM
        },
    ],
};
