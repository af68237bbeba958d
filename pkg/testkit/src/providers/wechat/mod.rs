//! WeChat Pay, API v3, as far as a merchant sees it.

mod books;
mod crypto;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use homestay_clock::{Clock, secret_code};
use homestay_service::Tasks;
use ring::signature::RsaKeyPair;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use self::books::{Answer, Books, no, rfc3339};
use self::crypto::{has_signed, key, seal, sign};
use super::faults::{Faults, broken};
use super::{Delivery, Fault};

const APP_ID: &str = "wxsimulator0000001";
const MCH_ID: &str = "1900000109";
/// As the certificate of the key beside this file has it.
const MERCHANT_SERIAL: &str = "4F86A29A8C0B0B1CADCDDAED9963E9A7716EE5A0";
const API_V3_KEY: &str = "simulator-api-v3-key-32-bytes-00";
const PLATFORM_SERIAL: &str = "4F40CB3DE8C13EEB15D8958745BA5B65CF1DAAF9";
const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_0119000001092026112100000001";
/// How far a request's time may be off, seconds.
const WINDOW_S: u64 = 300;

/// WeChat Pay for one merchant. Clones share everything.
#[derive(Clone)]
pub struct WechatSimulator(Arc<Inner>);

struct Inner {
    clock: Clock,
    address: String,
    merchant: RsaKeyPair,
    /// Of the certificate, and of the public key.
    platform: [RsaKeyPair; 2],
    books: Mutex<Books>,
    nonces: Mutex<HashSet<String>>,
    outbox: Mutex<Vec<(String, Value)>>,
    faults: Faults,
}

impl std::fmt::Debug for WechatSimulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WechatSimulator").field(&self.0.address).finish()
    }
}

impl WechatSimulator {
    /// Starts one on a port of its own, by the test's clock.
    ///
    /// # Panics
    /// If it cannot listen.
    pub async fn start(clock: &Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let simulator = Self(Arc::new(Inner {
            clock: clock.clone(),
            address: format!("http://{}", listener.local_addr().expect("an address")),
            merchant: key(Self::MERCHANT_KEY),
            platform: [
                key(include_str!("../keys/platform-a.key.pem")),
                key(include_str!("../keys/platform-b.key.pem")),
            ],
            books: Mutex::default(),
            nonces: Mutex::default(),
            outbox: Mutex::default(),
            faults: Faults::default(),
        }));
        let app = Router::new().fallback(handle).with_state(simulator.clone());
        Tasks::new().detach(async move {
            let _ = axum::serve(listener, app).await;
        });
        simulator
    }

    /// AppID of the merchant's mini program.
    pub const APP_ID: &str = APP_ID;
    /// The merchant's number.
    pub const MCH_ID: &str = MCH_ID;
    /// Serial number of the merchant's certificate.
    pub const MERCHANT_SERIAL: &str = MERCHANT_SERIAL;
    /// The merchant's private key, which is good for nothing else.
    pub const MERCHANT_KEY: &str = include_str!("../keys/merchant.key.pem");
    /// The merchant's APIv3 key.
    pub const API_V3_KEY: &str = API_V3_KEY;
    /// The platform's certificate.
    pub const CERTIFICATE: &str = include_str!("../keys/platform-a.crt.pem");

    /// The platform's public key, with its id above.
    #[must_use]
    pub fn public_key() -> String {
        format!("{PUBLIC_KEY_ID}\n{}", include_str!("../keys/platform-b.pub.pem"))
    }

