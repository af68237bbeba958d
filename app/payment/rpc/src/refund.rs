//! Money that goes back: whole or in part, of our own accord or the provider's.
//!
//! A refund is an intent that takes its share of the payment (`refund_reserved_cents`) before the provider is asked; the share
//! stays taken until the money is back, also while a refund that was refused waits for a person.

use homestay_clock::Ids;
use homestay_db::Tx;
use homestay_error::{Code, Error, Result};
use homestay_jobs::NewJob;
use homestay_outbox::Entry;
use homestay_types::{RefundSn, job};
use serde_json::json;

use crate::cases::{self, NewCase};
use crate::ledger;
use crate::provider::{RefundIntent, RefundOutcome};
use crate::refund_rule::{Ask, FULL, Verdict, verdict};
use crate::service::{CHANGES, PaymentService, REFUNDS_FAILED};
use crate::settle::{Recorded, status_event};
use crate::state::{RefundState, State};
use crate::store::refund::{self as rows, Refund};
use crate::store::{self, Payment, returned};

/// Longest reason that is kept; providers show little more.
const REASON: usize = 200;
/// Longest key.
const KEY: usize = 100;

/// Records the intent to refund, with the job that carries it out; whether it is new.
pub(crate) async fn begin(
    tx: &mut Tx,
    ids: &Ids,
    payment_sn: &str,
    ask: Ask,
    now_ms: i64,
) -> Result<(Refund, Payment, bool)> {
    let payment = locked(tx, payment_sn).await?;
    let known = rows::of_payment(&mut **tx, payment_sn).await?;
    let free_cents = store::ledger::free(tx, &payment.order_sn, &payment.currency).await?;
    let cents = match verdict(&payment, &known, &ask, free_cents)? {
        Verdict::Is(refund) => return Ok((*refund, payment, false)),
        Verdict::New(cents) => cents,
    };
    let refund = Refund {
        sn: ids.refund_sn(),
        payment_sn: payment.sn.clone(),
        key: ask.key,
        amount_cents: cents,
        state: RefundState::Pending,
        reason: ask.reason.chars().take(REASON).collect(),
        failure: String::new(),
        attempt: 0,
        came_by: String::new(),
    };
    take(tx, ids, &refund, now_ms).await?;
    let job = job_of(&refund.sn, 0);
    homestay_outbox::push(tx, ids, vec![Entry::job(job)]).await?;
    Ok((refund, again(tx, payment_sn).await?, true))
}

/// A refund that was refused, or whose money came back to us, is tried again, as another attempt.
///
/// # Errors
/// [`Code::PaymentState`] if it is neither.
pub(crate) async fn retry(tx: &mut Tx, ids: &Ids, refund_sn: &str, now_ms: i64) -> Result<()> {
    lock_of_refund(tx, refund_sn).await?;
    if !rows::change(tx, refund_sn, RefundState::Pending, "", now_ms).await?
        && !returned::send_again(tx, refund_sn, now_ms).await?
    {
        return Err(Error::with(Code::PaymentState, "this refund was not refused"));
    }
    let refund = rows::by_sn(&mut **tx, refund_sn)
        .await?
        .ok_or_else(|| Error::internal("a refund is gone"))?;
    let job = job_of(&refund.sn, refund.attempt);
    homestay_outbox::push(tx, ids, vec![Entry::job(job)]).await
}

fn job_of(refund_sn: &RefundSn, attempt: i64) -> NewJob {
    let unique = match attempt {
        0 => format!("refund:{refund_sn}"),
        _ => format!("refund:{refund_sn}:{attempt}"),
    };
    NewJob::new(job::PAYMENT_REFUND, &json!({ "refund_sn": refund_sn })).unique(unique)
}

