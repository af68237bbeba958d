//! What needs a person: money or orders that nothing we may do by ourselves brings in order.

use std::sync::LazyLock;

use homestay_clock::Ids;
use homestay_db::Tx;
use homestay_error::{Code, Error, Result};
use homestay_rpc::Actor;
use homestay_telemetry::metrics;
use prometheus::IntGaugeVec;

use crate::refund;
use crate::refund_rule::Ask;
use crate::service::PaymentService;
use crate::store::case::{self as rows, Filter, Resolution};
use crate::store::{self, Payment};

/// A callback about a payment that is not ours.
pub(crate) const UNKNOWN_PAYMENT: &str = "unknown_payment";
/// A provider names another amount or currency than ours.
pub(crate) const WRONG_AMOUNT: &str = "wrong_amount";
/// A provider will not refund.
pub(crate) const REFUND_REFUSED: &str = "refund_refused";
/// A provider gave part of a payment back of its own accord, or more than was left.
pub(crate) const PROVIDER_REFUND: &str = "provider_refund";
/// Captured money whose order does not exist.
pub(crate) const MONEY_WITHOUT_ORDER: &str = "money_without_order";
/// Something about an order that nobody knows.
const UNKNOWN_ORDER: &str = "unknown_order";
/// Longest note, reason and detail.
const TEXT: usize = 2_000;
/// Most cases of a page, and one that tells whether there is another.
const PAGE: i64 = 101;

/// Open cases.
static OPEN: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    metrics::gauge(
        "payment_cases_open",
        "Cases that wait for a person, when this process last looked.",
        &["kind"],
    )
});

/// A case before it has a number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NewCase {
    pub kind: String,
    /// What it is about: one case a kind and reference.
    pub reference: String,
    pub order_sn: String,
    pub payment_sn: String,
    pub refund_sn: String,
    pub provider: String,
    pub amount_cents: i64,
    pub currency: String,
    pub detail: String,
}

/// A row of `pay_case`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    pub id: i64,
    pub new: NewCase,
    pub open: bool,
    pub opened_at_ms: i64,
    pub resolved_at_ms: i64,
    pub resolved_by: String,
    pub resolution: String,
    pub action: String,
}

/// A line of a case's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub id: i64,
    /// note, resolved, reopened.
    pub kind: String,
    pub author: String,
    pub text: String,
    pub action: String,
    pub request_key: String,
    pub at_ms: i64,
}

/// A case about a payment.
pub(crate) fn about(kind: &str, payment: &Payment, reference: String) -> NewCase {
    NewCase {
        kind: kind.to_owned(),
        reference,
        order_sn: payment.order_sn.to_string(),
        payment_sn: payment.sn.to_string(),
        provider: payment.provider.clone(),
        amount_cents: payment.amount_cents,
        currency: payment.currency.clone(),
        ..NewCase::default()
    }
}

/// What is done about a case when it is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    None,
    /// The provider is asked again for the refund that it refused.
    RetryRefund,
    /// All that is left of the payment goes back.
    Refund,
}

impl Action {
    fn read(text: &str) -> Result<Self> {
        match text {
            "" | "none" => Ok(Action::None),
            "retry_refund" => Ok(Action::RetryRefund),
            "refund" => Ok(Action::Refund),
            _ => Err(Error::invalid("action", "must be retry_refund, refund or none")),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Action::None => "none",
            Action::RetryRefund => "retry_refund",
            Action::Refund => "refund",
        }
    }
}

/// Opens a case in the transaction of what it is about. One that is open, or was resolved, stays as it is.
pub(crate) async fn open(tx: &mut Tx, ids: &Ids, new: &NewCase, now_ms: i64) -> Result<()> {
    if rows::insert(tx, ids.id(), new, now_ms).await? {
        tracing::error!(
            kind = new.kind,
            reference = new.reference,
            order.sn = new.order_sn,
            payment.sn = new.payment_sn,
            detail = new.detail,
            "a case was opened"
        );
    }
    Ok(())
}

/// The same, of something that may happen again after it was resolved: then the case is open again.
pub(crate) async fn open_again(
    tx: &mut Tx,
    ids: &Ids,
    new: &NewCase,
    author: &str,
    now_ms: i64,
) -> Result<()> {
    if !rows::reopen(tx, new).await? {
        return open(tx, ids, new, now_ms).await;
    }
    let case = rows::by_ref(&mut **tx, &new.kind, &new.reference).await?;
    let case = case.ok_or_else(|| Error::internal("a case is gone"))?;
    let entry = entry(ids, "reopened", author, &new.detail, "", "", now_ms);
    rows::note(tx, case.id, &entry).await?;
    tracing::error!(
        kind = new.kind,
        reference = new.reference,
        detail = new.detail,
        "a case is open again"
    );
    Ok(())
}