    /// Where it is.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.0.address
    }

    /// Misbehaves in `prepay`, `query`, `close`, `refund` or `refunds` from now on.
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

    /// How often `prepay`, `query`, `close`, `refund` or `refunds` was called.
    #[must_use]
    pub fn calls(&self, call: &str) -> usize {
        self.0.faults.count(call)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.books.lock().expect("books")
    }

    fn now_ms(&self) -> i64 {
        self.0.clock.now_ms()
    }

    /// The payer pays; false if that cannot be done any more. A notification waits.
    pub fn pay(&self, sn: &str) -> bool {
        self.pay_with_coupon(sn, 0)
    }

    /// The payer pays, `coupon` of it with a gift of WeChat's.
    pub fn pay_with_coupon(&self, sn: &str, coupon: i64) -> bool {
        let now_ms = self.now_ms();
        let paid = self.books().pay(sn, coupon, now_ms);
        if paid {
            let news = self.books().transaction(sn, now_ms).unwrap_or_default();
            self.tell("TRANSACTION.SUCCESS", news);
        }
        paid
    }

    /// Refunds are worked on until [`WechatSimulator::end_refund`].
    pub fn refund_slowly(&self) {
        self.books().slow_refunds = true;
    }

    /// A refund that is worked on ends as `SUCCESS`, `CLOSED` or `ABNORMAL`, one that is `ABNORMAL` as `SUCCESS`; false if there
    /// is none. Its number answers so from then on. A notification waits.
    pub fn end_refund(&self, refund_sn: &str, status: &'static str) -> bool {
        let ended = self.books().end_refund(refund_sn, status);
        if ended {
            self.tell_refund(refund_sn);
        }
        ended
    }

    fn tell_refund(&self, refund_sn: &str) {
        let news = self.books().refund_news(refund_sn, self.now_ms());
        let news = news.unwrap_or_default();
        let status = news["refund_status"].as_str().unwrap_or_default();
        self.tell(&format!("REFUND.{status}"), news);
    }

    /// What has gone back of a payment.
    #[must_use]
    pub fn refunded(&self, sn: &str) -> i64 {
        self.books().refunded(sn)
    }

    /// How many refunds it knows.
    #[must_use]
    pub fn refunds(&self) -> usize {
        self.books().refunds.len()
    }

    /// The request that made a payment.
    #[must_use]
    pub fn request(&self, sn: &str) -> Option<Value> {
        self.books().request(sn)
    }

    fn tell(&self, event_type: &str, news: Value) {
        let waiting = (event_type.to_owned(), news);
        self.0.outbox.lock().expect("outbox").push(waiting);
    }

    /// The notifications that wait, oldest first. They wait no more: forgetting one loses it.
    #[must_use]
    pub fn take(&self) -> Vec<Delivery> {
        let waiting = std::mem::take(&mut *self.0.outbox.lock().expect("outbox"));
        waiting
            .iter()
            .map(|(event_type, news)| self.notification(event_type, news))
            .collect()
    }

    /// A notification of any content, sealed and signed now with the certificate's key.
    #[must_use]
    pub fn notification(&self, event_type: &str, news: &Value) -> Delivery {
        self.sign(self.unsigned(event_type, news))
    }

    /// The body of a notification of any content, sealed.
    #[must_use]
    pub fn unsigned(&self, event_type: &str, news: &Value) -> Vec<u8> {
        let nonce = secret_code(12);
        let associated = if event_type.starts_with("REFUND") {
            "refund"
        } else {
            "transaction"
        };
        let text = serde_json::to_vec(news).expect("JSON");
        let body = json!({
            "id": format!("EV-{}", secret_code(24)),
            "create_time": rfc3339(self.now_ms()),
            "resource_type": "encrypt-resource",
            "event_type": event_type,
            "summary": "simulated",
            "resource": {
                "original_type": associated,
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": seal(API_V3_KEY, &nonce, associated, &text),
                "associated_data": associated,
                "nonce": nonce,
            },
        });
        serde_json::to_vec(&body).expect("JSON")
    }

    /// Any body, signed now with the certificate's key.
    #[must_use]
    pub fn sign(&self, body: Vec<u8>) -> Delivery {
        self.sign_at(self.now_ms(), body)
    }

    /// Any body, signed at another time.
    #[must_use]
    pub fn sign_at(&self, now_ms: i64, body: Vec<u8>) -> Delivery {
        let headers = signature(&self.0.platform[0], PLATFORM_SERIAL, now_ms, &body);
        Delivery { headers, body }
    }

    /// Any body, signed with the public key's key, under its id.
    #[must_use]
    pub fn sign_with_public_key(&self, body: Vec<u8>) -> Delivery {
        let headers = signature(&self.0.platform[1], PUBLIC_KEY_ID, self.now_ms(), &body);
        Delivery { headers, body }
    }

    /// Whether the merchant has signed the text: what JSAPI checks before it opens a payment.
    #[must_use]
    pub fn merchant_has_signed(&self, text: &str, signature: &str) -> bool {
        has_signed(&self.0.merchant, text.as_bytes(), signature)
    }

    /// Whether the request's `Authorization` is the merchant's, recent, and not seen before.
    fn admits(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> bool {
        let Some(fields) = headers
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("WECHATPAY2-SHA256-RSA2048 "))
        else {
            return false;
        };
        let field = |name: &str| {
            fields
                .split(',')
                .filter_map(|field| field.split_once('='))
                .find_map(|(known, value)| (known == name).then(|| value.trim_matches('"')))
                .unwrap_or_default()
        };
        let (at, nonce) = (field("timestamp"), field("nonce_str"));
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let mut message = format!("{method}\n{target}\n{at}\n{nonce}\n").into_bytes();
        message.extend_from_slice(body);
        message.push(b'\n');
        let now_s = self.now_ms().div_euclid(1000);
        field("mchid") == MCH_ID
            && field("serial_no") == MERCHANT_SERIAL
            && at.parse::<i64>().is_ok_and(|at| at.abs_diff(now_s) <= WINDOW_S)
            && has_signed(&self.0.merchant, &message, field("signature"))
            && self.0.nonces.lock().expect("nonces").insert(nonce.to_owned())
    }

    fn answer(&self, call: &str, uri: &Uri, body: &[u8]) -> Answer {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let now_ms = self.now_ms();
        let sn = uri.path().split('/').nth(5).unwrap_or_default();
        match call {
            "prepay" => self.books().prepay(request, now_ms),
            "query" if uri.query() == Some(&format!("mchid={MCH_ID}")) => self.books().query(sn, now_ms),
            "close" if request["mchid"] == MCH_ID => self.books().close(sn, now_ms),
            "refunds" => self.books().query_refund(sn, now_ms),
            "refund" => {
                let before = self.refunds();
                let answer = self.books().refund(&request, now_ms);
                let made = self.refunds() > before && !self.books().slow_refunds;
                if made {
                    self.tell_refund(request["out_refund_no"].as_str().unwrap_or_default());
                }
                answer
            }
            _ => no(404, "NOT_FOUND"),
        }
    }
}

