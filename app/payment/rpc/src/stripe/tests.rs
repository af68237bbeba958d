//! The client against a simulator that shares no code with it.

mod calls;
mod events;
mod keys;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use homestay_clock::{Clock, Ids};
use homestay_config::Secret;
use homestay_testkit::providers::{Delivery, StripeSimulator};

use super::{Stripe, StripeConfig};
use crate::provider::{PaymentProvider, PrepayIntent, ProviderState, RefundIntent};

pub fn config(base_url: &str) -> StripeConfig {
    StripeConfig {
        secret_key: Secret::new(StripeSimulator::SECRET_KEY),
        webhook_secrets: Secret::new(format!("whsec_old, {}", StripeSimulator::WEBHOOK_SECRET)),
        base_url: base_url.to_owned(),
        timeout: Duration::from_secs(5),
        ..StripeConfig::default()
    }
}

pub struct World {
    pub clock: Clock,
    pub ids: Ids,
    pub simulator: StripeSimulator,
    pub client: Arc<Stripe>,
}

impl World {
    pub async fn start() -> Self {
        let (clock, ids) = homestay_testkit::clock();
        let simulator = StripeSimulator::start(&clock).await;
        let config = config(simulator.base_url());
        let client = Stripe::new(&config, "https://homestay.example", clock.clone());
        Self {
            clock,
            ids,
            simulator,
            client: Arc::new(client.unwrap()),
        }
    }

    pub fn intent(&self, amount_cents: i64) -> PrepayIntent {
        PrepayIntent {
            payment_sn: self.ids.payment_sn(),
            order_sn: self.ids.order_sn(),
            description: "Lake house & garden, 2026-12-01 to 2026-12-03".to_owned(),
            amount_cents,
            currency: "EUR".to_owned(),
            expires_at_ms: self.clock.now_ms() + 600_000,
            payer: String::new(),
            provider_ref: String::new(),
        }
    }

    /// Prepares a payment; the intent knows the session from then on.
    pub async fn prepared(&self, amount_cents: i64) -> PrepayIntent {
        let mut intent = self.intent(amount_cents);
        intent.provider_ref = self.client.prepay(&intent).await.unwrap().provider_ref;
        intent
    }

    /// A paid payment; the intent knows the payment intent from then on.
    pub async fn paid(&self, amount_cents: i64) -> PrepayIntent {
        let mut intent = self.prepared(amount_cents).await;
        assert!(self.simulator.pay(intent.payment_sn.as_str()));
        let state = self.client.query(&intent).await.unwrap();
        let ProviderState::Captured { provider_ref, .. } = state else {
            panic!("{state:?}")
        };
        intent.provider_ref = provider_ref;
        intent
    }

    pub fn refund_of(&self, intent: &PrepayIntent, amount_cents: i64) -> RefundIntent {
        RefundIntent {
            refund_sn: self.ids.refund_sn(),
            attempt: 0,
            payment_sn: intent.payment_sn.clone(),
            provider_ref: intent.provider_ref.clone(),
            amount_cents,
            total_cents: intent.amount_cents,
            currency: intent.currency.clone(),
            reason: "cancelled".to_owned(),
        }
    }
}

pub fn headers(delivery: &Delivery) -> HashMap<String, String> {
    delivery.headers.iter().cloned().collect()
}
