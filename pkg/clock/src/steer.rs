/// A sample that took longer than this says too little.
const LONGEST_TRIP_NS: i64 = 200_000_000;
/// What the other clock's own rounding adds to a sample's error.
const ROUNDING_NS: i64 = 1_000_000;

/// The rule by which a clock follows another: it runs with the machine's monotone time, is set by the first sample, and
/// from then on only as far as a later sample proves it wrong: forward at once, back by running at half speed. So it never
/// steps back, whatever the machine's or the other clock does. All in nanoseconds.
#[derive(Debug)]
pub(crate) struct Steering {
    /// What is shown is the monotone time and this.
    offset: i64,
    target: i64,
    /// Latest monotone time seen.
    at: i64,
    set: bool,
}

impl Steering {
    /// Shows `start` at the monotone time 0, until told better.
    pub(crate) fn new(start: i64) -> Self {
        Self {
            offset: start,
            target: start,
            at: 0,
            set: false,
        }
    }

    /// The time at the monotone time `at`.
    pub(crate) fn show(&mut self, at: i64) -> i64 {
        let passed = (at - self.at).max(0);
        self.at += passed;
        self.offset = self.target.max(self.offset - passed / 2);
        self.at + self.offset
    }

    /// The other clock showed `told` within the last `round_trip` before `at`.
    pub(crate) fn told(&mut self, at: i64, told: i64, round_trip: i64) {
        let half = round_trip / 2;
        let offset = told + half - at;
        if !self.set {
            (self.set, self.offset, self.target) = (true, offset, offset);
            self.at = self.at.max(at);
        } else if round_trip <= LONGEST_TRIP_NS {
            // Up to now it ran towards the old target.
            self.show(at);
            let error = half + ROUNDING_NS;
            self.target = self.target.clamp(offset - error, offset + error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn a_sample_moves_the_clock_as_far_as_it_proves_it_wrong_and_never_back() {
        // The clock shows 1000 ms at 0, set by a first sample. Then, at 100 ms: what it is told, how long that took, and
        // what it shows at once and 100 ms later.
        let cases = [
            ("the same", 1_100, 0, 1_100, 1_200),
            ("within the rounding", 1_101, 0, 1_100, 1_200),
            ("within the round trip, earlier", 1_080, 20, 1_100, 1_200),
            ("within the round trip, later", 1_095, 20, 1_100, 1_200),
            ("ahead by more", 1_150, 20, 1_149, 1_249),
            ("behind by a little", 1_079, 0, 1_100, 1_180),
            ("behind by much", 100, 0, 1_100, 1_150),
            ("ahead by much", 500_000, 0, 499_999, 500_099),
            ("too long ago", 500_000, 201, 1_100, 1_200),
        ];
        for (case, told, trip, at_once, later) in cases {
            let mut clock = Steering::new(77 * MS);
            clock.told(0, 1_000 * MS, 0);
            clock.told(100 * MS, told * MS, trip * MS);
            let shown = (clock.show(100 * MS) / MS, clock.show(200 * MS) / MS);
            assert_eq!(shown, (at_once, later), "{case}");
        }
    }

    #[test]
    fn only_the_first_sample_sets_it_back() {
        let mut clock = Steering::new(9_000 * MS);
        assert_eq!(clock.show(10 * MS), 9_010 * MS);
        clock.told(20 * MS, 1_000 * MS, 10 * MS);
        assert_eq!(clock.show(20 * MS), 1_005 * MS);
        assert_eq!(
            clock.show(15 * MS),
            1_005 * MS,
            "asked by another thread a moment before"
        );
    }

    #[test]
    fn a_clock_that_is_ahead_is_met_at_half_speed_however_often_it_is_asked() {
        let mut clock = Steering::new(0);
        clock.told(0, 1_000 * MS, 0);
        clock.told(0, 900 * MS, 0);
        let mut before = 0;
        for at in 0..=4_000 {
            let shown = clock.show(at * MS / 10);
            assert!(shown > before);
            before = shown;
        }
        assert_eq!(before, 1_301 * MS);
    }
}
