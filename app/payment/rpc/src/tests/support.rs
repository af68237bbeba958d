use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use homestay_clock::{Clock, Ids};
use homestay_error::{Code, Error};
use homestay_proto::common::Empty;
use homestay_proto::order as order_pb;
use homestay_proto::order::order_client::OrderClient;
use homestay_proto::order::order_server::OrderServer;
use homestay_proto::payment as pb;
use homestay_proto::payment::payment_client::PaymentClient;
use homestay_proto::payment::payment_server::PaymentServer;
use homestay_proto::usercenter::user_center_client::UserCenterClient;
use homestay_proto::usercenter::user_center_server::UserCenterServer;
use homestay_rpc::{Actor, Allow, Channel, LocalSlot, Methods};
use homestay_service::Tasks;
use homestay_testkit::{NOW_MS, TestDb, channel_as, serve};
use homestay_types::{PaymentStatus, Role, job};
use sqlx::Row;
use tokio::net::TcpListener;
use tonic::Status;

use super::fake_orders::FakeOrders;
use super::listener::{call_back, listen};
use super::shaky::{Fault, Shaky};
use super::users::FakeUsers;
use crate::provider::PaymentProvider;
use crate::sandbox::{Notification, Sandbox, sign};
use crate::{Config, METHODS, MIGRATIONS, PaymentService, Providers, Rates};

pub const GUEST: i64 = 7;
pub const STRANGER: i64 = 8;
pub const STAFF: i64 = 9;
/// How long orders may be paid.
pub const PAY_BEFORE: Duration = Duration::from_secs(1800);

const SECRET: &str = "sandbox-secret";
const ORDER_METHODS: Methods = &[("/homestay.order.v1.Order/Get", Allow::ANYONE)];

pub struct World {
    pub db: TestDb,
    pub clock: Clock,
    ids: Ids,
    orders: FakeOrders,
    pub provider: Arc<Shaky>,
    slot: LocalSlot,
    /// The callback listener answers 503.
    pub deaf: Arc<AtomicBool>,
}

impl World {
    pub async fn start() -> Self {
        Self::with_rates(0, 0).await
    }

    pub async fn with_rates(fee_bp: i64, commission_bp: i64) -> Self {
        let (clock, ids) = homestay_testkit::clock();
        let rates = Rates {
            fee_bp,
            commission_bp,
        };
        Self::over(clock, ids, None, rates).await
    }

    /// New payments go to `real`, if there is one.
    pub async fn over(clock: Clock, ids: Ids, real: Option<Arc<dyn PaymentProvider>>, rates: Rates) -> Self {
        let db = homestay_testkit::database(MIGRATIONS).await;
        let orders = FakeOrders::default();
        let order_slot = serve(OrderServer::new(orders.clone()), ORDER_METHODS);
        let service = Actor::Service("payment-rpc".into());
        let order = OrderClient::new(channel_as(&order_slot, &service));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = Config {
            public_base_url: "https://homestay.example/".to_owned(),
            callback_base_url: Some(format!("http://{}", listener.local_addr().unwrap())),
            ..Config::default()
        };
        let sandbox = Sandbox::for_demonstration(
            db.db.clone(),
            ids.clone(),
            clock.clone(),
            order.clone(),
            &config,
            SECRET,
        );
        let provider = Arc::new(Shaky::new(sandbox.clone()));
        let providers = match real {
            Some(real) => Providers::new(real).with(provider.clone()),
            None => Providers::new(provider.clone()),
        };
        let providers = providers.with_sandbox_page(sandbox);
        let users = UserCenterClient::new(homestay_testkit::fake(UserCenterServer::new(FakeUsers)));
        let payment = PaymentService::new(db.db.clone(), ids.clone(), clock.clone(), order, providers)
            .with_users(users)
            .with_rates(rates);
        let slot = serve(PaymentServer::new(payment), METHODS);
        let deaf = Arc::new(AtomicBool::new(false));
        let payment = PaymentClient::new(channel_as(&slot, &Actor::Anonymous));
        Tasks::new().detach(listen(listener, payment, deaf.clone()));
        Self {
            db,
            clock,
            ids,
            orders,
            provider,
            slot,
            deaf,
        }
    }

