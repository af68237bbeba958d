//! What WeChat Pay knows: orders, and refunds of them. Every answer is a status and a body.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{APP_ID, MCH_ID};

pub(super) type Answer = (u16, Value);

#[derive(Debug, Clone)]
pub(super) struct Order {
    /// The request that made it, which a repetition must equal.
    request: Value,
    prepay_id: String,
    expires_ms: i64,
    total: i64,
    /// `NOTPAY`, `SUCCESS`, `REFUND`, `CLOSED` or `PAYERROR`.
    state: &'static str,
    payer_total: i64,
    paid_ms: i64,
    refunded: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Refund {
    out_trade_no: String,
    refund: i64,
    /// `PROCESSING`, `SUCCESS`, `CLOSED` or `ABNORMAL`.
    pub status: &'static str,
}

#[derive(Debug, Default)]
pub(super) struct Books {
    orders: BTreeMap<String, Order>,
    pub refunds: BTreeMap<String, Refund>,
    /// Refunds are worked on until the test ends them.
    pub slow_refunds: bool,
}

pub(super) fn no(status: u16, code: &str) -> Answer {
    (
        status,
        json!({ "code": code, "message": format!("the simulator says {code}") }),
    )
}

pub(super) fn rfc3339(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |at| at.to_string())
}

impl Books {
    /// An order nobody can pay after its time, whoever asks.
    fn order(&mut self, sn: &str, now_ms: i64) -> Option<&mut Order> {
        let order = self.orders.get_mut(sn)?;
        if order.state == "NOTPAY" && order.expires_ms <= now_ms {
            order.state = "CLOSED";
        }
        Some(order)
    }

    pub fn prepay(&mut self, request: Value, now_ms: i64) -> Answer {
        let text = |path: &str| request.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let sn = text("/out_trade_no").to_owned();
        let total = request.pointer("/amount/total").and_then(Value::as_i64);
        let expires = text("/time_expire").parse::<Timestamp>();
        let good = text("/appid") == APP_ID
            && text("/mchid") == MCH_ID
            && (6..=32).contains(&sn.len())
            && (1..=127).contains(&text("/description").chars().count())
            && !text("/payer/openid").is_empty()
            && text("/notify_url").starts_with("http")
            && text("/amount/currency") == "CNY";
        let (Some(total @ 1..), Ok(expires), true) = (total, expires, good) else {
            return no(400, "PARAM_ERROR");
        };
        if let Some(known) = self.order(&sn, now_ms) {
            return match known.state {
                "NOTPAY" if known.request == request => (200, json!({ "prepay_id": known.prepay_id })),
                "NOTPAY" => no(400, "INVALID_REQUEST"),
                "CLOSED" => no(400, "ORDER_CLOSED"),
                _ => no(400, "ORDERPAID"),
            };
        }
        if expires.as_millisecond() <= now_ms {
            return no(400, "PARAM_ERROR");
        }
        let prepay_id = format!("wx{sn}");
        let order = Order {
            prepay_id: prepay_id.clone(),
            expires_ms: expires.as_millisecond(),
            total,
            state: "NOTPAY",
            payer_total: 0,
            paid_ms: 0,
            refunded: 0,
            request,
        };
        self.orders.insert(sn, order);
        (200, json!({ "prepay_id": prepay_id }))
    }

    /// The order as answers and notifications show it.
    pub fn transaction(&mut self, sn: &str, now_ms: i64) -> Option<Value> {
        let order = self.order(sn, now_ms)?;
        let mut shown = json!({
            "appid": APP_ID, "mchid": MCH_ID, "out_trade_no": sn, "trade_state": order.state,
            "trade_state_desc": order.state, "attach": order.request["attach"],
            "payer": order.request["payer"],
            "amount": { "total": order.total, "currency": "CNY" },
        });
        if order.paid_ms > 0 {
            shown["transaction_id"] = json!(format!("42{sn}"));
            shown["trade_type"] = json!("JSAPI");
            shown["success_time"] = json!(rfc3339(order.paid_ms));
            shown["amount"] = json!({
                "total": order.total, "payer_total": order.payer_total, "currency": "CNY", "payer_currency": "CNY",
            });
        }
        Some(shown)
    }

    pub fn query(&mut self, sn: &str, now_ms: i64) -> Answer {
        self.transaction(sn, now_ms)
            .map_or_else(|| no(404, "ORDER_NOT_EXIST"), |shown| (200, shown))
    }

    pub fn close(&mut self, sn: &str, now_ms: i64) -> Answer {
        let Some(order) = self.order(sn, now_ms) else {
            return no(404, "ORDER_NOT_EXIST");
        };
        match order.state {
            "NOTPAY" => order.state = "CLOSED",
            "CLOSED" => return no(400, "ORDER_CLOSED"),
            _ => return no(400, "ORDERPAID"),
        }
        (204, Value::Null)
    }

