use axum::extract::State;
use homestay_http::{ApiResult, AuthUser, Json, Problem, Query, cursor, last_id, limit, rfc3339};
use homestay_proto::common::Empty;
use homestay_proto::mqueue as pb;
use homestay_rpc::request_for;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;

/// The routes `/v1/jobs` and `/v1/queues`.
pub fn rest(api: Api) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(jobs))
        .routes(routes!(queues))
        .with_state(api)
}

/// Which jobs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct JobsQuery {
    /// Name of a queue; all without it.
    queue: String,
    /// `ready`, `running`, `done` or `dead`; all without it.
    state: String,
    /// `nextCursor` of the page before.
    cursor: String,
    /// Jobs of a page: 20 without it, at most 100.
    limit: Option<i64>,
}

/// A piece of work: at once, at a time, or again after a failure.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Job)]
struct JobJson {
    id: i64,
    queue: String,
    /// What is to be done.
    kind: String,
    /// `ready` (waits for its time or a worker), `running`, `done`, or `dead`: tried in vain, kept for you.
    state: String,
    /// Ids of what it is about; what opens something is `[redacted]`.
    #[schema(value_type = Object)]
    payload: Value,
    /// Null where the same job may be enqueued again and again.
    unique_key: Option<String>,
    /// Tries so far.
    attempt: i64,
    max_attempts: i64,
    #[schema(format = DateTime)]
    due_at: Option<String>,
    /// Until when the worker has it, unless it says that it lives; null while nobody has it.
    #[schema(format = DateTime)]
    lease_until: Option<String>,
    /// Who has it, or had it last; null before the first try.
    worker: Option<String>,
    /// Why the last try failed; null if none did.
    last_error: Option<String>,
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// When it was done or given up; null until then.
    #[schema(format = DateTime)]
    finished_at: Option<String>,
    /// Trace of what caused it, 32 hex digits; null without one.
    trace_id: Option<String>,
}

/// Keys of a payload whose values open something, such as a pay page: operators need not see them.
const SECRET_KEYS: [&str; 3] = ["token", "secret", "code"];

/// A payload as operators see it. One that is not JSON is not shown: nobody knows what is in it.
fn payload(text: &str) -> Value {
    let mut value = serde_json::from_str(text).unwrap_or(Value::Null);
    redact(&mut value);
    value
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if is_secret(key) {
                    *value = Value::from("[redacted]");
                } else {
                    redact(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(redact),
        _ => {}
    }
}

/// `token`, `payToken`, `pay_token`, `TOKEN` and their like.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_KEYS.iter().any(|secret| key.ends_with(secret))
}

fn text(value: String) -> Option<String> {
    Some(value).filter(|value| !value.is_empty())
}

impl From<pb::JobView> for JobJson {
    fn from(view: pb::JobView) -> Self {
        let job = view.job.unwrap_or_default();
        Self {
            id: job.id,
            queue: job.queue,
            kind: job.kind,
            state: view.state,
            payload: payload(&job.payload),
            unique_key: text(view.unique_key),
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            due_at: rfc3339(job.due_at_ms),
            lease_until: rfc3339(job.lease_until_ms),
            worker: text(view.worker),
            last_error: text(view.last_error),
            created_at: rfc3339(view.created_at_ms),
            finished_at: rfc3339(view.finished_at_ms),
            trace_id: job.traceparent.split('-').nth(1).map(str::to_owned),
        }
    }
}

/// A page of jobs, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JobPage)]
struct JobPageJson {
    jobs: Vec<JobJson>,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
}

/// A queue and what is in it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Queue)]
struct QueueJson {
    queue: String,
    /// Jobs that are due and wait for a worker.
    ready: i64,
    /// Jobs that are due later.
    scheduled: i64,
    running: i64,
    /// Jobs that were given up and wait for you.
    dead: i64,
    /// How long the oldest due job has been waiting, milliseconds.
    oldest_due_ms: i64,
}

/// All queues, by name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QueueList)]
struct QueueListJson {
    queues: Vec<QueueJson>,
}

/// Lists jobs, newest first. For operators and admins.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "operations", params(JobsQuery), security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of jobs", body = JobPageJson),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Nobody is signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not an operator", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn jobs(
    State(mut api): State<Api>,
    user: AuthUser,
    Query(query): Query<JobsQuery>,
) -> ApiResult<Json<JobPageJson>> {
    let limit = limit(query.limit)?;
    let request = pb::ListJobsRequest {
        queue: query.queue,
        state: query.state,
        last_id: if query.cursor.is_empty() {
            0
        } else {
            last_id(&query.cursor)?
        },
        // One more tells whether there is a next page.
        limit: limit + 1,
    };
    let reply = api.mqueue.list_jobs(request_for(&user.actor(), request)).await?;
    let mut jobs: Vec<JobJson> = reply.into_inner().jobs.into_iter().map(Into::into).collect();
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = jobs.len() > page;
    jobs.truncate(page);
    let next_cursor = jobs.last().filter(|_| more).map(|job| cursor(job.id));
    Ok(Json(JobPageJson { jobs, next_cursor }))
}

/// Lists the queues that have open or dead jobs. For operators and admins.
#[utoipa::path(
    get, path = "/v1/queues", tag = "operations", security(("bearer" = [])),
    responses(
        (status = 200, description = "All queues", body = QueueListJson),
        (status = 401, description = "Nobody is signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not an operator", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn queues(State(mut api): State<Api>, user: AuthUser) -> ApiResult<Json<QueueListJson>> {
    let reply = api
        .mqueue
        .list_queues(request_for(&user.actor(), Empty {}))
        .await?;
    let queues = reply.into_inner().queues.into_iter().map(|queue| QueueJson {
        queue: queue.queue,
        ready: queue.ready,
        scheduled: queue.scheduled,
        running: queue.running,
        dead: queue.dead,
        oldest_due_ms: queue.oldest_due_ms,
    });
    Ok(Json(QueueListJson {
        queues: queues.collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_opens_something_is_not_shown_in_a_payload() {
        let cases = [
            (
                r#"{"token":"abc","what":"callback","event_id":"captured-PMT1"}"#,
                json!({ "token": "[redacted]", "what": "callback", "event_id": "captured-PMT1" }),
            ),
            (
                r#"{"payToken":"abc","deep":[{"client_secret":{"a":1},"sn":"HSO1"}],"tradeCode":7}"#,
                json!({ "payToken": "[redacted]", "deep": [{ "client_secret": "[redacted]", "sn": "HSO1" }],
                    "tradeCode": "[redacted]" }),
            ),
            (
                r#"{"sn":"HSO1","tokens":3}"#,
                json!({ "sn": "HSO1", "tokens": 3 }),
            ),
            ("token=abc", Value::Null),
        ];
        for (stored, shown) in cases {
            assert_eq!(payload(stored), shown, "{stored}");
        }
    }
}
