//! Payment-rpc over a provider's simulator, and one way to handle either.

use std::sync::Arc;

use homestay_proto::payment as pb;
use homestay_testkit::providers::{Delivery, Fault, StripeSimulator, WechatSimulator};

use super::support::World;
use crate::provider::PaymentProvider;
use crate::stripe::Stripe;
use crate::wechat::WechatPay;

/// The outside that a road leads through.
pub enum Outside {
    Wechat(WechatSimulator),
    Stripe(StripeSimulator),
}

/// Payment-rpc whose new payments go to a simulator.
pub struct Road {
    pub world: World,
    pub outside: Outside,
}

impl Road {
    pub async fn wechat() -> Self {
        let (clock, ids) = homestay_testkit::clock();
        let simulator = WechatSimulator::start(&clock).await;
        let config = crate::wechat::tests::config(simulator.base_url());
        let client = WechatPay::new(&config, "https://homestay.example", clock.clone()).unwrap();
        let real: Arc<dyn PaymentProvider> = Arc::new(client);
        Self {
            world: World::over(clock, ids, Some(real)).await,
            outside: Outside::Wechat(simulator),
        }
    }

    pub async fn stripe() -> Self {
        let (clock, ids) = homestay_testkit::clock();
        let simulator = StripeSimulator::start(&clock).await;
        let config = crate::stripe::tests::config(simulator.base_url());
        let client = Stripe::new(&config, "https://homestay.example", clock.clone()).unwrap();
        let real: Arc<dyn PaymentProvider> = Arc::new(client);
        Self {
            world: World::over(clock, ids, Some(real)).await,
            outside: Outside::Stripe(simulator),
        }
    }

    pub async fn both() -> [Self; 2] {
        [Self::wechat().await, Self::stripe().await]
    }

    pub fn name(&self) -> &'static str {
        match &self.outside {
            Outside::Wechat(_) => "wechat",
            Outside::Stripe(_) => "stripe",
        }
    }

    pub fn pay(&self, sn: &str) -> bool {
        match &self.outside {
            Outside::Wechat(simulator) => simulator.pay(sn),
            Outside::Stripe(simulator) => simulator.pay(sn),
        }
    }

    pub fn take(&self) -> Vec<Delivery> {
        match &self.outside {
            Outside::Wechat(simulator) => simulator.take(),
            Outside::Stripe(simulator) => simulator.take(),
        }
    }

    pub fn fail(&self, wechat: &'static str, stripe: &'static str, fault: Fault) {
        match &self.outside {
            Outside::Wechat(simulator) => simulator.fail(wechat, fault),
            Outside::Stripe(simulator) => simulator.fail(stripe, fault),
        }
    }

    pub fn cut_off(&self) {
        match &self.outside {
            Outside::Wechat(simulator) => simulator.cut_off(),
            Outside::Stripe(simulator) => simulator.cut_off(),
        }
    }

    pub fn heal(&self) {
        match &self.outside {
            Outside::Wechat(simulator) => simulator.heal(),
            Outside::Stripe(simulator) => simulator.heal(),
        }
    }

    pub fn refund_slowly(&self) {
        match &self.outside {
            Outside::Wechat(simulator) => simulator.refund_slowly(),
            Outside::Stripe(simulator) => simulator.refund_slowly(),
        }
    }

    pub fn end_refund(&self, sn: &str, succeeds: bool) -> bool {
        match (&self.outside, succeeds) {
            (Outside::Wechat(simulator), true) => simulator.end_refund(sn, "SUCCESS"),
            (Outside::Wechat(simulator), false) => simulator.end_refund(sn, "ABNORMAL"),
            (Outside::Stripe(simulator), true) => simulator.end_refund(sn, "succeeded"),
            (Outside::Stripe(simulator), false) => simulator.end_refund(sn, "failed"),
        }
    }

    /// What went back, and in how many refunds.
    pub fn refunded(&self, sn: &str) -> (i64, usize) {
        match &self.outside {
            Outside::Wechat(simulator) => (simulator.refunded(sn), simulator.refunds()),
            Outside::Stripe(simulator) => (simulator.refunded(sn), simulator.refunds()),
        }
    }

    /// Status and text of the answer.
    pub async fn deliver(&self, delivery: &Delivery) -> (i32, String) {
        let request = pb::CallbackRequest {
            provider: self.name().to_owned(),
            headers: delivery.headers.iter().cloned().collect(),
            body: delivery.body.clone(),
        };
        let reply = self
            .world
            .as_nobody()
            .callback(request)
            .await
            .unwrap()
            .into_inner();
        (reply.status, String::from_utf8(reply.body).unwrap())
    }

    /// Delivers what waits; all of it must be taken.
    pub async fn deliver_all(&self) {
        for delivery in self.take() {
            let (status, text) = self.deliver(&delivery).await;
            assert_eq!(status, 200, "{}: {text}", self.name());
        }
    }

    pub async fn state(&self, sn: &str) -> String {
        self.world.get(sn).await.state
    }

    /// An order, paid and told so.
    pub async fn paid(&self, cents: i64) -> pb::PaymentView {
        let payment = self.world.create(&self.world.order(cents)).await.unwrap();
        assert!(self.pay(&payment.sn));
        self.deliver_all().await;
        payment
    }

    pub async fn cases(&self) -> i64 {
        self.world.count("SELECT COUNT(*) FROM pay_case").await
    }
}
