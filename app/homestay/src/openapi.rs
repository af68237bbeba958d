//! The OpenAPI 3.1 document of the REST face, from the handlers' own types, and its page at `/docs`.

use axum::Router;
use axum::http::{HeaderValue, header};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, LicenseBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

/// The routes of the REST face together with `/openapi.json` and `/docs`.
pub fn documented(rest: OpenApiRouter) -> Router {
    let (router, mut api) = rest.split_for_parts();
    api.info = InfoBuilder::new()
        .title("homestay")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Booking of homestays. Amounts are integer cents with a currency, dates are civil dates of the house, lists are \
             paged by an opaque cursor, errors are RFC 9457 problem details. Send an Idempotency-Key with every POST that \
             books or spends.",
        ))
        .license(Some(LicenseBuilder::new().name("MIT").build()))
        .build();
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    api.components
        .get_or_insert_with(Components::new)
        .add_security_scheme("bearer", scheme);
    // The page brings its own scripts and styles; everywhere else nothing may be loaded.
    let policy = HeaderValue::from_static(
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
    );
    let page = Router::from(SwaggerUi::new("/docs").url("/openapi.json", api)).layer(
        SetResponseHeaderLayer::overriding(header::CONTENT_SECURITY_POLICY, policy),
    );
    router.merge(page)
}
