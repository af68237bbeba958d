use homestay_error::{Code, Error, Result};

use super::charge::{self, Charge, ChargeState};
use super::{Sandbox, deliver};

impl Sandbox {
    /// What the pay page shows.
    ///
    /// # Errors
    /// [`Code::NotFound`] for an unknown token.
    pub(crate) async fn page(&self, token: &str) -> Result<Charge> {
        charge::by_token(self.db.read(), token)
            .await?
            .map(|charge| charge.at(self.clock.now_ms()))
            .ok_or_else(|| Error::new(Code::NotFound))
    }

    /// Presses a button: `pay`, `fail` or `pay-late`. On a charge that is not open it changes nothing.
    ///
    /// # Errors
    /// [`Code::NotFound`] for an unknown token; [`Code::InvalidArgument`] for an unknown button.
    pub(crate) async fn act(&self, token: &str, action: &str) -> Result<Charge> {
        let to = match action {
            "pay" => ChargeState::Captured,
            "fail" => ChargeState::Failed,
            "pay-late" => ChargeState::Late,
            _ => return Err(Error::invalid("action", "must be pay, fail or pay-late")),
        };
        let (ids, now_ms, token) = (self.ids.clone(), self.clock.now_ms(), token.to_owned());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let acted = charge::act(tx, &token, to, now_ms).await?;
                    let charge = charge::by_token(&mut **tx, &token)
                        .await?
                        .ok_or_else(|| Error::new(Code::NotFound))?;
                    if acted {
                        deliver::announce(tx, &ids, &charge).await?;
                    }
                    Ok(charge.at(now_ms))
                })
            })
            .await
    }
}