/// The payment, which nobody else refunds, and of whose order nobody passes money on, until the transaction ends. The order of
/// locks is the same everywhere: order, payment, refund, case.
///
/// # Errors
/// [`Code::PaymentNotFound`].
pub(crate) async fn locked(tx: &mut Tx, payment_sn: &str) -> Result<Payment> {
    let unknown = || Error::new(Code::PaymentNotFound);
    let payment = store::by_sn(&mut **tx, payment_sn).await?.ok_or_else(unknown)?;
    rows::lock_order(tx, &payment.order_sn).await?;
    if !rows::lock(tx, payment_sn).await? {
        return Err(unknown());
    }
    again(tx, payment_sn).await
}

/// The same, by a refund of the payment.
///
/// # Errors
/// [`Code::NotFound`].
pub(crate) async fn lock_of_refund(tx: &mut Tx, refund_sn: &str) -> Result<Payment> {
    let refund = rows::by_sn(&mut **tx, refund_sn).await?;
    let refund = refund.ok_or_else(|| Error::with(Code::NotFound, "refund no exists"))?;
    locked(tx, refund.payment_sn.as_str()).await
}

async fn again(tx: &mut Tx, payment_sn: &str) -> Result<Payment> {
    store::by_sn(&mut **tx, payment_sn)
        .await?
        .ok_or_else(|| Error::internal("a payment is gone"))
}

/// Writes a refund and sets its money apart.
async fn take(tx: &mut Tx, ids: &Ids, refund: &Refund, now_ms: i64) -> Result<()> {
    if !rows::insert(tx, ids.id(), refund, now_ms).await? {
        return Err(Error::internal("the payment has this refund"));
    }
    if !rows::reserve(tx, &refund.payment_sn, refund.amount_cents, now_ms).await? {
        return Err(Error::new(Code::RefundExceeds));
    }
    Ok(())
}

/// The money of a refund is back: payment, ledger and event, in the transaction that says so of the refund. `over` of it had been
/// passed on.
async fn arrived(tx: &mut Tx, ids: &Ids, refund: &Refund, over: i64, now_ms: i64) -> Result<Payment> {
    let (sn, cents) = (&refund.payment_sn, refund.amount_cents);
    if !rows::paid_back(tx, sn, cents, now_ms).await? {
        return Err(Error::internal("more went back than was set apart"));
    }
    let payment = again(tx, sn.as_str()).await?;
    let posting = ledger::refund(&payment, &refund.sn, cents, over);
    store::ledger::post(tx, ids, vec![posting], now_ms).await?;
    let mut event = status_event(&payment, payment.state);
    if payment.state != State::Refunded {
        event.event_id = format!("{}:refund:{}", payment.sn, refund.sn);
    }
    homestay_outbox::push(tx, ids, vec![Entry::event(&event)]).await?;
    Ok(payment)
}

/// A refund of ours succeeded; `None` if that was known.
async fn succeeded(tx: &mut Tx, ids: &Ids, refund: &Refund, now_ms: i64) -> Result<Option<Payment>> {
    locked(tx, refund.payment_sn.as_str()).await?;
    if !rows::change(tx, refund.sn.as_str(), RefundState::Succeeded, "", now_ms).await? {
        if returned::arrived(tx, refund.sn.as_str(), now_ms).await? {
            let (case, why) = (of_return(&refund.sn), "the money went back again");
            cases::void(tx, ids, cases::REFUND_REFUSED, &case, why, now_ms).await?;
        }
        return Ok(None);
    }
    let payment = arrived(tx, ids, refund, 0, now_ms).await?;
    let why = "the money went back";
    cases::void(tx, ids, cases::REFUND_REFUSED, refund.sn.as_str(), why, now_ms).await?;
    Ok(Some(payment))
}

/// Reference of the case of money that came back to us.
fn of_return(refund: &RefundSn) -> String {
    format!("{refund}:returned")
}

