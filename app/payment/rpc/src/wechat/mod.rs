//! WeChat Pay, API v3: payments that are opened inside WeChat (JSAPI), in yuan.
//!
//! Our payment number is its `out_trade_no`, our refund number its `out_refund_no`: both make every call repeatable. Requests
//! are signed with the merchant's key; answers and notifications with one of WeChat's, which is chosen by its serial number.

mod config;
mod keys;
mod messages;
mod notify;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::time::Duration;

use homestay_clock::{Clock, secret_code};
use homestay_error::{Code, Error, Result};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use config::WechatPayConfig;

use self::keys::{MerchantKey, PlatformKeys, ResourceKey};
use self::messages::{
    CloseRequest, JsapiReply, JsapiRequest, Payer, Problem, RefundOf, RefundReply, RefundRequest, Total,
    Transaction,
};
use crate::provider::{
    CloseOutcome, PaymentProvider, Prepay, PrepayIntent, ProviderEvent, ProviderState, RefundIntent,
    RefundOutcome, WechatPrepay,
};
use crate::remote::{self, cut, unsettled};

/// The provider's name.
pub const NAME: &str = "wechat";

/// What it takes.
const CURRENCY: &str = "CNY";
/// Where it calls back, after the system's own address.
const CALLBACK_PATH: &str = "/v1/payments/callbacks/wechat";
/// Longest description, characters.
const DESCRIPTION: usize = 127;
/// Longest reason of a refund, bytes.
const REASON: usize = 80;
/// Length of random texts.
const NONCE: usize = 32;
/// China's only offset from UTC, hours: WeChat writes times with it.
const CHINA: i8 = 8;

/// A client of WeChat Pay.
pub struct WechatPay {
    http: reqwest::Client,
    clock: Clock,
    base_url: String,
    notify_url: String,
    app_id: String,
    mch_id: String,
    merchant_serial: String,
    merchant: MerchantKey,
    resource: ResourceKey,
    platform: PlatformKeys,
    timeout: Duration,
}

impl std::fmt::Debug for WechatPay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WechatPay")
            .field("mch_id", &self.mch_id)
            .finish_non_exhaustive()
    }
}

/// What became of a call.
enum Said {
    Done(StatusCode, Vec<u8>),
    No(Problem),
}

impl WechatPay {
    /// A client for the merchant in `config`. `public_base_url` is where guests, and WeChat, reach the system.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] naming the key that is missing or wrong.
    pub fn new(config: &WechatPayConfig, public_base_url: &str, clock: Clock) -> Result<Self> {
        config.validate()?;
        let material = config.material()?;
        let notify_url = if config.notify_url.is_empty() {
            format!("{}{CALLBACK_PATH}", public_base_url.trim_end_matches('/'))
        } else {
            config.notify_url.clone()
        };
        Ok(Self {
            http: homestay_http::client(config.timeout),
            clock,
            base_url: config.base_url.trim_end_matches('/').to_owned(),
            notify_url,
            app_id: config.app_id.clone(),
            mch_id: config.mch_id.clone(),
            merchant_serial: config.merchant_serial.clone(),
            merchant: material.merchant,
            resource: material.resource,
            platform: material.platform,
            timeout: config.timeout,
        })
    }

    /// The `Authorization` of a request.
    fn authorization(&self, method: &Method, path: &str, body: &str) -> Result<String> {
        let at_s = self.clock.now_ms().div_euclid(1000);
        let nonce = secret_code(NONCE);
        let message = format!("{method}\n{path}\n{at_s}\n{nonce}\n{body}\n");
        let signature = self.merchant.sign(&message)?;
        Ok(format!(
            "WECHATPAY2-SHA256-RSA2048 mchid=\"{}\",nonce_str=\"{nonce}\",signature=\"{signature}\",timestamp=\"{at_s}\",\
             serial_no=\"{}\"",
            self.mch_id, self.merchant_serial
        ))
    }

