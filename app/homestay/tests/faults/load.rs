//! Guests who book and pay all the time, and do again what was not answered.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// The servers' own deadline is 3 s. What takes so much longer hangs, also on two cores that everything here shares.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Refusals that are right after a long time without an answer: the nights were given back, and the booking begins anew.
const ANEW: [&str; 2] = ["HOLD_EXPIRED", "IDEMPOTENCY_KEY_EXPIRED"];

/// What the guests have seen.
#[derive(Default)]
pub struct Seen {
    /// When a booking was created and paid.
    pub paid: Vec<Instant>,
    /// When something other than a good answer came, and what.
    pub failures: Vec<(Instant, String)>,
    /// Answers that must never come: nothing within [`PATIENCE`], or a 5xx that is not a 503 with Retry-After.
    pub wrong: Vec<String>,
    /// Orders whose payment was taken.
    pub orders: Vec<String>,
}

impl Seen {
    pub fn paid_since(&self, since: Instant) -> usize {
        self.paid.iter().filter(|at| **at >= since).count()
    }

    pub fn failures_since(&self, since: Instant) -> Vec<String> {
        let late = self.failures.iter().filter(|(at, _)| *at >= since);
        late.map(|(_, what)| what.clone()).collect()
    }
}

/// Where the apis are.
#[derive(Clone)]
pub struct Places {
    pub order: String,
    pub payment: String,
    pub usercenter: String,
}

pub struct Load {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    guests: JoinSet<()>,
}

impl Load {
    /// So many guests, each booking after booking.
    pub fn start(places: &Places, guests: usize) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let nights = Arc::new(AtomicI64::new(0));
        let mut set = JoinSet::new();
        for _ in 0..guests {
            let guest = Guest {
                places: places.clone(),
                http: homestay_http::client(PATIENCE),
                seen: seen.clone(),
                stop: stop.clone(),
                nights: nights.clone(),
            };
            set.spawn(guest.live());
        }
        Self {
            seen,
            stop,
            guests: set,
        }
    }

    /// Looks at what the guests have seen so far.
    pub fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().expect("nobody panics with it"))
    }

    /// Waits until every guest has finished the booking in hand.
    pub async fn finish(mut self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.guests.join_next().await {
            ended.expect("a guest does not panic");
        }
        std::mem::take(&mut *self.seen.lock().expect("not poisoned"))
    }
}

struct Guest {
    places: Places,
    http: Client,
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    nights: Arc<AtomicI64>,
}

impl Guest {
    async fn live(self) {
        let url = format!("{}/v1/users", self.places.usercenter);
        // Another number each time: a registration whose answer was late has been made all the same.
        let account = || json!({ "mobile": crate::mobile(), "password": "correct horse" });
        let Some(session) = self.insist(|http| http.post(&url).json(&account())).await else {
            return;
        };
        let token = session["accessToken"].as_str().expect("a token").to_owned();
        while !self.stop.load(Ordering::Relaxed) {
            if let Some(sn) = self.book_and_pay(&token).await {
                let mut seen = self.seen.lock().expect("not poisoned");
                seen.paid.push(Instant::now());
                seen.orders.push(sn);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn book_and_pay(&self, token: &str) -> Option<String> {
        let n = self.nights.fetch_add(1, Ordering::Relaxed);
        // Every tenth sample house has days that are not for sale.
        let house = 1_000_001 + n % 40 * 10;
        let day = crate::day(7 + n / 40 * 2 % 380);
        let stay = json!({ "homestayId": house, "checkIn": day.0, "checkOut": day.1, "guests": 1 });
        let key = crate::unique();
        let url = format!("{}/v1/orders", self.places.order);
        let order = self
            .insist(|http| {
                http.post(&url)
                    .bearer_auth(token)
                    .header("idempotency-key", &key)
                    .json(&stay)
            })
            .await?;
        let sn = order["sn"].as_str().expect("a number").to_owned();
        let url = format!("{}/v1/payments", self.places.payment);
        let payment = self
            .insist(|http| http.post(&url).bearer_auth(token).json(&json!({ "orderSn": sn })))
            .await?;
        let page = payment["payUrl"].as_str().expect("an address").to_owned();
        self.insist(|http| http.post(&page).form(&[("action", "pay")]))
            .await?;
        Some(sn)
    }

    /// Asks until the answer is good. What failed is noted each time; `None` when a refusal is final.
    async fn insist(&self, ask: impl Fn(&Client) -> RequestBuilder) -> Option<Value> {
        let give_up = Instant::now() + Duration::from_secs(60);
        while Instant::now() < give_up {
            match ask(&self.http).send().await {
                Ok(answer) => {
                    let status = answer.status();
                    let told = answer.headers().contains_key("retry-after");
                    let text = match answer.text().await {
                        Ok(text) => text,
                        // Cut off in the middle: whoever was answering has been killed.
                        Err(error) => {
                            self.note(&error.to_string(), error.is_timeout());
                            tokio::time::sleep(Duration::from_millis(200)).await;
                            continue;
                        }
                    };
                    if status.is_success() {
                        // The pay page answers in HTML.
                        return Some(serde_json::from_str(&text).unwrap_or(Value::Null));
                    }
                    if status.is_server_error() {
                        self.note(&format!("{status} {text}"), status != 503 || !told);
                    } else {
                        let anew = status == 409 && ANEW.iter().any(|code| text.contains(code));
                        self.note(&format!("{status} {text}"), !anew);
                        return None;
                    }
                }
                // Nobody listens where an api was killed; no answer in time is another matter.
                Err(error) => self.note(&error.to_string(), error.is_timeout()),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        self.note("nothing good for a minute", true);
        None
    }

    fn note(&self, what: &str, wrong: bool) {
        let mut seen = self.seen.lock().expect("not poisoned");
        seen.failures.push((Instant::now(), what.to_owned()));
        if wrong {
            seen.wrong.push(what.to_owned());
        }
    }
}