/// Ends a case that has become void; nothing if it is not open.
pub(crate) async fn void(
    tx: &mut Tx,
    ids: &Ids,
    kind: &str,
    reference: &str,
    why: &str,
    now_ms: i64,
) -> Result<()> {
    let Some(case) = rows::by_ref(&mut **tx, kind, reference).await? else {
        return Ok(());
    };
    let how = Resolution {
        author: "service/payment-rpc".to_owned(),
        text: why.to_owned(),
        action: Action::None.as_str().to_owned(),
    };
    if rows::resolve(tx, case.id, &how, now_ms).await? {
        let entry = entry(ids, "resolved", &how.author, why, &how.action, "", now_ms);
        rows::note(tx, case.id, &entry).await?;
    }
    Ok(())
}

fn entry(ids: &Ids, kind: &str, author: &str, text: &str, action: &str, key: &str, at_ms: i64) -> Entry {
    Entry {
        id: ids.id(),
        kind: kind.to_owned(),
        author: author.to_owned(),
        text: text.to_owned(),
        action: action.to_owned(),
        request_key: key.to_owned(),
        at_ms,
    }
}

fn not_found() -> Error {
    Error::new(Code::CaseNotFound)
}

fn text(field: &'static str, text: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::invalid(field, "must not be empty"));
    }
    if text.chars().count() > TEXT {
        return Err(Error::invalid(field, "must have at most 2000 characters"));
    }
    Ok(text.to_owned())
}

impl PaymentService {
    /// Opens a case by itself; the case there is, if it was opened before.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] without a kind or reference.
    pub(crate) async fn open_case(&self, new: NewCase) -> Result<Case> {
        let named = !new.kind.is_empty()
            && new.kind.len() <= 40
            && new
                .kind
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if !named {
            return Err(Error::invalid(
                "kind",
                "must be lower case letters and underscores",
            ));
        }
        if new.reference.is_empty() {
            return Err(Error::invalid("ref", "must not be empty"));
        }
        let new = NewCase {
            detail: new.detail.chars().take(TEXT).collect(),
            ..new
        };
        let (ids, now_ms) = (self.ids.clone(), self.clock.now_ms());
        let case = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    open(tx, &ids, &new, now_ms).await?;
                    rows::by_ref(&mut **tx, &new.kind, &new.reference).await
                })
            })
            .await?
            .ok_or_else(|| Error::internal("a case is gone"))?;
        self.count_cases().await;
        Ok(case)
    }

    /// A page of cases, newest first.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for a state that there is not.
    pub(crate) async fn cases(&self, filter: Filter) -> Result<Vec<Case>> {
        if !matches!(filter.state.as_str(), "" | "open" | "resolved") {
            return Err(Error::invalid("state", "must be open or resolved"));
        }
        let limit = filter.limit.clamp(1, PAGE);
        rows::list(&self.db, &Filter { limit, ..filter }).await
    }

    /// A case with its history.
    ///
    /// # Errors
    /// [`Code::CaseNotFound`].
    pub(crate) async fn case(&self, id: i64) -> Result<(Case, Vec<Entry>)> {
        let case = rows::by_id(self.db.read(), id).await?.ok_or_else(not_found)?;
        Ok((case, rows::history(self.db.read(), id).await?))
    }

    /// Adds a note; once, however often it is sent under the same key.
    ///
    /// # Errors
    /// [`Code::CaseNotFound`], [`Code::InvalidArgument`], [`Code::IdempotencyKeyReused`].
    pub(crate) async fn note_case(&self, actor: &Actor, id: i64, note: &str, key: &str) -> Result<()> {
        let (ids, now_ms) = (self.ids.clone(), self.clock.now_ms());
        let new = entry(
            &ids,
            "note",
            &actor.to_string(),
            &text("text", note)?,
            "",
            key,
            now_ms,
        );
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    rows::by_id(&mut **tx, id).await?.ok_or_else(not_found)?;
                    if rows::note(tx, id, &new).await? {
                        return Ok(());
                    }
                    repeated(tx, id, &new).await
                })
            })
            .await
    }

    /// Ends a case and does what is to be done about it, in one transaction. Repeating it by the same person changes nothing.
    ///
    /// # Errors
    /// [`Code::CaseNotFound`]; [`Code::CaseState`] if somebody else has resolved it, or otherwise; what the action says.
    pub(crate) async fn resolve_case(
        &self,
        actor: &Actor,
        id: i64,
        resolution: &str,
        action: &str,
        key: &str,
    ) -> Result<()> {
        let action = Action::read(action)?;
        let how = Resolution {
            author: actor.to_string(),
            text: text("resolution", resolution)?,
            action: action.as_str().to_owned(),
        };
        let (ids, now_ms) = (self.ids.clone(), self.clock.now_ms());
        let new = entry(&ids, "resolved", &how.author, &how.text, &how.action, key, now_ms);
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    if rows::by_key(tx, &new.author, key_of(&new)).await?.is_some() {
                        return repeated(tx, id, &new).await;
                    }
                    let case = rows::by_id(&mut **tx, id).await?.ok_or_else(not_found)?;
                    lock(tx, &case, action).await?;
                    if !rows::resolve(tx, id, &how, now_ms).await? {
                        let case = rows::by_id(&mut **tx, id).await?.ok_or_else(not_found)?;
                        let same = case.resolved_by == how.author
                            && case.resolution == how.text
                            && case.action == how.action;
                        return if same {
                            Ok(())
                        } else {
                            Err(Error::new(Code::CaseState))
                        };
                    }
                    if !rows::note(tx, id, &new).await? {
                        return Err(Error::new(Code::IdempotencyKeyReused));
                    }
                    let case = rows::by_id(&mut **tx, id).await?.ok_or_else(not_found)?;
                    act(tx, &ids, &case, action, now_ms).await
                })
            })
            .await?;
        self.count_cases().await;
        Ok(())
    }

    /// Refreshes the gauge; what could not be counted stays as it was.
    pub(crate) async fn count_cases(&self) {
        match store::case::open_by_kind(self.db.read()).await {
            Ok(counts) => {
                OPEN.reset();
                for kind in [
                    UNKNOWN_ORDER,
                    UNKNOWN_PAYMENT,
                    WRONG_AMOUNT,
                    REFUND_REFUSED,
                    PROVIDER_REFUND,
                    MONEY_WITHOUT_ORDER,
                ] {
                    OPEN.with_label_values(&[kind]).set(0);
                }
                for (kind, open) in counts {
                    OPEN.with_label_values(&[kind.as_str()]).set(open);
                }
            }
            Err(error) => tracing::warn!(error = %error.chain(), "open cases could not be counted"),
        }
    }
}

