//! Stripe: a hosted pay page (Checkout Session) a payment, refunds of its payment intent.
//!
//! Our payment and refund numbers are the `Idempotency-Key`s and stand in the metadata, so that every event leads back to
//! them. Stripe keeps a session open for at least half an hour, our orders may want less: a session gets the order's end plus
//! that half hour as `expires_at`, a backstop only, and closing the order expires it through the API (`CloseForOrder`). A
//! payer who is faster than that has paid a closed order: late money, as with any provider.

mod config;
mod event;
mod messages;
mod money;
mod signature;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use homestay_clock::Clock;
use homestay_error::Result;
use reqwest::{RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;

pub use config::StripeConfig;

use self::messages::{Intent, List, Problem, REFUND_SN, Refund, Refusal, Session};
use crate::provider::{
    CloseOutcome, PaymentProvider, Prepay, PrepayIntent, ProviderEvent, ProviderState, RefundIntent,
    RefundOutcome,
};
use crate::remote::{self, cut, unsettled};

/// The provider's name.
pub const NAME: &str = "stripe";

/// The API whose objects we know.
const VERSION: &str = "2024-06-20";
/// Stripe's shortest life of a session, and a minute for the way.
const BACKSTOP_MS: i64 = 31 * 60_000;
/// Longest value of a metadata key, and longest name that is shown, bytes.
const TEXT: usize = 250;

/// A client of Stripe.
pub struct Stripe {
    http: reqwest::Client,
    clock: Clock,
    base_url: String,
    secret_key: String,
    webhook_secrets: Vec<String>,
    success_url: String,
    cancel_url: String,
    timeout: Duration,
}

impl std::fmt::Debug for Stripe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stripe")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

type Form = Vec<(&'static str, String)>;

/// What became of a call.
enum Said<T> {
    Done(T),
    No(Problem),
}

impl Stripe {
    /// A client for the account in `config`. Payers come back to `public_base_url` unless it says otherwise.
    ///
    /// # Errors
    /// [`homestay_error::Code::InvalidArgument`] naming the key that is missing or wrong.
    pub fn new(config: &StripeConfig, public_base_url: &str, clock: Clock) -> Result<Self> {
        config.validate()?;
        let or_home = |url: &str| if url.is_empty() { public_base_url } else { url }.to_owned();
        Ok(Self {
            http: homestay_http::client(config.timeout),
            clock,
            base_url: config.base_url.trim_end_matches('/').to_owned(),
            secret_key: config.secret_key.expose().to_owned(),
            webhook_secrets: config.secrets(),
            success_url: or_home(&config.success_url),
            cancel_url: or_home(&config.cancel_url),
            timeout: config.timeout,
        })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<Said<T>> {
        let request = self.http.get(format!("{}{path}", self.base_url)).query(query);
        self.call(request).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, key: Option<&str>, form: &Form) -> Result<Said<T>> {
        let mut request = self.http.post(format!("{}{path}", self.base_url)).form(form);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.call(request).await
    }

    async fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<Said<T>> {
        let request = request
            .bearer_auth(&self.secret_key)
            .header("stripe-version", VERSION);
        let answer = remote::send(request, self.timeout).await?;
        if answer.status.is_success() {
            let read = serde_json::from_slice(&answer.body);
            return read
                .map(Said::Done)
                .map_err(|_| unsettled("Stripe's answer cannot be read"));
        }
        let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
        let problem = refusal.error;
        // Our key is wrong, or the same key is being worked on: neither is a no to this payment.
        let passes = matches!(
            answer.status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::CONFLICT
        );
        if passes || problem.kind.is_empty() {
            tracing::error!(
                status = answer.status.as_u16(),
                kind = problem.kind,
                code = problem.code,
                "Stripe does not take our calls"
            );
            return Err(unsettled(format!(
                "Stripe answered {} {}",
                answer.status,
                words(&problem)
            )));
        }
        Ok(Said::No(problem))
    }

    /// Makes the payment's session. Asked again with the same intent Stripe answers with the first one as it was then, for as
    /// long as it keeps the key (a day: longer than any session lives).
    async fn create(&self, intent: &PrepayIntent) -> Result<Said<Session>> {
        let sn = intent.payment_sn.as_str();
        let Some(amount) = money::to_stripe(&intent.currency, intent.amount_cents) else {
            let why = format!("Stripe cannot take {} {}", intent.amount_cents, intent.currency);
            return Err(remote::refused(NAME, why));
        };
        let expires_at_s = intent.expires_at_ms.saturating_add(BACKSTOP_MS).div_euclid(1000);
        let order_sn = intent.order_sn.to_string();
        let form = vec![
            ("mode", "payment".to_owned()),
            ("client_reference_id", sn.to_owned()),
            ("metadata[payment_sn]", sn.to_owned()),
            ("metadata[order_sn]", order_sn.clone()),
            ("payment_intent_data[metadata][payment_sn]", sn.to_owned()),
            ("payment_intent_data[metadata][order_sn]", order_sn),
            ("expires_at", expires_at_s.to_string()),
            ("success_url", self.success_url.clone()),
            ("cancel_url", self.cancel_url.clone()),
            ("line_items[0][quantity]", "1".to_owned()),
            (
                "line_items[0][price_data][currency]",
                intent.currency.to_ascii_lowercase(),
            ),
            ("line_items[0][price_data][unit_amount]", amount.to_string()),
            (
                "line_items[0][price_data][product_data][name]",
                cut(&intent.description, TEXT).to_owned(),
            ),
        ];
        self.post("/v1/checkout/sessions", Some(sn), &form).await
    }

    /// The payment's session as it stands; none if Stripe never had one and takes none any more.
    ///
    /// Before the first answer nobody knows the session's number, and Stripe finds none by ours: asking for it again, under the
    /// same key, does. A session that was not there yet is there afterwards, open and with an address that nobody knows; whoever
    /// looks because the payment is over closes it, and a first request that was only slow then meets the closed one.
    async fn session(&self, intent: &PrepayIntent) -> Result<Option<Session>> {
        let id = if intent.provider_ref.starts_with("cs_") {
            intent.provider_ref.clone()
        } else {
            match self.create(intent).await? {
                Said::Done(session) => session.id,
                Said::No(problem) => {
                    tracing::info!(payment.sn = %intent.payment_sn, why = words(&problem), "Stripe has no session");
                    return Ok(None);
                }
            }
        };
        let path = format!("/v1/checkout/sessions/{id}");
        match self
            .get::<Session>(&path, &[("expand[]", "payment_intent.latest_charge")])
            .await?
        {
            Said::Done(session) if session.payment_sn() == Some(intent.payment_sn.as_str()) => {
                Ok(Some(session))
            }
            Said::Done(_) => Err(unsettled("Stripe answered about another payment")),
            Said::No(problem) => Err(unsettled(words(&problem))),
        }
    }

    fn state(&self, session: &Session) -> Result<ProviderState> {
        let intent = session.intent();
        match (
            session.status.as_deref().unwrap_or_default(),
            session.payment_status.as_str(),
        ) {
            ("complete", "paid") => {
                let currency = session.currency.as_deref().unwrap_or_default();
                let amount = session.amount_total.unwrap_or_default();
                Ok(ProviderState::Captured {
                    amount_cents: money::from_stripe(currency, amount)
                        .ok_or_else(|| unsettled("Stripe has an amount that cannot be"))?,
                    at_ms: intent
                        .and_then(Intent::paid_at_ms)
                        .unwrap_or_else(|| self.clock.now_ms()),
                    provider_ref: session.reference().to_owned(),
                })
            }
            ("expired", _) => Ok(ProviderState::Closed),
            ("open", _) => Ok(ProviderState::Open),
            // The payer has done what a payer can; the money comes, or it does not.
            ("complete", "unpaid") => match intent.map_or("", |intent| intent.status.as_str()) {
                "canceled" => Ok(ProviderState::Closed),
                "requires_payment_method" => Ok(ProviderState::Failed),
                _ => Ok(ProviderState::Open),
            },
            (status, payment) => Err(unsettled(format!("a session that is {status:?}, {payment:?}"))),
        }
    }

    /// A payment of which only the payment intent is known: it has money, or had.
    async fn state_of_intent(&self, id: &str) -> Result<ProviderState> {
        let path = format!("/v1/payment_intents/{id}");
        let intent = match self
            .get::<Intent>(&path, &[("expand[]", "latest_charge")])
            .await?
        {
            Said::Done(intent) => intent,
            Said::No(problem) => return Err(unsettled(words(&problem))),
        };
        match intent.status.as_str() {
            "succeeded" => Ok(ProviderState::Captured {
                amount_cents: money::from_stripe(&intent.currency, intent.amount_received)
                    .ok_or_else(|| unsettled("Stripe has an amount that cannot be"))?,
                at_ms: intent.paid_at_ms().unwrap_or_else(|| self.clock.now_ms()),
                provider_ref: intent.id,
            }),
            "canceled" => Ok(ProviderState::Closed),
            _ => Ok(ProviderState::Open),
        }
    }

    /// The refund of ours among those of a payment intent.
    async fn known_refund(&self, payment_intent: &str, sn: &str) -> Result<Option<Refund>> {
        let mut after = String::new();
        loop {
            let mut query = vec![("payment_intent", payment_intent), ("limit", "100")];
            if !after.is_empty() {
                query.push(("starting_after", &after));
            }
            let list = match self.get::<List<Refund>>("/v1/refunds", &query).await? {
                Said::Done(list) => list,
                Said::No(problem) => return Err(unsettled(words(&problem))),
            };
            let last = list.data.last().map(|refund| refund.id.clone());
            if let Some(known) = list
                .data
                .into_iter()
                .find(|refund| refund.metadata(REFUND_SN) == sn)
            {
                return Ok(Some(known));
            }
            match last {
                Some(last) if list.has_more => after = last,
                _ => return Ok(None),
            }
        }
    }
}

fn words(problem: &Problem) -> String {
    format!("{} {}: {}", problem.kind, problem.code, problem.message)
}

fn outcome(refund: &Refund) -> RefundOutcome {
    match refund.status.as_deref().unwrap_or_default() {
        "succeeded" => RefundOutcome::Succeeded,
        status @ ("failed" | "canceled") => {
            let reason = refund.failure_reason.as_deref().unwrap_or_default();
            RefundOutcome::Refused(format!("the refund {} is {status} {reason}", refund.id))
        }
        _ => RefundOutcome::Pending,
    }
}

#[tonic::async_trait]
impl PaymentProvider for Stripe {
    fn name(&self) -> &'static str {
        NAME
    }

    fn pay_type(&self) -> &'static str {
        "STRIPE"
    }

    async fn prepay(&self, intent: &PrepayIntent) -> Result<Prepay> {
        match self.create(intent).await? {
            Said::Done(session) => Ok(Prepay {
                pay_url: session.url.unwrap_or_default(),
                provider_ref: session.id,
            }),
            Said::No(problem) => Err(remote::refused(NAME, words(&problem))),
        }
    }

    async fn query(&self, intent: &PrepayIntent) -> Result<ProviderState> {
        if intent.provider_ref.starts_with("pi_") {
            return self.state_of_intent(&intent.provider_ref).await;
        }
        match self.session(intent).await? {
            Some(session) => self.state(&session),
            None => Ok(ProviderState::Unknown),
        }
    }

    async fn close(&self, intent: &PrepayIntent) -> Result<CloseOutcome> {
        if intent.provider_ref.starts_with("pi_") {
            return Ok(CloseOutcome::AlreadyCaptured);
        }
        let Some(session) = self.session(intent).await? else {
            return Ok(CloseOutcome::Closed);
        };
        let mut state = self.state(&session)?;
        if session.status.as_deref() == Some("open") {
            let path = format!("/v1/checkout/sessions/{}/expire", session.id);
            match self.post::<Session>(&path, None, &Vec::new()).await? {
                Said::Done(_) => return Ok(CloseOutcome::Closed),
                // Paid or expired in between: the books tell which.
                Said::No(problem) => {
                    tracing::info!(payment.sn = %intent.payment_sn, why = words(&problem), "not expired");
                    state = match self.session(intent).await? {
                        Some(session) => self.state(&session)?,
                        None => ProviderState::Unknown,
                    };
                }
            }
        }
        match state {
            ProviderState::Captured { .. } => Ok(CloseOutcome::AlreadyCaptured),
            ProviderState::Open => Err(unsettled("the payer has paid, and the money is still on its way")),
            ProviderState::Failed | ProviderState::Closed | ProviderState::Unknown => {
                Ok(CloseOutcome::Closed)
            }
        }
    }

    async fn refund(&self, intent: &RefundIntent) -> Result<RefundOutcome> {
        let payment_intent = &intent.provider_ref;
        if !payment_intent.starts_with("pi_") {
            return Ok(RefundOutcome::Refused(format!(
                "no payment intent is known, only {payment_intent:?}"
            )));
        }
        let sn = intent.refund_sn.as_str();
        // Stripe forgets keys after a day; the refund itself stays.
        if let Some(known) = self.known_refund(payment_intent, sn).await? {
            return Ok(outcome(&known));
        }
        let Some(amount) = money::to_stripe(&intent.currency, intent.amount_cents) else {
            return Ok(RefundOutcome::Refused(format!(
                "Stripe cannot pay back {} {}",
                intent.amount_cents, intent.currency
            )));
        };
        let form = vec![
            ("payment_intent", payment_intent.clone()),
            ("amount", amount.to_string()),
            ("metadata[refund_sn]", sn.to_owned()),
            ("metadata[payment_sn]", intent.payment_sn.to_string()),
            ("metadata[reason]", cut(&intent.reason, TEXT).to_owned()),
        ];
        match self.post::<Refund>("/v1/refunds", Some(sn), &form).await? {
            Said::Done(refund) => Ok(outcome(&refund)),
            Said::No(problem) => Ok(RefundOutcome::Refused(words(&problem))),
        }
    }

    fn parse_callback(
        &self,
        headers: &HashMap<String, String>,
        body: &[u8],
        now_ms: i64,
    ) -> Result<ProviderEvent> {
        self.parse(headers, body, now_ms)
    }
}
