//! Changes dates or guests of a booking: the intent first, then a second hold beside the booking's, then the money, then one
//! transaction that makes the booking what was asked for; whatever is cut off is finished or dropped by [`crate::advance`].

use homestay_error::{Code, Error, Result};
use homestay_proto::order as pb;
use homestay_proto::travel as tr;
use homestay_types::{Stay, date_of_number, day_number, parse_date};

use crate::OrderService;
use crate::books::{Books, Change, Stage};
use crate::due::Payment;
use crate::offer::{self, Offer, difference};
use crate::order::Order;
use crate::rules::State;
use crate::step::{Name, Step};
use crate::store::{self, change::Sums};
use crate::{cancel, entries, keys, policy};

/// How long after the intent of a change, or its end, the job looks whether all is done.
const FOLLOW_UP_MS: i64 = 5_000;

/// A change that is worth asking travel about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewChange {
    pub(crate) sn: String,
    pub(crate) check_in_day: i64,
    pub(crate) check_out_day: i64,
    pub(crate) guests: i64,
    /// `None`: as booked.
    pub(crate) meals: Option<bool>,
    pub(crate) expected_cents: i64,
    /// Route and Idempotency-Key.
    pub(crate) key: Option<(String, String)>,
}

impl NewChange {
    /// Checks a request.
    pub(crate) fn parse(request: pb::ChangeRequest) -> Result<Self> {
        let r = request;
        let check_in = parse_date(&r.check_in).map_err(|e| Error::invalid("checkIn", e))?;
        let check_out = parse_date(&r.check_out).map_err(|e| Error::invalid("checkOut", e))?;
        Stay::new(check_in, check_out).map_err(|e| Error::invalid("checkOut", e))?;
        if r.guests < 1 {
            return Err(Error::invalid("guests", "must be at least 1"));
        }
        if r.expected_total_cents < 0 {
            return Err(Error::invalid("expectedTotalCents", "must not be negative"));
        }
        let key = r.idempotency_key;
        if key.len() > 255 || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::invalid(
                "Idempotency-Key",
                "must be 1 to 255 visible ASCII characters",
            ));
        }
        Ok(Self {
            sn: r.sn,
            check_in_day: day_number(check_in),
            check_out_day: day_number(check_out),
            guests: r.guests,
            meals: r.meals,
            expected_cents: r.expected_total_cents,
            key: (!key.is_empty()).then_some((r.route, key)),
        })
    }
}

impl OrderService {
    /// Changes a booking of the user, or finds what was asked for under the same key.
    ///
    /// # Errors
    /// [`Code::OrderNotFound`] for an unknown or foreign order, [`Code::OrderState`] for one that cannot be changed (any more),
    /// [`Code::ChangeOpen`] while another change is under way, [`Code::IdempotencyKeyReused`]; travel's refusals as they are;
    /// those of peers that do not answer: the change is finished or dropped all the same.
    pub(crate) async fn change(&self, user_id: i64, new: NewChange) -> Result<(Change, Order)> {
        let order = self.own(user_id, &new.sn).await?;
        let order_currency = order.currency.clone();
        let fingerprint = keys::change_fingerprint(user_id, &new);
        let key = match &new.key {
            Some((route, key)) => keys::hold_key(user_id, route, key),
            None => homestay_clock::secret_token(),
        };
        let change = match store::change::by_key(self.db.read(), &key).await? {
            Some(known) if known.fingerprint != fingerprint => {
                return Err(Error::new(Code::IdempotencyKeyReused));
            }
            Some(known) => known,
            None => match self
                .open_change(order, &new, key.clone(), fingerprint.clone())
                .await
            {
                Ok(change) => change,
                Err(trouble) => self.same_change(&key, &fingerprint, trouble).await?,
            },
        };
        if change.stage == Stage::Asked {
            let order = self.order(&new.sn).await?;
            let books = store::books::of_order(&self.db, &order).await?;
            if books.change.as_ref().is_some_and(|c| c.attempt == change.attempt) {
                self.hold_change(&order, &books).await?;
            }
        }
        let behind = self.advance(&new.sn).await.err();
        let change = store::change::find(self.db.read(), &new.sn, change.attempt)
            .await?
            .ok_or_else(|| Error::internal("a change without its row"))?;
        match (change.stage, behind) {
            (Stage::Refused, _) => Err(refused(&change)),
            (Stage::Dropped, _) if change.error_code == Code::PriceChanged.reason() => {
                Err(offer::price_changed(&change, &order_currency))
            }
            (Stage::Asked, Some(trouble)) => Err(trouble),
            (_, behind) => {
                if let Some(later) = behind {
                    tracing::warn!(order.sn = %new.sn, error = %later.chain(), "a change is finished later");
                }
                let order = self.order(&new.sn).await?;
                Ok((change, order))
            }
        }
    }

