//! What Stripe knows: sessions, their payment intents, and refunds. Every answer is a status and a body.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

pub(super) type Answer = (u16, Value);
pub(super) type Form = BTreeMap<String, String>;

/// Bounds of a session's life, seconds.
const LIFE_S: std::ops::RangeInclusive<i64> = 1_800..=86_400;

#[derive(Debug)]
pub(super) struct Session {
    pub payment_sn: String,
    form: Form,
    amount: i64,
    expires_s: i64,
    created_s: i64,
    /// `open`, `complete` or `expired`.
    status: &'static str,
    /// Of the payment intent: empty until the payer has done something.
    pub intent: &'static str,
    paid_s: i64,
    refunded: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Refund {
    pub session: String,
    amount: i64,
    metadata: Value,
    /// `pending`, `succeeded`, `failed` or `canceled`.
    pub status: &'static str,
}

#[derive(Debug, Default)]
pub(super) struct Books {
    sessions: BTreeMap<String, Session>,
    pub refunds: BTreeMap<String, Refund>,
    /// Requests by Idempotency-Key, with what was answered.
    keys: HashMap<String, (String, Answer)>,
    pub slow_refunds: bool,
    count: u32,
}

/// A failure of Stripe's own.
pub(super) fn broken() -> Answer {
    let error = json!({ "type": "api_error", "message": "the simulator fails" });
    (500, json!({ "error": error }))
}

pub(super) fn no(status: u16, code: &str) -> Answer {
    let error = json!({ "type": "invalid_request_error", "code": code, "message": "the simulator says so" });
    (status, json!({ "error": error }))
}

impl Books {
    /// Answers a request once for each key, and whether the answer is one given before. What was said while the request was
    /// carried out stays, a refusal and a failure too; parameters that are wrong leave no trace. The same key with another
    /// request is refused.
    pub fn once(
        &mut self,
        key: &str,
        request: String,
        work: impl FnOnce(&mut Self) -> Answer,
    ) -> (Answer, bool) {
        if let Some((known, answer)) = self.keys.get(key) {
            if *known == request {
                return (answer.clone(), true);
            }
            let error = json!({ "type": "idempotency_error", "message": "another request had this key" });
            return ((400, json!({ "error": error })), false);
        }
        let answer = work(self);
        let code = answer.1.pointer("/error/code").and_then(Value::as_str);
        let invalid = code.is_some_and(|code| code.starts_with("parameter_"));
        if !invalid && !key.is_empty() {
            self.keys.insert(key.to_owned(), (request, answer.clone()));
        }
        (answer, false)
    }

    /// As after a day.
    pub fn forget_keys(&mut self) {
        self.keys.clear();
    }

    /// The end of sessions whose time is over; their numbers.
    pub fn expire(&mut self, now_s: i64) -> Vec<String> {
        let mut expired = Vec::new();
        for (id, session) in &mut self.sessions {
            if session.status == "open" && session.expires_s <= now_s {
                session.status = "expired";
                expired.push(id.clone());
            }
        }
        expired
    }

    fn next(&mut self, prefix: &str) -> String {
        self.count += 1;
        format!("{prefix}_{:08}", self.count)
    }

    pub fn create(&mut self, form: Form, now_s: i64) -> Answer {
        let get = |key: &str| form.get(key).map(String::as_str).unwrap_or_default();
        let amount: i64 = get("line_items[0][price_data][unit_amount]")
            .parse()
            .unwrap_or_default();
        let expires_s: i64 = get("expires_at").parse().unwrap_or_default();
        if !LIFE_S.contains(&(expires_s - now_s)) {
            return no(400, "parameter_invalid_integer");
        }
        let currency = get("line_items[0][price_data][currency]");
        let good = get("mode") == "payment"
            && amount > 0
            && currency.len() == 3
            && currency.bytes().all(|b| b.is_ascii_lowercase())
            && get("line_items[0][quantity]") == "1"
            && !get("line_items[0][price_data][product_data][name]").is_empty()
            && get("success_url").starts_with("http")
            && get("payment_intent_data[metadata][payment_sn]") == get("metadata[payment_sn]");
        if !good {
            return no(400, "parameter_missing");
        }
        let id = self.next("cs_test");
        let session = Session {
            payment_sn: get("client_reference_id").to_owned(),
            amount,
            expires_s,
            created_s: now_s,
            status: "open",
            intent: "",
            paid_s: 0,
            refunded: 0,
            form,
        };
        self.sessions.insert(id.clone(), session);
        (200, self.session(&id, false))
    }

