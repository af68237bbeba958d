use homestay_clock::Ids;
use homestay_db::Tx;
use homestay_error::{Code, Error, Result};
use homestay_outbox::Entry;
use homestay_types::PaymentStatus;

use crate::cases::{self, NewCase};
use crate::ledger;
use crate::provider::ProviderState;
use crate::service::{CHANGES, PaymentService};
use crate::state::State;
use crate::store::{self, Payment, Set};

/// What became of a payment, from whichever source we know it. Refunds have a road of their own (`refund.rs`).
#[derive(Debug, Clone)]
pub(crate) enum News {
    Captured { at_ms: i64, provider_ref: String },
    Failed,
    Closed,
}

impl News {
    fn state(&self) -> State {
        match self {
            News::Captured { .. } => State::Captured,
            News::Failed => State::Failed,
            News::Closed => State::Closed,
        }
    }
}

/// What recording it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// Something changed.
    Changed,
    /// This very event had been recorded.
    Known,
    /// It is new but changes nothing any more.
    Unchanged,
    /// It is nothing to us.
    Ignored,
}

impl PaymentService {
    /// Records news of a payment once: inbox, state, ledger and event in one transaction.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn record(&self, payment: &Payment, event_id: String, news: News) -> Result<Recorded> {
        let (ids, now_ms, to) = (self.ids.clone(), self.clock.now_ms(), news.state());
        let (payment, fee_bp) = (payment.clone(), self.rates.fee_bp);
        let label = self.provider_label(&payment.provider);
        let sn = payment.sn.clone();
        let recorded = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    if !store::note_event(tx, &payment.provider, &event_id, &payment.sn, now_ms).await? {
                        return Ok(Recorded::Known);
                    }
                    let changed = match news {
                        News::Captured { at_ms, provider_ref } => {
                            let set = Set::Captured { at_ms, provider_ref };
                            captured(tx, &ids, &payment, set, fee_bp, now_ms).await?
                        }
                        News::Failed | News::Closed => given_up(tx, &ids, &payment, to, now_ms).await?,
                    };
                    if !changed {
                        return Ok(Recorded::Unchanged);
                    }
                    let event = status_event(&payment, to);
                    homestay_outbox::push(tx, &ids, vec![Entry::event(&event)]).await?;
                    Ok(Recorded::Changed)
                })
            })
            .await?;
        if recorded == Recorded::Changed {
            CHANGES.with_label_values(&[label, to.as_str()]).inc();
            tracing::info!(payment.sn = %sn, state = to.as_str(), "payment changed");
        }
        Ok(recorded)
    }

    /// Records what the provider answered when it was asked; nothing if that is no end.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn record_answer(&self, payment: &Payment, answer: ProviderState) -> Result<()> {
        let (kind, news) = match answer {
            ProviderState::Open | ProviderState::Unknown => return Ok(()),
            ProviderState::Captured {
                amount_cents,
                currency,
                at_ms,
                provider_ref,
            } => {
                if amount_cents != payment.amount_cents || currency != payment.currency {
                    let taken = Taken {
                        cents: amount_cents,
                        currency,
                        at_ms,
                        provider_ref,
                    };
                    return self.dispute(payment, taken).await;
                }
                ("captured", News::Captured { at_ms, provider_ref })
            }
            ProviderState::Failed => ("failed", News::Failed),
            ProviderState::Closed => ("closed", News::Closed),
        };
        self.record(payment, format!("query:{kind}:{}", payment.sn), news)
            .await?;
        Ok(())
    }
}

/// Whether a provider's books hold another amount than was asked for.
pub(crate) fn is_disputed(payment: &Payment, answer: &ProviderState) -> bool {
    matches!(answer, ProviderState::Captured { amount_cents, currency, .. }
        if *amount_cents != payment.amount_cents || *currency != payment.currency)
}

/// What a provider has taken instead of what was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub cents: i64,
    pub currency: String,
    pub at_ms: i64,
    pub provider_ref: String,
}

