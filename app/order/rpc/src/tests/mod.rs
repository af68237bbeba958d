//! The service over a real database, with fakes of travel and payment that can be told to fail.

mod booking;
mod cancelling;
mod changing;
mod closing;
mod cut_off;
mod faults;
mod fees;
mod late_money;
mod paying;
mod peers;
mod random;
mod reading;
mod resolving;
mod taken;

use std::time::Duration;

use homestay_clock::{Clock, Ids};
use homestay_error::{Code, Error};
use homestay_proto::common::Empty;
use homestay_proto::order as pb;
use homestay_proto::order::order_client::OrderClient;
use homestay_proto::order::order_server::OrderServer;
use homestay_proto::payment::payment_client::PaymentClient;
use homestay_proto::payment::payment_server::PaymentServer;
use homestay_proto::travel::travel_client::TravelClient;
use homestay_proto::travel::travel_server::TravelServer;
use homestay_rpc::{Actor, Channel, LocalSlot};
use homestay_testkit::TestDb;
use homestay_types::Role;
use peers::{FakePayment, FakeTravel, Faults};
use sqlx::Row;
use tonic::Status;

use crate::{Config, METHODS, MIGRATIONS, OrderService};

/// The guest of most tests.
const GUEST: i64 = 41;
/// What two nights for two guests without meals cost at the fake travel.
const TOTAL: i64 = 20_000;

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    pub(crate) travel: FakeTravel,
    pub(crate) payment: FakePayment,
    slot: LocalSlot,
    db: TestDb,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (clock, ids): (Clock, Ids) = homestay_testkit::clock();
        let db = homestay_testkit::database(MIGRATIONS).await;
        let faults = Faults::default();
        let travel = FakeTravel::new(faults.clone());
        let payment = FakePayment::new(faults.clone());
        let service = OrderService::new(
            db.db.clone(),
            ids,
            clock.clone(),
            TravelClient::new(homestay_testkit::fake(TravelServer::new(travel.clone()))),
            PaymentClient::new(homestay_testkit::fake(PaymentServer::new(payment.clone()))),
            "node-1".into(),
            Config::default(),
        );
        let slot = homestay_testkit::serve(OrderServer::new(service), METHODS);
        Self {
            clock,
            faults,
            travel,
            payment,
            slot,
            db,
        }
    }

    pub(crate) fn user(&self, id: i64) -> OrderClient<Channel> {
        let actor = Actor::User {
            id,
            role: Role::Guest,
        };
        OrderClient::new(homestay_testkit::channel_as(&self.slot, &actor))
    }

    pub(crate) fn as_service(&self) -> OrderClient<Channel> {
        let actor = Actor::Service("order-mq".into());
        OrderClient::new(homestay_testkit::channel_as(&self.slot, &actor))
    }

    pub(crate) fn as_role(&self, id: i64, role: Role) -> OrderClient<Channel> {
        OrderClient::new(homestay_testkit::channel_as(
            &self.slot,
            &Actor::User { id, role },
        ))
    }

    pub(crate) async fn create(&self, user: i64, request: pb::CreateRequest) -> Result<pb::OrderView, Error> {
        let reply = self.user(user).create(request).await?;
        Ok(reply.into_inner().order.expect("an order"))
    }

    /// An order of [`GUEST`].
    pub(crate) async fn booked(&self) -> pb::OrderView {
        self.create(GUEST, booking()).await.expect("a booking")
    }

    /// An order of [`GUEST`] that the clock has cancelled, nights given back.
    pub(crate) async fn timed_out(&self) -> pb::OrderView {
        let order = self.booked().await;
        self.clock.advance(Duration::from_secs(30 * 60));
        self.advance(&order.sn).await.expect("closed");
        self.order(&order.sn).await
    }

    pub(crate) async fn order(&self, sn: &str) -> pb::OrderView {
        let request = pb::GetRequest {
            sn: sn.to_owned(),
            ..Default::default()
        };
        self.as_service()
            .get(request)
            .await
            .expect("an order")
            .into_inner()
    }

    pub(crate) async fn advance(&self, sn: &str) -> Result<String, Error> {
        let request = pb::AdvanceRequest {
            sn: sn.to_owned(),
            token: 0,
        };
        let reply = self.as_service().advance(request).await?;
        Ok(reply.into_inner().state)
    }

    pub(crate) async fn cancel(&self, user: i64, sn: &str) -> Result<pb::OrderView, Error> {
        let request = pb::CancelRequest {
            sn: sn.to_owned(),
            reason: String::new(),
            ..Default::default()
        };
        Ok(self.user(user).cancel(request).await?.into_inner())
    }

    pub(crate) async fn preview(&self, user: i64, sn: &str) -> Result<pb::CancelPreview, Error> {
        let request = pb::PreviewCancelRequest { sn: sn.to_owned() };
        Ok(self.user(user).preview_cancel(request).await?.into_inner())
    }

    /// An order of [`GUEST`] that is paid; its number and its payment's.
    pub(crate) async fn paid(&self) -> (String, String) {
        let sn = self.booked().await.sn;
        let payment = self.payment.has(&sn, "captured", TOTAL);
        assert_eq!(self.advance(&sn).await.expect("paid"), "confirmed");
        (sn, payment)
    }

    pub(crate) async fn change(&self, request: pb::ChangeRequest) -> Result<pb::ChangeReply, Error> {
        Ok(self.user(GUEST).change(request).await?.into_inner())
    }

    pub(crate) async fn sweep(&self) -> i64 {
        let reply = self.as_service().sweep(Empty {}).await.expect("a sweep");
        reply.into_inner().advanced
    }

    pub(crate) async fn resolve(&self, holds: &[(&str, &str, i64)]) -> Vec<pb::resolve_holds_reply::Verdict> {
        let holds = holds
            .iter()
            .map(|(hold_key, order_sn, attempt)| pb::HoldRef {
                hold_key: (*hold_key).to_owned(),
                order_sn: (*order_sn).to_owned(),
                attempt: *attempt,
            })
            .collect();
        let reply = self
            .as_service()
            .resolve_holds(pb::ResolveHoldsRequest { holds })
            .await
            .expect("verdicts")
            .into_inner();
        reply.verdicts().collect()
    }

    /// What is in the outbox, in short: `job order.advance order.close:HSO…` or `event created`.
    pub(crate) async fn outbox(&self) -> Vec<String> {
        let rows = sqlx::query("SELECT lane, name, key, payload FROM outbox ORDER BY id")
            .fetch_all(self.db.db.read())
            .await
            .expect("rows");
        rows.iter()
            .map(|row| {
                let (lane, name, key): (String, String, String) = (row.get(0), row.get(1), row.get(2));
                let payload: serde_json::Value = serde_json::from_str(row.get(3)).expect("JSON");
                match lane.as_str() {
                    "event" => format!("event {}", payload["change"].as_str().expect("a change")),
                    _ => format!("{lane} {name} {key}"),
                }
            })
            .collect()
    }

    /// Everything in the database, to be compared.
    pub(crate) async fn dump(&self) -> Vec<String> {
        let mut dump = Vec::new();
        for sql in [
            "SELECT sn || ' ' || state || ' ' || cancelled_by || ' ' || payment_sn || ' ' || trade_code || ' ' || attempt || ' ' \
             || unit || ' ' || released_at_ms || ' ' || paid_at_ms || ' ' || guest_told_at_ms || ' ' || host_told_at_ms \
             FROM orders ORDER BY id",
            "SELECT order_sn || ' ' || seq || ' ' || name || ' ' || error || ' ' || started_at_ms || ' ' || ended_at_ms \
             || ' ' || undo_started_at_ms || ' ' || undo_ended_at_ms FROM order_step ORDER BY order_sn, seq",
            "SELECT hold_key || ' ' || order_sn FROM hold_claim ORDER BY hold_key",
            "SELECT sn || ' ' || charge || ' ' || change_attempt || ' ' || charged_cents || ' ' || refund_cents || ' ' || kept_cents \
             || ' ' || settled_at_ms || ' ' || ended_by || ' ' || total_cents FROM orders ORDER BY id",
            "SELECT order_sn || ' ' || attempt || ' ' || state || ' ' || due_cents || ' ' || released_at_ms FROM order_change \
             ORDER BY order_sn, attempt",
            "SELECT payment_sn || ' ' || back_cents FROM order_payment ORDER BY payment_sn",
            "SELECT payment_sn || ' ' || refund_key || ' ' || amount_cents || ' ' || asked_at_ms FROM order_refund \
             ORDER BY payment_sn, refund_key",
            "SELECT CAST(id AS TEXT) || name || key FROM outbox ORDER BY id",
        ] {
            let rows: Vec<String> = sqlx::query_scalar(sql)
                .fetch_all(self.db.db.read())
                .await
                .expect("rows");
            dump.extend(rows);
        }
        dump
    }

    /// Runs a statement on the database.
    pub(crate) async fn execute(&self, sql: &'static str) {
        execute(self.db.db.clone(), sql).await;
    }

    pub(crate) async fn count(&self, table: &str) -> i64 {
        let sql = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        sqlx::query_scalar(sql)
            .fetch_one(self.db.db.read())
            .await
            .expect("a count")
    }
}

