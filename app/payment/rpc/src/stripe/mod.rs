//! Stripe: a hosted pay page (Checkout Session) a payment, refunds of its payment intent.
//!
//! Our payment and refund numbers are the `Idempotency-Key`s and stand in the metadata, so that every event leads back to
//! them. A key keeps the answer that was given under it, also a refusal or a 500: an attempt to refund has a key of its own, and
//! a 500 that Stripe repeats gives way to a further key (`once`). Stripe keeps a session open for at least half an hour, our orders may want less: a session gets the order's end plus
//! that half hour as `expires_at`, a backstop only, and closing the order expires it through the API (`CloseForOrder`). A
//! payer who is faster than that has paid a closed order: late money, as with any provider.

mod config;
mod event;
mod messages;
mod money;
mod refunds;
mod signature;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::time::Duration;

use homestay_clock::Clock;
use homestay_error::Result;
use reqwest::{RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;

pub use config::StripeConfig;

use self::messages::{Intent, Problem, Refusal, Session};
use crate::provider::{
    CloseOutcome, PaymentProvider, Prepay, PrepayIntent, ProviderEvent, ProviderState, RefundIntent,
    RefundOutcome,
};
use crate::remote::{self, Answer, cut, unsettled};

/// The provider's name.
pub const NAME: &str = "stripe";

/// The API whose objects we know.
const VERSION: &str = "2024-06-20";
/// Stripe's shortest life of a session, and a minute for the way.
const BACKSTOP_MS: i64 = 31 * 60_000;
/// How many keys one request may have had that Stripe answers with a failure of its own for ever.
const KEYS: usize = 4;
/// Says that an answer is the one that was given to this key before.
const REPLAYED: &str = "idempotent-replayed";
/// Longest value of a metadata key, and longest name that is shown, bytes.
const TEXT: usize = 250;

/// A client of Stripe.
pub struct Stripe {
    http: reqwest::Client,
    clock: Clock,
    base_url: String,
    secret_key: String,
    /// Whether it moves real money.
    live: bool,
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

/// The key of a request, after `round` others that were given up.
fn key(number: &str, round: usize) -> String {
    match round {
        0 => number.to_owned(),
        _ => format!("{number}.{round}"),
    }
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
            live: config.is_live(),
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

    async fn post<T: DeserializeOwned>(&self, path: &str, form: &Form) -> Result<Said<T>> {
        let request = self.http.post(format!("{}{path}", self.base_url)).form(form);
        self.call(request).await
    }

    /// Posts under an Idempotency-Key. None: Stripe failed while it worked on the first request with that key, and repeats that
    /// failure as long as it knows the key; what it did stands in its books by now, and nothing more will come of the key.
    async fn once<T: DeserializeOwned>(&self, path: &str, key: &str, form: &Form) -> Result<Option<Said<T>>> {
        let request = self.http.post(format!("{}{path}", self.base_url)).form(form);
        let request = self.signed(request).header("idempotency-key", key);
        let answer = remote::send_any(request, self.timeout).await?;
        let replayed = answer.headers.get(REPLAYED).is_some_and(|it| it == "true");
        if answer.status.is_server_error() && replayed {
            tracing::warn!(
                key,
                status = answer.status.as_u16(),
                "Stripe repeats a failure of its own"
            );
            return Ok(None);
        }
        read(&answer.settled()?).map(Some)
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        request
            .bearer_auth(&self.secret_key)
            .header("stripe-version", VERSION)
    }

    async fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<Said<T>> {
        read(&remote::send(self.signed(request), self.timeout).await?)
    }

    /// Makes the payment's session. Asked again with the same intent Stripe answers with the first one as it was then, for as
    /// long as it keeps the key (a day: longer than any session lives).
    async fn create(&self, intent: &PrepayIntent) -> Result<Said<Session>> {
        let sn = intent.payment_sn.as_str();
        let Some(amount) = money::to_stripe(&intent.currency, intent.amount_cents) else {
            return Ok(Said::No(Problem {
                message: format!("it cannot take {} {}", intent.amount_cents, intent.currency),
                ..Problem::default()
            }));
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
        for round in 0..KEYS {
            // A session of a key that is given up has an address that nobody was told.
            let said = self.once("/v1/checkout/sessions", &key(sn, round), &form).await?;
            if let Some(said) = said {
                return Ok(said);
            }
        }
        Err(unsettled("Stripe fails under every key"))
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
                    currency: currency.to_ascii_uppercase(),
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
                currency: intent.currency.to_ascii_uppercase(),
                at_ms: intent.paid_at_ms().unwrap_or_else(|| self.clock.now_ms()),
                provider_ref: intent.id,
            }),
            "canceled" => Ok(ProviderState::Closed),
            _ => Ok(ProviderState::Open),
        }
    }
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<Said<T>> {
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

fn words(problem: &Problem) -> String {
    format!("{} {}: {}", problem.kind, problem.code, problem.message)
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
            match self.post::<Session>(&path, &Vec::new()).await? {
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
        self.pay_back(intent).await
    }

    async fn payment_of(&self, provider_ref: &str) -> Result<Option<String>> {
        if !provider_ref.starts_with("pi_") {
            return Ok(None);
        }
        let path = format!("/v1/payment_intents/{provider_ref}");
        match self.get::<Intent>(&path, &[]).await? {
            Said::Done(intent) => Ok(intent.payment_sn().map(str::to_owned)),
            Said::No(problem) if problem.code == "resource_missing" => Ok(None),
            Said::No(problem) => Err(unsettled(words(&problem))),
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
