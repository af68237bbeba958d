//! What each change of money posts to the ledger: pure rules. Two accounts or more, one currency, the sum zero.
//!
//! Positive amounts are what we owe or have earned: `guest_funds` (captured, neither given back nor passed on; never below zero an
//! order), `host_payable`,
//! `commission`, `authorised_contra`. Negative ones are what we hold or have spent: `provider:<name>`, `provider_fees`,
//! `authorised:<name>`, `overpaid` (given back by a provider of its own accord although it had been passed on: a loss until a person
//! gets it back).

use homestay_error::{Error, Result};
use homestay_types::{OrderSn, RefundSn};

use crate::store::Payment;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The payer may be charged: the payment was made.
    Authorise,
    /// They will not be: it failed or was closed.
    Release,
    /// The provider has the money.
    Capture,
    /// What the provider keeps of it.
    Fee,
    /// Money went back.
    Refund,
    /// Money that is kept went to the host and to us.
    Settle,
}

impl Kind {
    /// Name in SQL.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Authorise => "authorise",
            Kind::Release => "release",
            Kind::Capture => "capture",
            Kind::Fee => "fee",
            Kind::Refund => "refund",
            Kind::Settle => "settle",
        }
    }
}

/// A transaction of the ledger, to be written with the change it is about. Its kind and reference exist once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Posting {
    pub kind: Kind,
    pub reference: String,
    pub order_sn: String,
    pub payment_sn: String,
    pub host_id: i64,
    pub currency: String,
    /// Account and amount; no amount is 0.
    pub lines: Vec<(String, i64)>,
}

const GUEST_FUNDS: &str = "guest_funds";
const OVERPAID: &str = "overpaid";
const HOST_PAYABLE: &str = "host_payable";
const COMMISSION: &str = "commission";
const PROVIDER_FEES: &str = "provider_fees";
const AUTHORISED_CONTRA: &str = "authorised_contra";

fn posting(kind: Kind, payment: &Payment, reference: &str, lines: Vec<(String, i64)>) -> Posting {
    Posting {
        kind,
        reference: reference.to_owned(),
        order_sn: payment.order_sn.to_string(),
        payment_sn: payment.sn.to_string(),
        host_id: 0,
        currency: payment.currency.clone(),
        lines,
    }
}

fn at(payment: &Payment) -> String {
    format!("provider:{}", payment.provider)
}

fn authorised(payment: &Payment, cents: i64) -> Vec<(String, i64)> {
    vec![
        (format!("authorised:{}", payment.provider), -cents),
        (AUTHORISED_CONTRA.to_owned(), cents),
    ]
}

/// A payment was made.
pub(crate) fn authorise(payment: &Payment) -> Posting {
    let lines = authorised(payment, payment.amount_cents);
    posting(Kind::Authorise, payment, payment.sn.as_str(), lines)
}

/// An open payment failed or was closed.
pub(crate) fn release(payment: &Payment) -> Posting {
    let lines = authorised(payment, -payment.amount_cents);
    posting(Kind::Release, payment, payment.sn.as_str(), lines)
}

/// The money came. `standing`: the payment was open, so that its authorisation ends with this; late money has none any more.
pub(crate) fn capture(payment: &Payment, standing: bool) -> Posting {
    let mut lines = Vec::new();
    if standing {
        lines = authorised(payment, -payment.amount_cents);
    }
    lines.push((at(payment), -payment.amount_cents));
    lines.push((GUEST_FUNDS.to_owned(), payment.amount_cents));
    posting(Kind::Capture, payment, payment.sn.as_str(), lines)
}

/// What the provider keeps of a capture; none if it keeps nothing.
pub(crate) fn fee(payment: &Payment, fee_bp: i64) -> Option<Posting> {
    let cents = share(payment.amount_cents, fee_bp).ok()?;
    let lines = vec![(PROVIDER_FEES.to_owned(), -cents), (at(payment), cents)];
    (cents != 0).then(|| posting(Kind::Fee, payment, payment.sn.as_str(), lines))
}

/// A refund went back; `over` of it had been passed on to the host.
pub(crate) fn refund(payment: &Payment, refund: &RefundSn, cents: i64, over: i64) -> Posting {
    let mut lines = Vec::new();
    for (account, cents) in [(GUEST_FUNDS, over - cents), (OVERPAID, -over)] {
        if cents != 0 {
            lines.push((account.to_owned(), cents));
        }
    }
    lines.push((at(payment), cents));
    posting(Kind::Refund, payment, refund.as_str(), lines)
}

/// Money of an order that is kept for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub order_sn: OrderSn,
    pub host_id: i64,
    pub currency: String,
    pub cents: i64,
    pub key: String,
}

