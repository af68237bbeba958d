//! Who may do what: every HTTP route and every RPC method, for each kind of caller. A route or a method without a row fails.

mod table;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::Path;

use homestay_rpc::{Actor, Identity, Methods};
use homestay_types::Role;
use reqwest::Method;
use serde_json::{Value, json};
use tonic::body::Body;
use tower::{Service, ServiceExt};

use table::{A, CALLERS, METHODS, N, ROUTES, Row, S};

use crate::harness::{Mode, Program, USUAL, day, mobile, next_day, text, unique};

/// What there is, and what could be there as well but is not.
struct World {
    ids: Vec<(&'static str, String, String)>,
    /// One for each column: whoever may delete one has one to delete.
    blocks: Vec<String>,
}

impl World {
    /// The guest's order in the host's house and its payment, and nights of the house that the host keeps.
    async fn new(program: &Program, guest: &str, (host, token): &(i64, String)) -> Self {
        let (_, page) = program.get("/v1/homestays?limit=100", None).await;
        // Of several units: flows that share a fleet count on those with one.
        let house = page["homestays"]
            .as_array()
            .and_then(|list| {
                list.iter()
                    .find(|h| h["hostId"] == *host && h["units"].as_i64() > Some(1))
            })
            .unwrap_or_else(|| panic!("no house of the host in {page}"));
        let id = house["id"].as_i64().expect("an id");
        let mut nights = free_nights(program, id).await.into_iter();
        let (from, to) = nights.next().expect("a free night");
        let stay = json!({ "homestayId": id, "checkIn": from, "checkOut": to, "guests": 1 });
        let order = program.booked(guest, &stay).await;
        let (status, payment) = program
            .post("/v1/payments", Some(guest), json!({ "orderSn": order }))
            .await;
        assert_eq!(status, 201, "{payment}");
        let url = text(&payment, "payUrl");
        let pay = url.rsplit('/').next().expect("a token").to_owned();
        let path = format!("/v1/homestays/{id}");
        let (status, rules) = program.get(&format!("{path}/rules"), Some(token)).await;
        assert_eq!(status, 200, "{rules}");
        let mut blocks = Vec::new();
        for (from, until) in nights.by_ref().take(CALLERS.len()) {
            let body = json!({ "from": from, "until": until });
            let (status, block) = program.post(&format!("{path}/blocks"), Some(token), body).await;
            assert_eq!(status, 201, "{block}");
            blocks.push(block["id"].to_string());
        }
        let (block_from, block_until) = nights.next().expect("a free night");
        let same = |name, value: String| (name, value.clone(), value);
        let ids = vec![
            ("<order>", order, "HSO2026112110155912345678".to_owned()),
            (
                "<payment>",
                text(&payment, "sn"),
                "PMT2026112110155912345678".to_owned(),
            ),
            ("<house>", id.to_string(), "999999999".to_owned()),
            same("<pay>", pay),
            same("<shop>", house["shopId"].to_string()),
            same("<from>", from),
            same("<to>", to),
            same("<rules>", rules.to_string()),
            same("<block-from>", block_from),
            same("<block-until>", block_until),
        ];
        Self { ids, blocks }
    }

    fn fill(&self, template: &str, known: bool, column: usize) -> String {
        let block = if known {
            self.blocks[column].as_str()
        } else {
            "999999999"
        };
        let mut text = template.replace("<mobile>", &mobile()).replace("<block>", block);
        for (name, there, not_there) in &self.ids {
            text = text.replace(name, if known { there } else { not_there });
        }
        text
    }

