use homestay_error::{Code, Error, Result};

use crate::ledger::{self, Kept};
use crate::service::PaymentService;
use crate::store;

impl PaymentService {
    /// Passes kept money of an order on to its host, less our commission, in the ledger alone; the shares of the host and of
    /// ourselves. Once, however often it is asked for under the same key.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`]; [`Code::PaymentState`] if so much is not left of what was captured for the order;
    /// [`Code::IdempotencyKeyReused`] if the key stands for another amount.
    pub(crate) async fn settle(&self, kept: Kept) -> Result<(i64, i64)> {
        if kept.cents < 1 {
            return Err(Error::invalid("amountCents", "must be at least 1"));
        }
        if kept.key.is_empty() {
            return Err(Error::invalid("key", "must not be empty"));
        }
        let posting = ledger::settle(&kept, self.rates.commission_bp)?;
        let shares = ledger::shares(kept.cents, self.rates.commission_bp)?;
        let (ids, now_ms) = (self.ids.clone(), self.clock.now_ms());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    // Before anything is read or summed up: no refund begins, or comes, meanwhile.
                    store::refund::lock_order(tx, &kept.order_sn).await?;
                    let reference = posting.reference.clone();
                    if store::ledger::post_once(tx, &ids, posting, now_ms).await? {
                        if !store::ledger::pass_on(tx, &kept).await? {
                            return Err(Error::with(
                                Code::PaymentState,
                                "so much is not left of what was captured for the order",
                            ));
                        }
                        return Ok(shares);
                    }
                    let known = store::ledger::settled(tx, &reference).await?;
                    if known.0 + known.1 != kept.cents {
                        return Err(Error::new(Code::IdempotencyKeyReused));
                    }
                    Ok(known)
                })
            })
            .await
    }
}
