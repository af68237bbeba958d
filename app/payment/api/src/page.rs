//! The sandbox's pay page as HTML.

use homestay_http::rfc3339;
use homestay_proto::payment as pb;
use maud::{DOCTYPE, Markup, html};

/// Where the page's style is served: a file, so that the page needs no inline style.
pub(crate) const STYLE_PATH: &str = "/sandbox/pay.css";

/// The page's style.
pub(crate) const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:3rem auto;padding:0 1rem;color:#222;background:#fafafa}
h1{font-size:1.1rem;margin:0}
.amount{font-size:2.2rem;margin:.5rem 0}
.state{font-weight:600}
dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem}
dt{color:#666}
dd{margin:0;overflow-wrap:anywhere}
form{display:grid;gap:.5rem;margin:1.5rem 0}
button{font:inherit;padding:.6rem;border:1px solid #999;border-radius:.4rem;background:#fff;cursor:pointer}
button.main{background:#0a6;border-color:#0a6;color:#fff}
footer{color:#666;font-size:.85rem}
";

/// The page of a charge: what is to be paid, where it stands, and, while it is open, what can be done.
pub(crate) fn page(charge: &pb::SandboxCharge) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex, nofollow";
                title { "Sandbox payment" }
                link rel="stylesheet" href=(STYLE_PATH);
            }
            body {
                h1 { "Sandbox payment" }
                p.amount { (amount(charge.amount_cents)) " " (charge.currency) }
                dl {
                    dt { "For" } dd { (charge.description) }
                    dt { "Payment" } dd { (charge.payment_sn) }
                    @if let Some(at) = rfc3339(charge.expires_at_ms) { dt { "Pay before" } dd { (at) } }
                    dt { "State" } dd.state data-state=(charge.state) { (told(&charge.state)) }
                }
                @if charge.state == "open" {
                    form method="post" {
                        button.main name="action" value="pay" { "Pay" }
                        button name="action" value="fail" { "Decline the payment" }
                        button name="action" value="pay-late" { "Pay too late: after the order has closed" }
                    }
                }
                footer { "A demonstration: no money moves." }
            }
        }
    }
}

/// An amount with its two decimals, from cents.
fn amount(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

/// A state in words.
fn told(state: &str) -> &str {
    match state {
        "open" => "waiting for payment",
        "late" => "on its way: it will arrive after the order has closed",
        "captured" => "paid",
        "failed" => "declined",
        "closed" => "closed, it can no longer be paid",
        "refunded" => "paid and refunded",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_two_decimals() {
        for (cents, text) in [(0, "0.00"), (5, "0.05"), (25_600, "256.00"), (-101, "-1.01")] {
            assert_eq!(amount(cents), text);
        }
    }
}
