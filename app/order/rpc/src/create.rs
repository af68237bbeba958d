//! Books: takes the nights at travel, then writes the order with its first steps, its event and the job that closes it.
//!
//! The two are joined by the hold key. A repeat of the booking meets its own order by it; a hold whose reply was lost is
//! asked for by travel's sweep, and either belongs to an order ([`crate::resolve`]) or gets a tombstone that makes the
//! order's late insert fail here.

use homestay_error::{Code, Error, Result};
use homestay_proto::order as pb;
use homestay_proto::travel as tr;
use homestay_types::{Stay, StayError, day_number, parse_date};

use crate::OrderService;
use crate::order::{HouseSnapshot, Order};
use crate::policy::{self, Policy};
use crate::rules::State;
use crate::step::{Name, Step};
use crate::store::{self, holds::Claim};
use crate::{confirm, entries, keys};

/// A booking that is worth asking travel about: what can be known without the house is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewOrder {
    pub(crate) user_id: i64,
    pub(crate) house_id: i64,
    /// ISO dates; empty where `start_s` and `end_s` say it.
    pub(crate) check_in: String,
    pub(crate) check_out: String,
    pub(crate) start_s: i64,
    pub(crate) end_s: i64,
    pub(crate) guests: i64,
    pub(crate) meals: bool,
    pub(crate) remark: String,
    pub(crate) expected_total_cents: i64,
    /// Route and Idempotency-Key.
    pub(crate) key: Option<(String, String)>,
}

/// Longest remark, in characters (contract.md §1.8).
const REMARK: usize = 64;
/// 2200-01-01, beyond which no date is one (`homestay_types::parse_date`).
const END_OF_TIME_S: i64 = 7_258_118_400;

impl NewOrder {
    /// Checks a request.
    pub(crate) fn parse(user_id: i64, request: pb::CreateRequest) -> Result<Self> {
        let r = request;
        if r.house_id < 1 {
            return Err(Error::invalid("homestayId", "must be at least 1"));
        }
        if r.guests < 1 {
            return Err(Error::invalid("guests", "must be at least 1"));
        }
        let by_date = !r.check_in.is_empty() || !r.check_out.is_empty() || (r.start_s == 0 && r.end_s == 0);
        if by_date {
            let check_in = parse_date(&r.check_in).map_err(|e| Error::invalid("checkIn", e))?;
            let check_out = parse_date(&r.check_out).map_err(|e| Error::invalid("checkOut", e))?;
            Stay::new(check_in, check_out).map_err(|e| Error::invalid("checkOut", e))?;
        } else {
            for (field, seconds) in [("liveStartTime", r.start_s), ("liveEndTime", r.end_s)] {
                if !(0..END_OF_TIME_S).contains(&seconds) {
                    return Err(Error::invalid(field, "is not a time between 1970 and 2200"));
                }
            }
            if r.end_s <= r.start_s {
                return Err(Error::invalid("liveEndTime", StayError::Reversed));
            }
        }
        if r.remark.chars().count() > REMARK {
            return Err(Error::invalid(
                "remark",
                format!("must be at most {REMARK} characters"),
            ));
        }
        if r.remark.chars().any(|c| c.is_control() && !c.is_whitespace()) {
            return Err(Error::invalid("remark", "must not contain control characters"));
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
            user_id,
            house_id: r.house_id,
            check_in: r.check_in,
            check_out: r.check_out,
            start_s: if by_date { 0 } else { r.start_s },
            end_s: if by_date { 0 } else { r.end_s },
            guests: r.guests,
            meals: r.meals,
            remark: r.remark,
            expected_total_cents: r.expected_total_cents,
            key: (!key.is_empty()).then_some((r.route, key)),
        })
    }
}

