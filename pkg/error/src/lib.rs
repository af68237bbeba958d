//! The closed list of error codes and the one error type that travels from SQL to JSON.
//!
//! A service returns [`Error`]; over gRPC it becomes a status with an `ErrorInfo` (google.rpc) that carries the code's name,
//! the field and the details, and becomes an [`Error`] again on the other side. Which shape it takes in HTTP is decided in
//! `homestay-http`. The text of a server-side cause never leaves the process: it is logged once, where the error stops.

mod code;
mod status;

use std::borrow::Cow;
use std::fmt;

pub use code::Code;

/// A refusal or a failure: a [`Code`], a message for the caller, and the field that was wrong, if one was.
#[derive(Debug, thiserror::Error)]
pub struct Error {
    code: Code,
    message: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    details: Option<Box<serde_json::Value>>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of everything that can be refused.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with the code's own message.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self {
            code,
            message: Cow::Borrowed(code.message()),
            field: None,
            details: None,
            source: None,
        }
    }

    /// An error with a message for the caller. No secrets, no causes.
    #[must_use]
    pub fn with(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            message: message.into(),
            ..Self::new(code)
        }
    }

    /// Bad input: the name of the field as the caller knows it, and what is wrong with it ("must be at least 1").
    #[must_use]
    pub fn invalid(field: impl Into<Cow<'static, str>>, what: impl fmt::Display) -> Self {
        let field = field.into();
        Self {
            message: format!("{field} {what}").into(),
            field: Some(field),
            ..Self::new(Code::InvalidArgument)
        }
    }

    /// Our own failure: `cause` is logged, the caller reads a fixed text.
    #[must_use]
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            source: Some(cause.into()),
            ..Self::new(Code::Internal)
        }
    }

    /// A server we need does not answer: `cause` is logged, the caller is told to try again.
    #[must_use]
    pub fn unavailable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            source: Some(cause.into()),
            ..Self::new(Code::Unavailable)
        }
    }

    /// Names the field that was wrong.
    #[must_use]
    pub fn field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Adds data for the caller, such as the new quote of `PRICE_CHANGED`.
    #[must_use]
    pub fn details(mut self, details: serde_json::Value) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// Adds the cause, for the log.
    #[must_use]
    pub fn source(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// What kind of error this is.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Text for the caller.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The field that was wrong, if one was.
    #[must_use]
    pub fn field_name(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Data for the caller, if there is any.
    #[must_use]
    pub fn detail(&self) -> Option<&serde_json::Value> {
        self.details.as_deref()
    }

    /// Error and causes in one line, for the log.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A database that is missing, overloaded, or says that the same may succeed later is [`Code::Unavailable`], everything else
/// from it is our fault. A constraint that means something is never expected here: statements count rows instead of catching
/// errors.
impl From<sqlx::Error> for Error {
    fn from(cause: sqlx::Error) -> Self {
        let state = cause
            .as_database_error()
            .and_then(|error| error.code().map(Cow::into_owned));
        if state.as_deref() == Some(NOT_A_TEXT) {
            return Self::with(
                Code::InvalidArgument,
                "a text has a character that cannot be kept",
            )
            .source(cause);
        }
        let later = match &cause {
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::Database(_) => state.is_some_and(|state| is_transient(&state)),
            _ => false,
        };
        if later {
            Self::unavailable(cause)
        } else {
            Self::new(Code::Database).source(cause)
        }
    }
}

/// SQLSTATE of a text with bytes that the database's encoding has no room for, such as NUL. The edge refuses those by field;
/// this is what is left of one that came another way.
const NOT_A_TEXT: &str = "22021";

/// SQLSTATEs after which the same may succeed: lost or refused connections, a server that starts, stops or is full, a
/// standby, and what was given up in favour of others.
fn is_transient(sqlstate: &str) -> bool {
    sqlstate.len() == 5
        && (["08", "53", "57P"]
            .iter()
            .any(|class| sqlstate.starts_with(class))
            || ["25006", "25P03", "40001", "40P01", "55P03", "57014"].contains(&sqlstate))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a database says with this SQLSTATE.
    #[derive(Debug, thiserror::Error)]
    #[error("says {0}")]
    struct Says(&'static str);

    impl sqlx::error::DatabaseError for Says {
        fn message(&self) -> &'static str {
            self.0
        }
        fn code(&self) -> Option<Cow<'_, str>> {
            Some(Cow::Borrowed(self.0))
        }
        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }
        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }
        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }
        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }

    #[test]
    fn what_a_database_says_is_ours_the_callers_or_passes() {
        for (state, code) in [
            ("22021", Code::InvalidArgument),
            ("40P01", Code::Unavailable),
            ("57P01", Code::Unavailable),
            ("23505", Code::Database),
            ("22P02", Code::Database),
        ] {
            let error = Error::from(sqlx::Error::Database(Box::new(Says(state))));
            assert_eq!(error.code(), code, "{state}");
            assert!(error.chain().contains(state), "the log names {state}");
        }
    }
}
