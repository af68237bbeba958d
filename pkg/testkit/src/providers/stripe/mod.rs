//! Stripe, as far as a merchant with a hosted pay page sees it.

mod books;

use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use homestay_clock::Clock;
use homestay_service::Tasks;
use ring::hmac;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use self::books::{Answer, Books, Form, intent_id, no};
use super::faults::{Faults, broken};
use super::{Delivery, Fault};

const SECRET_KEY: &str = "sk_test_simulator";
const WEBHOOK_SECRET: &str = "whsec_simulator";

/// Stripe for one account. Clones share everything.
#[derive(Clone)]
pub struct StripeSimulator(Arc<Inner>);

struct Inner {
    clock: Clock,
    address: String,
    books: Mutex<Books>,
    events: Mutex<Vec<Vec<u8>>>,
    faults: Faults,
}

impl std::fmt::Debug for StripeSimulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StripeSimulator").field(&self.0.address).finish()
    }
}

impl StripeSimulator {
    /// The account's secret key.
    pub const SECRET_KEY: &str = SECRET_KEY;
    /// The signing secret of its webhook endpoint.
    pub const WEBHOOK_SECRET: &str = WEBHOOK_SECRET;

    /// Starts one on a port of its own, by the test's clock.
    ///
    /// # Panics
    /// If it cannot listen.
    pub async fn start(clock: &Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let simulator = Self(Arc::new(Inner {
            clock: clock.clone(),
            address: format!("http://{}", listener.local_addr().expect("an address")),
            books: Mutex::default(),
            events: Mutex::default(),
            faults: Faults::default(),
        }));
        let app = Router::new().fallback(handle).with_state(simulator.clone());
        Tasks::new().detach(async move {
            let _ = axum::serve(listener, app).await;
        });
        simulator
    }

