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

use crate::actor::{Actor, Identity};
use crate::guard::{self, LocalService, Methods};
use crate::remote::Remote;
use crate::resolve::Resolver;
use crate::{ACTOR, CREDENTIAL, TIMEOUT, deadline};

static CALLS: LazyLock<Red> =
    LazyLock::new(|| Red::new("rpc_client_requests", "method", "Calls to other domains"));

/// What generated clients run over. Adds credential, actor, trace context and deadline, and enforces the deadline itself:
/// in the same process nothing else would (facts-crates.md §3).
#[derive(Debug, Clone)]
pub struct Channel {
    link: Link,
    identity: Identity,
    /// Who may call what, where that is asked before the call.
    methods: Option<Methods>,
}

#[derive(Debug, Clone)]
enum Link {
    Local(LocalSlot),
    Remote(Remote),
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
            methods: None,
        }
    }
}

impl Channel {
    /// A channel to servers in other processes, over all addresses behind `endpoints`: `http://host:port`, where the host may
    /// be a name with several addresses (a headless Service). Names are looked up again every few seconds and after failures;
    /// addresses come and go without anybody noticing. Connects when first used. To be made on the runtime.
    ///
    /// A call that certainly did not reach a server is made again elsewhere; one that may have reached it is made again only if
    /// its method is idempotent ([`homestay_proto::IDEMPOTENT`]), within its deadline and a budget.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] naming the endpoint that is no address, or if there is none.
    pub fn remote(endpoints: &[String], identity: Identity) -> Result<Self, Error> {
        Self::remote_by(endpoints, identity, Resolver::system())
    }

    /// As [`Channel::remote`], with names looked up by `resolver`.
    ///
    /// # Errors
    /// As [`Channel::remote`].
    pub fn remote_by(endpoints: &[String], identity: Identity, resolver: Resolver) -> Result<Self, Error> {
        Ok(Self {
            link: Link::Remote(Remote::new(endpoints, resolver)?),
            identity,
            methods: None,
        })
    }

    /// The same way, called as somebody else: connections, retry budget and what is known of the peers are shared.
    #[must_use]
    pub fn with_identity(&self, identity: Identity) -> Self {
        Self {
            link: self.link.clone(),
            identity,
            methods: None,
        }
    }

    /// The same way for an api: what `methods`, the table of the server behind it, does not allow the actor of a call is
    /// refused here, as the server would refuse it, and never sent.
    #[must_use]
    pub fn admitting(mut self, methods: Methods) -> Self {
        self.methods = Some(methods);
        self
    }

    fn admit(&self, request: &Request<Body>) -> Result<(), Error> {
        let Some(methods) = self.methods else {
            return Ok(());
        };
        let actor = request.headers().get(ACTOR);
        let actor = actor
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .unwrap_or(Actor::Anonymous);
        guard::admit(methods, request.uri().path(), &actor).map(drop)
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
        if let Err(refused) = self.admit(&request) {
            return Box::pin(async { Err(Status::from(refused)) });
        }
        let headers = request.headers_mut();
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
                    Link::Remote(remote) => remote.call(request, left).await,
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
