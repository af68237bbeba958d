//! What a host may decide about when a house is sold and for how much, and what of it makes sense.

use homestay_types::Stay;
use jiff::civil::Weekday;
use serde::{Deserialize, Serialize};

/// All seven bits.
pub const EVERY_DAY: i64 = 127;
/// More than any price a night may have, in cents.
pub(crate) const DEAR: i64 = 1_000_000_000;
/// Minutes of a day.
const DAY_MINUTES: i64 = 24 * 60;
/// Longest buffer after a stay.
const MAX_BUFFER: i64 = 30;
/// A year of hours: the longest notice of a cancellation policy.
const MAX_NOTICE: i64 = 366 * 24;

/// Rules of a house; the default is a house without any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// Fewest nights of a stay; 0: none asked.
    pub min_nights: i64,
    /// Most nights of a stay; 0: none asked.
    pub max_nights: i64,
    /// Nights after a stay that nobody can take.
    pub buffer_days: i64,
    /// Days on which a stay may begin; Monday is bit 0.
    pub arrival_weekdays: i64,
    /// Days on which a stay may end; Monday is bit 0.
    pub departure_weekdays: i64,
    /// Nights nearer than this are not sold.
    pub advance_min_days: i64,
    /// Nights further ahead than this are not sold; 0: no bound of its own.
    pub advance_max_days: i64,
    /// Minutes after local midnight from which guests may come in.
    pub check_in_minute: i64,
    /// Nights with prices of their own; they do not overlap.
    pub seasons: Vec<Season>,
    /// For longer stays; each number of nights once.
    pub discounts: Vec<Discount>,
    /// What a cancel gives back.
    pub policy: Policy,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            min_nights: 0,
            max_nights: 0,
            buffer_days: 0,
            arrival_weekdays: EVERY_DAY,
            departure_weekdays: EVERY_DAY,
            advance_min_days: 0,
            advance_max_days: 0,
            check_in_minute: 15 * 60,
            seasons: Vec::new(),
            discounts: Vec::new(),
            policy: Policy::default(),
        }
    }
}

/// Nights `[from, until)` with prices of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Season {
    /// What the host calls it.
    pub name: String,
    /// Day number of the first night.
    pub from: i64,
    /// Day number of the night after the last.
    pub until: i64,
    /// Price of a night; 0: as outside of it.
    pub price_cents: i64,
    /// Price of Friday and Saturday nights; 0: as its other nights.
    pub weekend_cents: i64,
    /// Fewest nights of a stay with a night in it; 0: none asked.
    pub min_nights: i64,
}

/// Off the room lines of stays of so many nights or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    /// From this length on.
    pub nights: i64,
    /// 1 to 100.
    pub percent: i64,
}

/// What goes back when a guest cancels: of the first window whose notice is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// `flexible`, `moderate`, `strict` or `custom`.
    pub name: String,
    /// Longest notice first.
    pub windows: Vec<Window>,
}

/// One step of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Hours before check-in.
    pub hours_before: i64,
    /// 0 to 100.
    pub refund_percent: i64,
}

/// The policies with a name, as data.
const PRESETS: [(&str, &[(i64, i64)]); 3] = [
    ("flexible", &[(24, 100)]),
    ("moderate", &[(120, 100), (24, 50)]),
    ("strict", &[(336, 100), (168, 50)]),
];

impl Policy {
    /// The policy of this name, if it is one of those that need no windows of their own.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        let (name, windows) = PRESETS.iter().find(|(known, _)| *known == name)?;
        let windows = windows.iter().map(|(hours_before, refund_percent)| Window {
            hours_before: *hours_before,
            refund_percent: *refund_percent,
        });
        Some(Self {
            name: (*name).to_owned(),
            windows: windows.collect(),
        })
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::preset("flexible").expect("it is in the list")
    }
}

/// The bit of a weekday.
#[must_use]
pub fn bit(day: Weekday) -> i64 {
    1 << day.to_monday_zero_offset()
}

/// What is wrong with a field of [`Terms`].
pub type Wrong = (&'static str, &'static str);

fn ensure(holds: bool, field: &'static str, what: &'static str) -> Result<(), Wrong> {
    if holds { Ok(()) } else { Err((field, what)) }
}

impl Terms {
    /// The season of a night.
    #[must_use]
    pub fn season(&self, night: i64) -> Option<&Season> {
        let mut seasons = self.seasons.iter();
        seasons.find(|season| (season.from..season.until).contains(&night))
    }

    /// Percent off the room of a stay of so many nights: of the longest discount that applies, 0 without one.
    #[must_use]
    pub fn discount_percent(&self, nights: i64) -> i64 {
        let applies = self.discounts.iter().filter(|discount| discount.nights <= nights);
        applies
            .max_by_key(|discount| discount.nights)
            .map_or(0, |discount| discount.percent)
    }

