//! What needs a person: `/v1/cases`, for operators and admins.

use axum::extract::State;
use homestay_http::{
    ApiResult, AuthUser, IdempotencyKey, Json, Path, Problem, Query, cursor, last_id, limit, rfc3339,
};
use homestay_proto::payment as pb;
use homestay_rpc::request_for;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_cases))
        .routes(routes!(get_case))
        .routes(routes!(note_case))
        .routes(routes!(resolve_case))
}

/// Which cases.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CasesQuery {
    /// `open` or `resolved`; all without it.
    state: String,
    /// Such as `refund_refused`; all without it.
    kind: String,
    /// `nextCursor` of the page before.
    cursor: String,
    /// Cases of a page: 20 without it, at most 100.
    limit: Option<i64>,
}

/// Something that needs a person.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Case)]
struct CaseJson {
    id: i64,
    /// `unknown_order`, `unknown_payment`, `wrong_amount`, `refund_refused`, `provider_refund`, `money_without_order`, or what a
    /// service of ours calls it.
    #[schema(example = "refund_refused")]
    kind: String,
    /// What it is about: one case a kind and reference.
    #[serde(rename = "ref")]
    reference: String,
    /// Empty where it is about no order that we know; and so the next three.
    order_sn: String,
    payment_sn: String,
    refund_sn: String,
    provider: String,
    /// The money in question, in the currency's minor unit.
    amount_cents: i64,
    currency: String,
    /// What is known.
    detail: String,
    /// `open` or `resolved`.
    state: String,
    #[schema(format = DateTime)]
    opened_at: Option<String>,
    /// Null while it is open.
    #[schema(format = DateTime)]
    resolved_at: Option<String>,
    /// Who, such as `user/7/operator`; null while it is open, and so the next two.
    resolved_by: Option<String>,
    /// Why.
    resolution: Option<String>,
    /// What was done with it: `retry_refund`, `refund` or `none`.
    action: Option<String>,
}

/// A case with its history.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WholeCase)]
struct WholeCaseJson {
    #[serde(flatten)]
    case: CaseJson,
    /// Notes, ends and new beginnings, oldest first.
    history: Vec<CaseEntryJson>,
}

/// What somebody wrote to a case, or did with it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CaseEntry)]
struct CaseEntryJson {
    id: i64,
    /// `note`, `resolved` or `reopened`.
    kind: String,
    /// Such as `user/7/operator`.
    author: String,
    text: String,
    /// Of a resolution; else null.
    action: Option<String>,
    #[schema(format = DateTime)]
    at: Option<String>,
}

/// A page of cases.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CasePage)]
struct CasePageJson {
    cases: Vec<CaseJson>,
    /// For the next page; null on the last one.
    next_cursor: Option<String>,
}

/// A note.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewNote)]
struct NewNoteJson {
    /// 1 to 2,000 characters.
    text: String,
}

/// The end of a case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Resolution)]
struct ResolutionJson {
    /// Why: 1 to 2,000 characters.
    resolution: String,
    /// `retry_refund`: asks the provider again for the refund that it refused. `refund`: gives back all that is left of the
    /// payment. `none`, or absent: nothing.
    #[serde(default)]
    action: Option<String>,
}

fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

impl From<pb::Case> for CaseJson {
    fn from(case: pb::Case) -> Self {
        Self {
            id: case.id,
            kind: case.kind,
            reference: case.r#ref,
            order_sn: case.order_sn,
            payment_sn: case.payment_sn,
            refund_sn: case.refund_sn,
            provider: case.provider,
            amount_cents: case.amount_cents,
            currency: case.currency,
            detail: case.detail,
            state: case.state,
            opened_at: rfc3339(case.opened_at_ms),
            resolved_at: rfc3339(case.resolved_at_ms),
            resolved_by: given(case.resolved_by),
            resolution: given(case.resolution),
            action: given(case.action),
        }
    }
}

impl From<pb::Case> for WholeCaseJson {
    fn from(mut case: pb::Case) -> Self {
        let history = std::mem::take(&mut case.history);
        let history = history.into_iter().map(|entry| CaseEntryJson {
            id: entry.id,
            kind: entry.kind,
            author: entry.author,
            text: entry.text,
            action: given(entry.action),
            at: rfc3339(entry.at_ms),
        });
        Self {
            history: history.collect(),
            case: case.into(),
        }
    }
}

