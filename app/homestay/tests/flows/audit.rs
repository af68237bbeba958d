//! `homestay audit`: silent on books that agree, and by name on each way in which they can be made to disagree.

use std::time::Duration;

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection};

use crate::harness::{Mode, PATIENCE, Place, Program, USUAL, day, next_day, stay, text, unique};

/// A corruption: the kind by which it is to be found, the domain, and what is done to its tables.
type Corruption = (&'static str, &'static str, &'static [&'static str]);

const CORRUPTIONS: [Corruption; 24] = [
    (
        "night_of_nobody",
        "travel",
        &["INSERT INTO night (house_id, day, unit, order_sn, attempt) VALUES (1, 99999, 1, 'HSO0', 1)"],
    ),
    (
        "hold_without_its_nights",
        "travel",
        &["DELETE FROM night WHERE order_sn = (SELECT MIN(order_sn) FROM hold WHERE state <> 'released')"],
    ),
    (
        "block_without_its_nights",
        "travel",
        &[
            "INSERT INTO owner_block (id, house_id, unit, first_day, until_day, note, created_by, created_at_ms) \
           VALUES (1, 1, 1, 99990, 99995, '', 1, 1)",
        ],
    ),
    (
        "meals_miscounted",
        "travel",
        &["UPDATE meal_day SET taken = taken + 1"],
    ),
    (
        "nights_not_given_back",
        "travel",
        &["UPDATE hold SET state = 'bound' WHERE state = 'released'"],
    ),
    (
        "order_without_its_nights",
        "order",
        &["UPDATE orders SET check_out_day = check_out_day + 1 WHERE state = 'confirmed'"],
    ),
    (
        "hold_without_an_order",
        "travel",
        &[
            "UPDATE hold SET order_sn = 'HSO0', state = 'bound' WHERE order_sn = (SELECT MIN(order_sn) FROM hold)",
        ],
    ),
    (
        "captured_money_without_an_order",
        "order",
        &["DELETE FROM orders WHERE state = 'confirmed'"],
    ),
    (
        "confirmed_without_its_money",
        "order",
        &["UPDATE orders SET charged_cents = 0 WHERE state = 'confirmed'"],
    ),
    (
        "order_does_not_add_up",
        "order",
        &["UPDATE orders SET total_cents = total_cents + 1 WHERE state = 'confirmed'"],
    ),
    (
        "kept_money_not_settled",
        "order",
        &["UPDATE orders SET settled_at_ms = 0 WHERE kept_cents > 0"],
    ),
    (
        "kept_money_is_not_what_is_left",
        "order",
        &["UPDATE orders SET kept_cents = kept_cents + 1 WHERE kept_cents > 0"],
    ),
    (
        "paid_by_no_money",
        "payment",
        &["UPDATE payment SET state = 'closed' WHERE state = 'captured'"],
    ),
    (
        "captured_money_without_a_home",
        "payment",
        &[
            "UPDATE payment SET state = 'captured', refunded_cents = 0, refund_reserved_cents = 0 WHERE refunded_cents > 0",
        ],
    ),
    (
        "refunded_more_than_captured",
        "payment",
        &["UPDATE payment SET refund_reserved_cents = 0 WHERE refunded_cents > 0"],
    ),
    (
        "refunds_do_not_add_up",
        "payment",
        &["UPDATE payment SET refunded_cents = refunded_cents - 1 WHERE refunded_cents > 0"],
    ),
    ("refund_not_as_decided", "payment", &["DELETE FROM refund"]),
    (
        "refused_refund_without_a_case",
        "payment",
        &["UPDATE refund SET state = 'failed'"],
    ),
    (
        "two_live_payments",
        "payment",
        &["DROP INDEX payment_live", "UPDATE payment SET live = 1"],
    ),
    (
        "ledger_unbalanced",
        "payment",
        &["UPDATE ledger_entry SET amount_cents = amount_cents + 1 WHERE account = 'guest_funds'"],
    ),
    (
        "ledger_torn",
        "payment",
        &["DELETE FROM ledger_entry WHERE txn_id = (SELECT MIN(id) FROM ledger_txn)"],
    ),
    (
        "capture_not_in_ledger",
        "payment",
        &[
            "DELETE FROM ledger_entry WHERE txn_id IN (SELECT id FROM ledger_txn WHERE kind = 'capture')",
            "DELETE FROM ledger_txn WHERE kind = 'capture'",
        ],
    ),
    (
        "ledger_without_money",
        "payment",
        &["UPDATE ledger_txn SET ref = 'RFD0' WHERE kind = 'refund'"],
    ),
    (
        "settlement_not_in_ledger",
        "payment",
        &["UPDATE pay_order SET settled_cents = settled_cents + 1"],
    ),
];

