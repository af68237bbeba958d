use homestay_error::{Code, Error, Result};
use homestay_rpc::Actor;

use crate::service::PaymentService;
use crate::store::{self, Payment};

impl PaymentService {
    /// A payment; a foreign one looks unknown.
    ///
    /// # Errors
    /// [`Code::PaymentNotFound`].
    pub(crate) async fn payment(&self, actor: &Actor, sn: &str) -> Result<Payment> {
        store::by_sn(self.db.read(), sn)
            .await?
            .filter(|payment| actor.may_see(payment.user_id))
            .ok_or_else(|| Error::new(Code::PaymentNotFound))
    }

    /// The payments of an order that the actor may see, oldest first; empty when there are none.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn payments_of_order(&self, actor: &Actor, order_sn: &str) -> Result<Vec<Payment>> {
        let mut payments = store::of_order(self.db.read(), order_sn).await?;
        payments.retain(|payment| actor.may_see(payment.user_id));
        Ok(payments)
    }
}
