use futures::future::BoxFuture;
use homestay_error::Result;
use serde::{Deserialize, Serialize};

/// A way to reach people. Told twice about the same event it should reach them once: the event's id is the same.
pub trait Notifier: Send + Sync {
    /// Delivers the notification, or fails and will be asked again.
    fn notify<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<()>>;
}

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recipient {
    /// Who booked.
    Guest,
    /// Whose house it is.
    Host,
}

impl Recipient {
    /// As the job and order-rpc name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Recipient::Guest => "guest",
            Recipient::Host => "host",
        }
    }
}

/// An order was paid: what its guest or host is told. Not to be printed: it holds what is theirs alone.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// The same whenever this notification is repeated.
    pub event_id: String,
    /// What happened: `order.paid`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Who is told.
    pub recipient: Recipient,
    /// How to reach them.
    pub user: Person,
    /// The order.
    pub order_sn: String,
    /// The house.
    pub title: String,
    /// First day, ISO 8601.
    pub check_in: String,
    /// Day of leaving, ISO 8601.
    pub check_out: String,
    /// How many stay.
    pub guests: i64,
    /// What was paid, in the currency's minor unit.
    pub total_cents: i64,
    /// ISO 4217.
    pub currency: String,
    /// The check-in code: for the guest only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trade_code: Option<String>,
}

/// An account, as far as one must know it to reach its owner.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// The account.
    pub id: i64,
    /// How they want to be called.
    pub nickname: String,
    /// Empty if unknown.
    pub mobile: String,
}

/// Writes a line into the log, without code, name or number.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogNotifier;

impl Notifier for LogNotifier {
    fn notify<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<()>> {
        tracing::info!(
            order.sn = %notification.order_sn,
            recipient = notification.recipient.name(),
            user.id = notification.user.id,
            event.id = %notification.event_id,
            "an order was paid"
        );
        Box::pin(async { Ok(()) })
    }
}