/// The headers that go with a body.
fn signature(key: &RsaKeyPair, serial: &str, now_ms: i64, body: &[u8]) -> Vec<(String, String)> {
    let (at, nonce) = (now_ms.div_euclid(1000), secret_code(32));
    let mut message = format!("{at}\n{nonce}\n").into_bytes();
    message.extend_from_slice(body);
    message.push(b'\n');
    [
        ("wechatpay-serial", serial.to_owned()),
        ("wechatpay-timestamp", at.to_string()),
        ("wechatpay-nonce", nonce),
        ("wechatpay-signature", sign(key, &message)),
        ("content-type", "application/json".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn call(method: &Method, path: &str) -> &'static str {
    match (method.as_str(), path) {
        ("POST", "/v3/pay/transactions/jsapi") => "prepay",
        ("POST", "/v3/refund/domestic/refunds") => "refund",
        ("POST", path) if path.ends_with("/close") => "close",
        ("GET", path) if path.starts_with("/v3/refund/domestic/refunds/") => "refunds",
        ("GET", _) => "query",
        _ => "",
    }
}

async fn handle(
    State(simulator): State<WechatSimulator>,
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
    let (status, said) = match fault {
        Some(Fault::Down | Fault::Broken | Fault::BrokenAfter) => no(503, "SYSTEM_ERROR"),
        Some(Fault::Refuse(code)) => no(403, code),
        _ if !simulator.admits(&method, &uri, &headers, &body) => no(401, "SIGN_ERROR"),
        _ => {
            if let Some(Fault::Slow(wait)) = fault {
                tokio::time::sleep(wait).await;
            }
            simulator.answer(call, &uri, &body)
        }
    };
    if fault == Some(Fault::AnswerLost) {
        return broken();
    }
    let text = if said.is_null() {
        Vec::new()
    } else {
        serde_json::to_vec(&said).expect("JSON")
    };
    // It signs with the key that the merchant says to have.
    let wants_public_key = headers
        .get("wechatpay-serial")
        .is_some_and(|id| id == PUBLIC_KEY_ID);
    let (key, serial) = match (fault, wants_public_key) {
        (Some(Fault::Forged), _) => (&simulator.0.merchant, PLATFORM_SERIAL),
        (_, true) => (&simulator.0.platform[1], PUBLIC_KEY_ID),
        (_, false) => (&simulator.0.platform[0], PLATFORM_SERIAL),
    };
    let mut response = Response::builder().status(status);
    for (name, value) in signature(key, serial, simulator.now_ms(), &text) {
        response = response.header(name, value);
    }
    response.body(Body::from(text)).expect("an answer")
}