    /// Where it is.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.0.address
    }

    /// Misbehaves in `create`, `get`, `expire`, `intent`, `refund` or `refunds` from now on.
    pub fn fail(&self, call: &'static str, fault: Fault) {
        self.0.faults.set(call, fault);
    }

    /// Breaks every connection from now on.
    pub fn cut_off(&self) {
        self.0.faults.cut_off();
    }

    /// Behaves again.
    pub fn heal(&self) {
        self.0.faults.heal();
    }

    /// How often one of its calls was made.
    #[must_use]
    pub fn calls(&self, call: &str) -> usize {
        self.0.faults.count(call)
    }

    /// Forgets all idempotency keys, as Stripe does after a day.
    pub fn forget_keys(&self) {
        self.books().forget_keys();
    }

    fn now_s(&self) -> i64 {
        self.0.clock.now_ms().div_euclid(1000)
    }

    /// The books as they stand now: sessions whose time is over are over.
    fn books(&self) -> MutexGuard<'_, Books> {
        let mut books = self.0.books.lock().expect("books");
        for id in books.expire(self.now_s()) {
            let session = books.session(&id, false);
            self.tell("checkout.session.expired", &session);
        }
        books
    }

    /// The payer pays on the page of the payment's session; false if that cannot be done any more. An event waits.
    pub fn pay(&self, payment_sn: &str) -> bool {
        self.complete(payment_sn, "succeeded")
    }

    /// The payer is done, and the money takes its time until [`StripeSimulator::settle`].
    pub fn pay_slowly(&self, payment_sn: &str) -> bool {
        self.complete(payment_sn, "processing")
    }

    fn complete(&self, payment_sn: &str, intent: &'static str) -> bool {
        let mut books = self.books();
        let Some(id) = books.of(payment_sn) else {
            return false;
        };
        let done = books.complete(&id, intent, self.now_s());
        if done {
            self.tell("checkout.session.completed", &books.session(&id, false));
        }
        done
    }

    /// Money on its way arrives, or does not. An event waits.
    pub fn settle(&self, payment_sn: &str, arrives: bool) -> bool {
        let mut books = self.books();
        let Some(id) = books.of(payment_sn) else {
            return false;
        };
        let done = books.settle(&id, arrives, self.now_s());
        if done {
            let outcome = if arrives { "succeeded" } else { "failed" };
            let kind = format!("checkout.session.async_payment_{outcome}");
            self.tell(&kind, &books.session(&id, false));
        }
        done
    }

    /// Refunds stay pending until [`StripeSimulator::end_refund`].
    pub fn refund_slowly(&self) {
        self.books().slow_refunds = true;
    }

    /// The newest refund with our number ends as `succeeded`, `failed` or `canceled` if it is pending, or bounces: `failed` after
    /// it had succeeded. Events wait.
    pub fn end_refund(&self, refund_sn: &str, status: &'static str) -> bool {
        let id = self.books().refund_of(refund_sn);
        id.is_some_and(|id| self.end(&id, status))
    }

    /// A pending refund that somebody made in the dashboard succeeds. Events wait.
    pub fn settle_in_dashboard(&self, payment_sn: &str) -> bool {
        self.end_by_hand(payment_sn, "succeeded")
    }

    /// A refund that somebody made in the dashboard bounces. Events wait.
    pub fn bounce_in_dashboard(&self, payment_sn: &str) -> bool {
        self.end_by_hand(payment_sn, "failed")
    }

    fn end_by_hand(&self, payment_sn: &str, status: &'static str) -> bool {
        let books = self.books();
        let session = books.of(payment_sn);
        let id = session.and_then(|session| books.refund_by_hand(&session));
        drop(books);
        id.is_some_and(|id| self.end(&id, status))
    }

    fn end(&self, id: &str, status: &'static str) -> bool {
        let mut books = self.books();
        let ended = books.end_refund(id, status);
        if ended {
            let refund = books.refund_object(id);
            if status == "failed" {
                self.tell("refund.failed", &refund);
            }
            self.tell("refund.updated", &refund);
        }
        ended
    }

    /// Somebody refunds in Stripe's dashboard: nothing of ours stands in the refund. Events wait.
    pub fn refund_in_dashboard(&self, payment_sn: &str, amount: i64) -> bool {
        let mut books = self.books();
        let Some(session) = books.of(payment_sn) else {
            return false;
        };
        let form = Form::from([
            ("payment_intent".to_owned(), intent_id(&session)),
            ("amount".to_owned(), amount.to_string()),
        ]);
        let (status, refund) = books.refund(&form);
        if status == 200 {
            self.tell("refund.created", &refund);
        }
        status == 200
    }

    /// What has gone back of a payment.
    #[must_use]
    pub fn refunded(&self, payment_sn: &str) -> i64 {
        let books = self.books();
        books.of(payment_sn).map_or(0, |session| books.refunded(&session))
    }

    /// How many refunds it knows.
    #[must_use]
    pub fn refunds(&self) -> usize {
        self.books().refunds.len()
    }

    /// How many sessions a payment has had.
    #[must_use]
    pub fn sessions(&self, payment_sn: &str) -> usize {
        self.books().sessions_of(payment_sn)
    }

    /// The status of the payment's session: `open`, `complete` or `expired`.
    #[must_use]
    pub fn status(&self, payment_sn: &str) -> String {
        let books = self.books();
        let session = books.of(payment_sn).map(|id| books.session(&id, false));
        session.map_or_else(String::new, |session| {
            session["status"].as_str().unwrap_or_default().to_owned()
        })
    }

    fn tell(&self, kind: &str, object: &Value) {
        let event = self.event(kind, object);
        self.0.events.lock().expect("events").push(event);
    }

    /// The events that wait, oldest first, signed now. They wait no more: forgetting one loses it.
    #[must_use]
    pub fn take(&self) -> Vec<Delivery> {
        drop(self.books());
        let waiting = std::mem::take(&mut *self.0.events.lock().expect("events"));
        waiting.into_iter().map(|body| self.sign(body)).collect()
    }

    /// The body of an event of any content.
    #[must_use]
    pub fn event(&self, kind: &str, object: &Value) -> Vec<u8> {
        let mut events = 0;
        for byte in kind.bytes().chain(object.to_string().bytes()) {
            events = (events * 31 + u64::from(byte)) % 1_000_000_007;
        }
        let event = json!({
            "id": format!("evt_{events}"), "object": "event", "api_version": "2024-06-20",
            "created": self.now_s(), "type": kind, "livemode": false, "data": { "object": object },
        });
        serde_json::to_vec(&event).expect("JSON")
    }

    /// Any body, signed now.
    #[must_use]
    pub fn sign(&self, body: Vec<u8>) -> Delivery {
        Self::sign_as(WEBHOOK_SECRET, self.now_s(), body)
    }

    /// Any body, signed with any secret at any time.
    #[must_use]
    pub fn sign_as(secret: &str, at_s: i64, body: Vec<u8>) -> Delivery {
        let mut text = format!("{at_s}.").into_bytes();
        text.extend_from_slice(&body);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), &text);
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let headers = vec![
            (
                "stripe-signature".to_owned(),
                format!("t={at_s},v1={hex},v0={hex}"),
            ),
            ("content-type".to_owned(), "application/json".to_owned()),
        ];
        Delivery { headers, body }
    }

    /// What the books say, and whether they said it to this key before.
    fn answer(&self, call: &str, uri: &Uri, fault: Option<Fault>, key: &str, body: &[u8]) -> (Answer, bool) {
        let form: Form = form_urlencoded::parse(body).into_owned().collect();
        let query: Form = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
        let expanded = query.contains_key("expand[]");
        let id = uri.path().split('/').nth(4).unwrap_or_default();
        let request = format!("{} {form:?}", uri.path());
        let (now_s, mut books) = (self.now_s(), self.books());
        let faulty = |books: &mut Books, work: &mut dyn FnMut(&mut Books) -> Answer| match fault {
            Some(Fault::Refuse(code)) => no(400, code),
            Some(Fault::Broken) => books::broken(),
            Some(Fault::BrokenAfter) => {
                work(books);
                books::broken()
            }
            _ => work(books),
        };
        let answer = match call {
            "create" => {
                let mut make = |books: &mut Books| books.create(form.clone(), now_s);
                return books.once(key, request, |books| faulty(books, &mut make));
            }
            "get" => books.get(id, expanded),
            "expire" => {
                let answer = books.close(id);
                if answer.0 == 200 {
                    self.tell("checkout.session.expired", &answer.1);
                }
                answer
            }
            "intent" => books.get_intent(uri.path().rsplit('/').next().unwrap_or_default(), expanded),
            "refunds" => books.refunds_of(query.get("payment_intent").map_or("", String::as_str)),
            "refund" => {
                let before = books.refunds.len();
                let mut make = |books: &mut Books| books.refund(&form);
                let answer = books.once(key, request, |books| faulty(books, &mut make));
                if books.refunds.len() > before {
                    let made = books.refunds.last_key_value().map(|(id, _)| id.clone());
                    let refund = books.refund_object(&made.expect("a refund"));
                    self.tell("refund.created", &refund);
                    if refund["status"] == "succeeded" {
                        self.tell("refund.updated", &refund);
                    }
                }
                return answer;
            }
            _ => no(404, "unknown_route"),
        };
        (answer, false)
    }
}