    /// Calls WeChat. An answer with a signature that is not WeChat's counts as none.
    async fn call(&self, method: Method, path: &str, body: Option<&impl Serialize>) -> Result<Said> {
        let text = match body {
            Some(body) => serde_json::to_string(body).map_err(Error::internal)?,
            None => String::new(),
        };
        let authorization = self.authorization(&method, path, &text)?;
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base_url))
            .header("authorization", authorization)
            .header("accept", "application/json");
        if let Some(id) = self.platform.wanted() {
            request = request.header("wechatpay-serial", id);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json").body(text);
        }
        let answer = remote::send(request, self.timeout).await?;
        let header = |name: &'static str| answer.headers.get(name).and_then(|value| value.to_str().ok());
        // Refusals may come from a gateway that signs nothing; a signature that is there must be good.
        if answer.status.is_success() || header("wechatpay-signature").is_some() {
            self.verify(header, &answer.body, self.clock.now_ms())
                .map_err(|error| {
                    tracing::error!(error = %error.chain(), "an answer is not signed by WeChat Pay");
                    unsettled(error.chain())
                })?;
        }
        if answer.status.is_success() {
            return Ok(Said::Done(answer.status, answer.body));
        }
        let problem: Problem = serde_json::from_slice(&answer.body).unwrap_or_default();
        // Our keys or our clock are wrong: somebody can set that right, no payment has to suffer for it.
        if answer.status == StatusCode::UNAUTHORIZED || problem.code.is_empty() {
            tracing::error!(
                status = answer.status.as_u16(),
                code = problem.code,
                message = problem.message,
                "WeChat Pay does not take our calls"
            );
            return Err(unsettled(format!(
                "WeChat Pay answered {} {}",
                answer.status, problem.code
            )));
        }
        Ok(Said::No(problem))
    }

    async fn transaction(&self, sn: &str) -> Result<Option<Transaction>> {
        let path = format!(
            "/v3/pay/transactions/out-trade-no/{sn}?mchid={mchid}",
            mchid = self.mch_id
        );
        let body = match self.call(Method::GET, &path, None::<&()>).await? {
            Said::Done(_, body) => body,
            Said::No(problem) if is_unknown(&problem) => return Ok(None),
            Said::No(problem) => return Err(unsettled(words(&problem))),
        };
        let transaction: Transaction = read(&body)?;
        if transaction.out_trade_no != sn || transaction.mchid != self.mch_id {
            return Err(unsettled("WeChat Pay answered about another payment"));
        }
        Ok(Some(transaction))
    }

    /// What the attempts before this one came to; none if they leave room for it.
    ///
    /// A number that was CLOSED is so for ever, and another may be tried. One that is ABNORMAL holds its money until somebody
    /// sends it on in WeChat's own console: another beside it would pay twice.
    async fn earlier_attempts(&self, intent: &RefundIntent) -> Result<Option<RefundOutcome>> {
        for attempt in 0..intent.attempt {
            let number = intent.number_of(attempt);
            let path = format!("/v3/refund/domestic/refunds/{number}");
            let body = match self.call(Method::GET, &path, None::<&()>).await? {
                Said::Done(_, body) => body,
                // It was refused before WeChat took it up.
                Said::No(problem) if problem.code == "RESOURCE_NOT_EXISTS" => continue,
                Said::No(problem) => return Err(unsettled(words(&problem))),
            };
            let refund = refund_reply(&body, &number)?;
            if refund.status != "CLOSED" {
                return Ok(Some(outcome(&refund)));
            }
        }
        Ok(None)
    }

    fn state(&self, transaction: Transaction) -> Result<ProviderState> {
        Ok(match transaction.trade_state.as_str() {
            "SUCCESS" | "REFUND" => ProviderState::Captured {
                amount_cents: transaction.amount.total,
                currency: or_cny(&transaction.amount.currency).to_owned(),
                at_ms: milliseconds(&transaction.success_time).unwrap_or_else(|| self.clock.now_ms()),
                provider_ref: transaction.transaction_id,
            },
            "CLOSED" | "REVOKED" => ProviderState::Closed,
            "PAYERROR" => ProviderState::Failed,
            "NOTPAY" | "USERPAYING" | "ACCEPT" => ProviderState::Open,
            other => return Err(unsettled(format!("unknown trade state {other:?}"))),
        })
    }
}

fn or_cny(currency: &str) -> &str {
    if currency.is_empty() { CURRENCY } else { currency }
}

fn is_unknown(problem: &Problem) -> bool {
    matches!(problem.code.as_str(), "ORDER_NOT_EXIST" | "ORDERNOTEXIST")
}

fn words(problem: &Problem) -> String {
    format!("{}: {}", problem.code, problem.message)
}

fn refund_reply(body: &[u8], number: &str) -> Result<RefundReply> {
    let refund: RefundReply = read(body)?;
    if refund.out_refund_no != number {
        return Err(unsettled("WeChat Pay answered about another refund"));
    }
    Ok(refund)
}

fn outcome(refund: &RefundReply) -> RefundOutcome {
    match refund.status.as_str() {
        "SUCCESS" => RefundOutcome::Succeeded,
        "PROCESSING" => RefundOutcome::Pending,
        "ABNORMAL" => RefundOutcome::Refused(format!(
            "the refund {} is ABNORMAL: the payer's account takes nothing; send it on in WeChat Pay's console",
            refund.out_refund_no
        )),
        other => RefundOutcome::Refused(format!("the refund {} is {other}", refund.out_refund_no)),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|_| unsettled("WeChat Pay's answer cannot be read"))
}

