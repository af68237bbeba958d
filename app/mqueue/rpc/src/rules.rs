//! What may become of a job: states, backoff, and the verdict on a failed attempt. Pure.

/// State of a job, as the column holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for its due time, or for a worker.
    Ready,
    /// Under a lease.
    Running,
    /// Done, or a tick that was missed: the next tick is its retry, and the error says why. Kept for a while.
    Done,
    /// A dead letter, kept until an operator decides.
    Dead,
}

impl State {
    /// All states.
    pub const ALL: [State; 4] = [State::Ready, State::Running, State::Done, State::Dead];

    /// The column's value.
    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            State::Ready => 0,
            State::Running => 1,
            State::Done => 2,
            State::Dead => 3,
        }
    }

    /// The name callers know.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Ready => "ready",
            State::Running => "running",
            State::Done => "done",
            State::Dead => "dead",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// The state with this column value.
    #[must_use]
    pub fn numbered(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }
}

/// Backoff after the first failure is up to twice this.
const BASE_MS: i64 = 200;
/// Longest backoff.
const LONGEST_MS: i64 = 5 * 60 * 1000;
/// Longest time a handler may ask for.
const LONGEST_WISH_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// How long to wait after the failure of try number `attempt` (from 1): doubles each time up to five minutes, between half and
/// all of that, so that jobs that failed together do not come back together. `random` is any number.
#[must_use]
pub fn backoff_ms(attempt: i64, random: u32) -> i64 {
    let doublings = u32::try_from(attempt.clamp(0, 20)).unwrap_or(0);
    let full = (BASE_MS << doublings).min(LONGEST_MS);
    let half = full / 2;
    half + half * i64::from(random) / i64::from(u32::MAX)
}

/// What a worker says of an attempt that was not a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// Try again, after this many milliseconds or, where that is 0, the backoff.
    Retry {
        /// What the handler asked for; 0: nothing.
        after_ms: i64,
    },
    /// Never again.
    Dead,
}

/// How often a job has been tried, and what that means for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// Number of the try, from 1.
    pub attempt: i64,
    /// The last one.
    pub max_attempts: i64,
    /// It repeats by itself, so that nobody has to look at one that failed for good.
    pub tick: bool,
}

/// What becomes of a job whose try failed at `now_ms`: its state and, if it is to be tried again, when.
#[must_use]
pub fn after_failure(failed: Failed, tries: Tries, now_ms: i64, random: u32) -> (State, i64) {
    let Tries {
        attempt,
        max_attempts,
        tick,
    } = tries;
    match failed {
        Failed::Retry { after_ms } if attempt < max_attempts => {
            let wait = if after_ms > 0 {
                after_ms.min(LONGEST_WISH_MS)
            } else {
                backoff_ms(attempt, random)
            };
            (State::Ready, now_ms + wait)
        }
        Failed::Retry { .. } | Failed::Dead if tick => (State::Done, now_ms),
        Failed::Retry { .. } | Failed::Dead => (State::Dead, now_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_from_a_fifth_of_a_second_to_five_minutes() {
        for (attempt, least, most) in [
            (1, 200, 400),
            (2, 400, 800),
            (3, 800, 1_600),
            (10, 102_400, 204_800),
            (11, 150_000, 300_000),
            (20, 150_000, 300_000),
            (i64::MAX, 150_000, 300_000),
            (0, 100, 200),
            (-1, 100, 200),
        ] {
            assert_eq!(backoff_ms(attempt, 0), least, "attempt {attempt}");
            assert_eq!(backoff_ms(attempt, u32::MAX), most, "attempt {attempt}");
            let middle = backoff_ms(attempt, u32::MAX / 2);
            assert!(least < middle && middle < most, "attempt {attempt}");
        }
    }

    #[test]
    fn a_failure_is_tried_again_until_the_tries_are_used_up() {
        let retry = |after_ms| Failed::Retry { after_ms };
        let tries = |attempt, max_attempts, tick| Tries {
            attempt,
            max_attempts,
            tick,
        };
        let job = |attempt| tries(attempt, 20, false);
        for (failed, tries, want) in [
            (retry(0), job(1), (State::Ready, 1_200)),
            (retry(0), job(19), (State::Ready, 151_000)),
            (retry(0), job(20), (State::Dead, 1_000)),
            (retry(0), tries(1, 1, false), (State::Dead, 1_000)),
            (retry(1_500), job(1), (State::Ready, 2_500)),
            (retry(1_500), job(20), (State::Dead, 1_000)),
            (retry(-5), job(1), (State::Ready, 1_200)),
            (
                retry(i64::MAX),
                job(1),
                (State::Ready, 1_000 + 30 * 24 * 60 * 60 * 1000),
            ),
            (Failed::Dead, job(1), (State::Dead, 1_000)),
            (retry(0), tries(1, 1, true), (State::Done, 1_000)),
            (retry(0), tries(1, 2, true), (State::Ready, 1_200)),
            (Failed::Dead, tries(1, 2, true), (State::Done, 1_000)),
        ] {
            assert_eq!(
                after_failure(failed, tries, 1_000, 0),
                want,
                "{failed:?} at {tries:?}"
            );
        }
    }

    #[test]
    fn states_are_read_back_by_name_and_number() {
        for state in State::ALL {
            assert_eq!(State::named(state.name()), Some(state));
            assert_eq!(State::numbered(state.number()), Some(state));
        }
        assert_eq!((State::named("x"), State::numbered(4)), (None, None));
    }
}