/// The key that keeps nights apart is dropped first.
const SOLD_TWICE: [(Mode, &[&str]); 2] = [
    (
        Mode::Embedded,
        &[
            "CREATE TABLE keyless AS SELECT * FROM night",
            "DROP TABLE night",
            "ALTER TABLE keyless RENAME TO night",
            "INSERT INTO night SELECT * FROM night LIMIT 1",
        ],
    ),
    (
        Mode::Distributed,
        &[
            "ALTER TABLE night DROP CONSTRAINT night_pkey",
            "INSERT INTO night SELECT * FROM night LIMIT 1",
        ],
    ),
];

pub async fn books_that_agree_are_passed_and_every_kind_of_corruption_is_named(mode: Mode) {
    let place = Place::new(mode, USUAL).await;
    let program = place.start(USUAL).await;
    some_business(&program).await;
    // While it runs: what is under way comes to its end meanwhile.
    place.audit();
    assert!(program.stop().await);
    place.audit();

    let sold_twice = SOLD_TWICE.into_iter().filter(|(of, _)| *of == mode);
    let all = sold_twice
        .map(|(_, done)| ("night_sold_twice", "travel", done))
        .chain(CORRUPTIONS);
    for (kind, domain, done) in all {
        let copy = place.copy().await;
        let mut tables = copy.connect(domain).await;
        for statement in done {
            let done = sqlx::raw_sql(AssertSqlSafe((*statement).to_owned()))
                .execute(&mut tables)
                .await;
            let changed = done
                .unwrap_or_else(|error| panic!("{kind}: {error}"))
                .rows_affected();
            let changes = ["UPDATE", "INSERT", "DELETE"]
                .iter()
                .any(|verb| statement.starts_with(verb));
            assert!(changed > 0 || !changes, "{kind}: nothing to corrupt");
        }
        tables.close().await.expect("closed");
        let (good, said) = copy.audit();
        assert!(!good && said.contains(&format!("\n{kind}: ")), "{kind}:\n{said}");
    }
}

/// A booking of each fate: waiting, paid at the second try and with meals, refunded, and kept for the host.
async fn some_business(program: &Program) {
    let guest = program.guest().await;
    program.booked(&guest, &stay(&program.single_unit(1).await)).await;

    let sn = with_meals(program, &guest).await;
    let page = program.pay_url(&guest, &sn).await;
    assert_eq!(program.press(&page, "fail").await, 200);
    let second = async {
        loop {
            let url = program.pay_url(&guest, &sn).await;
            if url != page {
                return url;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let second = tokio::time::timeout(PATIENCE, second)
        .await
        .expect("another payment");
    assert_eq!(program.press(&second, "pay").await, 200);
    program.until(&guest, &sn, "confirmed").await;

    for tonight in [false, true] {
        let free = if tonight {
            tonight_somewhere(program).await
        } else {
            program.single_unit(1).await
        };
        let sn = program.booked(&guest, &stay(&free)).await;
        let page = program.pay_url(&guest, &sn).await;
        assert_eq!(program.press(&page, "pay").await, 200);
        program.until(&guest, &sn, "confirmed").await;
        let path = format!("/v1/orders/{sn}/cancel");
        let (status, order) = program.post(&path, Some(&guest), json!({})).await;
        assert_eq!(status, 200, "{order}");
        let end = if tonight { "cancelled" } else { "refunded" };
        program.until(&guest, &sn, end).await;
    }
}

/// A booking with meals; some houses have no kitchen.
async fn with_meals(program: &Program, guest: &str) -> String {
    let (_, page) = program.get("/v1/homestays?limit=100", None).await;
    for house in page["homestays"].as_array().expect("houses") {
        let mut body = stay(&(house["id"].as_i64().expect("an id"), day(200), day(203)));
        body["meals"] = json!(true);
        let (status, order) = program.book(guest, &unique(), &body).await;
        if status == 201 {
            return text(&order, "sn");
        }
    }
    panic!("no house has meals");
}

/// A free night that begins today where the house is: so late that a guest who cancels gets nothing back.
async fn tonight_somewhere(program: &Program) -> (i64, String, String) {
    let (_, page) = program.get("/v1/homestays?limit=100", None).await;
    for house in page["homestays"].as_array().expect("houses") {
        let zone = jiff::tz::TimeZone::get(&text(house, "timeZone")).expect("a zone");
        let today = homestay_clock::Clock::system().now().to_zoned(zone).date();
        let (id, from) = (house["id"].as_i64().expect("an id"), today.to_string());
        let to = next_day(&from);
        if program.free(id, &from, &to).await[0] > 0 {
            return (id, from, to);
        }
    }
    panic!("nothing is free tonight");
}