/// The share of the host and of ourselves in kept money.
///
/// # Errors
/// If the rate is none.
pub(crate) fn shares(cents: i64, commission_bp: i64) -> Result<(i64, i64)> {
    let ours = share(cents, commission_bp)?;
    Ok((cents - ours, ours))
}

/// Kept money goes to the host, less our commission.
///
/// # Errors
/// If the rate is none.
pub(crate) fn settle(kept: &Kept, commission_bp: i64) -> Result<Posting> {
    let (host, ours) = shares(kept.cents, commission_bp)?;
    let mut lines = vec![(GUEST_FUNDS.to_owned(), -kept.cents)];
    for (account, cents) in [(HOST_PAYABLE, host), (COMMISSION, ours)] {
        if cents != 0 {
            lines.push((account.to_owned(), cents));
        }
    }
    Ok(Posting {
        kind: Kind::Settle,
        reference: format!("{}:{}", kept.order_sn, kept.key),
        order_sn: kept.order_sn.to_string(),
        payment_sn: String::new(),
        host_id: kept.host_id,
        currency: kept.currency.clone(),
        lines,
    })
}

/// So many hundredths of a per cent of an amount, rounded half up to the cent.
fn share(cents: i64, bp: i64) -> Result<i64> {
    if !(0..=10_000).contains(&bp) {
        return Err(Error::internal("a rate outside of 0 to 10,000 basis points"));
    }
    Ok(homestay_types::share(cents, bp))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::a_payment;

    fn kept(cents: i64) -> Kept {
        Kept {
            order_sn: a_payment().order_sn,
            host_id: 3,
            currency: "CNY".to_owned(),
            cents,
            key: "cancel".to_owned(),
        }
    }

    #[test]
    fn every_change_posts_these_lines_and_they_sum_to_zero() {
        let payment = a_payment();
        let sn: RefundSn = "RFD2026112110160000000002".parse().unwrap();
        let table = [
            (
                authorise(&payment),
                "authorise",
                "authorised:sandbox -25600, authorised_contra 25600",
            ),
            (
                release(&payment),
                "release",
                "authorised:sandbox 25600, authorised_contra -25600",
            ),
            (
                capture(&payment, true),
                "capture",
                "authorised:sandbox 25600, authorised_contra -25600, provider:sandbox -25600, guest_funds 25600",
            ),
            (
                capture(&payment, false),
                "capture",
                "provider:sandbox -25600, guest_funds 25600",
            ),
            (
                fee(&payment, 60).unwrap(),
                "fee",
                "provider_fees -154, provider:sandbox 154",
            ),
            (
                refund(&payment, &sn, 100, 0),
                "refund",
                "guest_funds -100, provider:sandbox 100",
            ),
            (
                refund(&payment, &sn, 100, 30),
                "refund",
                "guest_funds -70, overpaid -30, provider:sandbox 100",
            ),
            (
                refund(&payment, &sn, 100, 100),
                "refund",
                "overpaid -100, provider:sandbox 100",
            ),
            (
                settle(&kept(12_800), 1_000).unwrap(),
                "settle",
                "guest_funds -12800, host_payable 11520, commission 1280",
            ),
            (
                settle(&kept(12_800), 0).unwrap(),
                "settle",
                "guest_funds -12800, host_payable 12800",
            ),
            (
                settle(&kept(12_800), 10_000).unwrap(),
                "settle",
                "guest_funds -12800, commission 12800",
            ),
        ];
        for (posting, kind, lines) in table {
            let got: Vec<_> = posting
                .lines
                .iter()
                .map(|(account, cents)| format!("{account} {cents}"))
                .collect();
            assert_eq!((posting.kind.as_str(), got.join(", ").as_str()), (kind, lines));
            assert_eq!(
                posting.lines.iter().map(|(_, cents)| cents).sum::<i64>(),
                0,
                "{posting:?}"
            );
            assert!(posting.lines.iter().all(|(_, cents)| *cents != 0), "{posting:?}");
        }
        assert_eq!(fee(&payment, 0), None);
    }

    #[test]
    fn shares_are_rounded_half_up_to_the_cent_and_nothing_is_lost() {
        for (cents, bp, ours) in [
            (100, 50, 1),
            (100, 49, 0),
            (1, 5_000, 1),
            (1, 4_999, 0),
            (i64::MAX, 10_000, i64::MAX),
            (0, 10_000, 0),
        ] {
            let (host, got) = shares(cents, bp).unwrap();
            assert_eq!((got, host + got), (ours, cents), "{cents} {bp}");
        }
        for bp in [-1, 10_001] {
            assert!(shares(100, bp).is_err(), "{bp}");
        }
    }
}
