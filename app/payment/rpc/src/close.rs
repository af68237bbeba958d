use homestay_error::{Code, Error, Result};
use homestay_types::OrderSn;

use crate::provider::{CloseOutcome, ProviderState};
use crate::service::PaymentService;
use crate::store::{self, Charges, Payment};

impl PaymentService {
    /// No new payment for these charges of the order from now on, and an end for those that are open: what the provider has is recorded as
    /// paid, everything else is closed there first. All payments of the order, oldest first.
    ///
    /// # Errors
    /// [`Code::Provider`] if the provider does not answer: the order stays closed for new payments, and asking again goes on
    /// where this ended.
    pub(crate) async fn close_for_order(&self, order_sn: &str, charges: Charges) -> Result<Vec<Payment>> {
        let sn: OrderSn = order_sn
            .parse()
            .map_err(|cause| Error::invalid("orderSn", cause))?;
        self.db
            .write(move |tx| Box::pin(async move { store::close_order(tx, &sn, charges).await }))
            .await?;
        // Read after the marker: a payment made before it is seen, after it there are none.
        for payment in store::of_order(self.db.read(), order_sn).await? {
            if payment.state.is_open() && charges.hold(payment.charge) {
                self.end(&payment).await?;
            }
        }
        store::of_order(self.db.read(), order_sn).await
    }

    /// Brings an open payment to its end: asks the provider, and closes it there if nobody has paid.
    pub(crate) async fn end(&self, payment: &Payment) -> Result<()> {
        let provider = self.provider_named(&payment.provider)?;
        let answer = match provider.query(&payment.intent()).await? {
            ProviderState::Open => match provider.close(&payment.intent()).await? {
                CloseOutcome::Closed => ProviderState::Closed,
                // Paid between the two calls.
                CloseOutcome::AlreadyCaptured => provider.query(&payment.intent()).await?,
            },
            ProviderState::Unknown => return self.end_unheard(payment).await,
            answer => answer,
        };
        if answer == ProviderState::Open {
            return Err(Error::new(Code::Provider)
                .source("the provider neither closes the payment nor has the money"));
        }
        self.record_answer(payment, answer).await
    }

    /// Ends a payment of which the provider has not heard: its prepay never arrived, or is on its way. Whoever sent it and
    /// finds the payment closed closes it there; one that arrived before our closing was written is closed here.
    async fn end_unheard(&self, payment: &Payment) -> Result<()> {
        let provider = self.provider_named(&payment.provider)?;
        self.record_answer(payment, ProviderState::Closed).await?;
        match provider.close(&payment.intent()).await? {
            CloseOutcome::Closed => Ok(()),
            CloseOutcome::AlreadyCaptured => {
                let answer = provider.query(&payment.intent()).await?;
                self.record_answer(payment, answer).await
            }
        }
    }
}
