//! The routes under load, and the whole paid booking.

use std::time::Duration;

use serde_json::json;

use crate::client::{Ask, Client};
use crate::world::{World, envelope, parsed, text};

/// What one turn of a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    HouseDetail,
    OrderDetail,
    OrderList,
    Create,
    /// Create, pay at the sandbox, wait until paid.
    Booking,
    /// The same without the wait: nobody looks at the order.
    Unwatched,
}

/// All, in the order in which they are measured.
pub const ROUTES: [Route; 5] = [
    Route::HouseDetail,
    Route::OrderDetail,
    Route::OrderList,
    Route::Create,
    Route::Booking,
];

/// How long a paid booking may take to show as such.
const PAID_WITHIN: u32 = 1000;
const LOOK_AGAIN: Duration = Duration::from_millis(20);

impl Route {
    pub fn name(self) -> &'static str {
        match self {
            Self::HouseDetail => "house detail",
            Self::OrderDetail => "order detail",
            Self::OrderList => "order list (10)",
            Self::Create => "create order",
            Self::Booking => "paid booking",
            Self::Unwatched => "unwatched booking",
        }
    }

    /// One turn.
    ///
    /// # Errors
    /// A sentence: what came instead of the expected answer.
    pub async fn once(self, world: &World, client: &mut Client) -> Result<(), String> {
        let at = world.addresses;
        let guest = world.guest();
        match self {
            Self::HouseDetail => {
                let body = format!(r#"{{"id":{}}}"#, world.house());
                let ask = Ask::post("/travel/v1/homestay/homestayDetail", None, &body);
                good(client.send(at.travel, ask).await?)
            }
            Self::OrderDetail => {
                let body = {
                    let orders = guest.orders.borrow();
                    let sn = world.pick(&orders);
                    format!(r#"{{"sn":"{}"}}"#, sn.ok_or("a guest without an order")?)
                };
                let ask = Ask::post(
                    "/order/v1/homestayOrder/userHomestayOrderDetail",
                    Some(&guest.token),
                    &body,
                );
                good(client.send(at.order, ask).await?)
            }
            Self::OrderList => {
                let ask = Ask::post(
                    "/order/v1/homestayOrder/userHomestayOrderList",
                    Some(&guest.token),
                    r#"{"lastId":0,"pageSize":10,"tradeState":-99}"#,
                );
                good(client.send(at.order, ask).await?)
            }
            Self::Create => {
                let sn = create(world, client, &guest.token).await?;
                guest.orders.borrow_mut().push(sn);
                Ok(())
            }
            Self::Booking => {
                let sn = create(world, client, &guest.token).await?;
                pay(world, client, &guest.token, &sn).await?;
                until_paid(world, client, &guest.token, &sn).await
            }
            Self::Unwatched => {
                let sn = create(world, client, &guest.token).await?;
                pay(world, client, &guest.token, &sn).await
            }
        }
    }
}

/// An enveloped success; what is in it is the tests' business.
fn good((status, body): (u16, &[u8])) -> Result<(), String> {
    if status == 200 && body.starts_with(br#"{"code":200,"#) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&body[..body.len().min(300)]);
    Err(format!("{status} {text}"))
}

/// Books other nights than before: the order's number.
async fn create(world: &World, client: &mut Client, token: &str) -> Result<String, String> {
    let nights = world.nights();
    let body = format!(
        r#"{{"homestayId":{},"isFood":false,"liveStartTime":{},"liveEndTime":{},"livePeopleNum":1,"remark":""}}"#,
        nights.house, nights.from_s, nights.to_s
    );
    let ask = Ask::post("/order/v1/homestayOrder/createHomestayOrder", Some(token), &body);
    let data = envelope(client.send(world.addresses.order, ask).await?)?;
    text(&data, "orderSn")
}

async fn pay(world: &World, client: &mut Client, token: &str, sn: &str) -> Result<(), String> {
    let at = world.addresses;
    let body = json!({ "orderSn": sn }).to_string();
    let ask = Ask::post("/v1/payments", Some(token), &body);
    let (status, answer) = client.send(at.payment, ask).await?;
    let pay_url = text(&parsed(status, 201, answer)?, "payUrl")?;
    // Only the path: the page's host is the gateway's.
    let path = pay_url
        .splitn(4, '/')
        .nth(3)
        .map(|path| format!("/{path}"))
        .ok_or_else(|| format!("{pay_url} is no address"))?;
    let press = Ask {
        verb: "POST",
        path: &path,
        token: None,
        body: Some(("application/x-www-form-urlencoded", "action=pay")),
    };
    let (status, answer) = client.send(at.payment, press).await?;
    if !(200..400).contains(&status) {
        return Err(format!("pay page: {status} {}", String::from_utf8_lossy(answer)));
    }
    Ok(())
}

async fn until_paid(world: &World, client: &mut Client, token: &str, sn: &str) -> Result<(), String> {
    let path = format!("/v1/orders/{sn}");
    for _ in 0..PAID_WITHIN {
        tokio::time::sleep(LOOK_AGAIN).await;
        let (status, answer) = client
            .send(world.addresses.order, Ask::get(&path, Some(token)))
            .await?;
        if parsed(status, 200, answer)?["state"] == "confirmed" {
            return Ok(());
        }
    }
    Err(format!(
        "an order was not paid within {} s",
        (LOOK_AGAIN * PAID_WITHIN).as_secs()
    ))
}