impl PaymentService {
    /// The provider's books hold another amount, or currency, than was asked for. That money is booked as what it is, and the
    /// payment ends: it pays nothing. A case is open, by which a person gives the money back.
    ///
    /// # Errors
    /// [`Code::Provider`] if the books name no amount at all.
    pub(crate) async fn dispute(&self, payment: &Payment, taken: Taken) -> Result<()> {
        let detail = "the provider's books hold another amount";
        let case = wrong_amount(payment, taken.cents, &taken.currency, &taken.provider_ref, detail);
        if taken.cents < 1 || taken.currency.is_empty() {
            self.open_case(case).await?;
            return Err(Error::new(Code::Provider).source("the provider names no amount"));
        }
        let (ids, now_ms, old) = (self.ids.clone(), self.clock.now_ms(), payment.clone());
        let changed = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    let changed = disputed(tx, &ids, &old, taken, now_ms).await?;
                    cases::open(tx, &ids, &case, now_ms).await?;
                    Ok(changed)
                })
            })
            .await?;
        if changed {
            let label = self.provider_label(&payment.provider);
            CHANGES
                .with_label_values(&[label, State::Disputed.as_str()])
                .inc();
        }
        self.count_cases().await;
        Ok(())
    }
}

/// The payment ends as disputed, over what the provider has; false if it is captured, or was disputed before.
async fn disputed(tx: &mut Tx, ids: &Ids, payment: &Payment, taken: Taken, now_ms: i64) -> Result<bool> {
    let (open, ended): (Vec<_>, Vec<_>) = State::before(State::Disputed).partition(|state| state.is_open());
    for (from, standing) in [(open, true), (ended, false)] {
        let (to, set) = (State::Disputed, Set::Disputed(taken.clone()));
        if store::change(tx, &payment.sn, from.into_iter(), to, set, now_ms).await? {
            let now = store::by_sn(&mut **tx, payment.sn.as_str())
                .await?
                .ok_or_else(|| Error::internal("a payment is gone"))?;
            let mut postings = Vec::new();
            if standing {
                postings.push(ledger::release(payment));
            }
            postings.push(ledger::capture(&now, false));
            store::ledger::post(tx, ids, postings, now_ms).await?;
            let event = status_event(&now, to);
            homestay_outbox::push(tx, ids, vec![Entry::event(&event)]).await?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// The money is there, for an open payment or too late for it.
async fn captured(
    tx: &mut Tx,
    ids: &Ids,
    payment: &Payment,
    set: Set,
    fee_bp: i64,
    now_ms: i64,
) -> Result<bool> {
    let (open, ended): (Vec<_>, Vec<_>) = State::before(State::Captured).partition(|state| state.is_open());
    // Whether an authorisation stood is said by the statement that ends it.
    for (from, standing) in [(open, true), (ended, false)] {
        let (to, from) = (State::Captured, from.into_iter());
        if store::change(tx, &payment.sn, from, to, set.clone(), now_ms).await? {
            let mut postings = vec![ledger::capture(payment, standing)];
            postings.extend(ledger::fee(payment, fee_bp));
            store::ledger::post(tx, ids, postings, now_ms).await?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Nobody will pay it, as far as is known.
async fn given_up(tx: &mut Tx, ids: &Ids, payment: &Payment, to: State, now_ms: i64) -> Result<bool> {
    if !store::change(tx, &payment.sn, State::before(to), to, Set::NotLive, now_ms).await? {
        return Ok(false);
    }
    store::ledger::post(tx, ids, vec![ledger::release(payment)], now_ms).await?;
    Ok(true)
}

/// The case of a provider that says to have taken, or given back, what we do not know: one a claim, however often it is made.
pub(crate) fn wrong_amount(
    payment: &Payment,
    cents: i64,
    currency: &str,
    provider_ref: &str,
    detail: &str,
) -> NewCase {
    tracing::error!(payment.sn = %payment.sn, expected = payment.amount_cents, got = cents, currency, provider_ref, detail,
        "a provider names another amount");
    NewCase {
        amount_cents: cents,
        currency: currency.to_owned(),
        detail: format!(
            "{detail}: {cents} {currency} instead of {} {}; the provider's number is {provider_ref:?}",
            payment.amount_cents, payment.currency
        ),
        ..cases::about(
            cases::WRONG_AMOUNT,
            payment,
            format!("{}:{cents}{currency}", payment.sn),
        )
    }
}

/// The event of a change of state. Each happens once a payment, so its name is the event's id.
pub(crate) fn status_event(payment: &Payment, to: State) -> PaymentStatus {
    PaymentStatus {
        pay_status: to.pay_status(),
        order_sn: payment.order_sn.clone(),
        event_id: format!("{}:{}", payment.sn, to.as_str()),
        payment_sn: payment.sn.clone(),
        amount_cents: payment.amount_cents,
        refunded_cents: payment.refunded_cents,
        currency: payment.currency.clone(),
    }
}
