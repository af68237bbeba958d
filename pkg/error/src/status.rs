use std::collections::HashMap;

use tonic::{Code as Grpc, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{Code, Error};

const DOMAIN: &str = "homestay";

/// An error's last stop in its process: our failures are logged here with their causes, which do not cross the wire.
impl From<Error> for Status {
    fn from(error: Error) -> Self {
        if error.code.is_ours() && error.source.is_some() {
            tracing::error!(code = error.code.reason(), error = %error.chain(), "a call failed");
        }
        let mut metadata = HashMap::new();
        if let Some(field) = &error.field {
            metadata.insert("field".to_owned(), field.to_string());
        }
        if let Some(details) = &error.details {
            metadata.insert("details".to_owned(), details.to_string());
        }
        let info = ErrorDetails::with_error_info(error.code.reason(), DOMAIN, metadata);
        Status::with_error_details(error.code.grpc(), error.message.into_owned(), info)
    }
}

/// A status without our `ErrorInfo` comes from the transport: it is judged by its gRPC code.
impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let ours = status.get_error_details().error_info().and_then(|info| {
            let code = Code::from_reason(&info.reason).filter(|_| info.domain == DOMAIN)?;
            let mut error = Error::with(code, status.message().to_owned());
            error.field = info.metadata.get("field").map(|f| f.clone().into());
            error.details = info
                .metadata
                .get("details")
                .and_then(|d| serde_json::from_str(d).ok())
                .map(Box::new);
            Some(error)
        });
        ours.unwrap_or_else(|| {
            let code = match status.code() {
                Grpc::DeadlineExceeded | Grpc::Cancelled => Code::Timeout,
                Grpc::Unavailable => Code::Unavailable,
                Grpc::ResourceExhausted => Code::Overloaded,
                Grpc::Unauthenticated => Code::Unauthenticated,
                Grpc::PermissionDenied => Code::Forbidden,
                _ => Code::Internal,
            };
            Error::new(code).source(status)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_wire() {
        let sent = Error::with(Code::PriceChanged, "now 300")
            .field("expectedTotalCents")
            .details(serde_json::json!({"total": 300}));
        let got = Error::from(Status::from(sent));
        assert_eq!(got.code(), Code::PriceChanged);
        assert_eq!(got.message(), "now 300");
        assert_eq!(got.field_name(), Some("expectedTotalCents"));
        assert_eq!(got.detail(), Some(&serde_json::json!({"total": 300})));
    }

    #[test]
    fn causes_do_not_cross_the_wire() {
        let status = Status::from(Error::internal("password=hunter2"));
        assert!(!format!("{status:?}").contains("hunter2"));
    }

    #[test]
    fn a_foreign_status_is_judged_by_its_code() {
        for (grpc, want) in [
            (Grpc::Unavailable, Code::Unavailable),
            (Grpc::ResourceExhausted, Code::Overloaded),
            (Grpc::Cancelled, Code::Timeout),
            (Grpc::Unknown, Code::Internal),
        ] {
            assert_eq!(Error::from(Status::new(grpc, "x")).code(), want);
        }
    }
}
