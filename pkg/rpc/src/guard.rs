use std::convert::Infallible;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Instant;

use futures::future::BoxFuture;
use homestay_error::{Code, Error};
use homestay_service::Tasks;
use homestay_telemetry::metrics::Red;
use homestay_telemetry::trace::{self, TraceContext};
use http::{Request, Response};
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tonic::Status;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt};
use tracing::Instrument;

use crate::actor::{Actor, Allow};
use crate::channel::code_of;
use crate::{ACTOR, CREDENTIAL, TIMEOUT, deadline};

static REQUESTS: LazyLock<Red> = LazyLock::new(|| Red::new("rpc_server_requests", "method", "Calls served"));

/// A domain's server in this process, guard included.
pub type LocalService = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// Who may call what: full method path (`/homestay.order.v1.Order/Get`) and allowed actors. A method that is not listed is
/// refused to all; a test holds the table against the .proto file.
pub type Methods = &'static [(&'static str, Allow)];

/// The row of a method, if `actor` may call it. Asked twice, of the same table: by the api before it calls
/// ([`crate::Channel::admitting`]), and by the guard before it serves.
///
/// # Errors
/// [`Code::Unauthenticated`] for who has not signed in, else [`Code::Forbidden`].
pub(crate) fn admit(methods: Methods, path: &str, actor: &Actor) -> Result<Allow, Error> {
    match methods.iter().find(|(method, _)| *method == path) {
        Some((_, allow)) if allow.allows(actor) => Ok(*allow),
        Some(_) if *actor == Actor::Anonymous => Err(Error::new(Code::Unauthenticated)),
        _ => Err(Error::new(Code::Forbidden)),
    }
}

/// Stands before every generated server: credential, actor, method table, deadline, trace, metrics. It runs the call on a
/// task of its own, so that a caller that hangs up ends the waiting and not the work. A long poll is nothing but waiting: it
/// ends with its caller.
#[derive(Clone)]
pub struct Guard {
    credential: Arc<str>,
    methods: Methods,
    tasks: Tasks,
    /// Turns for calls; none left, none taken on.
    turns: Option<Arc<Semaphore>>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("methods", &self.methods)
            .finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard that wants `credential` and knows `methods`.
    #[must_use]
    pub fn new(credential: &str, methods: Methods, tasks: Tasks) -> Self {
        Self {
            credential: credential.into(),
            methods,
            tasks,
            turns: None,
        }
    }

    /// Takes on at most this many calls at once, long polls aside, and refuses more at once with [`Code::Overloaded`]. A call
    /// counts until its work is done, whether or not its caller still waits. Clones share the limit.
    #[must_use]
    pub fn limit(mut self, calls: usize) -> Self {
        self.turns = Some(Arc::new(Semaphore::new(calls)));
        self
    }

    /// The same credential and tasks before another server.
    pub(crate) fn over(&self, methods: Methods) -> Self {
        Self {
            methods,
            turns: None,
            ..self.clone()
        }
    }

    /// Puts the guard before a generated server, for [`crate::LocalSlot::bind`].
    pub fn local<S>(&self, server: S) -> LocalService
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        BoxCloneSyncService::new(self.layer(server))
    }

    fn admit(&self, request: &Request<Body>) -> Result<(Actor, Option<OwnedSemaphorePermit>), Error> {
        let headers = request.headers();
        let given = headers
            .get(CREDENTIAL)
            .map(http::HeaderValue::as_bytes)
            .unwrap_or_default();
        if !bool::from(given.ct_eq(self.credential.as_bytes())) {
            return Err(Error::with(Code::Unauthenticated, "internal credential required"));
        }
        let actor: Actor = headers
            .get(ACTOR)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .ok_or_else(|| Error::with(Code::Unauthenticated, "actor required"))?;
        let allow = admit(self.methods, request.uri().path(), &actor)?;
        Ok((actor, self.turn(allow)?))
    }

    fn turn(&self, allow: Allow) -> Result<Option<OwnedSemaphorePermit>, Error> {
        match &self.turns {
            Some(turns) if !allow.is_long_poll() => {
                let turn = turns.clone().try_acquire_owned();
                turn.map(Some).map_err(|_| Error::new(Code::Overloaded))
            }
            _ => Ok(None),
        }
    }
}

/// The actor a guarded request was admitted as.
pub fn actor<T>(request: &tonic::Request<T>) -> Actor {
    request
        .extensions()
        .get::<Actor>()
        .cloned()
        .unwrap_or(Actor::Anonymous)
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;
    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            guard: self.clone(),
            inner,
        }
    }
}

/// Ends a task when it is dropped.
struct Cut(AbortHandle);

impl Drop for Cut {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A server behind its [`Guard`].
#[derive(Debug, Clone)]
pub struct Guarded<S> {
    guard: Guard,
    inner: S,
}

impl<S: tonic::server::NamedService> tonic::server::NamedService for Guarded<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let began = Instant::now();
        let known = self
            .guard
            .methods
            .iter()
            .find(|(method, _)| *method == request.uri().path());
        // Unknown paths share one label: whoever calls must not be able to grow our metrics.
        let method = known.map_or("unknown", |(method, _)| method.trim_start_matches('/'));
        let (actor, turn) = match self.guard.admit(&request) {
            Ok(admitted) => admitted,
            Err(error) => {
                let response = Status::from(error).into_http();
                REQUESTS.observe(method, code_of(Ok(&response)), began.elapsed());
                return Box::pin(async { Ok(response) });
            }
        };
        request.extensions_mut().insert(actor);
        let text = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok());
        let context = TraceContext::continued(text(TraceContext::HEADER));
        let left = request
            .headers()
            .get(TIMEOUT)
            .and_then(deadline::from_header)
            .unwrap_or(deadline::CALL);
        let inner = self.inner.clone();
        let span = tracing::info_span!("rpc", method, trace_id = %context.trace_id());
        let work = async move {
            let response = inner.oneshot(request).await;
            drop(turn);
            response
        };
        let work = trace::scope(context, deadline::scope(left, work)).instrument(span);
        let long_poll = known.is_some_and(|(_, allow)| allow.is_long_poll());
        let task = self.guard.tasks.spawn(work);
        let cut = long_poll.then(|| Cut(task.abort_handle()));
        Box::pin(async move {
            let _cut = cut;
            let response = match task.await {
                Ok(Ok(response)) => response,
                Ok(Err(never)) => match never {},
                Err(_) => Status::from(Error::internal("the handler panicked")).into_http(),
            };
            REQUESTS.observe(method, code_of(Ok(&response)), began.elapsed());
            Ok(response)
        })
    }
}