impl OrderService {
    /// Books, or finds what was booked under the same key.
    ///
    /// # Errors
    /// Travel's refusals as they are; [`Code::IdempotencyKeyReused`] if the key was used for something else;
    /// [`Code::IdempotencyKeyExpired`] and [`Code::HoldExpired`] if the nights were given back before the order was written.
    pub(crate) async fn create(&self, new: NewOrder) -> Result<(Order, Vec<Step>)> {
        let fingerprint = keys::fingerprint(&new);
        let hold_key = match &new.key {
            Some((route, key)) => {
                let hold_key = keys::hold_key(new.user_id, route, key);
                if let Some(order) = store::orders::by_hold_key(self.db.read(), &hold_key).await? {
                    return self.same_booking(order, &fingerprint).await;
                }
                if store::holds::find(self.db.read(), &hold_key).await? == Some(Claim::Tombstone) {
                    return Err(Error::new(Code::IdempotencyKeyExpired));
                }
                hold_key
            }
            None => homestay_clock::secret_token(),
        };
        // The number leaves the process before anything is written.
        self.db.check_writable()?;
        let hold = self
            .hold(tr::HoldRequest {
                hold_key: hold_key.clone(),
                order_sn: self.ids.order_sn().to_string(),
                attempt: 1,
                house_id: new.house_id,
                check_in: new.check_in.clone(),
                check_out: new.check_out.clone(),
                start_s: new.start_s,
                end_s: new.end_s,
                guests: new.guests,
                meals: new.meals,
                fingerprint: fingerprint.clone(),
                expected_total_cents: new.expected_total_cents,
                new_booking: true,
                change_of_attempt: 0,
            })
            .await?;
        let order = self.place(new, hold, hold_key, fingerprint)?;
        self.write(order).await
    }

    /// The order that a hold makes.
    fn place(
        &self,
        new: NewOrder,
        hold: tr::HoldReply,
        hold_key: String,
        fingerprint: String,
    ) -> Result<Order> {
        let missing = || Error::internal("a hold without house or quote");
        let house = hold.house.ok_or_else(missing)?;
        let quote = hold.quote.ok_or_else(missing)?;
        let day = |text: &str| parse_date(text).map(day_number).map_err(Error::internal);
        let now_ms = self.clock.now_ms();
        let check_in_day = day(&quote.check_in)?;
        let check_in_minute = policy::check_in_minute(house.check_in_minute);
        let check_in_at_ms = policy::check_in_at_ms(check_in_day, check_in_minute, &house.time_zone)?;
        let cover = house
            .banner
            .split(',')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        Ok(Order {
            id: self.ids.id(),
            sn: hold.order_sn.parse().map_err(Error::internal)?,
            hold_key,
            fingerprint,
            user_id: new.user_id,
            house: HouseSnapshot {
                id: house.id,
                shop_id: house.shop_id,
                host_id: house.host_id,
                title: house.title,
                sub_title: house.sub_title,
                cover,
                info: house.info,
                people_num: house.people_num,
                row_type: house.row_type,
                food_info: house.food_info,
                food_cents: house.food_cents,
                price_cents: house.price_cents,
                market_cents: house.market_cents,
                time_zone: house.time_zone,
            },
            check_in_day,
            check_out_day: day(&quote.check_out)?,
            guests: new.guests,
            meals: new.meals,
            remark: new.remark,
            unit: hold.unit,
            attempt: 1,
            currency: quote.currency,
            room_cents: quote.room_cents,
            meal_cents: quote.meal_cents,
            total_cents: quote.total_cents,
            lines: quote.lines.into_iter().map(Into::into).collect(),
            state: State::AwaitingPayment,
            created_at_ms: now_ms,
            pay_before_ms: now_ms + self.config.close_after_ms(),
            trade_code: String::new(),
            paid_at_ms: 0,
            payment_sn: String::new(),
            pay_type: String::new(),
            released_at_ms: 0,
            cancel_requested_at_ms: 0,
            cancel_reason: String::new(),
            cancel_requested_by: String::new(),
            policy: Policy::of_house(house.policy),
            check_in_minute,
            check_in_at_ms,
            last_attempt: 0,
            charge: 0,
            change_attempt: 0,
            charged_cents: 0,
            refund_cents: 0,
            kept_cents: 0,
            settled_at_ms: 0,
            ended_by: String::new(),
            refund_percent_cap: policy::ALL,
        })
    }

    /// Writes the order and what must follow from it, or finds the one that was first with its key.
    async fn write(&self, mut order: Order) -> Result<(Order, Vec<Step>)> {
        let (steps, entries) = if order.total_cents == 0 {
            confirm::free(&self.ids, &mut order, &self.node)
        } else {
            self.unpaid(&order)
        };
        let (ids, row, first_steps) = (self.ids.clone(), order.clone(), steps.clone());
        let before_us = self
            .db
            .write_one(move |tx| {
                Box::pin(async move { store::booking::insert(tx, &ids, &row, first_steps, entries).await })
            })
            .await?;
        match before_us {
            None => {
                crate::count("created");
                tracing::debug!(order.sn = %order.sn, "an order was made");
                Ok((order, steps))
            }
            Some(Claim::Tombstone) => Err(Error::new(Code::HoldExpired)),
            Some(Claim::Order(sn)) => {
                let first = store::orders::by_sn(self.db.read(), &sn)
                    .await?
                    .ok_or_else(|| Error::internal("a claim without its order"))?;
                self.same_booking(first, &order.fingerprint).await
            }
        }
    }

