//! Money that goes back without the order's wish, as the provider or an operator gave it: what is left of it is what a
//! cancellation is reckoned on, and what is passed on of kept money.

use homestay_error::{Code, Error, Result};

use crate::OrderService;
use crate::books::{Books, Intent};
use crate::due::{self, Money, Next};
use crate::order::Order;
use crate::peers::in_half_the_time;
use crate::refund::is_later;
use crate::rules::State;
use crate::store;

/// How often kept money is looked at again, if more of it goes while it is passed on.
const LOOKS: usize = 4;

impl OrderService {
    /// A confirmed order as it is with what payment-rpc says is left of its money; as it was, if payment-rpc does not answer:
    /// then the event tells later.
    pub(crate) async fn with_what_is_left(&self, order: Order) -> Result<Order> {
        if order.state != State::Confirmed || order.paid_cents() == 0 {
            return Ok(order);
        }
        let sn = order.sn.clone();
        let payments = match in_half_the_time(self.payments(sn.as_str())).await {
            Ok(payments) => payments,
            Err(later) => {
                tracing::warn!(order.sn = %sn, error = %later.chain(), "reckoned without the word of payment-rpc");
                return Ok(order);
            }
        };
        let money = Money {
            payments: Some(payments),
            ..Money::default()
        };
        // Read after the payments: what was decided meanwhile is not taken for the provider's.
        let books = store::books::of_order(&self.db, &self.order(sn.as_str()).await?).await?;
        match due::gone(&books, &money) {
            None => return Ok(order),
            Some(Next::Reverse(payment)) => self.reverse(&order, &books, payment).await?,
            Some(_) => self.note_what_is_gone(&order, &books, Some(&money)).await?,
        }
        self.order(sn.as_str()).await
    }

    /// Notes what is gone of a confirmed order's money. payment-rpc has a case of it; the booking stays.
    pub(crate) async fn note_what_is_gone(
        &self,
        order: &Order,
        books: &Books,
        money: Option<&Money>,
    ) -> Result<()> {
        let payments = money.and_then(|money| money.payments.as_deref());
        let taken = due::taken(books, payments.unwrap_or_default());
        self.note_taken(order, taken).await
    }

    async fn note_taken(&self, order: &Order, taken: Vec<(String, i64)>) -> Result<()> {
        let now_ms = self.clock.now_ms();
        let cents: i64 = taken.iter().map(|(_, cents)| cents).sum();
        let order = order.clone();
        let sn = order.sn.clone();
        let noted = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    if !store::changes::taken(tx, &order, cents, now_ms).await? {
                        return Ok(false);
                    }
                    for (payment_sn, amount_cents) in taken {
                        let gone = Intent {
                            payment_sn,
                            key: String::new(),
                            amount_cents,
                            reason: String::new(),
                            asked: true,
                        };
                        store::books::give_back(tx, order.sn.as_str(), &gone, false, now_ms).await?;
                    }
                    Ok(true)
                })
            })
            .await?;
        if noted {
            tracing::warn!(order.sn = %sn, cents, "money of the order went back without its wish");
        }
        Ok(())
    }

    /// Tells payment-rpc what is kept of a booking that was cancelled. What payment-rpc will never pass on, as it is not there
    /// any more, is for an operator to see to.
    pub(crate) async fn settle_kept(&self, order: &Order) -> Result<()> {
        let mut order = order.clone();
        for _ in 0..LOOKS {
            if order.kept_cents == 0 || order.settled_at_ms > 0 {
                return Ok(());
            }
            let never = match self.settle(&order).await {
                Ok(()) => return self.note_settled(&order).await,
                Err(later) if is_later(&later) => return Err(later),
                Err(never) => never,
            };
            tracing::error!(order.sn = %order.sn, error = %never.chain(), "kept money cannot be passed on");
            let payments = self.payments(order.sn.as_str()).await?;
            let books = store::books::of_order(&self.db, &order).await?;
            let taken = due::taken(&books, &payments);
            let cents: i64 = taken.iter().map(|(_, cents)| cents).sum();
            let missing = if cents == 0 { order.kept_cents } else { cents };
            self.open_kept_case(&order, missing, never.message()).await?;
            if cents == 0 {
                return self.note_settled(&order).await;
            }
            self.note_taken(&order, taken).await?;
            order = self.order(order.sn.as_str()).await?;
        }
        Err(Error::with(
            Code::Unavailable,
            "kept money goes while it is passed on",
        ))
    }

    async fn note_settled(&self, order: &Order) -> Result<()> {
        let (sn, now_ms) = (order.sn.clone(), self.clock.now_ms());
        self.db
            .write(move |tx| Box::pin(async move { store::changes::settled(tx, sn.as_str(), now_ms).await }))
            .await
    }
}