    /// A session as answers show it, its payment intent whole or by number.
    pub fn session(&self, id: &str, expanded: bool) -> Value {
        let session = &self.sessions[id];
        let currency = &session.form["line_items[0][price_data][currency]"];
        let intent = match (session.intent, expanded) {
            ("", _) => Value::Null,
            (_, true) => self.intent(id, true),
            (_, false) => json!(intent_id(id)),
        };
        let open = session.status == "open";
        json!({
            "id": id, "object": "checkout.session", "mode": "payment", "status": session.status,
            "payment_status": if session.intent == "succeeded" { "paid" } else { "unpaid" },
            "client_reference_id": session.payment_sn,
            "metadata": { "payment_sn": session.payment_sn },
            "amount_subtotal": session.amount, "amount_total": session.amount, "currency": currency,
            "created": session.created_s, "expires_at": session.expires_s, "payment_intent": intent,
            "url": if open { json!(format!("https://checkout.stripe.example/c/pay/{id}")) } else { Value::Null },
        })
    }

    fn intent(&self, session_id: &str, expanded: bool) -> Value {
        let session = &self.sessions[session_id];
        let charge = format!("ch_{session_id}");
        let latest = match (session.paid_s, expanded) {
            (0, _) => Value::Null,
            (at, true) => json!({ "id": charge, "object": "charge", "created": at }),
            (_, false) => json!(charge),
        };
        json!({
            "id": intent_id(session_id), "object": "payment_intent", "status": session.intent,
            "amount": session.amount, "currency": session.form["line_items[0][price_data][currency]"],
            "amount_received": if session.intent == "succeeded" { session.amount } else { 0 },
            "latest_charge": latest, "metadata": { "payment_sn": session.payment_sn },
        })
    }

    pub fn get(&self, id: &str, expanded: bool) -> Answer {
        if self.sessions.contains_key(id) {
            (200, self.session(id, expanded))
        } else {
            no(404, "resource_missing")
        }
    }

    pub fn get_intent(&self, id: &str, expanded: bool) -> Answer {
        match self.sessions.keys().find(|session| intent_id(session) == id) {
            Some(session) => (200, self.intent(session, expanded)),
            None => no(404, "resource_missing"),
        }
    }

    pub fn close(&mut self, id: &str) -> Answer {
        match self.sessions.get_mut(id) {
            None => return no(404, "resource_missing"),
            Some(session) if session.status == "open" => session.status = "expired",
            Some(_) => return no(400, ""),
        }
        (200, self.session(id, false))
    }

    /// The newest session of a payment.
    pub fn of(&self, payment_sn: &str) -> Option<String> {
        let of_payment = |(_, session): &(&String, &Session)| session.payment_sn == payment_sn;
        self.sessions.iter().rfind(of_payment).map(|(id, _)| id.clone())
    }

    /// How many sessions a payment has had.
    pub fn sessions_of(&self, payment_sn: &str) -> usize {
        let sessions = self.sessions.values();
        sessions
            .filter(|session| session.payment_sn == payment_sn)
            .count()
    }

    /// The payer is done: the money is there, or `processing`. False if the session takes nothing any more.
    pub fn complete(&mut self, id: &str, intent: &'static str, now_s: i64) -> bool {
        let Some(session) = self
            .sessions
            .get_mut(id)
            .filter(|session| session.status == "open")
        else {
            return false;
        };
        session.status = "complete";
        session.intent = intent;
        if intent == "succeeded" {
            session.paid_s = now_s;
        }
        true
    }

