use axum::extract::State;
use axum::http::{StatusCode, header};
use homestay_error::Error;
use homestay_http::{ApiResult, AuthUser, Json, Path, Problem, rfc3339};
use homestay_proto::travel as pb;
use homestay_rpc::request_for;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;

/// The routes `/v1/homestays/{id}/blocks`.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_blocks, create_block))
        .routes(routes!(delete_block))
}

/// Nights of a unit to keep.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewBlock)]
struct BlockBody {
    /// First night.
    #[schema(format = Date, example = "2026-12-01")]
    from: String,
    /// The night after the last; at most 180 nights.
    #[schema(format = Date, example = "2026-12-03")]
    until: String,
    /// Which one, from 1; the lowest that is free if absent.
    unit: Option<i64>,
    /// At most 255 characters.
    #[serde(default)]
    note: String,
}

/// What an owner keeps of a homestay.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Blocks)]
struct BlocksView {
    /// Those that are not over, first night first.
    blocks: Vec<BlockView>,
}

/// Nights of a unit that the owner keeps.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Block)]
struct BlockView {
    id: i64,
    homestay_id: i64,
    /// From 1.
    unit: i64,
    #[schema(format = Date)]
    from: String,
    /// The night after the last.
    #[schema(format = Date)]
    until: String,
    note: String,
    #[schema(format = DateTime)]
    created_at: Option<String>,
}

impl From<pb::Block> for BlockView {
    fn from(block: pb::Block) -> Self {
        Self {
            id: block.id,
            homestay_id: block.house_id,
            unit: block.unit,
            from: block.from,
            until: block.until,
            note: block.note,
            created_at: rfc3339(block.created_at_ms),
        }
    }
}

/// Nights that the owner keeps, for the host and operators.
#[utoipa::path(
    get, path = "/v1/homestays/{id}/blocks", tag = "hosting", params(("id" = i64, Path)), security(("bearer" = [])),
    responses(
        (status = 200, description = "They", body = BlocksView),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such homestay of the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_blocks(
    State(mut api): State<Api>,
    user: AuthUser,
    Path(house_id): Path<i64>,
) -> ApiResult<Json<BlocksView>> {
    let request = request_for(&user.actor(), pb::ListBlocksRequest { house_id });
    let list = api.travel.list_blocks(request).await?.into_inner();
    Ok(Json(BlocksView {
        blocks: list.blocks.into_iter().map(BlockView::from).collect(),
    }))
}

/// Takes nights of a unit out of sale. A booking and a block exclude each other: whoever comes first has the night.
#[utoipa::path(
    post, path = "/v1/homestays/{id}/blocks", tag = "hosting", request_body = BlockBody, params(("id" = i64, Path)),
    security(("bearer" = [])),
    responses(
        (status = 201, description = "The block", body = BlockView),
        (status = 400, description = "A field is missing or wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such homestay of the caller", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`DATES_TAKEN`", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn create_block(
    State(mut api): State<Api>,
    user: AuthUser,
    Path(house_id): Path<i64>,
    Json(body): Json<BlockBody>,
) -> ApiResult<(StatusCode, [(header::HeaderName, String); 1], Json<BlockView>)> {
    // 0 means "any" from here on.
    if body.unit.is_some_and(|unit| unit < 1) {
        return Err(Error::invalid("unit", "must be at least 1").into());
    }
    let request = pb::CreateBlockRequest {
        house_id,
        from: body.from,
        until: body.until,
        unit: body.unit.unwrap_or_default(),
        note: body.note,
    };
    let block = api
        .travel
        .create_block(request_for(&user.actor(), request))
        .await?
        .into_inner();
    let location = format!("/v1/homestays/{house_id}/blocks/{}", block.id);
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(block.into()),
    ))
}

/// Puts the nights of a block on sale again.
#[utoipa::path(
    delete, path = "/v1/homestays/{id}/blocks/{blockId}", tag = "hosting",
    params(("id" = i64, Path), ("blockId" = i64, Path)), security(("bearer" = [])),
    responses(
        (status = 204, description = "Done"),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such block of a homestay of the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn delete_block(
    State(mut api): State<Api>,
    user: AuthUser,
    Path((house_id, block_id)): Path<(i64, i64)>,
) -> ApiResult<StatusCode> {
    let request = pb::DeleteBlockRequest { house_id, block_id };
    api.travel
        .delete_block(request_for(&user.actor(), request))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