    fn client(&self, actor: &Actor) -> PaymentClient<Channel> {
        PaymentClient::new(channel_as(&self.slot, actor))
    }

    pub fn as_user(&self, id: i64) -> PaymentClient<Channel> {
        let role = Role::Guest;
        self.client(&Actor::User { id, role })
    }

    pub fn as_staff(&self, id: i64) -> PaymentClient<Channel> {
        let role = Role::Operator;
        self.client(&Actor::User { id, role })
    }

    pub fn as_service(&self) -> PaymentClient<Channel> {
        self.client(&Actor::Service("order-rpc".into()))
    }

    pub fn as_nobody(&self) -> PaymentClient<Channel> {
        self.client(&Actor::Anonymous)
    }

    /// The guest's order over an amount, waiting for payment; its number.
    pub fn order(&self, total_cents: i64) -> String {
        self.order_of(GUEST, total_cents)
    }

    /// Somebody's order.
    pub fn order_of(&self, user_id: i64, total_cents: i64) -> String {
        let sn = self.ids.order_sn().to_string();
        let order = order_pb::OrderView {
            sn: sn.clone(),
            user_id,
            title: "Lake house".to_owned(),
            check_in: "2026-12-01".to_owned(),
            check_out: "2026-12-03".to_owned(),
            total_cents,
            currency: "CNY".to_owned(),
            state: "awaiting_payment".to_owned(),
            pay_before_ms: NOW_MS + i64::try_from(PAY_BEFORE.as_millis()).unwrap(),
            due_cents: total_cents,
            due_before_ms: NOW_MS + i64::try_from(PAY_BEFORE.as_millis()).unwrap(),
            ..Default::default()
        };
        self.orders.0.lock().unwrap().insert(sn.clone(), order);
        sn
    }

    pub fn set_order_state(&self, sn: &str, state: &str) {
        let mut orders = self.orders.0.lock().unwrap();
        orders.get_mut(sn).unwrap().state = state.to_owned();
    }

    /// The order is paid by this payment.
    pub fn settle_order(&self, sn: &str, payment_sn: &str) {
        let mut orders = self.orders.0.lock().unwrap();
        let order = orders.get_mut(sn).unwrap();
        order.state = "confirmed".to_owned();
        order.payment_sn = payment_sn.to_owned();
        order.payment_sns = vec![payment_sn.to_owned()];
    }

    /// The order may be paid until this much later than now.
    pub fn extend_order(&self, sn: &str, by: Duration) {
        let until = self.clock.now_ms() + i64::try_from(by.as_millis()).unwrap();
        let mut orders = self.orders.0.lock().unwrap();
        let order = orders.get_mut(sn).unwrap();
        (order.pay_before_ms, order.due_before_ms) = (until, until);
    }

    pub fn set_due(&self, sn: &str, charge: i64, cents: i64) {
        let mut orders = self.orders.0.lock().unwrap();
        let order = orders.get_mut(sn).unwrap();
        (order.due_charge, order.due_cents) = (charge, cents);
    }

    pub fn forget_order(&self, sn: &str) {
        self.orders.0.lock().unwrap().remove(sn);
    }

    pub fn fail(&self, method: &'static str, fault: Fault) {
        self.provider.faults.lock().unwrap().insert(method, fault);
    }

    pub fn heal(&self) {
        self.provider.faults.lock().unwrap().clear();
    }

    pub async fn create(&self, order_sn: &str) -> Result<pb::PaymentView, Status> {
        let request = pb::CreateRequest {
            order_sn: order_sn.to_owned(),
            service_type: "homestayOrder".to_owned(),
            ..Default::default()
        };
        Ok(self.as_user(GUEST).create(request).await?.into_inner())
    }

