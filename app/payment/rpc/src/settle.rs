use homestay_error::{Code, Error, Result};
use homestay_outbox::Entry;
use homestay_types::PaymentStatus;

use crate::provider::ProviderState;
use crate::service::{CHANGES, PaymentService};
use crate::state::{RefundState, State};
use crate::store::{self, Payment, Refund, Set};

/// What became of a payment, from whichever source we know it.
#[derive(Debug, Clone)]
pub(crate) enum News {
    Captured { at_ms: i64, provider_ref: String },
    Failed,
    Closed,
    Refunded,
}

impl News {
    fn state(&self) -> State {
        match self {
            News::Captured { .. } => State::Captured,
            News::Failed => State::Failed,
            News::Closed => State::Closed,
            News::Refunded => State::Refunded,
        }
    }
}

/// What recording it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// The payment changed, and an event says so.
    Changed,
    /// This very event had been recorded.
    Known,
    /// It is new but changes nothing any more.
    Unchanged,
}

impl PaymentService {
    /// Records news of a payment once: inbox, state, refund and event in one transaction.
    ///
    /// # Errors
    /// [`Code::PaymentState`] for a refund of money that has not come yet: it is to be told again later.
    pub(crate) async fn record(&self, payment: &Payment, event_id: String, news: News) -> Result<Recorded> {
        let (ids, now_ms, to) = (self.ids.clone(), self.clock.now_ms(), news.state());
        let payment = payment.clone();
        let label = self.provider_label(&payment.provider);
        let sn = payment.sn.clone();
        let recorded = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    if !store::note_event(tx, &payment.provider, &event_id, &payment.sn, now_ms).await? {
                        return Ok(Recorded::Known);
                    }
                    let set = match news {
                        News::Captured { at_ms, provider_ref } => Set::Captured { at_ms, provider_ref },
                        News::Failed | News::Closed => Set::NotLive,
                        News::Refunded => Set::Refunded {
                            cents: payment.amount_cents,
                        },
                    };
                    if !store::change(tx, &payment.sn, to, set, now_ms).await? {
                        let now = store::by_sn(&mut **tx, payment.sn.as_str()).await?;
                        let early = now.is_some_and(|now| now.state.pay_status() < 1);
                        return if to == State::Refunded && early {
                            Err(Error::new(Code::PaymentState))
                        } else {
                            Ok(Recorded::Unchanged)
                        };
                    }
                    if to == State::Refunded {
                        // A refund the provider made of its own accord gets a row too.
                        let refund = Refund {
                            sn: ids.refund_sn(),
                            payment_sn: payment.sn.clone(),
                            amount_cents: payment.amount_cents,
                            state: RefundState::Succeeded,
                            reason: "refunded by the provider".to_owned(),
                        };
                        if !store::insert_refund(tx, ids.id(), &refund, now_ms).await? {
                            store::refund_succeeded(tx, &payment.sn, now_ms).await?;
                        }
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
    /// [`Code::Provider`] if the amount is not ours: the money is not booked as it is, and nothing is given up.
    pub(crate) async fn record_answer(&self, payment: &Payment, answer: ProviderState) -> Result<()> {
        let (kind, news) = match answer {
            ProviderState::Open | ProviderState::Unknown => return Ok(()),
            ProviderState::Captured {
                amount_cents,
                at_ms,
                provider_ref,
            } => {
                if amount_cents != payment.amount_cents {
                    tracing::error!(payment.sn = %payment.sn, expected = payment.amount_cents, got = amount_cents,
                        "the provider captured another amount");
                    return Err(Error::new(Code::Provider).source("the provider captured another amount"));
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

/// The event of a change. Each change happens once a payment, so its name is the event's id.
pub(crate) fn status_event(payment: &Payment, to: State) -> PaymentStatus {
    PaymentStatus {
        pay_status: to.pay_status(),
        order_sn: payment.order_sn.clone(),
        event_id: format!("{}:{}", payment.sn, to.as_str()),
        payment_sn: payment.sn.clone(),
        amount_cents: payment.amount_cents,
        refunded_cents: if to == State::Refunded {
            payment.amount_cents
        } else {
            payment.refunded_cents
        },
        currency: payment.currency.clone(),
    }
}
