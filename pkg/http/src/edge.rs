use std::sync::LazyLock;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures::{FutureExt, StreamExt};
use homestay_error::{Code, Error};
use homestay_rpc::deadline;
use homestay_telemetry::metrics::Red;
use homestay_telemetry::trace::{self, TraceContext};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument;

use crate::ApiError;
use crate::auth::Keys;
use crate::shape::shape;

static REQUESTS: LazyLock<Red> = LazyLock::new(|| Red::new("http_requests", "route", "HTTP requests"));

/// Longest body a route reads unless it says otherwise (contract.md §1.2).
const BODY_LIMIT: usize = 1 << 20;
/// How much of a body that is too long is read and thrown away.
const DRAINED: usize = 16 * BODY_LIMIT;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What stands around every route: request id, trace, deadline, metrics, shapes of errors, security headers, CORS, limits.
#[derive(Debug, Clone)]
pub struct Edge {
    /// Verifies tokens.
    pub keys: Keys,
    /// Time a request has (design.md §1: 3 s).
    pub deadline: Duration,
    /// The looklook face answers with the reference's statuses.
    pub compat_status: bool,
    /// `X-Real-IP` comes from a gateway of ours.
    pub trust_forwarded: bool,
    /// Origins whose pages may call, such as `https://shop.example`; none by default.
    pub cors_origins: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct TrustForwarded(pub(crate) bool);

impl Edge {
    /// Puts the edge around a router.
    pub fn around(self, router: Router) -> Router {
        let origins: Vec<HeaderValue> = self
            .cors_origins
            .iter()
            .filter_map(|origin| origin.parse().ok())
            .collect();
        let cors = CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                HeaderName::from_static("idempotency-key"),
            ])
            .expose_headers([REQUEST_ID.clone(), header::LOCATION, header::RETRY_AFTER]);
        router
            .fallback(|| async { ApiError(Error::new(Code::RouteNotFound)) })
            .method_not_allowed_fallback(|| async { ApiError(Error::new(Code::MethodNotAllowed)) })
            .layer(DefaultBodyLimit::max(BODY_LIMIT))
            .layer(middleware::from_fn_with_state(self, edge))
            // Outside, so that pages can read the edge's own refusals too.
            .layer(cors)
    }
}

async fn edge(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let context = TraceContext::continued(text(&request, TraceContext::HEADER));
    let trace_id = context.trace_id();
    let request_id = text(&request, REQUEST_ID.as_str())
        .filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()))
        .map_or_else(|| trace_id.clone(), str::to_owned);
    let path = request.uri().path().to_owned();
    // The template, not the path: labels must be bounded.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str);
    let label = format!("{} {route}", verb(request.method()));
    request.extensions_mut().insert(edge.keys.clone());
    request
        .extensions_mut()
        .insert(TrustForwarded(edge.trust_forwarded));

    let span = tracing::info_span!("http", route = %label, trace_id = %trace_id, request_id = %request_id);
    let work = async {
        let handled = std::panic::AssertUnwindSafe(answer(request, next)).catch_unwind();
        let response = match tokio::time::timeout(edge.deadline, handled).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => ApiError(Error::internal("a handler panicked")).into_response(),
            Err(_) => ApiError(Error::new(Code::Timeout)).into_response(),
        };
        let mut response = shape(response, &path, edge.compat_status, &request_id);
        secure(&mut response);
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(REQUEST_ID.clone(), value);
        }
        let took = began.elapsed();
        let status = response.status();
        REQUESTS.observe(&label, status.as_str(), took);
        tracing::debug!(
            status = status.as_u16(),
            duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "request"
        );
        response
    };
    trace::scope(context, deadline::scope(edge.deadline, work))
        .instrument(span)
        .await
}

/// Runs the handler; a body that says it is too long is read to its end first, because a client that is still sending sees a
/// broken connection instead of an answer.
async fn answer(request: Request, next: Next) -> Response {
    let length = text(&request, "content-length")
        .and_then(|text| text.parse::<usize>().ok())
        .unwrap_or(0);
    if length <= BODY_LIMIT || request.extensions().get::<MatchedPath>().is_none() {
        return next.run(request).await;
    }
    let mut read = 0;
    let mut body = request.into_body().into_data_stream();
    while let Some(Ok(chunk)) = body.next().await {
        read += chunk.len();
        if read > DRAINED {
            break;
        }
    }
    ApiError(Error::new(Code::BodyTooLarge)).into_response()
}

fn text<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    request.headers().get(name)?.to_str().ok()
}

fn verb(method: &Method) -> &str {
    match method.as_str() {
        known @ ("GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS") => known,
        _ => "OTHER",
    }
}

/// Headers of the OWASP REST cheat sheet; a handler's own value stays.
fn secure(response: &mut Response) {
    const HEADERS: [(HeaderName, HeaderValue); 5] = [
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
        ),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
}