    pub async fn get(&self, sn: &str) -> pb::PaymentView {
        let request = pb::GetRequest { sn: sn.to_owned() };
        self.as_service().get(request).await.unwrap().into_inner()
    }

    pub async fn list(&self, order_sn: &str) -> Vec<pb::PaymentView> {
        let request = pb::ListForOrderRequest {
            order_sn: order_sn.to_owned(),
        };
        let reply = self.as_service().list_for_order(request).await;
        reply.unwrap().into_inner().payments
    }

    pub async fn close(&self, order_sn: &str) -> Result<Vec<pb::PaymentView>, Status> {
        let request = pb::CloseForOrderRequest {
            order_sn: order_sn.to_owned(),
            ..Default::default()
        };
        let reply = self.as_service().close_for_order(request).await?;
        Ok(reply.into_inner().payments)
    }

    pub async fn refund(&self, payment_sn: &str) -> Result<pb::RefundView, Status> {
        let request = pb::RefundRequest {
            payment_sn: payment_sn.to_owned(),
            reason: "late money".to_owned(),
            ..Default::default()
        };
        Ok(self.as_service().refund(request).await?.into_inner())
    }

    pub async fn refund_part(
        &self,
        payment_sn: &str,
        cents: i64,
        key: &str,
    ) -> Result<pb::RefundView, Status> {
        let request = pb::RefundRequest {
            payment_sn: payment_sn.to_owned(),
            reason: "a change".to_owned(),
            amount_cents: cents,
            key: key.to_owned(),
        };
        Ok(self.as_service().refund(request).await?.into_inner())
    }

    pub async fn captured(&self, cents: i64) -> pb::PaymentView {
        let order = self.order(cents);
        let payment = self.create(&order).await.unwrap();
        assert_eq!(self.act(&payment, "pay").await.unwrap().state, "captured");
        assert_eq!(self.run_jobs().await, []);
        self.get(&payment.sn).await
    }

    pub async fn open_cases(&self) -> Vec<String> {
        let request = pb::ListCasesRequest {
            limit: 100,
            state: "open".to_owned(),
            ..Default::default()
        };
        let reply = self.as_staff(STAFF).list_cases(request).await.unwrap();
        let cases = reply.into_inner().cases.into_iter().rev();
        cases.map(|case| case.kind).collect()
    }

    pub async fn execute_refund(&self, refund_sn: &str) -> Result<pb::RefundView, Status> {
        let request = pb::ExecuteRefundRequest {
            refund_sn: refund_sn.to_owned(),
        };
        Ok(self.as_service().execute_refund(request).await?.into_inner())
    }

    pub async fn execute_refund_state(&self, refund_sn: &str) -> String {
        sqlx::query_scalar("SELECT state FROM refund WHERE sn = $1")
            .bind(refund_sn.to_owned())
            .fetch_one(self.db.db.read())
            .await
            .unwrap()
    }

    pub async fn sweep(&self) -> i64 {
        self.as_service()
            .sweep(Empty {})
            .await
            .unwrap()
            .into_inner()
            .looked_at
    }

    /// Presses a button of the payment's pay page.
    pub async fn act(&self, payment: &pb::PaymentView, action: &str) -> Result<pb::SandboxCharge, Status> {
        let request = pb::SandboxActRequest {
            token: token(payment),
            action: action.to_owned(),
        };
        Ok(self.as_nobody().sandbox_act(request).await?.into_inner())
    }

    pub async fn charge(&self, payment: &pb::PaymentView) -> String {
        let request = pb::SandboxPageRequest {
            token: token(payment),
        };
        let reply = self.as_nobody().sandbox_page(request).await;
        reply.unwrap().into_inner().state
    }

