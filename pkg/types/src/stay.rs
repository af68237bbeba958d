use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Why two dates are no stay.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StayError {
    /// The text is not a civil date, or lies outside years 1970 to 2200.
    #[error("is not a date of the form YYYY-MM-DD")]
    Date,
    /// Check-out is not after check-in.
    #[error("must be at least one night after check-in")]
    Reversed,
    /// More nights than any stay may have.
    #[error("must be at most {0} nights after check-in")]
    TooLong(i64),
    /// The time zone is not an IANA name.
    #[error("is not a known time zone")]
    Zone,
}

/// The nights from check-in to check-out: at least one, at most [`Stay::MAX_NIGHTS`], civil dates in the house's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    check_in: Date,
    check_out: Date,
}

impl Stay {
    /// Longest stay, in nights.
    pub const MAX_NIGHTS: i64 = 180;

    /// Makes a stay of two civil dates.
    ///
    /// # Errors
    /// [`StayError::Reversed`] for less than one night, [`StayError::TooLong`] for more than [`Stay::MAX_NIGHTS`].
    pub fn new(check_in: Date, check_out: Date) -> Result<Self, StayError> {
        let nights = day_number(check_out) - day_number(check_in);
        if nights < 1 {
            return Err(StayError::Reversed);
        }
        if nights > Self::MAX_NIGHTS {
            return Err(StayError::TooLong(Self::MAX_NIGHTS));
        }
        Ok(Self { check_in, check_out })
    }

    /// First night.
    #[must_use]
    pub fn check_in(&self) -> Date {
        self.check_in
    }

    /// Day of departure; its night is not part of the stay.
    #[must_use]
    pub fn check_out(&self) -> Date {
        self.check_out
    }

    /// Number of nights: the difference of the dates, whatever the clocks do in between.
    #[must_use]
    pub fn nights(&self) -> i64 {
        day_number(self.check_out) - day_number(self.check_in)
    }

    /// The dates of the nights, in order.
    pub fn dates(&self) -> impl Iterator<Item = Date> + use<> {
        let (from, to) = (day_number(self.check_in), day_number(self.check_out));
        (from..to).map(date_of_number)
    }
}

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// Days since 1970-01-01, the form of a date in SQL.
#[must_use]
pub fn day_number(date: Date) -> i64 {
    date.duration_since(EPOCH).as_hours() / 24
}

/// The date that is `number` days after 1970-01-01; the ends of the calendar for numbers beyond it.
#[must_use]
pub fn date_of_number(number: i64) -> Date {
    EPOCH.saturating_add(jiff::Span::new().days(number.clamp(-700_000, 2_900_000)))
}

/// Reads an ISO 8601 date between 1970 and 2200.
///
/// # Errors
/// [`StayError::Date`] for anything else.
pub fn parse_date(text: &str) -> Result<Date, StayError> {
    let date: Date = text.parse().map_err(|_| StayError::Date)?;
    if text.len() == 10 && (1970..=2200).contains(&date.year()) {
        Ok(date)
    } else {
        Err(StayError::Date)
    }
}

/// The time zone of an IANA name.
///
/// # Errors
/// [`StayError::Zone`] if the name is unknown.
pub fn zone(name: &str) -> Result<TimeZone, StayError> {
    TimeZone::get(name).map_err(|_| StayError::Zone)
}

/// Unix seconds of the first instant of `date` in `zone`: midnight, or what follows it where midnight is skipped.
#[must_use]
pub fn midnight_s(date: Date, zone: &TimeZone) -> i64 {
    zone.to_zoned(date.at(0, 0, 0, 0))
        .map_or(0, |z| z.start_of_day().map_or(0, |s| s.timestamp().as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn nights_are_counted_by_date() {
        let cases = [
            ((2026, 3, 28), (2026, 3, 30), Ok(2)),
            ((2028, 2, 28), (2028, 3, 1), Ok(2)),
            ((2026, 12, 31), (2027, 1, 1), Ok(1)),
            ((2026, 5, 1), (2026, 5, 1), Err(StayError::Reversed)),
            ((2026, 5, 2), (2026, 5, 1), Err(StayError::Reversed)),
            ((2026, 1, 1), (2027, 1, 1), Err(StayError::TooLong(180))),
        ];
        for ((y, m, d), (y2, m2, d2), want) in cases {
            let got = Stay::new(date(y, m, d), date(y2, m2, d2)).map(|s| s.nights());
            assert_eq!(got, want);
        }
    }

    #[test]
    fn day_numbers_and_dates_are_inverse() {
        for n in [-719_000 / 2, -1, 0, 1, 19_723, 20_512, 84_000] {
            assert_eq!(day_number(date_of_number(n)), n);
        }
        assert_eq!(day_number(date(1970, 1, 2)), 1);
    }

    #[test]
    fn dates_outside_the_plain_form_are_refused() {
        for bad in [
            "",
            "2026-13-01",
            "2026-02-30",
            "20260101",
            "2026-01-01T00:00",
            "1969-12-31",
            "9999-01-01",
            "-002026-01-01",
        ] {
            assert_eq!(parse_date(bad), Err(StayError::Date), "{bad}");
        }
    }

    #[test]
    fn midnight_follows_the_zone() {
        let shanghai = zone("Asia/Shanghai").unwrap();
        assert_eq!(midnight_s(date(2026, 11, 21), &shanghai), 1_795_190_400);
    }
}
