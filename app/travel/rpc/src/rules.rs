//! What may be booked, and how the two forms of a date are read. Pure: today is an argument.

pub mod refusal;
pub mod stay;
pub mod stock;
pub mod terms;

use homestay_error::{Error, Result};
use homestay_types::{Stay, StayError, day_number, parse_date};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::house::{Day, House};

/// Nights further ahead than this are not sold, whatever the house's calendar says.
pub const HORIZON_DAYS: i64 = 400;

/// Longest range of a calendar.
pub const CALENDAR_DAYS: i64 = 400;

/// The dates of a booking as they were asked for; errors name its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dates {
    /// ISO dates: `checkIn`, `checkOut`.
    Iso {
        /// First night.
        check_in: String,
        /// Day of departure.
        check_out: String,
    },
    /// Unix seconds of the looklook face: `liveStartTime`, `liveEndTime`.
    Seconds {
        /// Some instant of the day of arrival.
        start: i64,
        /// Some instant of the day of departure.
        end: i64,
    },
}

impl Dates {
    /// The form that was used: seconds are read where no date is given, if there are any.
    #[must_use]
    pub fn of(check_in: &str, check_out: &str, start: i64, end: i64) -> Self {
        if check_in.is_empty() && check_out.is_empty() && (start, end) != (0, 0) {
            Dates::Seconds { start, end }
        } else {
            Dates::Iso {
                check_in: check_in.to_owned(),
                check_out: check_out.to_owned(),
            }
        }
    }

    /// Field of the arrival.
    #[must_use]
    pub fn start_field(&self) -> &'static str {
        match self {
            Dates::Iso { .. } => "checkIn",
            Dates::Seconds { .. } => "liveStartTime",
        }
    }

    fn end_field(&self) -> &'static str {
        match self {
            Dates::Iso { .. } => "checkOut",
            Dates::Seconds { .. } => "liveEndTime",
        }
    }

    /// Day numbers that enclose the stay in any zone, so that its days can be read together with the house. Empty if the
    /// dates are none.
    #[must_use]
    pub fn around(&self) -> (i64, i64) {
        match self {
            Dates::Iso { check_in, check_out } => match (parse_date(check_in), parse_date(check_out)) {
                (Ok(from), Ok(to)) => (day_number(from), day_number(to)),
                _ => (0, 0),
            },
            Dates::Seconds { start, end } => {
                let day = |s: &i64| s.div_euclid(86_400);
                (day(start).saturating_sub(1), day(end).saturating_add(2))
            }
        }
    }

    /// The stay in civil dates of the house's zone: seconds are converted once, here.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the field.
    pub fn stay(&self, zone: &TimeZone) -> Result<Stay> {
        let (start, end) = match self {
            Dates::Iso { check_in, check_out } => (parse_date(check_in), parse_date(check_out)),
            Dates::Seconds { start, end } => (local_date(*start, zone), local_date(*end, zone)),
        };
        let start = start.map_err(|what| Error::invalid(self.start_field(), what))?;
        let end = end.map_err(|what| Error::invalid(self.end_field(), what))?;
        Stay::new(start, end).map_err(|what| Error::invalid(self.end_field(), what))
    }
}

/// The civil date in `zone` at a unix second.
fn local_date(second: i64, zone: &TimeZone) -> Result<Date, StayError> {
    let at = Timestamp::from_second(second).map_err(|_| StayError::Date)?;
    Ok(zone.to_datetime(at).date())
}

/// Day number of today in `zone`.
#[must_use]
pub fn today(now: Timestamp, zone: &TimeZone) -> i64 {
    day_number(zone.to_datetime(now).date())
}

/// Checks the number of guests, before anything is known of the house.
///
/// # Errors
/// `INVALID_ARGUMENT` naming `guests`.
pub fn some_guests(guests: i64) -> Result<()> {
    if guests < 1 {
        return Err(Error::invalid("guests", "must be at least 1"));
    }
    Ok(())
}

/// Checks everything about a new booking but stock: `start_field` is the name of the arrival in errors, `today` a day
/// number in the house's zone.
///
/// # Errors
/// `INVALID_ARGUMENT` naming the field; `OFF_SALE`; `DATES_CLOSED` naming rule and night. Its details list every refusal.
pub fn bookable(
    house: &House,
    days: &[Day],
    stay: &Stay,
    start_field: &'static str,
    guests: i64,
    meals: bool,
    today: i64,
) -> Result<()> {
    some_guests(guests)?;
    let refusals = stay::refusals(house, days, stay, guests, meals, today);
    refusal::error(&refusals, start_field).map_or(Ok(()), Err)
}

/// Whether a night can be sold as far as calendar and rules are concerned.
#[must_use]
pub fn is_open(house: &House, days: &[Day], night: i64, today: i64) -> bool {
    stay::night_refusal(house, days, night, today).is_none()
}

/// The days of a calendar: `[from, to)`.
///
/// # Errors
/// `INVALID_ARGUMENT` naming `from` or `to`.
pub fn calendar_range(from: &str, to: &str) -> Result<(i64, i64)> {
    let from = day_number(parse_date(from).map_err(|what| Error::invalid("from", what))?);
    let to = day_number(parse_date(to).map_err(|what| Error::invalid("to", what))?);
    if to <= from {
        return Err(Error::invalid("to", "must be after from"));
    }
    if to - from > CALENDAR_DAYS {
        return Err(Error::invalid(
            "to",
            format!("must be at most {CALENDAR_DAYS} days after from"),
        ));
    }
    Ok((from, to))
}