fn call(method: &Method, path: &str) -> &'static str {
    match (method.as_str(), path) {
        ("POST", "/v1/checkout/sessions") => "create",
        ("POST", path) if path.ends_with("/expire") => "expire",
        ("GET", path) if path.starts_with("/v1/checkout/sessions/") => "get",
        ("GET", path) if path.starts_with("/v1/payment_intents/") => "intent",
        ("GET", "/v1/refunds") => "refunds",
        ("POST", "/v1/refunds") => "refund",
        _ => "",
    }
}

async fn handle(
    State(simulator): State<StripeSimulator>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = call(&method, uri.path());
    let fault = simulator.0.faults.of(call);
    if simulator.0.faults.is_cut_off() {
        return broken();
    }
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let keyed = matches!(call, "create" | "refund");
    let ((status, said), replayed) = match fault {
        Some(Fault::Down) => (no(503, ""), false),
        Some(Fault::Refuse(code)) if !keyed => (no(400, code), false),
        Some(Fault::Broken | Fault::BrokenAfter) if !keyed => (books::broken(), false),
        _ if header("authorization") != format!("Bearer {SECRET_KEY}") => (no(401, ""), false),
        _ => {
            if let Some(Fault::Slow(wait)) = fault {
                tokio::time::sleep(wait).await;
            }
            simulator.answer(call, &uri, fault, header("idempotency-key"), &body)
        }
    };
    if fault == Some(Fault::AnswerLost) {
        return broken();
    }
    let mut response = Response::builder().status(status);
    if replayed {
        response = response.header("idempotent-replayed", "true");
    }
    response
        .header("content-type", "application/json")
        .body(Body::from(serde_json::to_vec(&said).expect("JSON")))
        .expect("an answer")
}