    /// The change that a request at the same instant opened under the same key; else the trouble that there was.
    async fn same_change(&self, key: &str, fingerprint: &str, trouble: Error) -> Result<Change> {
        if trouble.code().is_transient() || trouble.code().is_ours() {
            return Err(trouble);
        }
        match store::change::by_key(self.db.read(), key).await? {
            Some(same) if same.fingerprint == fingerprint => Ok(same),
            Some(_) => Err(Error::new(Code::IdempotencyKeyReused)),
            None => Err(trouble),
        }
    }

    /// What a change would cost today.
    ///
    /// # Errors
    /// As [`OrderService::change`], short of what only holding finds out.
    pub(crate) async fn quote_change(&self, user_id: i64, new: NewChange) -> Result<(Change, Order)> {
        let order = self.own(user_id, &new.sn).await?;
        let order = self.with_what_is_left(order).await?;
        let now_ms = self.clock.now_ms();
        may_change(&order, &new, now_ms)?;
        let meals = new.meals.unwrap_or(order.meals);
        let quote = self
            .quote(tr::GetQuoteRequest {
                house_id: order.house.id,
                check_in: date_of_number(new.check_in_day).to_string(),
                check_out: date_of_number(new.check_out_day).to_string(),
                guests: new.guests,
                meals,
            })
            .await?;
        let mut change = self.intent(&order, &new, String::new(), String::new())?;
        change.attempt = 0;
        let offer = Offer::new(&order, change.check_in_day, quote, now_ms)?;
        (change.due_cents, change.refund_cents) = difference(&order, offer.total_cents);
        change.room_cents = offer.room_cents;
        change.meal_cents = offer.meal_cents;
        change.total_cents = offer.total_cents;
        change.lines = offer.lines;
        change.refund_percent = offer.refund_percent;
        change.fee_cents = offer.fee_cents;
        Ok((change, order))
    }

    async fn own(&self, user_id: i64, sn: &str) -> Result<Order> {
        let order = self.order(sn).await?;
        if order.user_id != user_id {
            return Err(Error::new(Code::OrderNotFound));
        }
        Ok(order)
    }

    fn intent(&self, order: &Order, new: &NewChange, key: String, fingerprint: String) -> Result<Change> {
        Ok(Change {
            order_sn: order.sn.to_string(),
            attempt: order.next_attempt(),
            from_attempt: order.attempt,
            key,
            fingerprint,
            stage: Stage::Asked,
            check_in_day: new.check_in_day,
            check_out_day: new.check_out_day,
            check_in_at_ms: policy::check_in_at_ms(
                new.check_in_day,
                order.check_in_minute,
                &order.house.time_zone,
            )?,
            guests: new.guests,
            meals: new.meals.unwrap_or(order.meals),
            expected_cents: new.expected_cents,
            old_total_cents: order.total_cents,
            created_at_ms: self.clock.now_ms(),
            unit: 0,
            room_cents: 0,
            meal_cents: 0,
            total_cents: 0,
            lines: Vec::new(),
            refund_percent: policy::ALL,
            fee_cents: 0,
            due_cents: 0,
            due_before_ms: 0,
            refund_cents: 0,
            ended_at_ms: 0,
            error_code: String::new(),
            error: String::new(),
            released_at_ms: 0,
        })
    }

