//! One booking as three domains tell it, and what must agree. Pure.

/// What the order domain says.
#[derive(Debug, Clone, Default)]
pub struct Order {
    pub sn: String,
    pub state: String,
    pub house_id: i64,
    pub unit: i64,
    pub attempt: i64,
    pub check_in_day: i64,
    pub check_out_day: i64,
    pub total_cents: i64,
    /// Sum of the priced lines.
    pub lines_cents: i64,
    pub charged_cents: i64,
    pub refund_cents: i64,
    pub kept_cents: i64,
    /// The kept money has been passed on.
    pub settled: bool,
    /// Attempts of changes that are not done with, and those they are to replace.
    pub open_attempts: Vec<i64>,
    pub payments: Vec<OrderPayment>,
    pub refunds: Vec<OrderRefund>,
}

/// A payment as the order counts it.
#[derive(Debug, Clone, Default)]
pub struct OrderPayment {
    pub payment_sn: String,
    pub amount_cents: i64,
    /// Decided to go back.
    pub back_cents: i64,
}

/// A refund that the order has asked for.
#[derive(Debug, Clone, Default)]
pub struct OrderRefund {
    pub payment_sn: String,
    /// Empty: of all that was left.
    pub key: String,
    pub amount_cents: i64,
}

/// What travel says: nights that are taken.
#[derive(Debug, Clone, Default)]
pub struct Hold {
    pub attempt: i64,
    pub house_id: i64,
    pub unit: i64,
    pub check_in: i64,
    pub check_out: i64,
}

/// What the payment domain says.
#[derive(Debug, Clone, Default)]
pub struct Payment {
    pub sn: String,
    pub state: String,
    pub amount_cents: i64,
    pub refunded_cents: i64,
    /// Back or on the way back.
    pub reserved_cents: i64,
    /// Kinds of the cases in which a person was told of it.
    pub cases: Vec<String>,
    pub refunds: Vec<Refund>,
}

impl Payment {
    /// Whether money has come by it.
    pub fn is_captured(&self) -> bool {
        ["captured", "refund_pending", "refunded", "disputed"].contains(&self.state.as_str())
    }

    fn has_case(&self, kinds: &[&str]) -> bool {
        self.cases.iter().any(|case| kinds.contains(&case.as_str()))
    }
}

/// A refund of a payment.
#[derive(Debug, Clone, Default)]
pub struct Refund {
    pub key: String,
    pub amount_cents: i64,
}

/// One booking.
#[derive(Debug, Clone, Default)]
pub struct Booking {
    pub order: Order,
    pub holds: Vec<Hold>,
    pub payments: Vec<Payment>,
}

/// Cases about money that is here and should not be, which an operator may also send back.
pub const TOO_MUCH: &[&str] = &[
    "money_without_order",
    "unknown_order",
    "wrong_amount",
    "refund_refused",
];
/// Cases about money that went back otherwise than the order decided.
const TOO_LITTLE: &[&str] = &[
    "provider_refund",
    "refund_refused",
    "money_without_order",
    "unknown_order",
    "wrong_amount",
];

/// Kind and figures of every disagreement.
pub fn disagreements(booking: &Booking) -> Vec<(&'static str, String)> {
    let mut found = nights(booking);
    found.extend(money(booking));
    found
}

fn keeps_nights(state: &str) -> bool {
    ["awaiting_payment", "confirmed", "used", "expired"].contains(&state)
}

fn nights(Booking { order, holds, .. }: &Booking) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let keeps = keeps_nights(&order.state);
    let own = |hold: &Hold| {
        (hold.house_id, hold.unit, hold.check_in, hold.check_out)
            == (
                order.house_id,
                order.unit,
                order.check_in_day,
                order.check_out_day,
            )
    };
    match holds.iter().find(|hold| hold.attempt == order.attempt) {
        None if keeps => found.push((
            "order_without_its_nights",
            format!("{}, attempt {}", order.state, order.attempt),
        )),
        Some(hold) if keeps && !own(hold) => found.push((
            "order_without_its_nights",
            format!(
                "days {} to {} of unit {} in house {}, but held are {} to {} of unit {} in house {}",
                order.check_in_day,
                order.check_out_day,
                order.unit,
                order.house_id,
                hold.check_in,
                hold.check_out,
                hold.unit,
                hold.house_id
            ),
        )),
        _ => {}
    }
    for hold in holds {
        let wanted = keeps && (hold.attempt == order.attempt || order.open_attempts.contains(&hold.attempt));
        if !wanted {
            found.push((
                "nights_not_given_back",
                format!("{}, attempt {}", order.state, hold.attempt),
            ));
        }
    }
    found
}