pub(crate) async fn execute(db: homestay_db::Db, sql: &'static str) {
    let done = db.write(move |tx| {
        Box::pin(async move {
            sqlx::raw_sql(sql).execute(&mut **tx).await?;
            Ok(())
        })
    });
    done.await.expect("a statement");
}

/// Two nights for two guests.
pub(crate) fn booking() -> pb::CreateRequest {
    pb::CreateRequest {
        house_id: 7,
        check_in: "2026-12-01".into(),
        check_out: "2026-12-03".into(),
        guests: 2,
        route: "POST /v1/orders".into(),
        ..Default::default()
    }
}

/// The same, safe to repeat.
pub(crate) fn booking_with_key(key: &str) -> pb::CreateRequest {
    pb::CreateRequest {
        idempotency_key: key.into(),
        ..booking()
    }
}

/// Steps in short: name, and `-` begun, `=` ended, `!` undoing, `x` undone.
pub(crate) fn steps(order: &pb::OrderView) -> Vec<String> {
    order
        .steps
        .iter()
        .map(|step| {
            let undo = match (step.undo_started_at_ms, step.undo_ended_at_ms) {
                (0, 0) => "",
                (_, 0) => "!",
                _ => "x",
            };
            let end = if step.ended_at_ms == 0 { "-" } else { "=" };
            format!("{} {end}{undo}", step.name)
        })
        .collect()
}

pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Code {
    result.expect_err("an error").code()
}

pub(crate) fn status(code: Code) -> Status {
    Error::new(code).into()
}

#[test]
fn the_method_table_names_every_method() {
    homestay_testkit::assert_methods_cover("homestay.order.v1.Order", METHODS);
}