    /// A callback about a payment, signed as the sandbox signs it, delivered now; status and text of the answer.
    pub async fn call_back(&self, said: &Notification) -> (i32, String) {
        let body = serde_json::to_vec(said).unwrap();
        let signature = sign(SECRET.as_bytes(), self.clock.now_ms() / 1000, &body);
        self.call_back_raw("sandbox", Some(signature), body).await
    }

    pub async fn call_back_raw(
        &self,
        provider: &str,
        signature: Option<String>,
        body: Vec<u8>,
    ) -> (i32, String) {
        call_back(&mut self.as_nobody(), provider, signature, body).await
    }

    /// Changes of payments as they wait in the outbox, oldest first: outward status and event id.
    pub async fn events(&self) -> Vec<PaymentStatus> {
        let rows = sqlx::query("SELECT payload FROM outbox WHERE lane = 'event' ORDER BY id")
            .fetch_all(self.db.db.read())
            .await
            .unwrap();
        rows.iter()
            .map(|row| serde_json::from_str(&row.get::<String, _>("payload")).unwrap())
            .collect()
    }

    pub async fn statuses(&self) -> Vec<i64> {
        self.events().await.iter().map(|event| event.pay_status).collect()
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query(sql)
            .fetch_one(self.db.db.read())
            .await
            .unwrap()
            .get(0)
    }

    /// Runs the jobs in the outbox that are due, and those that follow from them, as payment-mq would; the codes of those
    /// that failed, which stay.
    pub async fn run_jobs(&self) -> Vec<Code> {
        let (mut failed, mut after) = (Vec::new(), 0);
        loop {
            let row = sqlx::query(
                "SELECT id, name, payload FROM outbox WHERE lane = 'job' AND due_at_ms <= $1 AND id > $2 \
                 ORDER BY id LIMIT 1",
            )
            .bind(self.clock.now_ms())
            .bind(after)
            .fetch_optional(self.db.db.read())
            .await
            .unwrap();
            let Some(row) = row else { return failed };
            after = row.get::<i64, _>("id");
            match self
                .run_job(&row.get::<String, _>("name"), &row.get::<String, _>("payload"))
                .await
            {
                Ok(()) => self.delete(after).await,
                Err(status) => failed.push(code(status)),
            }
        }
    }

    async fn run_job(&self, kind: &str, payload: &str) -> Result<(), Status> {
        let payload: serde_json::Value = serde_json::from_str(payload).unwrap();
        let text = |name: &str| payload[name].as_str().unwrap().to_owned();
        match kind {
            job::PAYMENT_REFUND => self.execute_refund(&text("refund_sn")).await.map(drop),
            job::PAYMENT_SANDBOX => {
                let request = pb::SandboxDeliverRequest {
                    token: text("token"),
                    what: text("what"),
                    event_id: text("event_id"),
                };
                self.as_service().sandbox_deliver(request).await.map(drop)
            }
            other => panic!("a job of kind {other}"),
        }
    }

    async fn delete(&self, id: i64) {
        self.db
            .db
            .write(move |tx| {
                Box::pin(async move {
                    sqlx::query("DELETE FROM outbox WHERE id = $1")
                        .bind(id)
                        .execute(&mut **tx)
                        .await?;
                    Ok(())
                })
            })
            .await
            .unwrap();
    }
}

pub fn code(status: Status) -> Code {
    Error::from(status).code()
}

/// The last part of the pay page's address.
pub fn token(payment: &pb::PaymentView) -> String {
    let base = "https://homestay.example/sandbox/pay/";
    payment.pay_url.strip_prefix(base).unwrap().to_owned()
}

/// What the sandbox says of a payment.
pub fn says(kind: &str, payment: &pb::PaymentView) -> Notification {
    Notification {
        event_id: format!("{kind}-{}", payment.sn),
        kind: kind.to_owned(),
        payment_sn: payment.sn.clone(),
        refund_sn: String::new(),
        total_cents: payment.amount_cents,
        payer_total_cents: payment.amount_cents,
        currency: payment.currency.clone(),
        occurred_at_ms: NOW_MS + 1,
    }
}
