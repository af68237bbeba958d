//! The sandbox as a provider that fails when a test says so.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use futures::future::BoxFuture;
use homestay_error::{Code, Error, Result};

use crate::provider::{
    CloseOutcome, PaymentProvider, Prepay, PrepayIntent, ProviderEvent, ProviderState, RefundIntent,
    RefundOutcome,
};
use crate::sandbox::Sandbox;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It never reaches the provider.
    Down,
    /// The provider does it, the answer is lost.
    AnswerLost,
    /// A refund is refused.
    Refused,
    /// A refund takes its time; the provider has not begun.
    Slow,
}

pub type Hook = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// Sandbox with faults by method name, until cleared.
pub struct Shaky {
    pub inner: Sandbox,
    pub faults: Mutex<HashMap<&'static str, Fault>>,
    pub calls: Mutex<Vec<&'static str>>,
    /// Numbers of refunds that it has refused: each stays so.
    refused: Mutex<HashSet<String>>,
    /// Runs once, before a prepay reaches the provider.
    pub before_prepay_arrives: Mutex<Option<Hook>>,
    /// Runs once, after a prepay was done and before it is answered.
    pub before_prepay_returns: Mutex<Option<Hook>>,
}

impl std::fmt::Debug for Shaky {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shaky")
    }
}

impl Shaky {
    pub fn new(inner: Sandbox) -> Self {
        Self {
            inner,
            faults: Mutex::default(),
            calls: Mutex::default(),
            refused: Mutex::default(),
            before_prepay_arrives: Mutex::default(),
            before_prepay_returns: Mutex::default(),
        }
    }

    fn fault(&self, method: &'static str) -> Option<Fault> {
        self.calls.lock().unwrap().push(method);
        self.faults.lock().unwrap().get(method).copied()
    }

    async fn through<T>(&self, method: &'static str, call: impl Future<Output = Result<T>>) -> Result<T> {
        match self.fault(method) {
            Some(Fault::Down) => Err(Error::new(Code::Provider)),
            Some(Fault::AnswerLost) => {
                call.await?;
                Err(Error::new(Code::Provider))
            }
            _ => call.await,
        }
    }
}

async fn run(hook: &Mutex<Option<Hook>>) {
    let hook = hook.lock().unwrap().take();
    if let Some(hook) = hook {
        hook().await;
    }
}

#[tonic::async_trait]
impl PaymentProvider for Shaky {
    fn name(&self) -> &'static str {
        self.inner.name()
    }
    fn pay_type(&self) -> &'static str {
        self.inner.pay_type()
    }
    async fn prepay(&self, intent: &PrepayIntent) -> Result<Prepay> {
        run(&self.before_prepay_arrives).await;
        let prepay = self.through("prepay", self.inner.prepay(intent)).await?;
        run(&self.before_prepay_returns).await;
        Ok(prepay)
    }
    async fn query(&self, intent: &PrepayIntent) -> Result<ProviderState> {
        self.through("query", self.inner.query(intent)).await
    }
    async fn close(&self, intent: &PrepayIntent) -> Result<CloseOutcome> {
        self.through("close", self.inner.close(intent)).await
    }
    async fn refund(&self, intent: &RefundIntent) -> Result<RefundOutcome> {
        let fault = self.faults.lock().unwrap().get("refund").copied();
        if fault == Some(Fault::Refused) {
            self.refused.lock().unwrap().insert(intent.number());
        }
        let refused = self.refused.lock().unwrap().contains(&intent.number());
        match fault {
            _ if refused => Ok(RefundOutcome::Refused("no".to_owned())),
            Some(Fault::Slow) => Ok(RefundOutcome::Pending),
            _ => self.through("refund", self.inner.refund(intent)).await,
        }
    }
    fn parse_callback(
        &self,
        headers: &HashMap<String, String>,
        body: &[u8],
        now_ms: i64,
    ) -> Result<ProviderEvent> {
        self.inner.parse_callback(headers, body, now_ms)
    }
}