    /// Whether they can be kept together.
    ///
    /// # Errors
    /// The field and what is wrong with it.
    pub fn check(&self) -> Result<(), Wrong> {
        let nights = 0..=Stay::MAX_NIGHTS;
        let range = "must be 0 to 180";
        ensure(nights.contains(&self.min_nights), "minNights", range)?;
        ensure(nights.contains(&self.max_nights), "maxNights", range)?;
        let longest = |least: i64| self.max_nights == 0 || least <= self.max_nights;
        ensure(
            longest(self.min_nights),
            "maxNights",
            "must be at least minNights",
        )?;
        ensure(
            (0..=MAX_BUFFER).contains(&self.buffer_days),
            "bufferDays",
            "must be 0 to 30",
        )?;
        for (field, days) in [
            ("arrivalWeekdays", self.arrival_weekdays),
            ("departureWeekdays", self.departure_weekdays),
        ] {
            ensure(
                (1..=EVERY_DAY).contains(&days),
                field,
                "must name at least one day",
            )?;
        }
        let ahead = 0..=super::HORIZON_DAYS;
        ensure(
            ahead.contains(&self.advance_min_days),
            "advanceMinDays",
            "must be 0 to 400",
        )?;
        ensure(
            ahead.contains(&self.advance_max_days),
            "advanceMaxDays",
            "must be 0 to 400",
        )?;
        ensure(
            self.advance_max_days == 0 || self.advance_min_days <= self.advance_max_days,
            "advanceMaxDays",
            "must be at least advanceMinDays",
        )?;
        ensure(
            (1..DAY_MINUTES).contains(&self.check_in_minute),
            "checkInTime",
            "must be 00:01 to 23:59",
        )?;
        ensure(self.seasons.len() <= 100, "seasons", "must be at most 100")?;
        let mut seasons: Vec<&Season> = self.seasons.iter().collect();
        seasons.sort_by_key(|season| season.from);
        for season in &seasons {
            ensure(season.from < season.until, "seasons", "must end after they begin")?;
            ensure(
                (0..=DEAR).contains(&season.price_cents) && (0..=DEAR).contains(&season.weekend_cents),
                "seasons",
                "must have prices that are not negative",
            )?;
            ensure(
                nights.contains(&season.min_nights) && longest(season.min_nights),
                "seasons",
                "must ask for at most 180 nights, and at most maxNights",
            )?;
            ensure(
                season.name.chars().count() <= 64,
                "seasons",
                "must have names of at most 64 characters",
            )?;
        }
        let apart = seasons.windows(2).all(|two| two[0].until <= two[1].from);
        ensure(apart, "seasons", "must not overlap")?;
        self.check_discounts()?;
        self.policy.check()
    }

    fn check_discounts(&self) -> Result<(), Wrong> {
        let field = "discounts";
        ensure(self.discounts.len() <= 20, field, "must be at most 20")?;
        let mut lengths: Vec<i64> = self.discounts.iter().map(|discount| discount.nights).collect();
        lengths.sort_unstable();
        lengths.dedup();
        ensure(
            lengths.len() == self.discounts.len(),
            field,
            "must be one for a number of nights",
        )?;
        for discount in &self.discounts {
            ensure(
                (1..=Stay::MAX_NIGHTS).contains(&discount.nights),
                field,
                "must begin at 1 to 180 nights",
            )?;
            ensure(
                (1..=100).contains(&discount.percent),
                field,
                "must be 1 to 100 percent",
            )?;
        }
        Ok(())
    }
}

impl Policy {
    fn check(&self) -> Result<(), Wrong> {
        let field = "cancellationPolicy";
        if let Some(preset) = Self::preset(&self.name) {
            return ensure(
                preset == *self,
                field,
                "must be custom if it has windows of its own",
            );
        }
        ensure(
            self.name == "custom",
            field,
            "must be flexible, moderate, strict or custom",
        )?;
        ensure(self.windows.len() <= 10, field, "must have at most 10 windows")?;
        for window in &self.windows {
            ensure(
                (0..=MAX_NOTICE).contains(&window.hours_before),
                field,
                "must have notices of 0 to 8784 hours",
            )?;
            ensure(
                (0..=100).contains(&window.refund_percent),
                field,
                "must give back 0 to 100 percent",
            )?;
        }
        let falling = self.windows.windows(2).all(|two| {
            two[0].hours_before > two[1].hours_before && two[0].refund_percent >= two[1].refund_percent
        });
        ensure(
            falling,
            field,
            "must have the longest notice first, and give back no more for a shorter one",
        )
    }
}
