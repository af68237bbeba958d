use std::error::Error as StdError;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use homestay_error::{Code, Error};
use homestay_proto::IDEMPOTENT;
use homestay_telemetry::metrics;
use http::{Request, Response, request};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use prometheus::IntCounterVec;
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;
use tower::retry::budget::{Budget, TpsBudget};
use tower::{Service, ServiceExt};

use crate::peers::{Peer, Peers};
use crate::resolve::{Resolver, Source};
use crate::{TIMEOUT, deadline};

/// Repetitions of one call after a pause.
const AGAIN: u32 = 2;
/// Middle of the pause before the first; it doubles.
const PAUSE: Duration = Duration::from_millis(50);
/// Repetitions are a fifth of all calls at most, counted over this time, and always a few a second.
const WINDOW: Duration = Duration::from_secs(10);
const SHARE: f32 = 0.2;
const FEW: u32 = 5;

static RETRIES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    metrics::counter(
        "rpc_client_retries_total",
        "Calls sent again: to another peer as nobody answered at the first (elsewhere), after a pause (again); or not, as the \
         budget was spent (refused).",
        &["method", "how"],
    )
});

/// A domain's servers in other processes.
#[derive(Debug, Clone)]
pub(crate) struct Remote(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    peers: Arc<Peers>,
    budget: TpsBudget,
}

/// What is known of a call that failed.
struct Failure {
    answer: Result<Response<Body>, Status>,
    /// It certainly did not reach a handler.
    never_sent: bool,
    /// The transport was the first to see the deadline pass.
    timed_out: bool,
}

impl Remote {
    pub(crate) fn new(endpoints: &[String], resolver: Resolver) -> Result<Self, Error> {
        if endpoints.is_empty() {
            return Err(Error::invalid("endpoints", "must name at least one address"));
        }
        let sources: Result<Vec<Source>, Error> = endpoints.iter().map(|text| Source::parse(text)).collect();
        Ok(Self(Arc::new(Inner {
            peers: Peers::follow(sources?, resolver),
            budget: TpsBudget::new(WINDOW, FEW, SHARE),
        })))
    }

    /// Makes the call, and makes it again where that is safe and may help. The caller cuts it at its deadline, `left` from now.
    pub(crate) async fn call(
        &self,
        request: Request<Body>,
        left: Duration,
    ) -> Result<Response<Body>, Status> {
        let until = Instant::now() + left;
        self.0.budget.deposit();
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let method = path.trim_start_matches('/');
        let repeatable = IDEMPOTENT.binary_search(&path).is_ok();
        // One message, encoded once: collecting it copies nothing.
        let body = body.collect().await?.to_bytes();

        let mut tried: Vec<Arc<Peer>> = Vec::new();
        let mut failed: Option<Failure> = None;
        let mut repeated = 0;
        loop {
            if let Some(turn) = self.0.peers.pick(&tried).await {
                if !tried.is_empty() {
                    RETRIES.with_label_values(&[method, "elsewhere"]).inc();
                }
                let failure = match self.send(turn.peer(), &head, &body, until).await {
                    Ok(response) => {
                        turn.answered();
                        return Ok(response);
                    }
                    Err(failure) => failure,
                };
                if !failure.timed_out {
                    turn.answered();
                }
                let never_sent = failure.never_sent;
                if never_sent {
                    tried.push(turn.peer().clone());
                }
                failed = Some(failure);
                if never_sent {
                    // At once: it costs nobody anything, and each peer is asked once.
                    continue;
                }
            }
            let failure = failed.take().unwrap_or_else(|| {
                self.0.peers.trouble();
                Failure {
                    answer: Err(Error::unavailable("the peer's name has no address").into()),
                    never_sent: true,
                    timed_out: false,
                }
            });
            if repeated == AGAIN || !(repeatable || failure.never_sent) {
                return failure.answer;
            }
            let pause = PAUSE * 2u32.pow(repeated);
            let pause = pause.mul_f64(rand::random_range(0.5..1.5));
            if Instant::now() + pause >= until {
                return failure.answer;
            }
            if !self.0.budget.withdraw() {
                RETRIES.with_label_values(&[method, "refused"]).inc();
                return failure.answer;
            }
            RETRIES.with_label_values(&[method, "again"]).inc();
            tokio::time::sleep(pause).await;
            repeated += 1;
            tried.clear();
        }
    }

    async fn send(
        &self,
        peer: &Peer,
        head: &request::Parts,
        body: &Bytes,
        until: Instant,
    ) -> Result<Response<Body>, Failure> {
        let mut request = Request::new(Body::new(Full::new(body.clone())));
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.uri.clone();
        *request.version_mut() = head.version;
        request.headers_mut().clone_from(&head.headers);
        let left = until.saturating_duration_since(Instant::now());
        request.headers_mut().insert(TIMEOUT, deadline::to_header(left));

        let mut channel = peer.channel.clone();
        let answer = match channel.ready().await {
            Ok(ready) => ready.call(request).await,
            Err(cause) => Err(cause),
        };
        match answer {
            Ok(response) => {
                peer.awake();
                let status = response.headers().get("grpc-status");
                if status
                    .is_some_and(|code| tonic::Code::from_bytes(code.as_bytes()) == tonic::Code::Unavailable)
                {
                    return Err(Failure {
                        answer: Ok(response),
                        never_sent: false,
                        timed_out: false,
                    });
                }
                Ok(response)
            }
            Err(cause) => Err(self.failure(peer, cause)),
        }
    }

    fn failure(&self, peer: &Peer, cause: tonic::transport::Error) -> Failure {
        let mut never_sent = false;
        let mut error: Option<&(dyn StdError + 'static)> = Some(&cause);
        while let Some(this) = error {
            if this.is::<tonic::TimeoutExpired>() {
                // The transport, too, reads the deadline from the header, and may be the first to see it pass.
                return Failure {
                    answer: Err(Error::new(Code::Timeout).into()),
                    never_sent,
                    timed_out: true,
                };
            }
            if this.is::<tonic::ConnectError>() {
                self.0.peers.rest(peer);
                never_sent = true;
            }
            if let Some(hyper) = this.downcast_ref::<hyper::Error>() {
                never_sent |= hyper.is_canceled();
            }
            if let Some(h2) = this.downcast_ref::<h2::Error>() {
                never_sent |= is_refusal(h2);
            }
            error = this.source();
        }
        self.0.peers.trouble();
        Failure {
            answer: Err(Error::unavailable(cause).into()),
            never_sent,
            timed_out: false,
        }
    }
}

/// A server that stops says which streams it will not serve.
fn is_refusal(error: &h2::Error) -> bool {
    let reason = error.reason();
    (error.is_go_away() && error.is_remote() && reason == Some(h2::Reason::NO_ERROR))
        || (error.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM))
}
