use homestay_error::{Code, Error, Result};
use homestay_proto::order as order_pb;
use homestay_rpc::{Actor, request_for};
use homestay_types::OrderSn;

use crate::keys::{self, Key};
use crate::ledger;
use crate::provider::{ProviderState, WechatPrepay};
use crate::service::{CHANGES, PaymentService};
use crate::state::State;
use crate::store::{self, Payment};

/// The only thing that can be paid (contract.md §1.3).
const SERVICE_TYPE: &str = "homestayOrder";
/// The order's inner state while the booking itself is to be paid.
pub(crate) const AWAITING_PAYMENT: &str = "awaiting_payment";
/// And while the difference of a change may be.
const CONFIRMED: &str = "confirmed";
/// A payment that turns out to have ended makes room for another, this often.
const ROUNDS: usize = 3;

impl PaymentService {
    /// The one live payment of what is due for the order, made if there is none, with what the payer needs to pay it. A key that was used answers
    /// with the payment of then, whatever became of it.
    ///
    /// # Errors
    /// [`Code::ServiceType`], [`Code::OrderNotFound`] (also for a foreign order), [`Code::NotPayable`],
    /// [`Code::IdempotencyKeyReused`], and those of the provider and of order-rpc.
    pub(crate) async fn create(
        &self,
        actor: &Actor,
        order_sn: &str,
        service_type: &str,
        key: Option<Key>,
    ) -> Result<Payment> {
        if service_type != SERVICE_TYPE {
            return Err(Error::new(Code::ServiceType).field("serviceType"));
        }
        if let Some(payment) = self.repeated(actor, order_sn, key.as_ref()).await? {
            return Ok(payment);
        }
        let order = self.payable(actor, order_sn).await?;
        for _ in 0..ROUNDS {
            let payment = self.reserve(&order, key.clone()).await?;
            if payment.state.is_open() && !self.still_fits(&payment, &order) {
                self.end(&payment).await?;
                continue;
            }
            let payment = match payment.state {
                State::Created => self.prepay(payment).await?,
                State::Pending => self.refreshed(payment).await?,
                _ => payment,
            };
            match payment.state {
                State::Pending | State::Captured => return Ok(payment),
                // It ended while we looked: the order is free for another.
                _ => {}
            }
        }
        Err(Error::new(Code::Provider).source("every new payment ended at once"))
    }

    /// The payment that the actor's key stands for. None also while it is not yet at the provider: then it goes on as if it
    /// were the first time.
    async fn repeated(&self, actor: &Actor, order_sn: &str, key: Option<&Key>) -> Result<Option<Payment>> {
        let (Some(user_id), Some(key)) = (actor.user_id(), key) else {
            return Ok(None);
        };
        let Some(sn) = keys::find(self.db.read(), user_id, key, order_sn).await? else {
            return Ok(None);
        };
        let payment = store::by_sn(self.db.read(), &sn)
            .await?
            .ok_or_else(|| Error::internal("a payment is gone"))?;
        match payment.state {
            State::Created => Ok(None),
            State::Pending => self.refreshed(payment).await.map(Some),
            _ => Ok(Some(payment)),
        }
    }

    /// The actor's own order, if it waits for payment.
    async fn payable(&self, actor: &Actor, order_sn: &str) -> Result<Order> {
        let refused = || Error::new(Code::OrderNotFound);
        if order_sn.is_empty() {
            return Err(Error::invalid("orderSn", "must not be empty"));
        }
        let sn: OrderSn = order_sn.parse().map_err(|_| refused())?;
        let request = request_for(
            actor,
            order_pb::GetRequest {
                sn: sn.to_string(),
                without_steps: true,
            },
        );
        let view = self.order.clone().get(request).await?.into_inner();
        // Staff may look at foreign orders, but not pay them.
        if actor.user_id() != Some(view.user_id) {
            return Err(refused());
        }
        let due = due(&view, self.clock.now_ms()).ok_or_else(|| Error::new(Code::NotPayable))?;
        Ok(Order {
            description: format!("{}, {} to {}", view.title, view.check_in, view.check_out),
            sn,
            user_id: view.user_id,
            currency: view.currency,
            due,
        })
    }

