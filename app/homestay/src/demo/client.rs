use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;

use super::note;

/// The API of one system.
pub struct Api {
    base: String,
    http: Client,
}

/// An answer.
pub struct Answer {
    what: String,
    pub status: u16,
    pub body: Value,
}

impl Answer {
    fn is(self, status: u16) -> Result<Value, String> {
        if self.status == status {
            return Ok(self.body);
        }
        Err(format!(
            "{}: expected {status}, got {} {}",
            self.what, self.status, self.body
        ))
    }

    /// The body of a 200.
    pub fn ok(self) -> Result<Value, String> {
        self.is(200)
    }

    /// The body of a 201.
    pub fn created(self) -> Result<Value, String> {
        self.is(201)
    }
}

impl Api {
    pub fn new(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            http: homestay_http::client(Duration::from_secs(10)),
        }
    }

    pub async fn get(&self, path: &str, token: Option<&str>) -> Result<Answer, String> {
        self.send(
            self.http.get(format!("{}{path}", self.base)),
            &Method::GET,
            path,
            token,
        )
        .await
    }

    pub async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Result<Answer, String> {
        let request = self.http.post(format!("{}{path}", self.base)).json(body);
        self.send(request, &Method::POST, path, token).await
    }

    /// `POST /v1/orders` with an Idempotency-Key.
    pub async fn book(&self, token: &str, key: &str, body: &Value) -> Result<Answer, String> {
        let path = "/v1/orders";
        let request = self
            .http
            .post(format!("{}{path}", self.base))
            .header("idempotency-key", key)
            .json(body);
        self.send(request, &Method::POST, path, Some(token)).await
    }

    /// Presses a button of a pay page; the status.
    pub async fn press(&self, page: &str, action: &str) -> Result<u16, String> {
        let answer = self.http.post(page).form(&[("action", action)]).send().await;
        let status = answer.map_err(|error| unreached(page, &error))?.status().as_u16();
        note(&format!("→ POST {page} action={action}: {status}"));
        Ok(status)
    }

    async fn send(
        &self,
        request: RequestBuilder,
        verb: &Method,
        path: &str,
        token: Option<&str>,
    ) -> Result<Answer, String> {
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let mut patience = 5;
        let answer = loop {
            let attempt = request
                .try_clone()
                .ok_or("a request with a body that cannot be sent twice")?;
            let answer = attempt
                .send()
                .await
                .map_err(|error| unreached(&self.base, &error))?;
            let Some(wait) = throttled(&answer).filter(|_| patience > 0) else {
                break answer;
            };
            patience -= 1;
            note(&format!(
                "→ {verb} {path}: throttled; again in {} s",
                wait.as_secs()
            ));
            tokio::time::sleep(wait).await;
        };
        let status = answer.status().as_u16();
        let text = answer
            .text()
            .await
            .map_err(|error| unreached(&self.base, &error))?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        // What is only looked at is told by who looks; what changes something, here.
        if verb != Method::GET {
            note(&format!("→ {verb} {path}: {status}"));
        }
        Ok(Answer {
            what: format!("{verb} {path}"),
            status,
            body,
        })
    }
}

/// How long a throttled caller has to wait, if that is not too long to watch.
fn throttled(answer: &Response) -> Option<Duration> {
    let header = answer.headers().get("retry-after")?.to_str().ok()?;
    let wait = Duration::from_secs(header.parse::<u64>().ok()?.max(1));
    (answer.status().as_u16() == 429 && wait <= Duration::from_secs(60)).then_some(wait)
}

fn unreached(address: &str, error: &reqwest::Error) -> String {
    if error.is_connect() {
        format!(
            "nothing answers at {address}: start the system first (cargo run), or give its address with --base"
        )
    } else {
        format!("{address}: {error}")
    }
}

/// Fails with what was expected and what came.
pub fn expect(held: bool, expected: &str, came: &Value) -> Result<(), String> {
    if held {
        Ok(())
    } else {
        Err(format!("expected that {expected}, but got {came}"))
    }
}

/// A text field.
pub fn text(value: &Value, field: &str) -> Result<String, String> {
    value[field]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("expected a text {field:?} in {value}"))
}

/// An integer field.
pub fn number(value: &Value, field: &str) -> Result<i64, String> {
    value[field]
        .as_i64()
        .ok_or_else(|| format!("expected an integer {field:?} in {value}"))
}
