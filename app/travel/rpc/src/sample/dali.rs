use super::city::{City, HouseSpec, ROOM, ShopSpec};

pub(super) const CITY: City = City {
    name: "Dali",
    shops: &[
        ShopSpec {
            title: "洱海船屋 Erhai Boathouse",
            info: "Bai houses on the east shore of Erhai, sunrise side turned away, sunset side open.",
            tags: "lake,bicycles,boat",
            boss_info: "Takes guests out on the lake when the wind is right.",
            good_rank: 3,
        },
        ShopSpec {
            title: "喜洲画室 Xizhou Atelier",
            info: "A painter's house between rice fields and the market of Xizhou.",
            tags: "art,fields,slow",
            boss_info: "Gives her brushes to children.",
            good_rank: 5,
        },
    ],
    houses: &[
        HouseSpec {
            title: "Lake front room 洱海海景房",
            sub_title: "Six metres from the water, gulls in winter",
            info: "A bathtub at the window, which everyone photographs. Blinds for those who want to sleep.",
            units: 3,
            yuan: 548,
            market_yuan: 680,
            weekend_yuan: 648,
            food_info: "Breakfast on the pier: erkuai, mint, eggs",
            food_yuan: 32,
            meals_per_day: 10,
            recommended_rank: 4,
            ..ROOM
        },
        HouseSpec {
            title: "Boat builder's house 造船人老屋",
            sub_title: "Whole house for six with its own landing stage",
            info: "Two rooms upstairs, one down, a kitchen with a wood stove and a gas one. A rowing boat belongs to it.",
            people_num: 6,
            yuan: 1280,
            market_yuan: 1500,
            weekend_yuan: 1480,
            recommended_rank: 10,
            ..ROOM
        },
        HouseSpec {
            title: "Cyclists' room 骑行者之家",
            sub_title: "Sold per person, four beds and a place for the bicycles",
            info: "Round the lake is 130 km; the second day ends here. Tools, pump and a washing line.",
            people_num: 4,
            units: 3,
            per_person: true,
            yuan: 88,
            market_yuan: 108,
            weekend_yuan: 98,
            food_info: "A large plate of noodles, twice",
            food_yuan: 26,
            meals_per_day: 24,
            ..ROOM
        },
        HouseSpec {
            title: "Garden double 花园大床房",
            sub_title: "Bougainvillea over the door",
            info: "Behind the boathouse, away from the road, shaded until noon.",
            units: 2,
            yuan: 298,
            market_yuan: 350,
            ..ROOM
        },
        HouseSpec {
            shop: 1,
            title: "Rice field studio 稻田画室",
            sub_title: "A room with an easel and north light",
            info: "Colours are there, paper is not free. The fields are green in July and gold in September.",
            yuan: 358,
            market_yuan: 420,
            weekend_yuan: 398,
            food_info: "Xizhou baba from the oven next door",
            food_yuan: 18,
            meals_per_day: 8,
            recommended_rank: 7,
            ..ROOM
        },
        HouseSpec {
            shop: 1,
            title: "White wall courtyard 白族三坊一照壁",
            sub_title: "A Bai courtyard with its shining wall, for twelve",
            info: "Six rooms, two kitchens, a hall for a long table. Weddings by arrangement, music until ten.",
            people_num: 12,
            yuan: 2880,
            market_yuan: 3300,
            weekend_yuan: 3280,
            food_info: "Three-course tea and a table of eight dishes",
            food_yuan: 98,
            meals_per_day: 24,
            ..ROOM
        },
        HouseSpec {
            shop: 1,
            title: "Tie-dye room 扎染客房",
            sub_title: "Everything in it is blue",
            info: "Linen from the workshop of the neighbours, who take guests for an afternoon.",
            people_num: 3,
            units: 2,
            yuan: 278,
            market_yuan: 320,
            weekend_yuan: 308,
            ..ROOM
        },
    ],
};
