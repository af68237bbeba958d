//! Callbacks in every order, repeated, wrong and lost: the end is that of the clean road.

use homestay_proto::payment as pb;

use super::books::{assert_books, balances};
use super::shaky::Fault;
use super::support::{World, says, token};
use crate::sandbox::{Notification, sign};

/// What happens on a road.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The payer pays at the provider, whose callback is lost.
    Pay,
    /// A callback; the answer must be this.
    Says(&'static str, i32),
    /// The same under another id.
    Renamed(&'static str, i32),
    /// One that names another amount, or currency.
    Another(&'static str, i64, &'static str),
    /// The payer's part was less than what was due.
    Coupon,
    /// Signed by somebody else, too old, too new, unreadable.
    Forged,
    Old,
    Early,
    Unreadable,
    /// About a payment that is not ours.
    Foreign,
    /// We want the money to go back, in whole.
    Refund,
    /// We ask the provider for it, who answers so.
    Ask(Option<Fault>),
    /// The provider tells of our refund.
    Ours(&'static str, i32),
    /// The order closes for payments.
    Close,
    /// A sweep, an hour later.
    Sweep,
}

/// What is there at the end: payment, refunds, balances, and what was said last.
type End = (String, i64, i64, String, Vec<(String, i64)>, Option<(i64, i64)>);

async fn end(world: &World, sn: &str) -> End {
    let payment = world.get(sn).await;
    let refunds = sqlx::query_as::<_, (i64, String)>("SELECT amount_cents, state FROM refund ORDER BY id")
        .fetch_all(world.db.db.read())
        .await
        .unwrap();
    let last = world.events().await.pop();
    (
        payment.state,
        payment.refunded_cents,
        payment.refund_reserved_cents,
        format!("{refunds:?}"),
        balances(&world.db.db).await,
        last.map(|event| (event.pay_status, event.refunded_cents)),
    )
}

async fn our_refund(world: &World) -> String {
    sqlx::query_scalar("SELECT sn FROM refund ORDER BY id LIMIT 1")
        .fetch_one(world.db.db.read())
        .await
        .unwrap()
}

async fn take(world: &World, payment: &pb::PaymentView, step: Step) {
    let (said, want) = match step {
        Step::Pay => {
            let request = pb::SandboxActRequest {
                token: token(payment),
                action: "pay".to_owned(),
            };
            world.as_nobody().sandbox_act(request).await.unwrap();
            return;
        }
        Step::Refund => return drop(world.refund(&payment.sn).await.unwrap()),
        Step::Ask(fault) => {
            if let Some(fault) = fault {
                world.fail("refund", fault);
            }
            let asked = world.execute_refund(&our_refund(world).await).await;
            assert_eq!(
                asked.is_err(),
                matches!(fault, Some(Fault::Down | Fault::AnswerLost))
            );
            return world.heal();
        }
        Step::Close => return drop(world.close(&payment.order_sn).await.unwrap()),
        Step::Sweep => {
            world.clock.advance(std::time::Duration::from_secs(3600));
            world.sweep().await;
            return;
        }
        Step::Forged | Step::Old | Step::Early | Step::Unreadable => {
            let now_s = world.clock.now_ms() / 1000;
            let good = serde_json::to_vec(&says("captured", payment)).unwrap();
            let (secret, at_s, body, want): (&[u8], _, _, _) = match step {
                Step::Forged => (b"guess", now_s, good, 401),
                Step::Old => (b"sandbox-secret", now_s - 301, good, 401),
                Step::Early => (b"sandbox-secret", now_s + 301, good, 401),
                _ => (b"sandbox-secret", now_s, b"{\"kind\":1}".to_vec(), 400),
            };
            let signature = Some(sign(secret, at_s, &body));
            let got = world.call_back_raw("sandbox", signature, body).await;
            return assert_eq!(got.0, want, "{step:?}");
        }
        Step::Says(kind, want) => (says(kind, payment), want),
        Step::Renamed(kind, want) => (
            Notification {
                event_id: format!("renamed-{kind}"),
                ..says(kind, payment)
            },
            want,
        ),
        Step::Another(kind, cents, currency) => (
            Notification {
                total_cents: cents,
                currency: currency.to_owned(),
                ..says(kind, payment)
            },
            400,
        ),
        Step::Coupon => (
            Notification {
                payer_total_cents: 20_000,
                ..says("captured", payment)
            },
            200,
        ),
        Step::Foreign => (
            Notification {
                payment_sn: "PMT2026112110155912345678".to_owned(),
                ..says("captured", payment)
            },
            400,
        ),
        Step::Ours(kind, want) => (
            Notification {
                refund_sn: our_refund(world).await,
                ..says(kind, payment)
            },
            want,
        ),
    };
    assert_eq!(world.call_back(&said).await.0, want, "{step:?}");
}

/// Goes a road; its end, and the cases that it leaves open.
async fn go(road: &[Step]) -> (End, Vec<String>) {
    let world = World::with_rates(60, 0).await;
    let order = world.order(25_600);
    let payment = world.create(&order).await.unwrap();
    for step in road {
        take(&world, &payment, *step).await;
        assert_books(&world).await;
    }
    (end(&world, &payment.sn).await, world.open_cases().await)
}

async fn all_end_as(clean: &[Step], roads: &[(&[Step], &[&str])]) {
    let (want, cases) = go(clean).await;
    assert!(cases.is_empty());
    for (road, cases) in roads {
        let (got, open) = go(road).await;
        assert_eq!(got, want, "{road:?}");
        assert_eq!(open, *cases, "{road:?}");
    }
}

#[tokio::test]
async fn paid_however_the_provider_says_it() {
    use Step::*;
    let none: &[&str] = &[];
    all_end_as(
        &[Pay, Says("captured", 200)],
        &[
            (&[Says("captured", 200), Pay], none),
            (
                &[
                    Pay,
                    Says("captured", 200),
                    Says("captured", 200),
                    Renamed("captured", 200),
                ],
                none,
            ),
            (&[Pay, Says("failed", 200), Says("captured", 200)], none),
            (
                &[
                    Pay,
                    Says("captured", 200),
                    Says("failed", 200),
                    Says("closed", 200),
                ],
                none,
            ),
            (&[Says("closed", 200), Says("captured", 200)], none),
            // The order's closing finds the money; or it comes after closing.
            (&[Pay, Close], none),
            (&[Pay, Close, Says("captured", 200)], none),
            (&[Close, Says("captured", 200)], none),
            (
                &[
                    Close,
                    Says("closed", 200),
                    Says("captured", 200),
                    Renamed("closed", 200),
                ],
                none,
            ),
            (&[Pay, Sweep], none),
            (&[Pay, Sweep, Says("captured", 200)], none),
            (&[Pay, Coupon], none),
            (
                &[Pay, Forged, Old, Early, Unreadable, Says("captured", 200), Forged],
                none,
            ),
            (
                &[
                    Pay,
                    Another("captured", 25_599, "CNY"),
                    Another("captured", 25_599, "CNY"),
                    Says("captured", 200),
                ],
                &["wrong_amount"],
            ),
            (
                &[
                    Pay,
                    Another("captured", 25_600, "USD"),
                    Another("captured", 0, "CNY"),
                    Another("captured", -25_600, "CNY"),
                    Says("captured", 200),
                ],
                &["wrong_amount", "wrong_amount", "wrong_amount"],
            ),
            (
                &[Pay, Foreign, Foreign, Says("captured", 200)],
                &["unknown_payment"],
            ),
            (&[Pay, Says("refund_failed", 200), Says("captured", 200)], none),
            (&[Says("refunded", 409), Pay, Says("captured", 200)], none),
        ],
    )
    .await;
}

#[tokio::test]
async fn refunded_however_the_provider_says_it() {
    use Step::*;
    let none: &[&str] = &[];
    let paid = Says("captured", 200);
    all_end_as(
        &[Pay, paid, Refund, Ask(None)],
        &[
            (
                &[
                    Pay,
                    paid,
                    Refund,
                    Ask(None),
                    Ours("refunded", 200),
                    Ours("refunded", 200),
                ],
                none,
            ),
            (&[Pay, paid, Refund, Ask(Some(Fault::Down)), Ask(None)], none),
            (
                &[
                    Pay,
                    paid,
                    Refund,
                    Ask(Some(Fault::AnswerLost)),
                    Ours("refunded", 200),
                    Ask(None),
                ],
                none,
            ),
            (
                &[Pay, paid, Refund, Ask(Some(Fault::Slow)), Ours("refunded", 200)],
                none,
            ),
            (&[Pay, paid, Refund, Ask(Some(Fault::Slow)), Sweep], none),
            // Told before our own call has returned, and even before it began.
            (&[Pay, paid, Refund, Ours("refunded", 200), Ask(None)], none),
            (&[Pay, Close, Refund, Ask(None), paid], none),
            (
                &[
                    Pay,
                    paid,
                    Refund,
                    Ask(None),
                    paid,
                    Renamed("captured", 200),
                    Says("closed", 200),
                ],
                none,
            ),
            // It had said no, and changes its mind.
            (
                &[
                    Pay,
                    paid,
                    Refund,
                    Ours("refund_failed", 200),
                    Ours("refunded", 200),
                ],
                none,
            ),
            (
                &[
                    Pay,
                    paid,
                    Refund,
                    Ask(Some(Fault::Refused)),
                    Ours("refunded", 200),
                ],
                none,
            ),
            // Of its own accord; also before we hear of the capture.
            (&[Pay, paid, Says("refunded", 200), Says("refunded", 200)], none),
            (&[Pay, Says("refunded", 200), paid], none),
            (&[Says("refunded", 409), Pay, Says("refunded", 200)], none),
            (
                &[Pay, paid, Refund, Another("refunded", 1, "USD"), Ask(None)],
                &["wrong_amount"],
            ),
            (
                &[Pay, paid, Refund, Another("refunded", 0, "CNY"), Ask(None)],
                &["wrong_amount"],
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_refund_that_the_provider_takes_back_is_a_case() {
    use Step::*;
    let road = [
        Pay,
        Says("captured", 200),
        Refund,
        Ask(None),
        Ours("refund_failed", 200),
        Ours("refund_failed", 200),
    ];
    let (end, cases) = go(&road).await;
    assert_eq!(
        (end.0.as_str(), cases.as_slice()),
        ("refunded", &["refund_refused".to_owned()][..])
    );
}