/// Lists cases, newest first. For operators and admins.
#[utoipa::path(
    get, path = "/v1/cases", tag = "operations", params(CasesQuery), security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of cases", body = CasePageJson),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Nobody is signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not an operator", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_cases(
    State(mut api): State<Api>,
    user: AuthUser,
    Query(query): Query<CasesQuery>,
) -> ApiResult<Json<CasePageJson>> {
    let limit = limit(query.limit)?;
    let request = pb::ListCasesRequest {
        last_id: if query.cursor.is_empty() {
            0
        } else {
            last_id(&query.cursor)?
        },
        // One more tells whether there is a next page.
        limit: limit + 1,
        state: query.state,
        kind: query.kind,
    };
    let reply = api
        .payment
        .list_cases(request_for(&user.actor(), request))
        .await?;
    let mut cases: Vec<CaseJson> = reply.into_inner().cases.into_iter().map(Into::into).collect();
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = cases.len() > page;
    cases.truncate(page);
    let next_cursor = cases.last().filter(|_| more).map(|case| cursor(case.id));
    Ok(Json(CasePageJson { cases, next_cursor }))
}

/// Shows a case with its history. For operators and admins.
#[utoipa::path(
    get, path = "/v1/cases/{id}", tag = "operations", security(("bearer" = [])),
    params(("id" = i64, Path, description = "The case's id")),
    responses(
        (status = 200, description = "The case", body = WholeCaseJson),
        (status = 401, description = "Nobody is signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not an operator", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such case", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_case(
    State(mut api): State<Api>,
    user: AuthUser,
    Path(id): Path<i64>,
) -> ApiResult<Json<WholeCaseJson>> {
    let request = request_for(&user.actor(), pb::GetCaseRequest { id });
    let case = api.payment.get_case(request).await?.into_inner();
    Ok(Json(case.into()))
}

/// Adds a note to a case, open or not. For operators and admins.
///
/// Repeated under the same `Idempotency-Key` it is written once.
#[utoipa::path(
    post, path = "/v1/cases/{id}/notes", tag = "operations", security(("bearer" = [])),
    params(
        ("id" = i64, Path, description = "The case's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters"),
    ),
    request_body = NewNoteJson,
    responses(
        (status = 200, description = "The case", body = WholeCaseJson),
        (status = 400, description = "A field is missing or wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Nobody is signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not an operator", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such case", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`: the key was used for something else", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn note_case(
    State(mut api): State<Api>,
    user: AuthUser,
    Path(id): Path<i64>,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<NewNoteJson>,
) -> ApiResult<Json<WholeCaseJson>> {
    let request = pb::NoteCaseRequest {
        id,
        text: body.text,
        idempotency_key: key.unwrap_or_default(),
    };
    let case = api.payment.note_case(request_for(&user.actor(), request)).await?;
    Ok(Json(case.into_inner().into()))
}

/// Ends a case, and does what is to be done about it, in one step. For operators and admins.
///
/// Who, when and why is kept. Repeated by the same person with the same words it changes nothing; a refund that is tried again
/// and refused again opens the case again.
#[utoipa::path(
    post, path = "/v1/cases/{id}/resolve", tag = "operations", security(("bearer" = [])),
    params(
        ("id" = i64, Path, description = "The case's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters"),
    ),
    request_body = ResolutionJson,
    responses(
        (status = 200, description = "The case", body = WholeCaseJson),
        (status = 400, description = "A field is missing or wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Nobody is signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not an operator", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such case", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`CASE_STATE`: it was resolved; `PAYMENT_STATE` or `REFUND_EXCEEDS`: the action cannot be done, and the case stays open", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`: the key was used for something else", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn resolve_case(
    State(mut api): State<Api>,
    user: AuthUser,
    Path(id): Path<i64>,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<ResolutionJson>,
) -> ApiResult<Json<WholeCaseJson>> {
    let request = pb::ResolveCaseRequest {
        id,
        resolution: body.resolution,
        action: body.action.unwrap_or_default(),
        idempotency_key: key.unwrap_or_default(),
    };
    let case = api
        .payment
        .resolve_case(request_for(&user.actor(), request))
        .await?;
    Ok(Json(case.into_inner().into()))
}