fn key_of(entry: &Entry) -> &str {
    &entry.request_key
}

/// The author's key was used: fine for the very same.
async fn repeated(tx: &mut Tx, id: i64, new: &Entry) -> Result<()> {
    let known = rows::by_key(tx, &new.author, key_of(new)).await?;
    let same = known.is_some_and(|(case, known)| {
        case == id && known.kind == new.kind && known.text == new.text && known.action == new.action
    });
    if same {
        Ok(())
    } else {
        Err(Error::new(Code::IdempotencyKeyReused))
    }
}

/// What an action changes is locked before the case is, as everywhere.
async fn lock(tx: &mut Tx, case: &Case, action: Action) -> Result<()> {
    let (payment_sn, refund_sn) = (&case.new.payment_sn, &case.new.refund_sn);
    match action {
        Action::RetryRefund if !refund_sn.is_empty() => {
            refund::lock_of_refund(tx, refund_sn).await?;
        }
        Action::Refund if !payment_sn.is_empty() => {
            refund::locked(tx, payment_sn).await?;
        }
        _ => {}
    }
    Ok(())
}

async fn act(tx: &mut Tx, ids: &Ids, case: &Case, action: Action, now_ms: i64) -> Result<()> {
    let none = |what| Error::invalid("action", format!("this case is about no {what}"));
    match action {
        Action::None => Ok(()),
        Action::RetryRefund if case.new.refund_sn.is_empty() => Err(none("refund")),
        Action::RetryRefund => refund::retry(tx, ids, &case.new.refund_sn, now_ms).await,
        Action::Refund if case.new.payment_sn.is_empty() => Err(none("payment")),
        Action::Refund => {
            let ask = Ask {
                amount_cents: 0,
                key: format!("case:{}", case.id),
                reason: case.resolution.clone(),
            };
            refund::begin(tx, ids, &case.new.payment_sn, ask, now_ms).await?;
            Ok(())
        }
    }
}