fn money(Booking { order, payments, .. }: &Booking) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let stays = ["confirmed", "used", "expired"].contains(&order.state.as_str());
    if order.lines_cents != order.total_cents {
        found.push((
            "order_does_not_add_up",
            format!("total {}, lines of {}", order.total_cents, order.lines_cents),
        ));
    }
    let left = order.charged_cents - order.refund_cents;
    // Of its own accord a provider gives a part back, and a person decides what that buys.
    let given = payments.iter().any(|payment| payment.has_case(TOO_LITTLE)) && left < order.total_cents;
    if stays && left != order.total_cents && !given {
        found.push((
            "confirmed_without_its_money",
            format!("costs {}, has {left}", order.total_cents),
        ));
    }
    if !keeps_nights(&order.state) && left != order.kept_cents {
        found.push((
            "kept_money_is_not_what_is_left",
            format!("keeps {}, has {left}", order.kept_cents),
        ));
    }
    if order.kept_cents > 0 && !order.settled {
        found.push(("kept_money_not_settled", order.kept_cents.to_string()));
    }
    for paid in &order.payments {
        let payment = payments.iter().find(|payment| payment.sn == paid.payment_sn);
        let has = payment.filter(|p| p.is_captured()).map_or(0, |p| p.amount_cents);
        if has != paid.amount_cents {
            let what = format!(
                "{}: {} counted, {has} captured",
                paid.payment_sn, paid.amount_cents
            );
            found.push(("paid_by_no_money", what));
        }
    }
    for payment in payments.iter().filter(|payment| payment.is_captured()) {
        let counted = order.payments.iter().find(|paid| paid.payment_sn == payment.sn);
        let should = counted.map_or(0, |paid| paid.amount_cents - paid.back_cents);
        let stays = payment.amount_cents - payment.reserved_cents;
        let what = format!("{}: {stays} stay, {should} of it for this order", payment.sn);
        if stays > should && !payment.has_case(TOO_MUCH) {
            found.push(("captured_money_without_a_home", what));
        } else if stays < should && !payment.has_case(TOO_LITTLE) {
            found.push(("refunded_more_than_was_decided", what));
        }
    }
    for refund in &order.refunds {
        let payment = payments.iter().find(|payment| payment.sn == refund.payment_sn);
        let key = if refund.key.is_empty() {
            "full"
        } else {
            &refund.key
        };
        let asked = payment.and_then(|p| p.refunds.iter().find(|r| r.key == key));
        // One that payment-rpc does not make, or of less, is a case.
        let told = payment.is_some_and(|payment| payment.has_case(TOO_LITTLE));
        if asked.map(|refund| refund.amount_cents) != Some(refund.amount_cents) && !told {
            let what = format!("{} of {} ({key})", refund.amount_cents, refund.payment_sn);
            found.push(("refund_not_as_decided", what));
        }
    }
    let back: i64 = payments.iter().map(|payment| payment.refunded_cents).sum();
    if order.state == "refunded" && back < order.refund_cents {
        found.push((
            "refunded_without_its_money_back",
            format!("{} decided, {back} back", order.refund_cents),
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A confirmed booking on which everything agrees.
    fn confirmed() -> Booking {
        Booking {
            order: Order {
                sn: "HSO1".to_owned(),
                state: "confirmed".to_owned(),
                house_id: 7,
                unit: 1,
                attempt: 2,
                check_in_day: 100,
                check_out_day: 102,
                total_cents: 500,
                lines_cents: 500,
                charged_cents: 600,
                refund_cents: 100,
                payments: vec![OrderPayment {
                    payment_sn: "PMT1".to_owned(),
                    amount_cents: 600,
                    back_cents: 100,
                }],
                refunds: vec![OrderRefund {
                    payment_sn: "PMT1".to_owned(),
                    key: "change:2".to_owned(),
                    amount_cents: 100,
                }],
                ..Order::default()
            },
            holds: vec![Hold {
                attempt: 2,
                house_id: 7,
                unit: 1,
                check_in: 100,
                check_out: 102,
            }],
            payments: vec![
                Payment {
                    sn: "PMT1".to_owned(),
                    state: "captured".to_owned(),
                    amount_cents: 600,
                    refunded_cents: 100,
                    reserved_cents: 100,
                    refunds: vec![Refund {
                        key: "change:2".to_owned(),
                        amount_cents: 100,
                    }],
                    ..Payment::default()
                },
                Payment {
                    sn: "PMT2".to_owned(),
                    state: "closed".to_owned(),
                    amount_cents: 600,
                    ..Payment::default()
                },
            ],
        }
    }

    /// Cancelled by its guest: half of what was paid has gone back, the other half is the host's.
    fn cancelled() -> Booking {
        let mut booking = confirmed();
        booking.holds.clear();
        booking.order.state = "refunded".to_owned();
        booking.order.refund_cents = 300;
        booking.order.kept_cents = 300;
        booking.order.settled = true;
        booking.order.payments[0].back_cents = 300;
        booking.order.refunds.push(OrderRefund {
            payment_sn: "PMT1".to_owned(),
            key: "cancel".to_owned(),
            amount_cents: 200,
        });
        booking.payments[0].refunds.push(Refund {
            key: "cancel".to_owned(),
            amount_cents: 200,
        });
        booking.payments[0].refunded_cents = 300;
        booking.payments[0].reserved_cents = 300;
        booking
    }

    #[test]
    fn bookings_that_agree_have_no_finding() {
        let unpaid = Booking {
            order: Order {
                state: "awaiting_payment".to_owned(),
                charged_cents: 0,
                refund_cents: 0,
                payments: Vec::new(),
                refunds: Vec::new(),
                ..confirmed().order
            },
            payments: Vec::new(),
            ..confirmed()
        };
        let mut changing = confirmed();
        changing.order.open_attempts = vec![3, 2];
        changing.holds.push(Hold {
            attempt: 3,
            check_out: 103,
            ..confirmed().holds[0].clone()
        });
        let mut told = confirmed();
        told.payments.push(Payment {
            sn: "PMT3".to_owned(),
            state: "captured".to_owned(),
            amount_cents: 1,
            cases: vec!["wrong_amount".to_owned()],
            ..Payment::default()
        });
        // The provider has given 50 back by itself.
        let mut given = confirmed();
        given.order.refund_cents += 50;
        given.order.payments[0].back_cents += 50;
        given.payments[0].refunded_cents += 50;
        given.payments[0].reserved_cents += 50;
        given.payments[0].cases = vec!["provider_refund".to_owned()];
        // And less was left than was to go back.
        let mut less = cancelled();
        less.payments[0].refunds[1].amount_cents -= 50;
        less.payments[0].cases = vec!["refund_refused".to_owned()];
        for booking in [confirmed(), cancelled(), unpaid, changing, told, given, less] {
            assert_eq!(disagreements(&booking), []);
        }
    }

    #[test]
    fn each_disagreement_is_found_by_its_name() {
        type Wrong = fn(&mut Booking);
        let in_a_stay: [(&str, Wrong); 15] = [
            ("order_without_its_nights", |b| b.holds.clear()),
            ("order_without_its_nights", |b| b.holds[0].check_out = 103),
            ("order_without_its_nights", |b| b.holds[0].unit = 2),
            ("nights_not_given_back", |b| {
                b.holds.push(Hold {
                    attempt: 1,
                    ..b.holds[0].clone()
                });
            }),
            ("order_does_not_add_up", |b| b.order.lines_cents += 1),
            ("confirmed_without_its_money", |b| {
                b.order.total_cents += 1;
                b.order.lines_cents += 1;
            }),
            ("paid_by_no_money", |b| {
                b.payments[0].state = "closed".to_owned();
            }),
            ("paid_by_no_money", |b| b.payments.clear()),
            ("paid_by_no_money", |b| b.payments[0].amount_cents = 599),
            ("captured_money_without_a_home", |b| {
                b.payments[1].state = "captured".to_owned();
            }),
            ("captured_money_without_a_home", |b| {
                b.payments[0].reserved_cents = 0;
            }),
            ("refunded_more_than_was_decided", |b| {
                b.payments[0].reserved_cents = 101;
            }),
            // A case about something else excuses nothing.
            ("captured_money_without_a_home", |b| {
                b.payments[0].reserved_cents = 0;
                b.payments[0].cases = vec!["provider_refund".to_owned()];
            }),
            ("refund_not_as_decided", |b| b.payments[0].refunds.clear()),
            ("refund_not_as_decided", |b| {
                b.payments[0].refunds[0].amount_cents = 99;
            }),
        ];
        let after_one: [(&str, Wrong); 4] = [
            ("nights_not_given_back", |b| b.holds = confirmed().holds),
            ("kept_money_is_not_what_is_left", |b| b.order.kept_cents = 299),
            ("kept_money_not_settled", |b| b.order.settled = false),
            ("refunded_without_its_money_back", |b| {
                b.payments[0].refunded_cents = 100;
            }),
        ];
        let cases = in_a_stay.map(|case| (confirmed as fn() -> Booking, case));
        let cases = cases
            .into_iter()
            .chain(after_one.map(|case| (cancelled as fn() -> Booking, case)));
        for (n, (of, (kind, wrong))) in cases.enumerate() {
            let mut booking = of();
            wrong(&mut booking);
            let kinds = disagreements(&booking).into_iter().map(|(kind, _)| kind);
            assert!(kinds.into_iter().any(|found| found == kind), "{n}: {kind}");
        }
    }
}