    /// Writes the intent, with the claim on its hold key and the job that goes on should this run end.
    async fn open_change(
        &self,
        order: Order,
        new: &NewChange,
        key: String,
        fingerprint: String,
    ) -> Result<Change> {
        let now_ms = self.clock.now_ms();
        let order = if order.change_attempt > 0 {
            // It may only have to be tidied up.
            let _ = self.advance(order.sn.as_str()).await;
            self.order(order.sn.as_str()).await?
        } else {
            order
        };
        may_change(&order, new, now_ms)?;
        if order.change_attempt > 0 {
            return Err(Error::new(Code::ChangeOpen));
        }
        let change = self.intent(&order, new, key, fingerprint)?;
        let ids = self.ids.clone();
        let (order, row) = (order.clone(), change.clone());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    if !store::change::open(tx, &order, &row).await? {
                        // Nothing of it stays.
                        return Err(Error::new(Code::ChangeOpen));
                    }
                    let hold_key = keys::later_key(&order.hold_key, row.attempt);
                    if store::holds::insert(tx, &hold_key, order.sn.as_str())
                        .await?
                        .is_some()
                    {
                        return Err(Error::internal("the key of a new hold is known"));
                    }
                    let follow_up = format!("change.{}", row.attempt);
                    let job = entries::follow_up(&order.sn, &follow_up, now_ms + FOLLOW_UP_MS);
                    homestay_outbox::push(tx, &ids, vec![job]).await
                })
            })
            .await?;
        Ok(change)
    }

    /// Asked → held, or refused; or dropped, if the price is not the expected one.
    ///
    /// # Errors
    /// Travel's refusal, which ends the change; that travel does not answer: then nothing is changed.
    pub(crate) async fn hold_change(&self, order: &Order, books: &Books) -> Result<()> {
        let change = under_way(books)?;
        let key = keys::later_key(&order.hold_key, change.attempt);
        let expected = offer::expected_of_travel(order, change, self.clock.now_ms())?;
        let hold = self.hold_beside(order, change, key, expected).await;
        let now_ms = self.clock.now_ms();
        let row = change.clone();
        match hold {
            Ok(hold) => {
                let quote = hold
                    .quote
                    .ok_or_else(|| Error::internal("a hold without quote"))?;
                let offer = Offer::new(order, change.check_in_day, quote, now_ms)?;
                let suits = offer.suits(change);
                let (unit, seen) = (hold.unit, order.state);
                let answered = self
                    .db
                    .write(move |tx| {
                        Box::pin(async move {
                            store::change::answered(tx, &row, seen, unit, &offer, now_ms).await
                        })
                    })
                    .await?;
                if !answered {
                    self.release_lost(order, change).await?;
                } else if !suits {
                    crate::count("change_refused");
                }
                Ok(())
            }
            Err(later) if !is_refusal(later.code()) => Err(later),
            Err(refusal) => {
                let error = Error::with(refusal.code(), refusal.message().to_owned());
                let refused = self
                    .db
                    .write(move |tx| {
                        Box::pin(async move { store::change::refuse(tx, &row, &error, now_ms).await })
                    })
                    .await?;
                if refused {
                    crate::count("change_refused");
                }
                Err(refusal)
            }
        }
    }

    /// A hold was taken for a change that somebody else has decided meanwhile.
    async fn release_lost(&self, order: &Order, change: &Change) -> Result<()> {
        let now = store::change::find(self.db.read(), &change.order_sn, change.attempt).await?;
        match now.map(|change| change.stage) {
            Some(Stage::Asked | Stage::Held | Stage::Applied) => Ok(()),
            Some(Stage::Refused | Stage::Dropped) | None => self.release(order, change.attempt, true).await,
        }
    }

    /// Held, and dearer than what is paid: says what is to be paid, and until when.
    pub(crate) async fn ask_difference(&self, order: &Order, books: &Books) -> Result<()> {
        let change = under_way(books)?.clone();
        let (due_cents, _) = difference(order, change.total_cents);
        let before_ms = self.clock.now_ms() + self.config.close_after_ms();
        let (ids, sn) = (self.ids.clone(), order.sn.clone());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    if store::change::due(tx, &change, due_cents, before_ms).await? {
                        let job =
                            entries::follow_up(&sn, &format!("change.due.{}", change.attempt), before_ms);
                        homestay_outbox::push(tx, &ids, vec![job]).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Held → applied: the booking becomes what was asked for, with the difference paid or given back.
    pub(crate) async fn apply_change(
        &self,
        order: &Order,
        books: &Books,
        payment: Option<&Payment>,
    ) -> Result<()> {
        let now_ms = self.clock.now_ms();
        let change = under_way(books)?.clone();
        let (ids, node) = (self.ids.clone(), self.node.clone());
        let (order, payment) = (order.clone(), payment.cloned());
        let unpaid = order.state == State::AwaitingPayment;
        let cap = offer::cap_after(&order, &change, payment.as_ref(), now_ms)?;
        let (_, back_cents) = difference(&order, change.total_cents);
        let refunds = cancel::refunds(
            books,
            back_cents,
            &format!("change:{}", change.attempt),
            "the booking became cheaper",
        );
        let applied = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    let (sn, attempt) = (order.sn.as_str(), change.attempt);
                    let paid_cents = payment.as_ref().map_or(0, |payment| payment.amount_cents);
                    let charge = if unpaid { attempt } else { order.charge };
                    let sums = Sums {
                        paid_cents,
                        back_cents,
                        cap,
                    };
                    if !store::change::apply(tx, &order, &change, sums, charge, now_ms).await? {
                        return Ok(false);
                    }
                    if let Some(payment) = &payment {
                        store::books::pays(tx, sn, attempt, payment).await?;
                    }
                    for intent in &refunds {
                        store::books::give_back(tx, sn, intent, true, now_ms).await?;
                    }
                    let why = format!("changed: attempt {attempt} takes its place");
                    let mut steps = vec![Step::done(Name::Scheduling, attempt, now_ms, &node)];
                    let mut entries = vec![
                        entries::changed(&ids, &order.sn, order.state, "changed"),
                        entries::follow_up(&order.sn, &format!("changed.{attempt}"), now_ms + FOLLOW_UP_MS),
                    ];
                    if unpaid {
                        store::steps::undo(tx, sn, change.from_attempt, &why, now_ms).await?;
                        steps.push(Step::begun(Name::PreProcessing, attempt, now_ms, &node));
                    } else {
                        store::steps::replaced(tx, sn, change.from_attempt, &why, now_ms).await?;
                        steps.push(Step::done(Name::PreProcessing, attempt, now_ms, &node));
                        steps.push(Step::done(Name::Processing, attempt, now_ms, &node));
                        steps.push(Step::begun(Name::PostProcessing, attempt, now_ms, &node));
                        for recipient in ["guest", "host"] {
                            entries.push(entries::notify_changed(&order.sn, recipient, attempt));
                        }
                    }
                    store::steps::insert(tx, sn, steps).await?;
                    homestay_outbox::push(tx, &ids, entries).await?;
                    Ok(true)
                })
            })
            .await?;
        if applied {
            crate::count("changed");
        }
        Ok(())
    }

    /// Asked or held → dropped: the booking stays as it is.
    pub(crate) async fn drop_change(&self, order: &Order, why: &'static str) -> Result<()> {
        let now_ms = self.clock.now_ms();
        let (ids, order) = (self.ids.clone(), order.clone());
        let dropped = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    if !store::change::drop_open(tx, order.sn.as_str(), why, now_ms).await? {
                        return Ok(false);
                    }
                    let event = entries::changed(&ids, &order.sn, order.state, "change_dropped");
                    homestay_outbox::push(tx, &ids, vec![event]).await?;
                    Ok(true)
                })
            })
            .await?;
        if dropped {
            crate::count("change_dropped");
        }
        Ok(())
    }

    /// Gives back what a decided change has left: the old hold, or the new one; and notes that it is done with.
    pub(crate) async fn release_change(&self, order: &Order, books: &Books) -> Result<()> {
        let change = under_way(books)?.clone();
        match change.stage {
            Stage::Applied => self.release(order, change.from_attempt, false).await?,
            Stage::Dropped => self.release(order, change.attempt, true).await?,
            Stage::Asked | Stage::Held | Stage::Refused => {}
        }
        let now_ms = self.clock.now_ms();
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    if store::change::released(tx, &change, now_ms).await? {
                        store::steps::nights_undone(tx, &change.order_sn, now_ms).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

fn under_way(books: &Books) -> Result<&Change> {
    books
        .change
        .as_ref()
        .ok_or_else(|| Error::internal("no change is under way"))
}

/// Whether an order can be changed, and to this.
fn may_change(order: &Order, new: &NewChange, now_ms: i64) -> Result<()> {
    match order.state {
        State::AwaitingPayment if now_ms < order.wait_ends_ms() => {}
        State::Confirmed if now_ms < order.check_in_at_ms()? => {}
        State::Confirmed => return Err(Error::with(Code::OrderState, "the stay has begun")),
        _ => return Err(Error::new(Code::OrderState)),
    }
    let same = (
        new.check_in_day,
        new.check_out_day,
        new.guests,
        new.meals.unwrap_or(order.meals),
    ) == (order.check_in_day, order.check_out_day, order.guests, order.meals);
    if same {
        return Err(Error::invalid("checkIn", "and all the rest is what is booked"));
    }
    Ok(())
}

/// Whether travel has said no, rather than nothing.
pub(crate) fn is_refusal(code: Code) -> bool {
    !(code.is_transient() || code.is_ours() || matches!(code, Code::Unauthenticated | Code::Forbidden))
}

/// What travel said when it refused a change.
fn refused(change: &Change) -> Error {
    let code = Code::from_reason(&change.error_code).unwrap_or(Code::DatesTaken);
    Error::with(code, change.error.clone())
}