    /// The payer pays, some of it perhaps by a coupon; false if that cannot be done any more.
    pub fn pay(&mut self, sn: &str, coupon: i64, now_ms: i64) -> bool {
        let Some(order) = self.order(sn, now_ms).filter(|order| order.state == "NOTPAY") else {
            return false;
        };
        order.state = "SUCCESS";
        order.payer_total = order.total - coupon;
        order.paid_ms = now_ms;
        true
    }

    pub fn refund(&mut self, request: &Value, now_ms: i64) -> Answer {
        let text = |path: &str| request.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let number = |path: &str| request.pointer(path).and_then(Value::as_i64).unwrap_or_default();
        let (sn, refund_sn) = (text("/out_trade_no"), text("/out_refund_no"));
        let (refund, total) = (number("/amount/refund"), number("/amount/total"));
        if refund_sn.is_empty() || refund < 1 || text("/reason").len() > 80 {
            return no(400, "PARAM_ERROR");
        }
        if let Some(known) = self.refunds.get(refund_sn) {
            if known.out_trade_no != sn || known.refund != refund {
                return no(400, "INVALID_REQUEST");
            }
            return (200, self.shown(refund_sn, now_ms));
        }
        let status = if self.slow_refunds {
            "PROCESSING"
        } else {
            "SUCCESS"
        };
        let Some(order) = self.order(sn, now_ms) else {
            return no(404, "RESOURCE_NOT_EXISTS");
        };
        if !matches!(order.state, "SUCCESS" | "REFUND") || order.total != total {
            return no(400, "INVALID_REQUEST");
        }
        if order.refunded + refund > order.total {
            return no(403, "NOT_ENOUGH");
        }
        order.refunded += refund;
        order.state = "REFUND";
        let entry = Refund {
            out_trade_no: sn.to_owned(),
            refund,
            status,
        };
        self.refunds.insert(refund_sn.to_owned(), entry);
        (200, self.shown(refund_sn, now_ms))
    }

    /// How a refund stands.
    pub fn query_refund(&self, refund_sn: &str, now_ms: i64) -> Answer {
        if self.refunds.contains_key(refund_sn) {
            (200, self.shown(refund_sn, now_ms))
        } else {
            no(404, "RESOURCE_NOT_EXISTS")
        }
    }

    /// A refund as the answer to its request shows it.
    fn shown(&self, refund_sn: &str, now_ms: i64) -> Value {
        let refund = &self.refunds[refund_sn];
        json!({
            "refund_id": format!("50{refund_sn}"), "out_refund_no": refund_sn, "out_trade_no": refund.out_trade_no,
            "transaction_id": format!("42{}", refund.out_trade_no), "status": refund.status,
            "create_time": rfc3339(now_ms), "channel": "ORIGINAL",
            "amount": { "refund": refund.refund, "currency": "CNY" },
        })
    }

    /// A refund as notifications show it.
    pub fn refund_news(&self, refund_sn: &str, now_ms: i64) -> Option<Value> {
        let refund = self.refunds.get(refund_sn)?;
        let order = self.orders.get(&refund.out_trade_no)?;
        let mut news = json!({
            "mchid": MCH_ID, "out_trade_no": refund.out_trade_no,
            "transaction_id": format!("42{}", refund.out_trade_no), "out_refund_no": refund_sn,
            "refund_id": format!("50{refund_sn}"), "refund_status": refund.status,
            "user_received_account": "simulated account",
            "amount": {
                "total": order.total, "refund": refund.refund, "payer_total": order.payer_total,
                "payer_refund": refund.refund.min(order.payer_total),
            },
        });
        if refund.status == "SUCCESS" {
            news["success_time"] = json!(rfc3339(now_ms));
        }
        Some(news)
    }

    /// A worked-on refund ends so, or one that is abnormal is sent on in the console and succeeds; false if there is none.
    pub fn end_refund(&mut self, refund_sn: &str, status: &'static str) -> bool {
        let ends = |from: &str| from == "PROCESSING" || (from == "ABNORMAL" && status == "SUCCESS");
        let Some(refund) = self
            .refunds
            .get_mut(refund_sn)
            .filter(|refund| ends(refund.status))
        else {
            return false;
        };
        refund.status = status;
        if status == "CLOSED" {
            let (sn, cents) = (refund.out_trade_no.clone(), refund.refund);
            if let Some(order) = self.orders.get_mut(&sn) {
                order.refunded -= cents;
            }
        }
        true
    }

    /// What has gone back of an order.
    pub fn refunded(&self, sn: &str) -> i64 {
        self.orders.get(sn).map_or(0, |order| order.refunded)
    }

    /// The request that made an order.
    pub fn request(&self, sn: &str) -> Option<Value> {
        self.orders.get(sn).map(|order| order.request.clone())
    }
}
