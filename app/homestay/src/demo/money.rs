//! The demo's chapters about money that comes late or goes back.

use serde_json::{Value, json};

use super::client::{Api, expect, number, text};
use super::{book_free, cents, is_free, note, register, say, until};

/// Captured after the order has closed, while the nights are still free: the booking stands.
pub async fn late_money_is_rescued(api: &Api) -> Result<(), String> {
    let guest = register(api, "Bo").await?;
    say("Pay so late that the order has closed before the money comes, and nobody else wants the nights");
    let (free, _, order) = book_free(api, &guest).await?;
    let sn = text(&order, "sn")?;
    press(api, &guest, &sn, "pay-late").await?;
    let rescued = until(api, &guest, &sn, "confirmed").await?;
    let again = rescued["steps"].as_array().into_iter().flatten();
    expect(
        again.clone().any(|step| step["attempt"] == 2),
        "the nights were taken a second time",
        &rescued["steps"],
    )?;
    expect(
        !is_free(api, &free).await?,
        "the nights are its own again",
        &json!(free.house),
    )?;
    note(&format!(
        "{sn} had closed; the money took the nights again, check-in code {}",
        text(&rescued, "checkInCode")?
    ));
    Ok(())
}

/// Captured after the guest had cancelled: all of it goes back.
pub async fn late_money_is_refunded(api: &Api) -> Result<(), String> {
    let guest = register(api, "Ning").await?;
    say("Cancel while the money is on its way");
    let (_, _, order) = book_free(api, &guest).await?;
    let sn = text(&order, "sn")?;
    let payment = press(api, &guest, &sn, "pay-late").await?;
    api.post(&format!("/v1/orders/{sn}/cancel"), Some(&guest), &json!({}))
        .await?
        .ok()?;
    until(api, &guest, &sn, "refunded").await?;
    let payment = api
        .get(&format!("/v1/payments/{payment}"), Some(&guest))
        .await?
        .ok()?;
    expect(
        payment["refundedCents"] == payment["amountCents"],
        "all of it is back",
        &payment,
    )?;
    note(&format!(
        "{sn}: {} came late and went back",
        cents(&payment, "refundedCents")?
    ));
    Ok(())
}

/// Cancel a paid booking: what the preview says is what goes back.
pub async fn a_policy_refund(api: &Api) -> Result<(), String> {
    let guest = register(api, "Yun").await?;
    say("Cancel a booking that is paid");
    let (free, _, order) = book_free(api, &guest).await?;
    let sn = text(&order, "sn")?;
    let payment = press(api, &guest, &sn, "pay").await?;
    until(api, &guest, &sn, "confirmed").await?;
    let preview = api
        .get(&format!("/v1/orders/{sn}/cancellation"), Some(&guest))
        .await?
        .ok()?;
    note(&format!(
        "policy {}: {} of {} would go back",
        text(&preview["policy"], "name")?,
        cents(&preview, "refundCents")?,
        cents(&preview, "chargedCents")?
    ));
    let promise = json!({ "expectedRefundCents": number(&preview, "refundCents")? });
    api.post(&format!("/v1/orders/{sn}/cancel"), Some(&guest), &promise)
        .await?
        .ok()?;
    let order = until(api, &guest, &sn, "refunded").await?;
    let payment = api
        .get(&format!("/v1/payments/{payment}"), Some(&guest))
        .await?
        .ok()?;
    expect(
        payment["refundedCents"] == preview["refundCents"],
        "what was promised is back, to the cent",
        &payment,
    )?;
    expect(is_free(api, &free).await?, "its nights are free", &order)?;
    note(&format!("{} is back", cents(&payment, "refundedCents")?));
    Ok(())
}

/// Starts a payment and presses a button of its pay page; the payment's number.
async fn press(api: &Api, guest: &str, sn: &str, button: &str) -> Result<String, String> {
    let payment: Value = api
        .post("/v1/payments", Some(guest), &json!({ "orderSn": sn }))
        .await?
        .created()?;
    let status = api.press(&text(&payment, "payUrl")?, button).await?;
    expect(status == 200, "the pay page takes it", &json!(status))?;
    text(&payment, "sn")
}
