use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use homestay_clock::{Clock, Ids};
use homestay_db::Db;
use homestay_error::{Code, Error, Result};
use homestay_proto::order::order_client::OrderClient;
use homestay_proto::usercenter::user_center_client::UserCenterClient;
use homestay_rpc::Channel;
use homestay_telemetry::metrics;
use prometheus::IntCounterVec;

use crate::config::Config;
use crate::provider::PaymentProvider;
use crate::sandbox::Sandbox;
use crate::stripe::Stripe;
use crate::wechat::WechatPay;

/// Changes of payments, by the state they entered.
pub(crate) static CHANGES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    metrics::counter(
        "payments_total",
        "Payments by the state they entered.",
        &["provider", "state"],
    )
});

/// Refunds that a provider refused: each is somebody's money, to be paid back by other means.
pub(crate) static REFUNDS_FAILED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    metrics::counter(
        "payment_refunds_failed_total",
        "Refunds that the provider refused.",
        &["provider"],
    )
});

/// The providers of this process: the one new payments go to, and all whose callbacks and old payments are known.
#[derive(Debug, Clone)]
pub struct Providers {
    first: Arc<dyn PaymentProvider>,
    by_name: HashMap<&'static str, Arc<dyn PaymentProvider>>,
    sandbox: Option<Sandbox>,
}

impl Providers {
    /// New payments go to `first`.
    #[must_use]
    pub fn new(first: Arc<dyn PaymentProvider>) -> Self {
        Self {
            by_name: HashMap::from([(first.name(), first.clone())]),
            first,
            sandbox: None,
        }
    }

    /// Everything goes to the sandbox: no real money moves. For demonstrations only.
    #[must_use]
    pub fn sandbox(sandbox: Sandbox) -> Self {
        Self::new(Arc::new(sandbox.clone())).with_sandbox_page(sandbox)
    }

    /// Knows another provider's callbacks and old payments too.
    #[must_use]
    pub fn with(mut self, other: Arc<dyn PaymentProvider>) -> Self {
        self.by_name.insert(other.name(), other);
        self
    }

    /// What the configuration names: new payments to `config.provider`, and every other provider that is configured. The
    /// sandbox is made only if it is the one, by `sandbox`.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] naming the key within `payment`.
    pub fn of(config: &Config, clock: &Clock, sandbox: impl FnOnce() -> Sandbox) -> Result<Self> {
        config.validate_providers()?;
        let base = &config.public_base_url;
        let mut real: Vec<Arc<dyn PaymentProvider>> = Vec::new();
        if config.has_wechat() {
            real.push(Arc::new(WechatPay::new(&config.wechat, base, clock.clone())?));
        }
        if config.has_stripe() {
            real.push(Arc::new(Stripe::new(&config.stripe, base, clock.clone())?));
        }
        let providers = match real.iter().find(|real| real.name() == config.provider) {
            Some(first) => Self::new(first.clone()),
            None => Self::sandbox(sandbox()),
        };
        Ok(real.into_iter().fold(providers, Self::with))
    }

    /// Whether the sandbox's pay page is served.
    #[must_use]
    pub fn have_sandbox(&self) -> bool {
        self.sandbox.is_some()
    }

    /// Serves the sandbox's pay page and clockwork.
    #[must_use]
    pub fn with_sandbox_page(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = Some(sandbox);
        self
    }
}

/// The use cases of payment, each in its own file.
#[derive(Debug, Clone)]
pub struct PaymentService {
    pub(crate) db: Db,
    pub(crate) ids: Ids,
    pub(crate) clock: Clock,
    pub(crate) order: OrderClient<Channel>,
    pub(crate) users: Option<UserCenterClient<Channel>>,
    pub(crate) rates: Rates,
    providers: Arc<Providers>,
}

/// What is kept of money that passes, in basis points.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// By the provider, of each capture.
    pub fee_bp: i64,
    /// By us, of what goes to a host.
    pub commission_bp: i64,
}

impl PaymentService {
    /// A service over its database. `order` must carry this process's own identity.
    #[must_use]
    pub fn new(db: Db, ids: Ids, clock: Clock, order: OrderClient<Channel>, providers: Providers) -> Self {
        Self {
            db,
            ids,
            clock,
            order,
            users: None,
            rates: Rates::default(),
            providers: Arc::new(providers),
        }
    }

    /// Asks `users` who a payer is at a provider that must know. Its channel must carry this process's own identity.
    #[must_use]
    pub fn with_users(mut self, users: UserCenterClient<Channel>) -> Self {
        self.users = Some(users);
        self
    }

    /// Posts fees and commissions by these rates; without it there are none.
    #[must_use]
    pub fn with_rates(mut self, rates: Rates) -> Self {
        self.rates = rates;
        self
    }

    /// Where new payments go.
    pub(crate) fn provider(&self) -> &Arc<dyn PaymentProvider> {
        &self.providers.first
    }

    /// The provider a payment was made with.
    pub(crate) fn provider_named(&self, name: &str) -> Result<&Arc<dyn PaymentProvider>> {
        self.providers.by_name.get(name).ok_or_else(|| {
            Error::new(Code::Provider).source(format!("payment provider {name:?} is not configured"))
        })
    }

    /// The name as a label: whoever calls must not be able to grow our metrics.
    pub(crate) fn provider_label(&self, name: &str) -> &'static str {
        self.providers
            .by_name
            .get_key_value(name)
            .map_or("unknown", |(name, _)| name)
    }

    /// The sandbox, where there is one.
    pub(crate) fn sandbox(&self) -> Result<&Sandbox> {
        self.providers
            .sandbox
            .as_ref()
            .ok_or_else(|| Error::new(Code::NotFound))
    }
}
