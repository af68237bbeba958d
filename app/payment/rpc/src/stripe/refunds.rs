//! Refunds of a payment intent.

use homestay_error::Result;

use super::messages::{List, REFUND_SN, Refund};
use super::{KEYS, Said, Stripe, TEXT, key, money, words};
use crate::provider::{RefundIntent, RefundOutcome};
use crate::remote::{cut, unsettled};

impl Stripe {
    /// Pays back, unless the books show that it was done.
    pub(super) async fn pay_back(&self, intent: &RefundIntent) -> Result<RefundOutcome> {
        let payment_intent = &intent.provider_ref;
        if !payment_intent.starts_with("pi_") {
            return Ok(RefundOutcome::Refused(format!(
                "no payment intent is known, only {payment_intent:?}"
            )));
        }
        let Some(amount) = money::to_stripe(&intent.currency, intent.amount_cents) else {
            return Ok(RefundOutcome::Refused(format!(
                "Stripe cannot pay back {} {}",
                intent.amount_cents, intent.currency
            )));
        };
        let number = intent.number();
        let mut form = vec![
            ("payment_intent", payment_intent.clone()),
            ("amount", amount.to_string()),
            ("metadata[refund_sn]", intent.refund_sn.to_string()),
            ("metadata[payment_sn]", intent.payment_sn.to_string()),
            ("metadata[reason]", cut(&intent.reason, TEXT).to_owned()),
        ];
        if intent.attempt > 0 {
            form.push(("metadata[attempt]", intent.attempt.to_string()));
        }
        for round in 0..KEYS {
            // Stripe forgets keys after a day; the refund itself stays, also one that was made under a key that is given up.
            if let Some(known) = self.known_refund(intent).await? {
                return Ok(outcome(&known));
            }
            let said = self
                .once::<Refund>("/v1/refunds", &key(&number, round), &form)
                .await?;
            match said {
                Some(Said::Done(refund)) => return Ok(outcome(&refund)),
                Some(Said::No(problem)) => return Ok(RefundOutcome::Refused(words(&problem))),
                None => {}
            }
        }
        Err(unsettled("Stripe fails under every key"))
    }

    /// The refund of ours among those of a payment intent: of any attempt if it pays, of this one if it has failed.
    async fn known_refund(&self, intent: &RefundIntent) -> Result<Option<Refund>> {
        let (mut after, mut failed) = (String::new(), None);
        loop {
            let mut query = vec![("payment_intent", intent.provider_ref.as_str()), ("limit", "100")];
            if !after.is_empty() {
                query.push(("starting_after", &after));
            }
            let list = match self.get::<List<Refund>>("/v1/refunds", &query).await? {
                Said::Done(list) => list,
                Said::No(problem) => return Err(unsettled(words(&problem))),
            };
            let last = list.data.last().map(|refund| refund.id.clone());
            for refund in list.data {
                if refund.metadata(REFUND_SN) != intent.refund_sn.as_str() {
                    continue;
                }
                if !refund.has_failed() {
                    return Ok(Some(refund));
                }
                if refund.attempt() == intent.attempt {
                    failed = Some(refund);
                }
            }
            match last {
                Some(last) if list.has_more => after = last,
                _ => return Ok(failed),
            }
        }
    }
}

fn outcome(refund: &Refund) -> RefundOutcome {
    if refund.has_failed() {
        let status = refund.status.as_deref().unwrap_or_default();
        let reason = refund.failure_reason.as_deref().unwrap_or_default();
        return RefundOutcome::Refused(format!("the refund {} is {status} {reason}", refund.id));
    }
    match refund.status.as_deref() {
        Some("succeeded") => RefundOutcome::Succeeded,
        _ => RefundOutcome::Pending,
    }
}