    /// Whether an open payment is over what is due now, at the provider that payments go to now.
    fn still_fits(&self, payment: &Payment, order: &Order) -> bool {
        payment.amount_cents == order.due.cents
            && payment.currency == order.currency
            && payment.provider == self.provider().name()
    }

    /// Writes the intent, unless the charge has one, and what the key stands for.
    async fn reserve(&self, order: &Order, key: Option<Key>) -> Result<Payment> {
        let provider = self.provider();
        let now_ms = self.clock.now_ms();
        let new = Payment {
            id: self.ids.id(),
            sn: self.ids.payment_sn(),
            order_sn: order.sn.clone(),
            charge: order.due.charge,
            user_id: order.user_id,
            provider: provider.name().to_owned(),
            pay_type: provider.pay_type().to_owned(),
            description: order.description.clone(),
            state: State::Created,
            live: true,
            amount_cents: order.due.cents,
            refunded_cents: 0,
            refund_reserved_cents: 0,
            currency: order.currency.clone(),
            pay_url: String::new(),
            provider_ref: String::new(),
            expires_at_ms: order.due.before_ms,
            created_at_ms: now_ms,
            captured_at_ms: 0,
        };
        let (label, ids, charge) = (provider.name(), self.ids.clone(), order.due.charge);
        let (payment, made) = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    if !store::open_order(tx, &new.order_sn, charge).await? {
                        return Err(Error::new(Code::NotPayable));
                    }
                    store::lapse(tx, &new.order_sn, charge, now_ms).await?;
                    let (payment, made) = match store::current(tx, &new.order_sn, charge).await? {
                        Some(current) => (current, false),
                        None if store::insert(tx, &new).await? => (new, true),
                        None => match store::current(tx, &new.order_sn, charge).await? {
                            Some(current) => (current, false),
                            None => {
                                return Err(Error::internal("a payment is neither there nor can be made"));
                            }
                        },
                    };
                    if made {
                        store::ledger::post(tx, &ids, vec![ledger::authorise(&payment)], now_ms).await?;
                    }
                    if let Some(key) = &key {
                        keys::keep(tx, key, &payment, now_ms).await?;
                    }
                    Ok((payment, made))
                })
            })
            .await?;
        if made {
            CHANGES.with_label_values(&[label, State::Created.as_str()]).inc();
        }
        Ok(payment)
    }

    /// Prepares the payment at the provider, outside of any transaction. Repeated after a crash with the same number, it
    /// finds what the provider has.
    async fn prepay(&self, payment: Payment) -> Result<Payment> {
        let provider = self.provider_named(&payment.provider)?;
        let mut intent = payment.intent();
        if provider.needs_payer() {
            intent.payer = self.payer(payment.user_id).await?;
        }
        let prepay = match provider.prepay(&intent).await {
            Err(error) if error.code() == Code::ProviderRefused => {
                // It will not take this one: the order is free for another.
                if let Err(error) = self.end(&payment).await {
                    tracing::warn!(payment.sn = %payment.sn, error = %error.chain(), "a refused payment could not be ended");
                }
                return Err(error);
            }
            prepay => prepay?,
        };
        let (sn, now_ms) = (payment.sn.clone(), self.clock.now_ms());
        let payment = self
            .db
            .write_one(move |tx| {
                Box::pin(async move {
                    store::set_prepay(tx, &sn, &prepay.pay_url, &prepay.provider_ref, now_ms).await?;
                    store::by_sn(&mut **tx, sn.as_str()).await
                })
            })
            .await?
            .ok_or_else(|| Error::internal("a payment is gone"))?;
        if payment.state == State::Closed {
            // The order closed in between: what was just prepared must not be payable. If this fails it expires by itself,
            // and nobody has seen its address.
            if let Err(error) = provider.close(&payment.intent()).await {
                tracing::warn!(payment.sn = %payment.sn, error = %error.chain(), "a prepay of a closed order stays open");
            }
            return Err(Error::new(Code::NotPayable));
        }
        Ok(payment)
    }

    /// What the payer's browser needs beside the pay page, while the payment waits for them.
    pub(crate) fn in_browser(&self, payment: &Payment) -> Result<Option<WechatPrepay>> {
        if payment.state != State::Pending {
            return Ok(None);
        }
        self.provider_named(&payment.provider)?
            .in_browser(&payment.provider_ref)
    }

    /// A pending payment, after a look into the provider's books: its end may not have reached us yet. A provider that does
    /// not answer changes nothing.
    async fn refreshed(&self, payment: Payment) -> Result<Payment> {
        let answer = match self.provider_named(&payment.provider) {
            Ok(provider) => provider.query(&payment.intent()).await,
            Err(error) => Err(error),
        };
        let answer = match answer {
            Ok(ProviderState::Open | ProviderState::Unknown) => return Ok(payment),
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(payment.sn = %payment.sn, error = %error.chain(), "the provider could not be asked");
                return Ok(payment);
            }
        };
        self.record_answer(&payment, answer).await?;
        store::by_sn(self.db.read(), payment.sn.as_str())
            .await?
            .ok_or_else(|| Error::internal("a payment is gone"))
    }
}

