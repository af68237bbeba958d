use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

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
        answer
            .map(|answer| answer.status().as_u16())
            .map_err(|error| unreached(page, &error))
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
        let answer = request
            .send()
            .await
            .map_err(|error| unreached(&self.base, &error))?;
        let status = answer.status().as_u16();
        let text = answer
            .text()
            .await
            .map_err(|error| unreached(&self.base, &error))?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer {
            what: format!("{verb} {path}"),
            status,
            body,
        })
    }
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
