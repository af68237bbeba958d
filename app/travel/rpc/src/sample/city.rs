/// A city of the demo: its shops, and houses that name them by their place in the list.
pub(super) struct City {
    pub(super) name: &'static str,
    pub(super) shops: &'static [ShopSpec],
    pub(super) houses: &'static [HouseSpec],
}

pub(super) struct ShopSpec {
    pub(super) title: &'static str,
    pub(super) info: &'static str,
    pub(super) tags: &'static str,
    pub(super) boss_info: &'static str,
    /// Place among good hosts, 0 for none.
    pub(super) good_rank: i64,
}

pub(super) struct HouseSpec {
    pub(super) shop: usize,
    pub(super) title: &'static str,
    pub(super) sub_title: &'static str,
    pub(super) info: &'static str,
    pub(super) people_num: i64,
    pub(super) units: i64,
    pub(super) per_person: bool,
    pub(super) yuan: i64,
    pub(super) market_yuan: i64,
    /// 0: as any other night.
    pub(super) weekend_yuan: i64,
    pub(super) food_info: &'static str,
    pub(super) food_yuan: i64,
    pub(super) meals_per_day: i64,
    /// Place in the recommended list, 0 for none.
    pub(super) recommended_rank: i64,
    pub(super) on_sale: bool,
}

/// What houses have in common unless they say otherwise: one room for two, on sale, without meals.
pub(super) const ROOM: HouseSpec = HouseSpec {
    shop: 0,
    title: "",
    sub_title: "",
    info: "",
    people_num: 2,
    units: 1,
    per_person: false,
    yuan: 300,
    market_yuan: 360,
    weekend_yuan: 0,
    food_info: "",
    food_yuan: 0,
    meals_per_day: 0,
    recommended_rank: 0,
    on_sale: true,
};
