use super::city::{City, HouseSpec, ROOM, ShopSpec};

pub(super) const CITY: City = City {
    name: "Lijiang",
    shops: &[
        ShopSpec {
            title: "纳西小院 Naxi Court",
            info: "A wooden courtyard in the old town, away from the bar street.",
            tags: "old town,courtyard,cooking",
            boss_info: "Cooks for the whole table every evening.",
            good_rank: 2,
        },
        ShopSpec {
            title: "束河木屋 Shuhe Timber",
            info: "Two restored houses at the springs of Shuhe.",
            tags: "snow mountain,fireplace",
            boss_info: "Drives to the Jade Dragon trail in his old jeep.",
            good_rank: 0,
        },
    ],
    houses: &[
        HouseSpec {
            title: "Snow mountain view room 雪山观景房",
            sub_title: "Jade Dragon Snow Mountain from the bed, on clear mornings",
            info: "Heated floor, a large window to the north, and an oxygen bottle for the first night at 2,400 m.",
            yuan: 428,
            market_yuan: 528,
            weekend_yuan: 488,
            food_info: "Baba bread with butter tea",
            food_yuan: 22,
            meals_per_day: 10,
            recommended_rank: 2,
            ..ROOM
        },
        HouseSpec {
            title: "Courtyard double 四合院大床房",
            sub_title: "Five rooms around the persimmon tree",
            info: "Carved doors that do close, new mattresses, thick walls. The tree is ripe in November.",
            units: 5,
            yuan: 238,
            market_yuan: 288,
            food_info: "Baba bread with butter tea",
            food_yuan: 22,
            meals_per_day: 16,
            recommended_rank: 8,
            ..ROOM
        },
        HouseSpec {
            title: "Family suite with kang 火炕家庭套房",
            sub_title: "Two rooms, a heated platform bed for the children",
            info: "Connecting door, a low table, toys from the last decade. Cots are free.",
            people_num: 4,
            yuan: 568,
            market_yuan: 668,
            weekend_yuan: 628,
            food_info: "Dinner at Sister He's table: hotpot with cured ribs",
            food_yuan: 58,
            meals_per_day: 12,
            ..ROOM
        },
        HouseSpec {
            title: "Caravan dormitory 马帮通铺",
            sub_title: "Sold per person, ten sleeping places on one wooden platform",
            info: "As the tea caravans slept, with better blankets. Hikers leave their bags here.",
            people_num: 10,
            per_person: true,
            yuan: 65,
            market_yuan: 80,
            food_info: "Hotpot at eight, one sitting",
            food_yuan: 45,
            meals_per_day: 20,
            ..ROOM
        },
        HouseSpec {
            shop: 1,
            title: "Springside room 泉边客房",
            sub_title: "The stream runs under the terrace",
            info: "Ground floor, no steps, a bath one can enter with a wheelchair.",
            people_num: 3,
            units: 3,
            yuan: 318,
            market_yuan: 380,
            weekend_yuan: 368,
            recommended_rank: 9,
            ..ROOM
        },
        HouseSpec {
            shop: 1,
            title: "Mu's workshop 木作坊独栋",
            sub_title: "A small house of its own with stove and workbench",
            info: "Who stays three nights may build a stool and take it home. Wood is cut and ready.",
            people_num: 4,
            yuan: 780,
            market_yuan: 920,
            weekend_yuan: 880,
            food_info: "Trout and mushrooms on the stove",
            food_yuan: 75,
            meals_per_day: 6,
            ..ROOM
        },
        HouseSpec {
            shop: 1,
            title: "Star gazer's attic 观星阁楼",
            sub_title: "A glass roof, a telescope, a ladder",
            info: "Warm sleeping bags for the roof terrace. Not for children under ten: the ladder is a ladder.",
            yuan: 498,
            market_yuan: 560,
            weekend_yuan: 598,
            ..ROOM
        },
    ],
};
