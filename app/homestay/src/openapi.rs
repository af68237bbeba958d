//! The OpenAPI 3.1 document of the REST face, from the handlers' own types, and its page at `/docs`.

use axum::Router;
use axum::http::{HeaderValue, header};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    Components, Content, Header, InfoBuilder, LicenseBuilder, Object, OpenApi, Ref, RefOr, ResponseBuilder,
    Type,
};
use utoipa_swagger_ui::SwaggerUi;

/// `/openapi.json` and `/docs` of the REST face.
pub fn page(mut api: OpenApi) -> Router {
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
    for item in api.paths.paths.values_mut() {
        operations(item).for_each(complete);
    }
    // The page brings its own scripts and styles; everywhere else nothing may be loaded.
    let policy = HeaderValue::from_static(
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
    );
    Router::from(SwaggerUi::new("/docs").url("/openapi.json", api)).layer(SetResponseHeaderLayer::overriding(
        header::CONTENT_SECURITY_POLICY,
        policy,
    ))
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .flatten()
}

/// Adds what the edge does to every operation: the refusals and failures all share, and the headers of their answers. What
/// the operation itself says of a status stays.
fn complete(operation: &mut Operation) {
    let mut shared = vec![
        (
            "400",
            "`INVALID_ARGUMENT`: something in the request is missing or wrong",
        ),
        ("429", "`TOO_MANY_REQUESTS`"),
        ("500", "Our failure"),
        ("503", "Overloaded, or something needed does not answer in time"),
    ];
    if operation.security.is_some() {
        shared.push(("401", "`UNAUTHENTICATED`: no token, or a bad one"));
    }
    if operation.request_body.is_some() {
        shared.push(("413", "`BODY_TOO_LARGE`: a body has at most 1 MiB"));
        shared.push((
            "415",
            "`UNSUPPORTED_MEDIA_TYPE`: the body is not application/json",
        ));
    }
    let responses = &mut operation.responses.responses;
    for (status, description) in shared {
        responses.entry(status.to_owned()).or_insert_with(|| {
            let problem = Content::new(Some(Ref::from_schema_name("Problem")));
            ResponseBuilder::new()
                .description(description)
                .content("application/problem+json", problem)
                .build()
                .into()
        });
    }
    for (status, response) in responses {
        let RefOr::T(response) = response else { continue };
        let mut header = |name: &str, header: Header| {
            response
                .headers
                .entry(name.to_owned())
                .or_insert_with(|| header.into());
        };
        header(
            "X-Request-Id",
            described(
                "Id of the request: the one that was sent, or a new one",
                Type::String,
            ),
        );
        if matches!(status.as_str(), "429" | "503") {
            header(
                "Retry-After",
                described("Seconds after which to come again", Type::Integer),
            );
        }
    }
}

fn described(description: &str, kind: Type) -> Header {
    HeaderBuilder::new()
        .schema(Some(Object::with_type(kind)))
        .description(Some(description))
        .build()
}