/// Unix milliseconds of an RFC 3339 time.
fn milliseconds(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// The second in which `ms` lies, as WeChat writes it.
fn in_china(ms: i64) -> Result<String> {
    let at = Timestamp::from_second(ms.div_euclid(1000)).map_err(Error::internal)?;
    let zone = TimeZone::fixed(Offset::constant(CHINA));
    Ok(at.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

#[tonic::async_trait]
impl PaymentProvider for WechatPay {
    fn name(&self) -> &'static str {
        NAME
    }

    fn pay_type(&self) -> &'static str {
        "WECHAT_PAY"
    }

    fn needs_payer(&self) -> bool {
        true
    }

    async fn prepay(&self, intent: &PrepayIntent) -> Result<Prepay> {
        if intent.currency != CURRENCY {
            let why = format!("WeChat Pay takes {CURRENCY}, not {}", intent.currency);
            return Err(remote::refused(NAME, why));
        }
        let end = intent.description.char_indices().nth(DESCRIPTION);
        let request = JsapiRequest {
            appid: &self.app_id,
            mchid: &self.mch_id,
            description: &intent.description[..end.map_or(intent.description.len(), |(at, _)| at)],
            out_trade_no: intent.payment_sn.as_str(),
            time_expire: in_china(intent.expires_at_ms)?,
            attach: intent.order_sn.as_str(),
            notify_url: &self.notify_url,
            amount: Total {
                total: intent.amount_cents,
                currency: CURRENCY,
            },
            payer: Payer {
                openid: &intent.payer,
            },
        };
        match self
            .call(Method::POST, "/v3/pay/transactions/jsapi", Some(&request))
            .await?
        {
            Said::Done(_, body) => Ok(Prepay {
                pay_url: String::new(),
                provider_ref: read::<JsapiReply>(&body)?.prepay_id,
            }),
            Said::No(problem) => Err(remote::refused(NAME, words(&problem))),
        }
    }

    fn in_browser(&self, provider_ref: &str) -> Result<Option<WechatPrepay>> {
        let timestamp = self.clock.now_ms().div_euclid(1000).to_string();
        let nonce_str = secret_code(NONCE);
        let package = format!("prepay_id={provider_ref}");
        let message = format!("{}\n{timestamp}\n{nonce_str}\n{package}\n", self.app_id);
        Ok(Some(WechatPrepay {
            appid: self.app_id.clone(),
            pay_sign: self.merchant.sign(&message)?,
            nonce_str,
            package,
            timestamp,
            sign_type: "RSA".to_owned(),
        }))
    }

    async fn query(&self, intent: &PrepayIntent) -> Result<ProviderState> {
        match self.transaction(intent.payment_sn.as_str()).await? {
            Some(transaction) => self.state(transaction),
            None => Ok(ProviderState::Unknown),
        }
    }

    async fn close(&self, intent: &PrepayIntent) -> Result<CloseOutcome> {
        let path = format!("/v3/pay/transactions/out-trade-no/{}/close", intent.payment_sn);
        let request = CloseRequest { mchid: &self.mch_id };
        match self.call(Method::POST, &path, Some(&request)).await? {
            Said::Done(StatusCode::NO_CONTENT | StatusCode::OK, _) => return Ok(CloseOutcome::Closed),
            // The payer is typing a password.
            Said::Done(status, _) => return Err(unsettled(format!("closing was answered {status}"))),
            Said::No(problem) if is_unknown(&problem) => return Ok(CloseOutcome::Closed),
            // Paid or closed already: the books tell which.
            Said::No(problem) => {
                tracing::info!(payment.sn = %intent.payment_sn, code = problem.code, "not closed");
            }
        }
        match self.query(intent).await? {
            ProviderState::Captured { .. } => Ok(CloseOutcome::AlreadyCaptured),
            ProviderState::Open => Err(unsettled("WeChat Pay does not close an open payment")),
            ProviderState::Failed | ProviderState::Closed | ProviderState::Unknown => {
                Ok(CloseOutcome::Closed)
            }
        }
    }

    async fn refund(&self, intent: &RefundIntent) -> Result<RefundOutcome> {
        if let Some(outcome) = self.earlier_attempts(intent).await? {
            return Ok(outcome);
        }
        let number = intent.number();
        let request = RefundRequest {
            out_trade_no: intent.payment_sn.as_str(),
            out_refund_no: &number,
            reason: cut(&intent.reason, REASON),
            notify_url: &self.notify_url,
            amount: RefundOf {
                refund: intent.amount_cents,
                total: intent.total_cents,
                currency: CURRENCY,
            },
        };
        let body = match self
            .call(Method::POST, "/v3/refund/domestic/refunds", Some(&request))
            .await?
        {
            Said::Done(_, body) => body,
            Said::No(problem) if problem.code == "SYSTEM_ERROR" => return Err(unsettled(words(&problem))),
            Said::No(problem) => return Ok(RefundOutcome::Refused(words(&problem))),
        };
        Ok(outcome(&refund_reply(&body, &number)?))
    }

    fn parse_callback(
        &self,
        headers: &HashMap<String, String>,
        body: &[u8],
        now_ms: i64,
    ) -> Result<ProviderEvent> {
        self.parse(headers, body, now_ms)
    }

    fn refusal(&self, error: &Error) -> (&'static str, &'static str) {
        let text = match error.code() {
            Code::BadSignature => r#"{"code":"SIGN_ERROR","message":"signature or time refused"}"#,
            code if code.is_ours() => r#"{"code":"FAIL","message":"send it again later"}"#,
            _ => r#"{"code":"FAIL","message":"refused"}"#,
        };
        ("application/json", text)
    }
}
