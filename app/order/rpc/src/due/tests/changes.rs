use super::*;
use crate::books::Intent;
use crate::due;

#[test]
fn decided_refunds_are_owed_until_payment_rpc_knows_of_them() {
    let order = order(Confirmed);
    let intent = |key: &str, asked| Intent {
        payment_sn: "own".into(),
        key: key.into(),
        amount_cents: 40,
        reason: "r".into(),
        asked,
    };
    let books = Books {
        paying: vec![own(40)],
        refunds: vec![
            intent("change:2", true),
            intent("change:3", false),
            intent("", false),
        ],
        change: None,
    };
    let got: Vec<_> = refunds(&order, &books, &known(vec![captured("own")]))
        .into_iter()
        .map(|owed| (owed.key.to_owned(), owed.amount_cents, owed.decided))
        .collect();
    assert_eq!(got, [("change:3".to_owned(), 40, true), (String::new(), 0, true)]);
}

#[test]
fn a_change_is_held_first_whatever_the_money_does() {
    for state in [AwaitingPayment, Confirmed] {
        let order = order(state);
        let books = with(&order, change(Stage::Asked, 0));
        assert_eq!(due::next(&order, &books, None, at(0)), Next::HoldChange);
        let failed = At {
            hold_failed: true,
            ..at(0)
        };
        assert_eq!(
            due::next(&order, &books, None, failed),
            Next::AskMoney(Closing::Nothing)
        );
    }
    let ended = order(AwaitingPayment);
    let books = with(&ended, change(Stage::Asked, 0));
    // Its time has come: no nights are taken for it any more.
    assert_eq!(
        due::next(&ended, &books, Some(&known(vec![])), at(PAY_BEFORE)),
        Next::Close(By::Timeout)
    );
}

#[test]
fn a_change_of_an_unpaid_order_is_applied_once_nobody_can_pay_the_old_price() {
    let order = order(AwaitingPayment);
    let books = with(&order, change(Stage::Held, 300));
    let next = |money: &Money| format!("{:?}", due::next(&order, &books, Some(money), at(0)));
    let asked = Money {
        payments: Some(vec![]),
        ..Money::default()
    };
    assert_eq!(next(&asked), "AskMoney(Charge(0))");
    assert_eq!(next(&known(vec![])), "ApplyChange(None)");
    assert_eq!(next(&silent()), "Nothing");
    assert!(next(&known(vec![captured("p")])).starts_with("Confirm("));
}

#[test]
fn a_change_of_a_paid_order_waits_for_its_difference_and_no_longer() {
    const BEFORE: i64 = 5_000;
    let order = order(Confirmed);
    let difference = |amount_cents, charge| Payment {
        charge,
        amount_cents,
        ..captured("d")
    };
    let own = captured("own");
    let (none, right, wrong, other) = (
        known(vec![own.clone()]),
        known(vec![own.clone(), difference(50, 2)]),
        known(vec![own.clone(), difference(49, 2)]),
        known(vec![own.clone(), difference(50, 3)]),
    );
    let held = |total, due_before_ms| {
        with(
            &order,
            Change {
                due_cents: if due_before_ms > 0 { 50 } else { 0 },
                due_before_ms,
                ..change(Stage::Held, total)
            },
        )
    };
    let silent = silent();
    let paid = difference(50, 2);
    let cases = [
        (held(100, 0), &none, 0, Next::ApplyChange(None)),
        (held(60, 0), &none, 0, Next::ApplyChange(None)),
        (held(150, 0), &none, 0, Next::AskDifference),
        (held(150, BEFORE), &none, BEFORE - 1, Next::Nothing),
        (
            held(150, BEFORE),
            &right,
            BEFORE - 1,
            Next::ApplyChange(Some(&paid)),
        ),
        (held(150, BEFORE), &wrong, BEFORE - 1, Next::Nothing),
        (held(150, BEFORE), &other, BEFORE - 1, Next::Nothing),
        (held(150, BEFORE), &none, BEFORE, Next::DropChange(UNPAID)),
        (held(150, BEFORE), &right, BEFORE, Next::ApplyChange(Some(&paid))),
        (held(150, BEFORE), &silent, BEFORE + GIVE_UP - 1, Next::Nothing),
        (
            held(150, BEFORE),
            &silent,
            BEFORE + GIVE_UP,
            Next::DropChange(UNPAID),
        ),
    ];
    for (books, money, now, want) in cases {
        assert_eq!(
            due::next(&order, &books, Some(money), at(now)),
            want,
            "{money:?} {now}"
        );
    }
    // The difference that is waited for is no stray; a wrong or a second one is.
    let strays = |books: &Books, money: &Money| refunds(&order, books, money).len();
    assert_eq!(strays(&held(150, BEFORE), &right), 0);
    assert_eq!(strays(&held(150, BEFORE), &wrong), 1);
    assert_eq!(strays(&held(150, BEFORE), &other), 1);
    assert_eq!(strays(&with(&order, change(Stage::Dropped, 150)), &right), 1);
    assert_eq!(
        wants_closing(&order, &held(150, BEFORE), BEFORE - 1),
        Closing::Nothing
    );
    assert_eq!(
        wants_closing(&order, &held(150, BEFORE), BEFORE),
        Closing::Charge(2)
    );
}

#[test]
fn what_a_decided_change_has_left_is_given_back_before_anything_else() {
    for state in State::ALL {
        let order = order(state);
        for stage in [Stage::Applied, Stage::Dropped] {
            let books = with(&order, change(stage, 0));
            let releases = due::next(&order, &books, None, at(0)) == Next::ReleaseChange;
            // An ended order gives everything back at once.
            assert_eq!(releases, state.keeps_nights(), "{state:?} {stage:?}");
        }
    }
}

#[test]
fn an_order_that_costs_nothing_waits_for_nobody() {
    let order = Order {
        total_cents: 0,
        ..order(AwaitingPayment)
    };
    assert_eq!(next(&order, Some(&known(vec![])), at(0)), Next::ConfirmFree);
}
