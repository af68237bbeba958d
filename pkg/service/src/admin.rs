use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use homestay_telemetry::metrics;
use serde_json::json;

use crate::Health;

/// Routes of the admin port: `/metrics`, `/livez`, `/readyz`, `/startupz`. Not for guests: it listens on its own address.
pub fn admin(health: Health) -> Router {
    let (ready, startup) = (health.clone(), health);
    Router::new()
        .route(
            "/metrics",
            get(|| async {
                (
                    [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
                    metrics::render(),
                )
            }),
        )
        // Alive as long as it answers: a missing database is no reason to be killed.
        .route("/livez", get(|| async { "ok" }))
        .route(
            "/readyz",
            get(|| async move {
                let reasons = ready.unready().await;
                let status = if reasons.is_empty() {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                };
                (
                    status,
                    axum::Json(json!({ "ready": reasons.is_empty(), "reasons": reasons })),
                )
                    .into_response()
            }),
        )
        .route(
            "/startupz",
            get(|| async move {
                if startup.is_started() {
                    (StatusCode::OK, String::new())
                } else {
                    (StatusCode::SERVICE_UNAVAILABLE, startup.waits_for())
                }
            }),
        )
}