/// The provider gave money back without us.
async fn of_its_own(
    tx: &mut Tx,
    ids: &Ids,
    payment_sn: &str,
    key: String,
    cents: i64,
    now_ms: i64,
) -> Result<Option<Payment>> {
    let payment = locked(tx, payment_sn).await?;
    let known = rows::of_payment(&mut **tx, payment_sn).await?;
    if known
        .iter()
        .any(|refund| refund.key == key || refund.came_by == key)
    {
        return Ok(None);
    }
    if payment.captured_at_ms == 0 {
        // Its capture has not reached us: to be told again.
        return Err(Error::new(Code::PaymentState));
    }
    let reference = format!("{payment_sn}:{key}");
    let waits = |state| move |refund: &&Refund| refund.state == state && refund.amount_cents == cents;
    // What it would not do when we asked, somebody has done by hand: else it came out of what is kept, and ours would be sent again.
    let refused = known.iter().find(waits(RefundState::Failed));
    let fits = cents <= payment.amount_cents - payment.refund_reserved_cents;
    if refused.is_none() && fits {
        return beside_ours(tx, ids, &payment, (key, reference), cents, now_ms)
            .await
            .map(Some);
    }
    // What we owe has come by another way: ours is done.
    if let Some(refund) = refused.or_else(|| known.iter().find(waits(RefundState::Pending))) {
        rows::came_by(tx, &refund.sn, &key).await?;
        return succeeded(tx, ids, refund, now_ms).await;
    }
    let case = NewCase {
        amount_cents: cents,
        detail: format!(
            "the provider gave {cents} {} back of its own accord, more than was left",
            payment.currency
        ),
        ..cases::about(cases::PROVIDER_REFUND, &payment, reference)
    };
    cases::open(tx, ids, &case, now_ms).await?;
    Ok(None)
}

/// The provider gave money back that nobody had asked it for: a refund of its own, under a key and a case's reference.
async fn beside_ours(
    tx: &mut Tx,
    ids: &Ids,
    payment: &Payment,
    (key, reference): (String, String),
    cents: i64,
    now_ms: i64,
) -> Result<Payment> {
    let refund = Refund {
        sn: ids.refund_sn(),
        payment_sn: payment.sn.clone(),
        key,
        amount_cents: cents,
        state: RefundState::Succeeded,
        reason: "refunded by the provider".to_owned(),
        failure: String::new(),
        attempt: 0,
        came_by: String::new(),
    };
    let free_cents = store::ledger::free(tx, &payment.order_sn, &payment.currency).await?;
    let over = over(payment, free_cents, cents);
    take(tx, ids, &refund, now_ms).await?;
    let payment = arrived(tx, ids, &refund, over, now_ms).await?;
    let detail = match (over, payment.state) {
        // Nobody has decided what that buys: a whole refund ends the booking, a part of it nothing.
        (0, State::Captured | State::RefundPending) => {
            Some("the provider gave a part back of its own accord".to_owned())
        }
        (0, _) => None,
        _ => Some(format!(
            "the provider gave {cents} {currency} back of its own accord, of which {over} {currency} had been passed on to the host",
            currency = payment.currency
        )),
    };
    if let Some(detail) = detail {
        let case = NewCase {
            refund_sn: refund.sn.to_string(),
            amount_cents: cents,
            detail,
            ..cases::about(cases::PROVIDER_REFUND, &payment, reference)
        };
        cases::open(tx, ids, &case, now_ms).await?;
    }
    Ok(payment)
}

/// A refund of ours went back, though somebody had paid it back by hand: that is a case, and nothing else would tell.
async fn paid_twice(tx: &mut Tx, ids: &Ids, refund: &Refund, now_ms: i64) -> Result<()> {
    let now = rows::by_sn(&mut **tx, refund.sn.as_str()).await?;
    let Some(now) = now.filter(|now| !now.came_by.is_empty()) else {
        return Ok(());
    };
    let payment = again(tx, now.payment_sn.as_str()).await?;
    let case = NewCase {
        refund_sn: now.sn.to_string(),
        amount_cents: now.amount_cents,
        detail: format!("this refund went back, and by hand as {:?} too", now.came_by),
        ..cases::about(cases::PROVIDER_REFUND, &payment, format!("{}:twice", now.sn))
    };
    cases::open(tx, ids, &case, now_ms).await
}

