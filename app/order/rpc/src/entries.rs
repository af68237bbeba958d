//! What a change of an order leaves in the outbox.

use homestay_clock::Ids;
use homestay_jobs::NewJob;
use homestay_outbox::Entry;
use homestay_types::{OrderChanged, OrderSn, job};
use serde::Serialize;

use crate::rules::State;

#[derive(Serialize)]
struct Advance<'a> {
    sn: &'a OrderSn,
}

#[derive(Serialize)]
struct Notify<'a> {
    sn: &'a OrderSn,
    recipient: &'a str,
}

/// Tries of a job that ends an order: with the broker's longest pause between two of them they last for days, longer than
/// any peer is down.
const ATTEMPTS: i64 = 1000;

/// The event of a change.
pub(crate) fn changed(ids: &Ids, sn: &OrderSn, state: State, change: &str) -> Entry {
    Entry::event(&OrderChanged {
        order_sn: sn.clone(),
        event_id: ids.id().to_string(),
        state: state.name().to_owned(),
        change: change.to_owned(),
    })
}

/// The job that closes the order if it is not paid by then.
pub(crate) fn close(sn: &OrderSn, pay_before_ms: i64) -> Entry {
    Entry::job(
        NewJob::new(job::ORDER_ADVANCE, &Advance { sn })
            .due_at_ms(pay_before_ms)
            .unique(format!("order.close:{sn}"))
            .max_attempts(ATTEMPTS),
    )
}

/// The job that does what follows from a change, should whoever made it not live to do so.
pub(crate) fn follow_up(sn: &OrderSn, change: &str, due_at_ms: i64) -> Entry {
    Entry::job(
        NewJob::new(job::ORDER_ADVANCE, &Advance { sn })
            .due_at_ms(due_at_ms)
            .unique(format!("order.{change}:{sn}"))
            .max_attempts(ATTEMPTS),
    )
}

/// The job that tells `guest` or `host` that the order is paid.
pub(crate) fn notify_paid(sn: &OrderSn, recipient: &str) -> Entry {
    Entry::job(
        NewJob::new(job::NOTIFY_ORDER_PAID, &Notify { sn, recipient })
            .unique(format!("notify.paid:{sn}:{recipient}")),
    )
}

/// The same of a booking that was changed.
pub(crate) fn notify_changed(sn: &OrderSn, recipient: &str, attempt: i64) -> Entry {
    Entry::job(
        NewJob::new(job::NOTIFY_ORDER_PAID, &Notify { sn, recipient })
            .unique(format!("notify.changed:{sn}:{attempt}:{recipient}")),
    )
}

/// The same once more, should the note that it was done be lost, or the job. The broker takes it once for each order.
pub(crate) fn notify_again(sn: &OrderSn, recipient: &str) -> Entry {
    Entry::job(
        NewJob::new(job::NOTIFY_ORDER_PAID, &Notify { sn, recipient })
            .unique(format!("notify.paid.again:{sn}:{recipient}")),
    )
}
