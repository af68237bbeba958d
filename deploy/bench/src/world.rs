//! What requests are made of: addresses, guests, houses, nights that are still free, and the orders made so far.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::client::{Ask, Client};

/// Where each domain's api is reached; embedded all in one place.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    pub order: SocketAddr,
    pub payment: SocketAddr,
    pub travel: SocketAddr,
    pub usercenter: SocketAddr,
}

impl Addresses {
    /// All behind one.
    pub fn one(address: SocketAddr) -> Self {
        Self {
            order: address,
            payment: address,
            travel: address,
            usercenter: address,
        }
    }
}

/// A guest and what it has booked.
pub struct Guest {
    pub token: String,
    pub orders: RefCell<Vec<String>>,
}

/// Everything the routes take turns in.
pub struct World {
    pub addresses: Addresses,
    pub guests: Vec<Guest>,
    houses: usize,
    /// Bookings begun: each takes other nights.
    booked: Cell<usize>,
    /// First night that is taken.
    first_day: i64,
    guest_turn: Cell<usize>,
    turn: Cell<usize>,
}

/// Sample houses in bulk have these ids (`homestay seed --houses N`).
const FIRST_HOUSE: usize = 1_000_000;
const NIGHTS: i64 = 2;
/// Calendars are open for 400 days.
const OPEN_DAYS: i64 = 380;

/// A house and two nights in it.
pub struct Nights {
    pub house: usize,
    /// Unix seconds of noon there.
    pub from_s: i64,
    pub to_s: i64,
}

impl World {
    /// Registers the guests.
    ///
    /// # Errors
    /// A sentence: what the system answered.
    pub async fn new(
        addresses: Addresses,
        houses: usize,
        guests: usize,
        now: std::time::SystemTime,
    ) -> Result<Self, String> {
        let now_s = now
            .duration_since(std::time::UNIX_EPOCH)
            .map_err(|error| error.to_string())?
            .as_secs();
        let mut made = Vec::with_capacity(guests);
        let mut client = Client::default();
        for n in 0..guests {
            let mobile = format!("18{:09}", (now_s * 100 + n as u64) % 1_000_000_000);
            let body = json!({ "mobile": mobile, "password": "correct horse" }).to_string();
            let ask = Ask::post("/usercenter/v1/user/register", None, &body);
            let data = envelope(client.send(addresses.usercenter, ask).await?)?;
            made.push(Guest {
                token: text(&data, "accessToken")?,
                orders: RefCell::default(),
            });
        }
        Ok(Self {
            addresses,
            guests: made,
            houses,
            booked: Cell::new(0),
            first_day: i64::try_from(now_s / 86_400).map_err(|error| error.to_string())? + 3,
            guest_turn: Cell::new(0),
            turn: Cell::new(0),
        })
    }

    /// A guest, one after the other.
    pub fn guest(&self) -> &Guest {
        &self.guests[next(&self.guest_turn) % self.guests.len()]
    }

    /// A house's id, spread over all.
    pub fn house(&self) -> usize {
        FIRST_HOUSE + next(&self.turn) * 7919 % self.houses
    }

    /// One of these, each in its turn.
    pub fn pick<'o>(&self, orders: &'o [String]) -> Option<&'o String> {
        orders.get(next(&self.turn) % orders.len().max(1))
    }

    /// Nights that this run has not asked for yet. Every tenth house has days that are not for sale, so it is left out.
    pub fn nights(&self) -> Nights {
        let (house, round) = loop {
            let n = next(&self.booked);
            if !(n % self.houses).is_multiple_of(10) {
                break (n % self.houses, n / self.houses);
            }
        };
        let day = self.first_day + i64::try_from(round).unwrap_or(0) * NIGHTS % OPEN_DAYS;
        let noon = |day: i64| day * 86_400 + 4 * 3600;
        Nights {
            house: FIRST_HOUSE + house,
            from_s: noon(day),
            to_s: noon(day + NIGHTS),
        }
    }
}

fn next(counter: &Cell<usize>) -> usize {
    let now = counter.get();
    counter.set(now + 1);
    now
}

/// `data` of the looklook envelope.
pub fn envelope((status, body): (u16, &[u8])) -> Result<Value, String> {
    let mut value = parsed(status, 200, body)?;
    Ok(value["data"].take())
}

/// The JSON of an answer with the status `wanted`.
pub fn parsed(status: u16, wanted: u16, body: &[u8]) -> Result<Value, String> {
    if status != wanted {
        let text = String::from_utf8_lossy(&body[..body.len().min(300)]);
        return Err(format!("{status} {text}"));
    }
    serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}"))
}

/// A text field.
pub fn text(value: &Value, field: &str) -> Result<String, String> {
    value[field]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("expected a text {field:?} in {value}"))
}