/// How much of `cents` that went back had been passed on, of an order that has `free_cents` left. A disputed payment's money
/// never is.
fn over(payment: &Payment, free_cents: i64, cents: i64) -> i64 {
    if payment.state == State::Disputed {
        return 0;
    }
    (cents - free_cents).clamp(0, cents)
}

impl PaymentService {
    /// Records the intent to refund a captured payment, whole or in part, with the job that carries it out. The refund there is,
    /// if it was recorded before.
    ///
    /// # Errors
    /// [`Code::PaymentNotFound`]; [`Code::PaymentState`] if no money has come; [`Code::RefundExceeds`] if so much is not left;
    /// [`Code::IdempotencyKeyReused`] if the key stands for another amount.
    pub(crate) async fn refund(&self, payment_sn: &str, ask: Ask) -> Result<(Refund, Payment)> {
        let (ids, now_ms, sn) = (self.ids.clone(), self.clock.now_ms(), payment_sn.to_owned());
        if ask.key.len() > KEY {
            return Err(Error::invalid("key", "must have at most 100 characters"));
        }
        let key = if ask.key.is_empty() {
            FULL.to_owned()
        } else {
            ask.key
        };
        let ask = Ask { key, ..ask };
        let (refund, payment, new) = self
            .db
            .write(move |tx| Box::pin(async move { begin(tx, &ids, &sn, ask, now_ms).await }))
            .await?;
        if new && payment.state == State::RefundPending {
            self.count_change(&payment);
        }
        Ok((refund, payment))
    }

    /// Asks the provider for a pending refund, under the refund's own number; any other refund is answered as it is.
    ///
    /// # Errors
    /// [`Code::Provider`] and other transient codes if the provider does not answer: ask again.
    pub(crate) async fn execute_refund(&self, refund_sn: &str) -> Result<(Refund, Payment)> {
        let (refund, payment) = self.refund_and_payment(refund_sn).await?;
        if refund.state != RefundState::Pending && !returned::is_sent_again(self.db.read(), refund_sn).await?
        {
            return Ok((refund, payment));
        }
        let intent = RefundIntent {
            refund_sn: refund.sn.clone(),
            attempt: refund.attempt,
            payment_sn: payment.sn.clone(),
            provider_ref: payment.provider_ref.clone(),
            amount_cents: refund.amount_cents,
            total_cents: payment.amount_cents,
            currency: payment.currency.clone(),
            reason: refund.reason.clone(),
        };
        match self.provider_named(&payment.provider)?.refund(&intent).await? {
            RefundOutcome::Succeeded => {
                self.refund_succeeded(refund, None).await?;
            }
            // Its callback ends it, or the sweep asks again.
            RefundOutcome::Pending => {}
            RefundOutcome::Refused(failure) => {
                self.refund_refused(&payment, &refund, &failure, false).await?;
            }
        }
        self.refund_and_payment(refund_sn).await
    }

