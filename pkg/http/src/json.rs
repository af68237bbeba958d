use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use homestay_error::{Code, Error};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ApiError;
use crate::extract::NUL;
use crate::shape::{Face, face};

/// A JSON body. As an extractor it names the field that is missing or of the wrong type; an absent body is `{}`. A body that
/// is not JSON by its `Content-Type` is refused, on the looklook face it counts as absent (contract.md §1.2).
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let json = is_json(request.headers());
        let face = face(request.uri().path());
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| unreadable(&rejection))?;
        match (json, face) {
            _ if body.is_empty() => parse(b"{}").map(Json),
            (true, _) => parse(&body).map(Json),
            (false, Face::Looklook) => parse(b"{}").map(Json),
            (false, Face::Rest) => Err(Error::new(Code::UnsupportedMediaType).into()),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let essence = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn unreadable(rejection: &BytesRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Error::new(Code::BodyTooLarge).into()
    } else {
        // A body that was cut short, or chunks that are none.
        Error::with(Code::InvalidArgument, "the body could not be read to its end")
            .field("body")
            .into()
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| refuse(&error))?;
    reader
        .end()
        .map_err(|_| Error::invalid("body", "has something after its JSON value"))?;
    // Nothing else writes this character in JSON.
    if body.windows(NUL_ESCAPE.len()).any(|part| part == NUL_ESCAPE)
        && let Ok(read) = serde_json::from_slice(body)
        && let Some(field) = field_with_nul(&read)
    {
        let field = if field.is_empty() {
            "body".to_owned()
        } else {
            field
        };
        return Err(Error::invalid(field, NUL).into());
    }
    Ok(value)
}

const NUL_ESCAPE: &[u8] = br"\u0000";

/// The way to the first text with a NUL, or to the object that has one in a name.
fn field_with_nul(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => items.iter().enumerate().find_map(|(n, item)| {
            let rest = field_with_nul(item)?;
            Some(join(&format!("[{n}]"), &rest))
        }),
        Value::Object(fields) => fields.iter().find_map(|(name, field)| {
            if name.contains('\0') {
                return Some(String::new());
            }
            Some(join(name, &field_with_nul(field)?))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn join(name: &str, rest: &str) -> String {
    if rest.is_empty() || rest.starts_with('[') {
        format!("{name}{rest}")
    } else {
        format!("{name}.{rest}")
    }
}

fn refuse(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let path = error.path().to_string();
    let inner = error.inner();
    let text = inner.to_string();
    if inner.is_syntax() || inner.is_eof() {
        return Error::invalid("body", "is not JSON").into();
    }
    // serde names both in back ticks; the path of a missing field ends at its parent, that of an unknown one at itself.
    if let Some(name) = text
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next())
    {
        let field = if path == "." {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        };
        return Error::with(Code::InvalidArgument, format!("field {field:?} is not set"))
            .field(field)
            .into();
    }
    if text.starts_with("unknown field `") {
        return Error::with(Code::InvalidArgument, format!("field {path:?} is not known here"))
            .field(path)
            .into();
    }
    let what = text.split(" at line ").next().unwrap_or(&text).to_owned();
    if path == "." {
        return Error::invalid("body", format!("is not what this route takes: {what}")).into();
    }
    Error::with(
        Code::InvalidArgument,
        format!("field {path:?} has the wrong type: {what}"),
    )
    .field(path)
    .into()
}

/// The looklook envelope of a success: `{"code":200,"msg":"OK","data":…}` (contract.md §1.2).
#[derive(Debug, Serialize)]
pub struct Envelope<T> {
    code: i64,
    msg: &'static str,
    data: T,
}

/// Wraps the data of a looklook route.
pub fn envelope<T>(data: T) -> Envelope<T> {
    Envelope {
        code: 200,
        msg: "OK",
        data,
    }
}

impl<T: Serialize> IntoResponse for Envelope<T> {
    fn into_response(self) -> Response {
        axum::Json(self).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Body {
        homestay_id: i64,
        #[serde(default)]
        guests: Option<Guests>,
    }

    #[derive(Debug, serde::Deserialize)]
    struct Guests {
        #[expect(dead_code, reason = "only its type matters")]
        adults: i64,
    }

    #[tokio::test]
    async fn a_body_that_is_not_json_is_refused_by_rest_and_absent_for_looklook() {
        for (path, kind, want) in [
            ("/order/v1/x", "application/json", Ok(3)),
            ("/order/v1/x", "text/plain", Err(Code::InvalidArgument)),
            ("/order/v1/x", "", Err(Code::InvalidArgument)),
            ("/v1/orders", "application/json; charset=utf-8", Ok(3)),
            ("/v1/orders", "text/plain", Err(Code::UnsupportedMediaType)),
            ("/v1/orders", "", Err(Code::UnsupportedMediaType)),
        ] {
            let request = Request::post(path)
                .header(header::CONTENT_TYPE, kind)
                .body(r#"{"homestayId":3}"#.into())
                .unwrap();
            let got = Json::<Body>::from_request(request, &()).await;
            if let Err(ApiError(error)) = &got
                && error.code() == Code::InvalidArgument
            {
                assert_eq!(
                    error.message(),
                    "field \"homestayId\" is not set",
                    "{path} {kind}"
                );
            }
            let got = got.map(|body| body.0.homestay_id).map_err(|error| error.0.code());
            assert_eq!(got, want, "{path} {kind}");
        }
    }

    #[test]
    fn a_nul_in_a_text_is_refused_by_the_way_to_it() {
        for (body, field) in [
            (r#"{"reason":"a\u0000"}"#, Some("reason")),
            (
                r#"{"seasons":[{"name":"a"},{"name":"\u0000"}]}"#,
                Some("seasons[1].name"),
            ),
            (r#"["\u0000"]"#, Some("[0]")),
            (r#""\u0000""#, Some("body")),
            (r#"{"a":{"\u0000":1}}"#, Some("a")),
            (r#"{"reason":"a\\u0000"}"#, None),
        ] {
            let refused = parse::<Value>(body.as_bytes()).err();
            let refused = refused.as_ref().and_then(|error| error.0.field_name());
            assert_eq!(refused, field, "{body}");
        }
    }

    #[test]
    fn a_bad_body_names_the_field() {
        let cases: [(&str, &str, &str); 7] = [
            ("{}", "homestayId", "field \"homestayId\" is not set"),
            (
                r#"{"homestayId":"7"}"#,
                "homestayId",
                "field \"homestayId\" has the wrong type: invalid type: string \"7\", expected i64",
            ),
            (
                r#"{"homestayId":1,"guests":{}}"#,
                "guests.adults",
                "field \"guests.adults\" is not set",
            ),
            (r#"{"homestayId":1,"x":1}"#, "x", "field \"x\" is not known here"),
            (r#"{"homestayId":1"#, "body", "body is not JSON"),
            (
                "7",
                "body",
                "body is not what this route takes: invalid type: integer `7`, expected struct Body",
            ),
            (
                r#"{"homestayId":1} x"#,
                "body",
                "body has something after its JSON value",
            ),
        ];
        for (body, field, message) in cases {
            let error = parse::<Body>(body.as_bytes()).unwrap_err().0;
            assert_eq!(
                (error.field_name(), error.message()),
                (Some(field), message),
                "{body}"
            );
        }
        let body = parse::<Body>(br#"{"homestayId":3}"#).unwrap();
        assert_eq!((body.homestay_id, body.guests.is_none()), (3, true));
    }
}
