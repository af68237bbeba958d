//! Confirms an order by a captured payment: while it waits for one, or late, on nights taken again.

use homestay_error::{Code, Result};
use homestay_proto::travel as tr;
use homestay_types::date_of_number;

use crate::OrderService;
use crate::due::Payment;
use crate::order::Order;
use crate::rules::State;
use crate::step::{Name, Step};
use crate::store::{self, holds::Claim};
use crate::{entries, keys, refund};

/// Length of a check-in code (contract.md §1.5).
const TRADE_CODE: usize = 8;

/// How the transaction of late money ended.
enum Late {
    Confirmed,
    /// The key of the nights taken again has a tombstone: they were given back.
    Buried,
    /// Somebody else changed the order first.
    Lost,
}

impl OrderService {
    /// Awaiting payment → confirmed, by a payment or as there is nothing to pay. Whether this or another run did it, the order is to be looked at again.
    pub(crate) async fn confirm(&self, order: &Order, payment: Option<&Payment>) -> Result<()> {
        let now_ms = self.clock.now_ms();
        let (ids, node) = (self.ids.clone(), self.node.clone());
        let (order, payment) = (order.clone(), payment.cloned());
        let confirmed = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    let code = homestay_clock::secret_code(TRADE_CODE);
                    let nights = (order.unit, order.attempt);
                    if !store::changes::confirm(tx, &order, payment.as_ref(), nights, &code, now_ms).await? {
                        return Ok(false);
                    }
                    let (sn, attempt) = (order.sn.as_str(), order.attempt);
                    store::steps::end(tx, sn, Name::PreProcessing, attempt, now_ms).await?;
                    let steps = vec![
                        Step::done(Name::Processing, attempt, now_ms, &node),
                        Step::begun(Name::PostProcessing, attempt, now_ms, &node),
                    ];
                    store::steps::insert(tx, sn, steps).await?;
                    homestay_outbox::push(tx, &ids, paid(&ids, &order)).await?;
                    Ok(true)
                })
            })
            .await?;
        if confirmed {
            crate::count("paid");
        }
        Ok(())
    }

    /// Cancelled by the clock → confirmed, if the same nights can be taken again under the next attempt, else → refund
    /// pending. The price is the one the guest has paid.
    ///
    /// # Errors
    /// If travel does not answer: then nothing is changed.
    pub(crate) async fn take_again(&self, order: &Order, payment: &Payment) -> Result<()> {
        let attempt = order.next_attempt();
        let hold_key = keys::later_key(&order.hold_key, attempt);
        let hold = self
            .hold(tr::HoldRequest {
                hold_key: hold_key.clone(),
                order_sn: order.sn.to_string(),
                attempt,
                house_id: order.house.id,
                check_in: date_of_number(order.check_in_day).to_string(),
                check_out: date_of_number(order.check_out_day).to_string(),
                guests: order.guests,
                meals: order.meals,
                fingerprint: order.fingerprint.clone(),
                expected_total_cents: 0,
                start_s: 0,
                end_s: 0,
                new_booking: false,
                // A change that came to nothing may have held others since.
                change_of_attempt: order.attempt,
            })
            .await;
        let unit = match hold {
            Ok(hold) => hold.unit,
            Err(error) => match refusal(error.code()) {
                Some(why) => return self.give_back(order, payment, why).await,
                None => return Err(error),
            },
        };
        match self.confirm_late(order, payment, hold_key, unit, attempt).await? {
            Late::Confirmed => crate::count("paid"),
            Late::Buried => self.give_back(order, payment, refund::NIGHTS_GONE).await?,
            Late::Lost => {}
        }
        Ok(())
    }

    async fn confirm_late(
        &self,
        order: &Order,
        payment: &Payment,
        hold_key: String,
        unit: i64,
        attempt: i64,
    ) -> Result<Late> {
        let now_ms = self.clock.now_ms();
        let (ids, node) = (self.ids.clone(), self.node.clone());
        let (order, payment) = (order.clone(), payment.clone());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let sn = order.sn.as_str();
                    // A claim of an order that then is not confirmed does no harm: such an order keeps no nights.
                    if let Some(Claim::Tombstone) = store::holds::insert(tx, &hold_key, sn).await? {
                        return Ok(Late::Buried);
                    }
                    let code = homestay_clock::secret_code(TRADE_CODE);
                    let nights = (unit, attempt);
                    if !store::changes::confirm(tx, &order, Some(&payment), nights, &code, now_ms).await? {
                        return Ok(Late::Lost);
                    }
                    let steps = vec![
                        Step::done(Name::Scheduling, attempt, now_ms, &node),
                        Step::done(Name::PreProcessing, attempt, now_ms, &node),
                        Step::done(Name::Processing, attempt, now_ms, &node),
                        Step::begun(Name::PostProcessing, attempt, now_ms, &node),
                    ];
                    store::steps::insert(tx, sn, steps).await?;
                    homestay_outbox::push(tx, &ids, paid(&ids, &order)).await?;
                    Ok(Late::Confirmed)
                })
            })
            .await
    }
}

/// What an order that costs nothing has, written at once: its code, its steps and what follows from it.
pub(crate) fn free(
    ids: &homestay_clock::Ids,
    order: &mut Order,
    node: &str,
) -> (Vec<Step>, Vec<homestay_outbox::Entry>) {
    let (now_ms, attempt) = (order.created_at_ms, order.attempt);
    order.state = State::Confirmed;
    order.trade_code = homestay_clock::secret_code(TRADE_CODE);
    order.paid_at_ms = now_ms;
    let steps = vec![
        Step::done(Name::Scheduling, attempt, now_ms, node),
        Step::done(Name::PreProcessing, attempt, now_ms, node),
        Step::done(Name::Processing, attempt, now_ms, node),
        Step::begun(Name::PostProcessing, attempt, now_ms, node),
    ];
    let mut entries = vec![entries::changed(ids, &order.sn, State::Confirmed, "created")];
    entries.extend(paid(ids, order));
    (steps, entries)
}

/// Why the nights cannot be taken again; `None` if travel did not say, or not to us.
fn refusal(code: Code) -> Option<&'static str> {
    match code {
        Code::IdempotencyKeyExpired | Code::HoldExpired => Some(refund::NIGHTS_GONE),
        Code::DatesTaken | Code::DatesClosed | Code::MealsSoldOut | Code::OffSale | Code::HouseNotFound => {
            Some(code.message())
        }
        Code::Unauthenticated | Code::Forbidden => None,
        code if code.is_transient() => None,
        _ => Some("the nights could not be taken again"),
    }
}

/// What a payment leaves in the outbox: the event, and the telling of guest and host.
fn paid(ids: &homestay_clock::Ids, order: &Order) -> Vec<homestay_outbox::Entry> {
    vec![
        entries::changed(ids, &order.sn, State::Confirmed, "paid"),
        entries::notify_paid(&order.sn, "guest"),
        entries::notify_paid(&order.sn, "host"),
    ]
}
