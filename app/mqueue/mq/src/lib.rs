//! What mqueue-mq does: tells guests and hosts what happened, and keeps the broker tidy. Jobs in, calls and notifications out.

mod notifier;
mod order_paid;
mod webhook;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use homestay_bus::{Binding, Source};
use homestay_clock::Clock;
use homestay_config::Secret;
use homestay_error::Result;
use homestay_proto::common::Empty;
use homestay_proto::mqueue::mqueue_client::MqueueClient;
use homestay_proto::order::order_client::OrderClient;
use homestay_proto::usercenter::user_center_client::UserCenterClient;
use homestay_rpc::Channel;
use homestay_types::job;
use serde::{Deserialize, Serialize};

pub use notifier::{LogNotifier, Notification, Notifier, Person, Recipient};
pub use webhook::WebhookNotifier;

/// How often the broker's table is swept.
const SWEEP: Duration = Duration::from_secs(60);

/// Settings of mqueue-mq.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where notifications are posted, signed; empty: they are only logged.
    pub webhook_url: String,
    /// Key of the signatures.
    pub webhook_secret: Secret,
}

/// Where notifications go by the settings: always into the log, and to the webhook if there is one.
///
/// # Errors
/// [`homestay_error::Code::InvalidArgument`] naming the setting that is wrong.
pub fn notifiers(config: &Config, clock: Clock) -> Result<Vec<Arc<dyn Notifier>>> {
    let mut all: Vec<Arc<dyn Notifier>> = Vec::new();
    if !config.webhook_url.is_empty() {
        let webhook = WebhookNotifier::new(&config.webhook_url, config.webhook_secret.clone(), clock)?;
        all.push(Arc::new(webhook));
    }
    // Last: the line in the log says that nothing is left to do.
    all.push(Arc::new(LogNotifier));
    Ok(all)
}

/// The process's table. The clients must carry this process's own identity.
#[must_use]
pub fn table(
    orders: &OrderClient<Channel>,
    users: &UserCenterClient<Channel>,
    mqueue: &MqueueClient<Channel>,
    notifiers: Vec<Arc<dyn Notifier>>,
) -> Vec<Binding> {
    let (orders, users, mqueue) = (orders.clone(), users.clone(), mqueue.clone());
    let notifiers: Arc<[Arc<dyn Notifier>]> = notifiers.into();
    vec![
        Binding::new(Source::Job(job::NOTIFY_ORDER_PAID), move |delivery| {
            let (orders, users, notifiers) = (orders.clone(), users.clone(), notifiers.clone());
            async move { order_paid::tell(orders, users, &notifiers, &delivery).await }
        }),
        Binding::new(
            Source::Every {
                kind: job::MQUEUE_SWEEP,
                period: SWEEP,
            },
            move |_| {
                let mut mqueue = mqueue.clone();
                async move {
                    mqueue.sweep(Empty {}).await?;
                    Ok(())
                }
            },
        ),
    ]
}