    /// What is written with an order that waits for payment.
    fn unpaid(&self, order: &Order) -> (Vec<Step>, Vec<homestay_outbox::Entry>) {
        let (now_ms, attempt) = (order.created_at_ms, order.attempt);
        let steps = vec![
            Step::done(Name::Scheduling, attempt, now_ms, &self.node),
            Step::begun(Name::PreProcessing, attempt, now_ms, &self.node),
        ];
        let entries = vec![
            entries::changed(&self.ids, &order.sn, order.state, "created"),
            entries::close(&order.sn, order.pay_before_ms),
        ];
        (steps, entries)
    }

    /// What was booked under the key, if it is what is asked for.
    async fn same_booking(&self, order: Order, fingerprint: &str) -> Result<(Order, Vec<Step>)> {
        if order.fingerprint != fingerprint {
            return Err(Error::new(Code::IdempotencyKeyReused));
        }
        let steps = self.steps(order.sn.as_str()).await?;
        Ok((order, steps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> pb::CreateRequest {
        pb::CreateRequest {
            house_id: 7,
            check_in: "2026-12-01".into(),
            check_out: "2026-12-03".into(),
            guests: 2,
            ..Default::default()
        }
    }

    #[test]
    fn what_needs_no_house_is_checked_and_the_field_is_named() {
        type Edit = fn(&mut pb::CreateRequest);
        let cases: [(Edit, Option<&str>); 22] = [
            (|_| {}, None),
            (|r| r.house_id = 0, Some("homestayId")),
            (|r| r.guests = 0, Some("guests")),
            (|r| r.guests = -10, Some("guests")),
            (|r| r.check_in = "soon".into(), Some("checkIn")),
            (|r| r.check_in = String::new(), Some("checkIn")),
            (|r| r.check_out = String::new(), Some("checkOut")),
            (|r| r.check_out = "2026-12-01".into(), Some("checkOut")),
            (|r| r.check_out = "2026-11-30".into(), Some("checkOut")),
            (|r| r.check_out = "2027-12-01".into(), Some("checkOut")),
            (|r| r.remark = "月".repeat(64), None),
            (|r| r.remark = "月".repeat(65), Some("remark")),
            (|r| r.remark = "a\0b".into(), Some("remark")),
            (|r| r.remark = "two\nlines".into(), None),
            (|r| r.expected_total_cents = -1, Some("expectedTotalCents")),
            (|r| r.idempotency_key = "k".repeat(255), None),
            (|r| r.idempotency_key = "k".repeat(256), Some("Idempotency-Key")),
            (|r| r.idempotency_key = "a b".into(), Some("Idempotency-Key")),
            (
                |r| {
                    (r.check_in, r.check_out) = (String::new(), String::new());
                    (r.start_s, r.end_s) = (1_796_000_000, 1_796_000_001);
                },
                None,
            ),
            (
                |r| {
                    (r.check_in, r.check_out) = (String::new(), String::new());
                    (r.start_s, r.end_s) = (1_796_000_000, 1_796_000_000);
                },
                Some("liveEndTime"),
            ),
            (
                |r| {
                    (r.check_in, r.check_out) = (String::new(), String::new());
                    (r.start_s, r.end_s) = (-5, 1_796_000_000);
                },
                Some("liveStartTime"),
            ),
            (
                |r| (r.check_in, r.check_out) = (String::new(), String::new()),
                Some("checkIn"),
            ),
        ];
        for (n, (edit, field)) in cases.into_iter().enumerate() {
            let mut request = request();
            edit(&mut request);
            let error = NewOrder::parse(1, request).err();
            assert_eq!(error.as_ref().and_then(Error::field_name), field, "case {n}");
        }
    }

    #[test]
    fn every_field_of_the_body_is_part_of_the_fingerprint() {
        type Edit = fn(&mut NewOrder);
        let new = NewOrder::parse(1, request()).unwrap();
        let edits: [Edit; 9] = [
            |n| n.house_id = 8,
            |n| n.check_in = "2026-12-02".into(),
            |n| n.check_out = "2026-12-04".into(),
            |n| n.start_s = 1,
            |n| n.end_s = 1,
            |n| n.guests = 3,
            |n| n.meals = true,
            |n| n.remark = "late".into(),
            |n| n.expected_total_cents = 5,
        ];
        for (n, edit) in edits.into_iter().enumerate() {
            let mut other = new.clone();
            edit(&mut other);
            assert_ne!(keys::fingerprint(&new), keys::fingerprint(&other), "edit {n}");
        }
    }
}