    /// An answer about what is there, as it would be about what is not.
    fn unknown(&self, answer: &str) -> String {
        // A short id is part of other numbers, and nothing that is unknown need name it.
        let ids = self.ids.iter().filter(|(_, there, _)| there.len() > 8);
        ids.fold(answer.to_owned(), |text, (_, there, not_there)| {
            text.replace(there, not_there)
        })
    }
}

/// Nights of which more than one unit is left, each with the day after.
async fn free_nights(program: &Program, house: i64) -> Vec<(String, String)> {
    let path = format!("/v1/homestays/{house}/calendar?from={}&to={}", day(60), day(160));
    let (_, calendar) = program.get(&path, None).await;
    let days = calendar["days"].as_array().expect("days");
    days.iter()
        .filter(|day| day["open"] == true && day["freeUnits"].as_i64() > Some(1))
        .map(|day| (text(day, "date"), next_day(&text(day, "date"))))
        .collect()
}

async fn login(program: &Program, mobile: &str) -> (i64, String) {
    let body = json!({ "mobile": mobile, "password": "homestay-demo" });
    let (status, session) = program.post("/v1/sessions", None, body).await;
    assert_eq!(status, 201, "{session}");
    (
        session["userId"].as_i64().expect("an id"),
        text(&session, "accessToken"),
    )
}

pub async fn every_route_answers_each_kind_of_caller_as_the_table_says(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    assert_every_route_has_a_row(&program).await;
    let guest = program.guest().await;
    let host = login(&program, "13800000002").await;
    let world = World::new(&program, &guest, &host).await;
    let tokens: [Option<String>; 9] = [
        None,
        Some(guest),
        Some(program.guest().await),
        Some(host.1),
        Some(program.other_host().await),
        Some(program.token_of(host.0, Role::Guest)),
        Some(login(&program, "13800000003").await.1),
        Some(login(&program, "13800000004").await.1),
        None,
    ];
    let mut wrong = Vec::new();
    for row in ROUTES {
        let mut columns: Vec<usize> = (0..CALLERS.len()).collect();
        // Who is refused first: who is not may change the order.
        columns.sort_by_key(|column| row.cells[*column] == A);
        for column in columns {
            let (cell, token) = (row.cells[column], tokens[column].as_deref());
            let (status, answer) = send(&program, row, &world, true, token, column).await;
            let right = match cell {
                A => !matches!(status, 401 | 403 | 404 | 405) && status < 500,
                S => matches!(status, 400 | 401),
                refused => status == refused.status(),
            };
            let name = format!("{} as {}", row.route, CALLERS[column]);
            if !right {
                wrong.push(format!("{name}: {cell:?} in the table, but {status} {answer}"));
            } else if cell == N {
                let not_there = send(&program, row, &world, false, token, column).await;
                if (status, world.unknown(&answer)) != not_there {
                    wrong.push(format!(
                        "{name}: {status} {answer} differs from what is unknown: {} {}",
                        not_there.0, not_there.1
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Status and body, without the request's own id.
async fn send(
    program: &Program,
    row: &Row,
    world: &World,
    known: bool,
    token: Option<&str>,
    column: usize,
) -> (u16, String) {
    let (verb, _) = row.route.split_once(' ').expect("a verb");
    let method = Method::from_bytes(verb.as_bytes()).expect("a verb");
    let url = format!("{}{}", program.base, world.fill(row.path, known, column));
    for _ in 0..50 {
        let mut request = program
            .http
            .request(method.clone(), &url)
            .header("idempotency-key", unique());
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if CALLERS[column] == "service" {
            request = request
                .header("x-homestay-credential", program.credential())
                .header("x-homestay-actor", "service/order-mq");
        }
        if !row.body.is_empty() {
            let body = world.fill(row.body, known, column);
            let kind = if body.starts_with('{') {
                "application/json"
            } else {
                "application/x-www-form-urlencoded"
            };
            request = request.header("content-type", kind).body(body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        if program.is_overloaded(status).await {
            continue;
        }
        let text = answer.text().await.expect("a body");
        let mut value: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if let Some(fields) = value.as_object_mut() {
            fields.remove("requestId");
        }
        return (status.as_u16(), value.to_string());
    }
    panic!("{url} is overloaded");
}

/// Those of the OpenAPI document, and the paths in the sources of the other routes.
async fn assert_every_route_has_a_row(program: &Program) {
    let rows: BTreeSet<String> = ROUTES.iter().map(|row| row.route.to_owned()).collect();
    assert_eq!(rows.len(), ROUTES.len(), "a route has one row");
    let (_, api) = program.get("/openapi.json", None).await;
    let mut routes = BTreeSet::new();
    let mut documented = BTreeSet::new();
    for (path, item) in api["paths"].as_object().expect("paths") {
        documented.insert(path.clone());
        for verb in item.as_object().expect("operations").keys() {
            routes.insert(format!("{} {path}", verb.to_uppercase()));
        }
    }
    let without: Vec<_> = routes.difference(&rows).collect();
    assert!(without.is_empty(), "routes without a row: {without:?}");

    let paths: BTreeSet<String> = ROUTES
        .iter()
        .filter_map(|row| Some(row.route.split_once(' ')?.1.to_owned()))
        .collect();
    let in_sources = paths_in_sources();
    let without: Vec<_> = in_sources.difference(&paths).collect();
    assert!(without.is_empty(), "paths without a row: {without:?}");
    let gone: Vec<_> = paths
        .iter()
        .filter(|path| !documented.contains(*path) && !in_sources.contains(*path))
        .collect();
    assert!(gone.is_empty(), "rows without a route: {gone:?}");
}

/// The literals of `.route("…"` and `…_PATH: &str = "…"` in the sources of the apis.
fn paths_in_sources() -> BTreeSet<String> {
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders: Vec<_> = ["order", "payment", "travel", "usercenter", "mqueue"]
        .map(|domain| app.join(domain).join("api/src"))
        .to_vec();
    let mut paths = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("a source");
            let flat = source.split_whitespace().collect::<Vec<_>>().join(" ");
            for before in [".route( \"", ".route(\"", "_PATH: &str = \""] {
                for (at, _) in flat.match_indices(before) {
                    let path = flat[at + before.len()..].split('"').next().expect("a literal");
                    paths.insert(path.to_owned());
                }
            }
        }
    }
    // Routers of tests.
    paths.retain(|path| path.starts_with('/') && path != "/");
    paths
}

const TABLES: [Methods; 5] = [
    order_rpc::METHODS,
    payment_rpc::METHODS,
    travel_rpc::METHODS,
    usercenter_rpc::METHODS,
    mqueue_rpc::METHODS,
];

/// What a guard with this table answers, before a server that answers everything.
async fn status(table: Methods, method: &str, identity: Identity) -> u16 {
    let server = tower::service_fn(async |_: http::Request<Body>| {
        let response = http::Response::builder().header("grpc-status", "0");
        Ok::<_, Infallible>(response.body(Body::empty()).expect("a response"))
    });
    let mut channel = homestay_testkit::serve(server, table).channel(identity);
    let request = http::Request::builder()
        .method("POST")
        .uri(format!("/{method}"))
        .body(Body::empty())
        .expect("a request");
    let response = channel.ready().await.expect("ready").call(request).await;
    match response.map(|response| tonic::Status::from_header_map(response.headers())) {
        Ok(Some(status)) if status.code() != tonic::Code::Ok => {
            homestay_error::Error::from(status).code().http().as_u16()
        }
        Ok(_) => 200,
        Err(status) => homestay_error::Error::from(status).code().http().as_u16(),
    }
}

#[tokio::test]
async fn every_method_answers_each_kind_of_caller_as_the_table_says() {
    let user = |id, role| Actor::User { id, role };
    let actors = [
        Actor::Anonymous,
        user(1, Role::Guest),
        user(2, Role::Guest),
        user(3, Role::Host),
        user(4, Role::Host),
        user(3, Role::Guest),
        user(5, Role::Operator),
        user(6, Role::Admin),
        Actor::Service("order-mq".into()),
    ];
    let mut left: BTreeSet<&str> = METHODS.iter().map(|(method, _)| *method).collect();
    assert_eq!(left.len(), METHODS.len(), "a method has one row");
    for table in TABLES {
        for (path, _) in table {
            let method = path.trim_start_matches('/');
            let (_, cells) = METHODS
                .iter()
                .find(|(name, _)| *name == method)
                .unwrap_or_else(|| panic!("{method} has no row"));
            left.remove(method);
            for ((actor, cell), caller) in actors.iter().zip(cells).zip(CALLERS) {
                let inside = Identity::new(homestay_testkit::CREDENTIAL, actor);
                let outside = Identity::new("a-guess", actor);
                assert_eq!(
                    status(table, method, inside).await,
                    cell.status(),
                    "{method} as {caller}"
                );
                // Whoever it says it is.
                assert_eq!(status(table, method, outside).await, 401, "{method} as {caller}");
            }
        }
    }
    assert!(left.is_empty(), "rows without a method: {left:?}");
}
