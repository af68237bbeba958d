//! What goes over the wire to and from WeChat Pay (API v3), as far as we use it.

use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize)]
pub(super) struct JsapiRequest<'a> {
    pub appid: &'a str,
    pub mchid: &'a str,
    pub description: &'a str,
    pub out_trade_no: &'a str,
    pub time_expire: String,
    /// Comes back with the payment; shown in the merchant's books.
    pub attach: &'a str,
    pub notify_url: &'a str,
    pub amount: Total<'a>,
    pub payer: Payer<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct Total<'a> {
    pub total: i64,
    pub currency: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct Payer<'a> {
    pub openid: &'a str,
}

#[derive(Debug, Deserialize)]
pub(super) struct JsapiReply {
    pub prepay_id: String,
}

#[derive(Debug, Serialize)]
pub(super) struct CloseRequest<'a> {
    pub mchid: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct RefundRequest<'a> {
    pub out_trade_no: &'a str,
    pub out_refund_no: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub reason: &'a str,
    pub notify_url: &'a str,
    pub amount: RefundOf<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct RefundOf<'a> {
    pub refund: i64,
    pub total: i64,
    pub currency: &'a str,
}

#[derive(Debug, Deserialize)]
pub(super) struct RefundReply {
    pub out_refund_no: String,
    pub status: String,
}

/// A payment as WeChat tells of it, in answers and in notifications.
#[derive(Debug, Deserialize)]
pub(super) struct Transaction {
    #[serde(default)]
    pub appid: String,
    #[serde(default)]
    pub mchid: String,
    pub out_trade_no: String,
    #[serde(default)]
    pub transaction_id: String,
    pub trade_state: String,
    #[serde(default)]
    pub success_time: String,
    #[serde(default)]
    pub amount: Amount,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Amount {
    #[serde(default)]
    pub total: i64,
    #[serde(default)]
    pub payer_total: i64,
    #[serde(default)]
    pub currency: String,
}

/// A refund as notifications tell of it.
#[derive(Debug, Deserialize)]
pub(super) struct RefundNews {
    #[serde(default)]
    pub mchid: String,
    pub out_trade_no: String,
    #[serde(default)]
    pub transaction_id: String,
    pub out_refund_no: String,
    /// WeChat's own number of it.
    #[serde(default)]
    pub refund_id: String,
    pub refund_status: String,
    #[serde(default)]
    pub success_time: String,
    pub amount: RefundAmount,
}

#[derive(Debug, Deserialize)]
pub(super) struct RefundAmount {
    pub refund: i64,
    #[serde(default)]
    pub payer_refund: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Notification {
    pub id: String,
    #[serde(default)]
    pub create_time: String,
    pub event_type: String,
    pub resource: Resource,
}

#[derive(Debug, Deserialize)]
pub(super) struct Resource {
    pub algorithm: String,
    pub ciphertext: String,
    pub nonce: String,
    #[serde(default)]
    pub associated_data: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Problem {
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    pub message: String,
}
