use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use homestay_error::{Code, Error};
use serde::de::DeserializeOwned;

/// A job or an event in a handler's hand. Handlers are told twice, late and in any order, and must be right all the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Job kind or topic.
    pub kind: String,
    /// JSON text.
    pub payload: String,
    /// Id of the event or job, the same at every delivery.
    pub id: String,
    /// Which try this is, from 1.
    pub attempt: i64,
    /// Fencing token of the job's lease; 0 for an event, which runs under none.
    pub token: i64,
}

impl Delivery {
    /// Reads the payload.
    ///
    /// # Errors
    /// [`Failure::Dead`] if it is not what the handler expects: trying again would not help.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.payload).map_err(|cause| {
            Failure::Dead(Error::with(Code::InvalidArgument, "unreadable payload").source(cause))
        })
    }
}

/// How a handler failed, and what is to become of the delivery.
#[derive(Debug)]
pub enum Failure {
    /// Try again, after the broker's backoff.
    Retry(Error),
    /// Try again after this time.
    RetryAfter(Error, Duration),
    /// Never again: to the dead letters, where an operator sees it.
    Dead(Error),
}

impl Failure {
    /// The error inside.
    #[must_use]
    pub fn error(&self) -> &Error {
        match self {
            Failure::Retry(error) | Failure::RetryAfter(error, _) | Failure::Dead(error) => error,
        }
    }
}

/// What may pass by itself is tried again, a refusal is final.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.code().is_transient() {
            Failure::Retry(error)
        } else {
            Failure::Dead(error)
        }
    }
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        Error::from(status).into()
    }
}

/// What runs for each delivery.
pub type Handler = Arc<dyn Fn(Delivery) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync>;

/// Makes a [`Handler`] of an async function.
pub fn handler<F, Fut>(run: F) -> Handler
where
    F: Fn(Delivery) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Failure>> + Send + 'static,
{
    Arc::new(move |delivery| Box::pin(run(delivery)))
}
