use std::sync::{Arc, LazyLock, OnceLock};
use std::task::{Context, Poll};
use std::time::Instant;

use futures::future::BoxFuture;
use homestay_error::{Code, Error};
use homestay_telemetry::metrics::Red;
use homestay_telemetry::trace::{self, TraceContext};
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::{Service, ServiceExt};

use crate::actor::Identity;
use crate::guard::LocalService;
use crate::{ACTOR, CREDENTIAL, TIMEOUT, deadline};

static CALLS: LazyLock<Red> =
    LazyLock::new(|| Red::new("rpc_client_requests", "method", "Calls to other domains"));

/// What generated clients run over. Adds credential, actor, trace context and deadline, and enforces the deadline itself:
/// in the same process nothing else would (facts-crates.md §3).
#[derive(Debug, Clone)]
pub struct Channel {
    link: Link,
    identity: Identity,
}

#[derive(Debug, Clone)]
enum Link {
    Local(LocalSlot),
    Remote(tonic::transport::Channel),
}

/// The place of a domain's server in this process. Channels may be made before the server is: domains call each other.
#[derive(Debug, Clone, Default)]
pub struct LocalSlot(Arc<OnceLock<LocalService>>);

impl LocalSlot {
    /// Puts the server in its place.
    ///
    /// # Panics
    /// If it has one already: a mistake in the wiring.
    pub fn bind(&self, service: LocalService) {
        assert!(self.0.set(service).is_ok(), "one server a domain");
    }

    /// A channel to the server in this place.
    #[must_use]
    pub fn channel(&self, identity: Identity) -> Channel {
        Channel {
            link: Link::Local(self.clone()),
            identity,
        }
    }
}

impl Channel {
    /// A channel to servers in other processes, balanced over `endpoints` (`http://host:port`). Connects when first used.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] naming the endpoint that is no address, or if there is none.
    pub fn remote(endpoints: &[String], identity: Identity) -> Result<Self, Error> {
        if endpoints.is_empty() {
            return Err(Error::invalid("endpoints", "must name at least one address"));
        }
        let endpoints = endpoints
            .iter()
            .map(|address| {
                tonic::transport::Endpoint::from_shared(address.clone())
                    .map(|e| {
                        e.connect_timeout(std::time::Duration::from_secs(1))
                            .tcp_nodelay(true)
                            .http2_keep_alive_interval(std::time::Duration::from_secs(10))
                            .keep_alive_timeout(std::time::Duration::from_secs(5))
                            .keep_alive_while_idle(true)
                    })
                    .map_err(|_| Error::invalid("endpoints", format!("has no address in {address:?}")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let channel = match endpoints.as_slice() {
            [one] => one.connect_lazy(),
            many => tonic::transport::Channel::balance_list(many.iter().cloned()),
        };
        Ok(Self {
            link: Link::Remote(channel),
            identity,
        })
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // Readiness is awaited inside the call, under its deadline.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let headers = request.headers_mut();
        headers.insert(CREDENTIAL, sensitive(&self.identity.credential));
        if !headers.contains_key(ACTOR) {
            headers.insert(ACTOR, plain(&self.identity.actor));
        }
        let context = trace::current().map_or_else(TraceContext::root, TraceContext::child);
        if let Ok(value) = context.to_string().parse() {
            headers.insert(TraceContext::HEADER, value);
        }
        // A call that set its own timeout (a long poll) keeps it.
        let left = headers
            .get(TIMEOUT)
            .and_then(deadline::from_header)
            .unwrap_or_else(deadline::for_call);
        headers.insert(TIMEOUT, deadline::to_header(left));

        let link = self.link.clone();
        Box::pin(async move {
            let method = request.uri().path().trim_start_matches('/').to_owned();
            let began = Instant::now();
            let call = async move {
                match link {
                    Link::Local(slot) => match slot.0.get() {
                        Some(service) => {
                            let mut service = service.clone();
                            match service.ready().await {
                                Ok(ready) => ready.call(request).await.map_err(|never| match never {}),
                                Err(never) => match never {},
                            }
                        }
                        None => Err(Status::from(Error::unavailable("the peer has not started"))),
                    },
                    Link::Remote(mut channel) => {
                        let ready = channel.ready().await.map_err(unreachable_peer)?;
                        ready.call(request).await.map_err(unreachable_peer)
                    }
                }
            };
            let outcome = tokio::time::timeout(left, call)
                .await
                .unwrap_or_else(|_| Err(Error::new(Code::Timeout).into()));
            CALLS.observe(&method, code_of(outcome.as_ref()), began.elapsed());
            outcome
        })
    }
}

/// The transport, too, reads the deadline from the header, and may be the first to see it pass.
fn unreachable_peer(cause: tonic::transport::Error) -> Status {
    let status = Status::from_error(Box::new(cause));
    match status.code() {
        tonic::Code::Cancelled | tonic::Code::DeadlineExceeded => Error::new(Code::Timeout).into(),
        _ => Error::unavailable(status).into(),
    }
}

fn sensitive(value: &tonic::metadata::MetadataValue<tonic::metadata::Ascii>) -> http::HeaderValue {
    let mut value = plain(value);
    value.set_sensitive(true);
    value
}

fn plain(value: &tonic::metadata::MetadataValue<tonic::metadata::Ascii>) -> http::HeaderValue {
    http::HeaderValue::from_bytes(value.as_encoded_bytes()).expect("metadata is a header")
}

/// The outcome's gRPC code by name. A unary error is trailers only, so its code stands in the headers.
pub(crate) fn code_of(outcome: Result<&Response<Body>, &Status>) -> &'static str {
    let code = match outcome {
        Ok(response) => match response.headers().get("grpc-status") {
            Some(value) => tonic::Code::from_bytes(value.as_bytes()),
            None => tonic::Code::Ok,
        },
        Err(status) => status.code(),
    };
    match code {
        tonic::Code::Ok => "OK",
        tonic::Code::Cancelled => "CANCELLED",
        tonic::Code::InvalidArgument => "INVALID_ARGUMENT",
        tonic::Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        tonic::Code::NotFound => "NOT_FOUND",
        tonic::Code::AlreadyExists => "ALREADY_EXISTS",
        tonic::Code::PermissionDenied => "PERMISSION_DENIED",
        tonic::Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        tonic::Code::FailedPrecondition => "FAILED_PRECONDITION",
        tonic::Code::Aborted => "ABORTED",
        tonic::Code::OutOfRange => "OUT_OF_RANGE",
        tonic::Code::Unimplemented => "UNIMPLEMENTED",
        tonic::Code::Internal => "INTERNAL",
        tonic::Code::Unavailable => "UNAVAILABLE",
        tonic::Code::DataLoss => "DATA_LOSS",
        tonic::Code::Unauthenticated => "UNAUTHENTICATED",
        tonic::Code::Unknown => "UNKNOWN",
    }
}