    /// Notes that a refund of ours is done: by the provider's answer, or by a callback of which the inbox keeps the id.
    pub(crate) async fn refund_succeeded(
        &self,
        refund: Refund,
        event_id: Option<String>,
    ) -> Result<Recorded> {
        let (ids, now_ms) = (self.ids.clone(), self.clock.now_ms());
        let (_, payment) = self.refund_and_payment(refund.sn.as_str()).await?;
        let changed = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    if let Some(event_id) = event_id
                        && !store::note_event(tx, &payment.provider, &event_id, &payment.sn, now_ms).await?
                    {
                        return Ok(Err(Recorded::Known));
                    }
                    let changed = succeeded(tx, &ids, &refund, now_ms).await?;
                    if changed.is_none() {
                        paid_twice(tx, &ids, &refund, now_ms).await?;
                    }
                    Ok(changed.ok_or(Recorded::Unchanged))
                })
            })
            .await?;
        Ok(self.counted(changed))
    }

    /// Notes that the provider gave money back of its own accord; `key` tells this refund from others of the payment.
    ///
    /// # Errors
    /// [`Code::PaymentState`] for a refund of money that has not come yet: it is to be told again later.
    pub(crate) async fn refunded_by_provider(
        &self,
        payment: &Payment,
        key: String,
        cents: i64,
        event_id: String,
    ) -> Result<Recorded> {
        let (ids, now_ms, payment) = (self.ids.clone(), self.clock.now_ms(), payment.clone());
        let changed = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    if !store::note_event(tx, &payment.provider, &event_id, &payment.sn, now_ms).await? {
                        return Ok(Err(Recorded::Known));
                    }
                    let changed = of_its_own(tx, &ids, payment.sn.as_str(), key, cents, now_ms).await?;
                    Ok(changed.ok_or(Recorded::Unchanged))
                })
            })
            .await?;
        Ok(self.counted(changed))
    }

    /// Notes that the provider will not refund, and opens a case: somebody has to look. Of one that had succeeded too: then the
    /// money has come back to us, unless it was ours that failed, and the money had gone back `by_hand` meanwhile.
    pub(crate) async fn refund_refused(
        &self,
        payment: &Payment,
        refund: &Refund,
        failure: &str,
        by_hand: bool,
    ) -> Result<Recorded> {
        let (ids, now_ms) = (self.ids.clone(), self.clock.now_ms());
        let case = NewCase {
            refund_sn: refund.sn.to_string(),
            amount_cents: refund.amount_cents,
            detail: failure.chars().take(REASON).collect(),
            ..cases::about(cases::REFUND_REFUSED, payment, refund.sn.to_string())
        };
        let (sn, failure) = (refund.sn.clone(), failure.to_owned());
        // Told twice, or late, it says nothing of what became of the refund since.
        let event_id = format!("failed:{sn}:{}", refund.attempt);
        let (provider, payment_sn) = (payment.provider.clone(), payment.sn.clone());
        let failed = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    lock_of_refund(tx, sn.as_str()).await?;
                    if !store::note_event(tx, &provider, &event_id, &payment_sn, now_ms).await? {
                        return Ok(false);
                    }
                    if rows::change(tx, sn.as_str(), RefundState::Failed, &failure, now_ms).await? {
                        cases::open_again(tx, &ids, &case, "service/payment-rpc", now_ms).await?;
                        return Ok(true);
                    }
                    let now = rows::by_sn(&mut **tx, sn.as_str()).await?;
                    let otherwise = !by_hand && now.is_some_and(|now| !now.came_by.is_empty());
                    if returned::came_back(tx, sn.as_str(), otherwise, now_ms).await? {
                        let case = NewCase {
                            detail: format!("refused after it had succeeded: {failure}"),
                            reference: of_return(&sn),
                            ..case
                        };
                        cases::open_again(tx, &ids, &case, "service/payment-rpc", now_ms).await?;
                    }
                    Ok(false)
                })
            })
            .await?;
        self.count_cases().await;
        if !failed {
            return Ok(Recorded::Unchanged);
        }
        REFUNDS_FAILED
            .with_label_values(&[self.provider_label(&payment.provider)])
            .inc();
        Ok(Recorded::Changed)
    }

    fn counted(&self, changed: std::result::Result<Payment, Recorded>) -> Recorded {
        match changed {
            Ok(payment) => {
                if payment.state == State::Refunded {
                    self.count_change(&payment);
                }
                tracing::info!(payment.sn = %payment.sn, refunded_cents = payment.refunded_cents, "money went back");
                Recorded::Changed
            }
            Err(recorded) => recorded,
        }
    }

    fn count_change(&self, payment: &Payment) {
        CHANGES
            .with_label_values(&[self.provider_label(&payment.provider), payment.state.as_str()])
            .inc();
    }

    async fn refund_and_payment(&self, refund_sn: &str) -> Result<(Refund, Payment)> {
        let refund = rows::by_sn(self.db.read(), refund_sn)
            .await?
            .ok_or_else(|| Error::with(Code::NotFound, "refund no exists"))?;
        let payment = store::by_sn(self.db.read(), refund.payment_sn.as_str())
            .await?
            .ok_or_else(|| Error::internal("a refund without its payment"))?;
        Ok((refund, payment))
    }
}
