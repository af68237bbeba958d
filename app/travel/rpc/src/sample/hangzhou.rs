use super::city::{City, HouseSpec, ROOM, ShopSpec};

pub(super) const CITY: City = City {
    name: "Hangzhou",
    shops: &[
        ShopSpec {
            title: "西湖边 Lakeside",
            info: "Three old houses behind the Su causeway, ten minutes on foot from the lake.",
            tags: "lake,quiet,breakfast",
            boss_info: "Answers within the hour, lends bicycles.",
            good_rank: 1,
        },
        ShopSpec {
            title: "茶山里 Tea Hills",
            info: "Farmhouses among the terraces of Longjing.",
            tags: "tea,hills,family",
            boss_info: "Walks with guests at six in the morning.",
            good_rank: 4,
        },
    ],
    houses: &[
        HouseSpec {
            title: "Lakeside attic 西湖阁楼",
            sub_title: "A room under the roof with a strip of lake between two camphor trees",
            info: "Stairs are steep. The window seat is the best place of the house; tea is on the table when you come.",
            yuan: 388,
            market_yuan: 460,
            weekend_yuan: 468,
            food_info: "Breakfast: rice porridge, pickles, egg, soy milk",
            food_yuan: 28,
            meals_per_day: 8,
            recommended_rank: 1,
            ..ROOM
        },
        HouseSpec {
            title: "Su causeway twin rooms 苏堤双床房",
            sub_title: "Four equal rooms around a courtyard with a well",
            info: "Two single beds, a desk, a bath with a window. The court is shared and quiet after ten.",
            units: 4,
            yuan: 268,
            market_yuan: 320,
            weekend_yuan: 328,
            food_info: "Breakfast in the court",
            food_yuan: 25,
            meals_per_day: 12,
            recommended_rank: 3,
            ..ROOM
        },
        HouseSpec {
            title: "Whole house by the lake 湖畔整栋",
            sub_title: "Three bedrooms, kitchen and garden for eight",
            info: "For two families or a group of friends. The kitchen is complete, the market is across the street.",
            people_num: 8,
            yuan: 1680,
            market_yuan: 2100,
            weekend_yuan: 2180,
            ..ROOM
        },
        HouseSpec {
            title: "Bunk room at the boat pier 码头青旅床位",
            sub_title: "Sold per bed: six in a room, curtains and lockers",
            info: "Mixed room. Showers on the landing, a kitchen downstairs, boats to the islands from seven.",
            people_num: 6,
            units: 2,
            per_person: true,
            yuan: 78,
            market_yuan: 98,
            food_info: "Noodles in the morning",
            food_yuan: 15,
            meals_per_day: 20,
            ..ROOM
        },
        HouseSpec {
            shop: 1,
            title: "Longjing terrace room 龙井露台房",
            sub_title: "Balcony over the tea rows, mist included",
            info: "In spring the picking starts below the window at five. Guests may help and keep what they roast.",
            people_num: 3,
            units: 2,
            yuan: 458,
            market_yuan: 520,
            weekend_yuan: 558,
            food_info: "Farm dinner with bamboo shoots and river shrimp in tea",
            food_yuan: 68,
            meals_per_day: 10,
            recommended_rank: 6,
            ..ROOM
        },
        HouseSpec {
            shop: 1,
            title: "Bamboo cabin 竹林小屋",
            sub_title: "One room, one stove, no neighbours",
            info: "Twenty minutes on foot from the road; the host carries the luggage. No network, on purpose.",
            yuan: 520,
            market_yuan: 600,
            ..ROOM
        },
        HouseSpec {
            shop: 1,
            title: "Tea picker's loft 采茶人阁楼",
            sub_title: "Being repaired after the storm",
            info: "The loft over the roasting room. Off sale until the roof is closed again.",
            yuan: 298,
            market_yuan: 340,
            on_sale: false,
            ..ROOM
        },
    ],
};
