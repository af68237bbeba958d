//! Notes that guest or host has been told of a paid order; with both the order is complete.

use homestay_error::{Code, Error, Result};

use crate::OrderService;
use crate::step::{Name, Step};
use crate::store::{self, changes::Recipient};

impl OrderService {
    /// Notes it, once.
    ///
    /// # Errors
    /// [`Code::OrderNotFound`]; [`Code::OrderState`] for an order that was never paid; [`Code::InvalidArgument`] for
    /// another recipient than `guest` and `host`.
    pub(crate) async fn mark_told(&self, sn: &str, recipient: &str) -> Result<()> {
        let recipient = match recipient {
            "guest" => Recipient::Guest,
            "host" => Recipient::Host,
            _ => return Err(Error::invalid("recipient", "must be guest or host")),
        };
        let order = self.order(sn).await?;
        if order.trade_code.is_empty() {
            return Err(Error::new(Code::OrderState));
        }
        let (now_ms, node) = (self.clock.now_ms(), self.node.clone());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let (sn, attempt) = (order.sn.as_str(), order.attempt);
                    store::changes::told(tx, sn, recipient, now_ms).await?;
                    if store::steps::both_told(tx, sn, attempt, now_ms).await? {
                        tx.durable().await?;
                        let completed = Step::done(Name::Completed, attempt, now_ms, &node);
                        store::steps::insert(tx, sn, vec![completed]).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}
