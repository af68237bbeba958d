//! The time a request has left, kept beside the running task and carried through every call.

use std::time::Duration;

use tokio::time::Instant;

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Longest time one call gets, whatever is left of the request (design.md §1).
pub const CALL: Duration = Duration::from_secs(2);

/// Runs `work` with `left` from now, or less if the surrounding work has less. It does not cut `work`; calls made in it do.
pub async fn scope<F: Future>(left: Duration, work: F) -> F::Output {
    let mut until = Instant::now() + left;
    if let Ok(outer) = DEADLINE.try_with(|d| *d) {
        until = until.min(outer);
    }
    DEADLINE.scope(until, work).await
}

/// What is left of the running task's time; `None` if it has no deadline.
#[must_use]
pub fn left() -> Option<Duration> {
    DEADLINE
        .try_with(|d| d.saturating_duration_since(Instant::now()))
        .ok()
}

/// Time for the next call: what is left, at most [`CALL`].
pub(crate) fn for_call() -> Duration {
    left().map_or(CALL, |left| left.min(CALL))
}

/// A duration in the `grpc-timeout` form, in milliseconds (at most 8 digits).
pub(crate) fn to_header(left: Duration) -> http::HeaderValue {
    let ms = left.as_millis().clamp(1, 99_999_999);
    http::HeaderValue::from_str(&format!("{ms}m")).expect("digits and a letter")
}

/// Reads a `grpc-timeout`.
pub(crate) fn from_header(value: &http::HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(n * 3600),
        "M" => Duration::from_secs(n * 60),
        "S" => Duration::from_secs(n),
        "m" => Duration::from_millis(n),
        "u" => Duration::from_micros(n),
        "n" => Duration::from_nanos(n),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_the_protocol_writes_them() {
        let cases = [
            ("1S", Some(Duration::from_secs(1))),
            ("250m", Some(Duration::from_millis(250))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("2H", Some(Duration::from_secs(7200))),
            ("123456789m", None),
            ("-1m", None),
            ("m", None),
            ("", None),
            ("1", None),
            ("1x", None),
        ];
        for (text, want) in cases {
            assert_eq!(from_header(&http::HeaderValue::from_static(text)), want, "{text}");
        }
        assert_eq!(
            from_header(&to_header(Duration::from_millis(1500))),
            Some(Duration::from_millis(1500))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_inner_deadline_never_outlives_the_outer() {
        scope(Duration::from_secs(1), async {
            scope(Duration::from_secs(9), async {
                assert_eq!(left(), Some(Duration::from_secs(1)));
            })
            .await;
        })
        .await;
        assert_eq!(left(), None);
    }
}
