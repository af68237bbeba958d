use homestay_error::{Code, Error, Result};

use crate::state::State;
use crate::store::Payment;
use crate::store::refund::Refund;

/// Key of a refund of all that is left, where the caller gives none.
pub(crate) const FULL: &str = "full";

/// What is to go back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    /// 0: all that is left.
    pub amount_cents: i64,
    /// Unique within the payment.
    pub key: String,
    pub reason: String,
}

/// What asking for a refund comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was asked for before.
    Is(Box<Refund>),
    /// A new one over so much.
    New(i64),
}

/// The rule: `known` are the payment's refunds, oldest first; `free_cents` is what neither goes back nor was passed on to the host
/// of all that was captured for the order.
pub(crate) fn verdict(payment: &Payment, known: &[Refund], ask: &Ask, free_cents: i64) -> Result<Verdict> {
    if let Some(same) = known.iter().find(|refund| refund.key == ask.key) {
        if ask.amount_cents != 0 && ask.amount_cents != same.amount_cents {
            return Err(Error::with(
                Code::IdempotencyKeyReused,
                "this key was used for a refund of another amount",
            ));
        }
        return Ok(Verdict::Is(Box::new(same.clone())));
    }
    let left = payment.amount_cents - payment.refund_reserved_cents;
    match payment.state {
        State::Captured | State::RefundPending | State::Refunded | State::Disputed => {}
        _ => return Err(Error::new(Code::PaymentState)),
    }
    let cents = match (ask.amount_cents, known.last()) {
        // All of nothing: somebody else has seen to it.
        (0, Some(last)) if left == 0 && ask.key == FULL => return Ok(Verdict::Is(Box::new(last.clone()))),
        (0, _) if left > 0 => left,
        (cents, _) if cents > 0 && cents <= left => cents,
        (cents, _) if cents < 0 => return Err(Error::invalid("amountCents", "must not be negative")),
        _ => {
            return Err(Error::with(
                Code::RefundExceeds,
                format!("of this payment {left} cents are left to refund"),
            ));
        }
    };
    // Disputed money pays no order: none of it is passed on.
    if payment.state != State::Disputed && cents > free_cents {
        let free_cents = free_cents.max(0);
        return Err(Error::with(
            Code::RefundExceeds,
            format!(
                "of this order's money {free_cents} cents are left to refund: the rest was passed on to the host"
            ),
        ));
    }
    Ok(Verdict::New(cents))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::RefundState;
    use crate::tests::a_payment;

    fn refund(key: &str, amount_cents: i64) -> Refund {
        Refund {
            sn: "RFD2026112110160000000002".parse().unwrap(),
            payment_sn: a_payment().sn,
            key: key.to_owned(),
            amount_cents,
            state: RefundState::Pending,
            reason: String::new(),
            failure: String::new(),
            attempt: 0,
            came_by: String::new(),
        }
    }

    /// State, reserved of 25,600, passed on of it, refunds known, asked under which key; then new amount, known key, or refusal.
    type Row = (
        State,
        i64,
        i64,
        &'static [(&'static str, i64)],
        (i64, &'static str),
        &'static str,
    );

    #[test]
    fn what_asking_for_a_refund_comes_to() {
        use State::*;
        let table: [Row; 25] = [
            (Captured, 0, 0, &[], (0, "full"), "new 25600"),
            (Captured, 0, 0, &[], (25_600, "full"), "new 25600"),
            (Captured, 0, 0, &[], (1, "a"), "new 1"),
            (Captured, 100, 0, &[("a", 100)], (0, "full"), "new 25500"),
            (Captured, 100, 0, &[("a", 100)], (25_500, "b"), "new 25500"),
            (Captured, 100, 0, &[("a", 100)], (25_501, "b"), "REFUND_EXCEEDS"),
            (Captured, 100, 0, &[("a", 100)], (100, "a"), "is a"),
            (Captured, 100, 0, &[("a", 100)], (0, "a"), "is a"),
            (
                Captured,
                100,
                0,
                &[("a", 100)],
                (101, "a"),
                "IDEMPOTENCY_KEY_REUSED",
            ),
            (Captured, 0, 0, &[], (-1, "a"), "INVALID_ARGUMENT"),
            (
                RefundPending,
                25_600,
                0,
                &[("a", 100), ("b", 25_500)],
                (0, "full"),
                "is b",
            ),
            (Refunded, 25_600, 0, &[("full", 25_600)], (0, "full"), "is full"),
            (Refunded, 25_600, 0, &[("a", 25_600)], (1, "b"), "REFUND_EXCEEDS"),
            (Refunded, 25_600, 0, &[("a", 25_600)], (0, "b"), "REFUND_EXCEEDS"),
            (Pending, 0, 0, &[], (0, "full"), "PAYMENT_STATE"),
            (Closed, 0, 0, &[], (1, "a"), "PAYMENT_STATE"),
            // What was passed on to the host does not go back as well.
            (
                Captured,
                12_800,
                12_800,
                &[("a", 12_800)],
                (0, "b"),
                "REFUND_EXCEEDS",
            ),
            (
                Captured,
                12_800,
                12_800,
                &[("a", 12_800)],
                (1, "b"),
                "REFUND_EXCEEDS",
            ),
            (Captured, 12_800, 12_800, &[("a", 12_800)], (12_800, "a"), "is a"),
            (Captured, 0, 600, &[], (0, "full"), "REFUND_EXCEEDS"),
            (Captured, 0, 600, &[], (25_001, "a"), "REFUND_EXCEEDS"),
            (Captured, 0, 600, &[], (25_000, "a"), "new 25000"),
            (Captured, 600, 26_000, &[("a", 600)], (1, "b"), "REFUND_EXCEEDS"),
            (Disputed, 0, 25_600, &[], (0, "case:1"), "new 25600"),
            (Disputed, 25_600, 0, &[("a", 25_600)], (1, "b"), "REFUND_EXCEEDS"),
        ];
        for (state, reserved, passed_on, known, (amount_cents, key), want) in table {
            let payment = Payment {
                state,
                refund_reserved_cents: reserved,
                ..a_payment()
            };
            let known: Vec<_> = known.iter().map(|(key, cents)| refund(key, *cents)).collect();
            let ask = Ask {
                amount_cents,
                key: key.to_owned(),
                reason: String::new(),
            };
            let got = match verdict(&payment, &known, &ask, 25_600 - reserved - passed_on) {
                Ok(Verdict::New(cents)) => format!("new {cents}"),
                Ok(Verdict::Is(refund)) => format!("is {}", refund.key),
                Err(error) => error.code().reason().to_owned(),
            };
            assert_eq!(got, want, "{state:?} {reserved} {passed_on} {ask:?}");
        }
    }
}
