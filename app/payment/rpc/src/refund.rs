use homestay_error::{Code, Error, Result};
use homestay_jobs::NewJob;
use homestay_outbox::Entry;
use homestay_types::job;
use serde_json::json;

use crate::provider::{RefundIntent, RefundOutcome};
use crate::service::{CHANGES, PaymentService, REFUNDS_FAILED};
use crate::settle::{News, Recorded};
use crate::state::{RefundState, State};
use crate::store::{self, Payment, Refund, Set};

/// Longest reason that is kept; providers show little more.
const REASON: usize = 200;

impl PaymentService {
    /// Records the intent to refund a captured payment, with the job that carries it out. The refund there is, if it was
    /// recorded before.
    ///
    /// # Errors
    /// [`Code::PaymentNotFound`]; [`Code::PaymentState`] if no money has come.
    pub(crate) async fn refund(&self, payment_sn: &str, reason: &str) -> Result<(Refund, Payment)> {
        let (sn, reason) = (payment_sn.to_owned(), reason.chars().take(REASON).collect());
        let (ids, now_ms) = (self.ids.clone(), self.clock.now_ms());
        let (refund, payment, new) = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    let payment = store::by_sn(&mut **tx, &sn)
                        .await?
                        .ok_or_else(|| Error::new(Code::PaymentNotFound))?;
                    let to = State::RefundPending;
                    if !store::change(tx, &payment.sn, to, Set::NotLive, now_ms).await? {
                        let refund = store::refund_of(&mut **tx, &payment.sn)
                            .await?
                            .ok_or_else(|| Error::new(Code::PaymentState))?;
                        return Ok((refund, payment, false));
                    }
                    let refund = Refund {
                        sn: ids.refund_sn(),
                        payment_sn: payment.sn.clone(),
                        amount_cents: payment.amount_cents,
                        state: RefundState::Pending,
                        reason,
                    };
                    if !store::insert_refund(tx, ids.id(), &refund, now_ms).await? {
                        return Err(Error::internal("a captured payment has a refund"));
                    }
                    let job = NewJob::new(job::PAYMENT_REFUND, &json!({ "refund_sn": refund.sn }))
                        .unique(format!("refund:{}", refund.sn));
                    homestay_outbox::push(tx, &ids, vec![Entry::job(job)]).await?;
                    Ok((refund, payment, true))
                })
            })
            .await?;
        if new {
            CHANGES
                .with_label_values(&[
                    self.provider_label(&payment.provider),
                    State::RefundPending.as_str(),
                ])
                .inc();
        }
        Ok((refund, payment))
    }

    /// Asks the provider for a pending refund, under the refund's own number; any other refund is answered as it is.
    ///
    /// # Errors
    /// [`Code::Provider`] and other transient codes if the provider does not answer: ask again.
    pub(crate) async fn execute_refund(&self, refund_sn: &str) -> Result<(Refund, Payment)> {
        let (refund, payment) = self.refund_and_payment(refund_sn).await?;
        if refund.state != RefundState::Pending {
            return Ok((refund, payment));
        }
        let intent = RefundIntent {
            refund_sn: refund.sn.clone(),
            payment_sn: payment.sn.clone(),
            provider_ref: payment.provider_ref.clone(),
            amount_cents: refund.amount_cents,
            total_cents: payment.amount_cents,
            currency: payment.currency.clone(),
            reason: refund.reason.clone(),
        };
        match self.provider_named(&payment.provider)?.refund(&intent).await? {
            RefundOutcome::Succeeded => {
                self.record(&payment, format!("refund:{}", refund.sn), News::Refunded)
                    .await?;
            }
            // Its callback ends it, or the sweep asks again.
            RefundOutcome::Pending => {}
            RefundOutcome::Refused(failure) => {
                self.refund_refused(&payment, refund.sn.into(), &failure).await?;
            }
        }
        self.refund_and_payment(refund_sn).await
    }

    /// Notes that the provider will not refund: somebody has to look.
    pub(crate) async fn refund_refused(
        &self,
        payment: &Payment,
        refund_sn: String,
        failure: &str,
    ) -> Result<Recorded> {
        tracing::error!(refund.sn = refund_sn, payment.sn = %payment.sn, failure, "the provider refused a refund");
        let (failure, now_ms) = (failure.to_owned(), self.clock.now_ms());
        let failed = self
            .db
            .write(move |tx| {
                Box::pin(async move { store::refund_failed(tx, &refund_sn, &failure, now_ms).await })
            })
            .await?;
        if !failed {
            return Ok(Recorded::Unchanged);
        }
        REFUNDS_FAILED
            .with_label_values(&[self.provider_label(&payment.provider)])
            .inc();
        Ok(Recorded::Changed)
    }

    async fn refund_and_payment(&self, refund_sn: &str) -> Result<(Refund, Payment)> {
        let refund = store::refund_by_sn(self.db.read(), refund_sn)
            .await?
            .ok_or_else(|| Error::with(Code::NotFound, "refund no exists"))?;
        let payment = store::by_sn(self.db.read(), refund.payment_sn.as_str())
            .await?
            .ok_or_else(|| Error::internal("a refund without its payment"))?;
        Ok((refund, payment))
    }
}
