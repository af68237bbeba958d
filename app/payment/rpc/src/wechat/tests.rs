//! The client against a simulator that shares no code with it, and the examples that WeChat Pay's own SDKs are tested with.

mod callbacks;
mod calls;
mod examples;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use homestay_clock::{Clock, Ids};
use homestay_config::Secret;
use homestay_testkit::providers::{Delivery, WechatSimulator};

use super::{WechatPay, WechatPayConfig};
use crate::provider::{PrepayIntent, RefundIntent};

pub fn config(base_url: &str) -> WechatPayConfig {
    WechatPayConfig {
        app_id: WechatSimulator::APP_ID.to_owned(),
        mch_id: WechatSimulator::MCH_ID.to_owned(),
        merchant_serial: WechatSimulator::MERCHANT_SERIAL.to_owned(),
        private_key: Secret::new(WechatSimulator::MERCHANT_KEY),
        api_v3_key: Secret::new(WechatSimulator::API_V3_KEY),
        platform_keys: format!(
            "{}\n{}",
            WechatSimulator::CERTIFICATE,
            WechatSimulator::public_key()
        ),
        base_url: base_url.to_owned(),
        timeout: Duration::from_secs(5),
        ..WechatPayConfig::default()
    }
}

pub struct World {
    pub clock: Clock,
    pub ids: Ids,
    pub simulator: WechatSimulator,
    pub client: Arc<WechatPay>,
}

impl World {
    pub async fn start() -> Self {
        let (clock, ids) = homestay_testkit::clock();
        let simulator = WechatSimulator::start(&clock).await;
        let client = WechatPay::new(
            &config(simulator.base_url()),
            "https://homestay.example/",
            clock.clone(),
        );
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
            description: "湖边小屋, 2026-12-01 to 2026-12-03".to_owned(),
            amount_cents,
            currency: "CNY".to_owned(),
            expires_at_ms: self.clock.now_ms() + 1_800_000,
            payer: "o-guest".to_owned(),
            provider_ref: String::new(),
        }
    }

    pub fn refund_of(&self, intent: &PrepayIntent, amount_cents: i64) -> RefundIntent {
        RefundIntent {
            refund_sn: self.ids.refund_sn(),
            attempt: 0,
            payment_sn: intent.payment_sn.clone(),
            provider_ref: String::new(),
            amount_cents,
            total_cents: intent.amount_cents,
            currency: intent.currency.clone(),
            reason: "取消".repeat(40),
        }
    }
}

pub fn headers(delivery: &Delivery) -> HashMap<String, String> {
    delivery.headers.iter().cloned().collect()
}