    /// Money on its way arrives, or does not; false if none was.
    pub fn settle(&mut self, id: &str, arrives: bool, now_s: i64) -> bool {
        let Some(session) = self
            .sessions
            .get_mut(id)
            .filter(|session| session.intent == "processing")
        else {
            return false;
        };
        if arrives {
            (session.intent, session.paid_s) = ("succeeded", now_s);
        } else {
            session.intent = "requires_payment_method";
        }
        true
    }

    pub fn refund(&mut self, form: &Form) -> Answer {
        let get = |key: &str| form.get(key).map(String::as_str).unwrap_or_default();
        let intent = get("payment_intent");
        let amount: i64 = get("amount").parse().unwrap_or_default();
        let found = self.sessions.iter_mut().find(|(id, _)| intent_id(id) == intent);
        let Some((session_id, session)) = found.filter(|(_, session)| session.intent == "succeeded") else {
            return no(404, "resource_missing");
        };
        if amount < 1 || session.refunded + amount > session.amount {
            return no(400, "charge_already_refunded");
        }
        session.refunded += amount;
        let metadata: serde_json::Map<String, Value> = form
            .iter()
            .filter_map(|(key, value)| {
                let name = key.strip_prefix("metadata[")?.strip_suffix(']')?;
                Some((name.to_owned(), json!(value)))
            })
            .collect();
        let refund = Refund {
            session: session_id.clone(),
            amount,
            metadata: Value::Object(metadata),
            status: if self.slow_refunds { "pending" } else { "succeeded" },
        };
        let id = self.next("re");
        self.refunds.insert(id.clone(), refund);
        (200, self.refund_object(&id))
    }

    pub fn refund_object(&self, id: &str) -> Value {
        let refund = &self.refunds[id];
        json!({
            "id": id, "object": "refund", "amount": refund.amount, "status": refund.status,
            "currency": self.sessions[&refund.session].form["line_items[0][price_data][currency]"],
            "payment_intent": intent_id(&refund.session), "metadata": refund.metadata,
        })
    }

    pub fn refunds_of(&self, intent: &str) -> Answer {
        let data: Vec<Value> = self
            .refunds
            .iter()
            .rev()
            .filter(|(_, refund)| intent_id(&refund.session) == intent)
            .map(|(id, _)| self.refund_object(id))
            .collect();
        (200, json!({ "object": "list", "data": data, "has_more": false }))
    }

    /// The number of the newest refund that has this number of ours.
    pub fn refund_of(&self, refund_sn: &str) -> Option<String> {
        let ours = |(_, refund): &(&String, &Refund)| refund.metadata["refund_sn"] == refund_sn;
        self.refunds.iter().rfind(ours).map(|(id, _)| id.clone())
    }

    /// The number of the newest refund of a session that was made in the dashboard.
    pub fn refund_by_hand(&self, session: &str) -> Option<String> {
        let by_hand = |(_, refund): &(&String, &Refund)| {
            refund.session == session && refund.metadata.get("refund_sn").is_none()
        };
        self.refunds.iter().rfind(by_hand).map(|(id, _)| id.clone())
    }

    /// A pending refund ends, or one that had succeeded bounces; false if it is neither.
    pub fn end_refund(&mut self, id: &str, status: &'static str) -> bool {
        let ends = |from: &str| from == "pending" || (from == "succeeded" && status == "failed");
        let Some(refund) = self.refunds.get_mut(id).filter(|refund| ends(refund.status)) else {
            return false;
        };
        refund.status = status;
        if status != "succeeded" {
            let (session, amount) = (refund.session.clone(), refund.amount);
            if let Some(session) = self.sessions.get_mut(&session) {
                session.refunded -= amount;
            }
        }
        true
    }

    /// What has gone back of a session.
    pub fn refunded(&self, session: &str) -> i64 {
        self.sessions.get(session).map_or(0, |session| session.refunded)
    }
}

pub(super) fn intent_id(session: &str) -> String {
    session.replace("cs_test", "pi")
}
