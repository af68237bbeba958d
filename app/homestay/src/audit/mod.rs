//! `homestay audit`: whether orders, payments, refunds, nights, meals and the ledger say the same.
//!
//! It reads the databases with statements of its own, one consistent snapshot each, and shares no rule with the services:
//! what they all got wrong would not be found otherwise. The snapshots are taken one after the other, so that what is under
//! way may look like a disagreement; only what is still there after a second look, a little later, is reported.

mod across;
mod booking;
mod local;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::settings::Settings;
use source::Sources;

/// One disagreement: what kind, about what, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Name of the kind.
    pub kind: &'static str,
    /// The order, payment, refund, night or ledger transaction it is about.
    pub subject: String,
    /// The figures, for a person.
    pub detail: String,
}

impl Finding {
    fn same(&self, other: &Finding) -> bool {
        (self.kind, &self.subject) == (other.kind, &other.subject)
    }
}

/// What was looked at, and what was found.
#[derive(Debug, Default)]
struct Look {
    findings: BTreeSet<Finding>,
    /// Rows by name, such as "orders".
    seen: BTreeMap<&'static str, u64>,
}

/// Looks once or, if there is something to find, twice, `settle` apart; prints what was looked at and every disagreement.
///
/// # Errors
/// A sentence that counts the disagreements, or names the database that cannot be read.
pub async fn run(settings: &Settings, settle: Duration) -> Result<(), String> {
    let mut look = look(settings).await?;
    if !look.findings.is_empty() && !settle.is_zero() {
        println!(
            "{} possible disagreements; looking again in {settle:?}, as some may be under way",
            look.findings.len()
        );
        tokio::time::sleep(settle).await;
        let again = self::look(settings).await?;
        let still = |finding: &Finding| look.findings.iter().any(|first| first.same(finding));
        let findings = again.findings.iter().filter(|finding| still(finding)).cloned();
        look = Look {
            findings: findings.collect(),
            seen: again.seen,
        };
    }
    let seen: Vec<String> = look.seen.iter().map(|(what, n)| format!("{n} {what}")).collect();
    println!("looked at {}", seen.join(", "));
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for finding in &look.findings {
        println!("{}: {}: {}", finding.kind, finding.subject, finding.detail);
        *kinds.entry(finding.kind).or_default() += 1;
    }
    if kinds.is_empty() {
        println!("orders, payments, refunds, nights, meals and ledger agree");
        return Ok(());
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, n)| format!("{kind} ({n})")).collect();
    Err(format!("the books disagree: {}", kinds.join(", ")))
}

async fn look(settings: &Settings) -> Result<Look, String> {
    let mut sources = Sources::open(settings).await?;
    let mut look = Look::default();
    local::check_all(&mut sources, &mut look).await?;
    across::check_all(&mut sources, &mut look).await?;
    Ok(look)
}