/// What of an order matters for paying it.
struct Order {
    sn: OrderSn,
    user_id: i64,
    currency: String,
    description: String,
    due: Due,
}

/// What is to be paid for an order now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Due {
    /// 0: the booking itself, else the attempt number of a change.
    charge: i64,
    cents: i64,
    before_ms: i64,
}

/// The rule: the booking while it awaits payment, the difference of a change while it is confirmed, in time, and not nothing.
fn due(order: &order_pb::OrderView, now_ms: i64) -> Option<Due> {
    let due = Due {
        charge: order.due_charge,
        cents: order.due_cents,
        before_ms: order.due_before_ms,
    };
    let waits = match order.state.as_str() {
        AWAITING_PAYMENT => due.charge >= 0,
        CONFIRMED => due.charge > 0,
        _ => false,
    };
    (waits && due.cents > 0 && now_ms < due.before_ms).then_some(due)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_in_every_state() {
        // State, charge, cents, before; whether it can be paid at 1,000.
        let table = [
            ("awaiting_payment", 0, 100, 1_001, true),
            ("awaiting_payment", 2, 100, 1_001, true),
            ("awaiting_payment", 0, 100, 1_000, false),
            ("awaiting_payment", 0, 0, 1_001, false),
            // A change is held, or a cancellation is wished: nothing, whatever the total is.
            ("awaiting_payment", 0, 0, 0, false),
            ("awaiting_payment", 0, -1, 1_001, false),
            ("awaiting_payment", -1, 100, 1_001, false),
            ("confirmed", 2, 100, 1_001, true),
            ("confirmed", 2, 0, 1_001, false),
            ("confirmed", 2, 100, 1_000, false),
            ("confirmed", 0, 100, 1_001, false),
            ("cancelled", 0, 100, 1_001, false),
            ("cancelled", 2, 100, 1_001, false),
            ("refund_pending", 0, 100, 1_001, false),
            ("refunded", 0, 100, 1_001, false),
            ("used", 2, 100, 1_001, false),
            ("expired", 2, 100, 1_001, false),
            ("", 0, 100, 1_001, false),
        ];
        for (state, due_charge, due_cents, due_before_ms, payable) in table {
            let order = order_pb::OrderView {
                state: state.to_owned(),
                due_charge,
                due_cents,
                due_before_ms,
                total_cents: 100,
                pay_before_ms: 2_000,
                ..Default::default()
            };
            let want = payable.then_some(Due {
                charge: due_charge,
                cents: due_cents,
                before_ms: due_before_ms,
            });
            assert_eq!(
                due(&order, 1_000),
                want,
                "{state} {due_charge} {due_cents} {due_before_ms}"
            );
        }
    }
}
