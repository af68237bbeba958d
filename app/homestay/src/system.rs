//! All domains in one process, bound to each other: SQLite, local calls, local events.

use std::time::Duration;

use axum::Router;
use homestay_bus::{Binding, Bus, LocalBus, handlers};
use homestay_clock::{Clock, Ids};
use homestay_db::{Db, Migrations};
use homestay_http::{Edge, Keys};
use homestay_jobs::{Enqueuer, WorkerConfig};
use homestay_proto::mqueue::mqueue_client::MqueueClient;
use homestay_proto::mqueue::mqueue_server::MqueueServer;
use homestay_proto::order::order_client::OrderClient;
use homestay_proto::order::order_server::OrderServer;
use homestay_proto::payment::payment_client::PaymentClient;
use homestay_proto::payment::payment_server::PaymentServer;
use homestay_proto::travel::travel_client::TravelClient;
use homestay_proto::travel::travel_server::TravelServer;
use homestay_proto::usercenter::user_center_client::UserCenterClient;
use homestay_proto::usercenter::user_center_server::UserCenterServer;
use homestay_rpc::{Actor, Channel, Guard, Identity, LocalSlot};
use homestay_service::{Health, ServiceGroup, Tasks};
use homestay_types::queue;
use payment_rpc::Providers;
use payment_rpc::sandbox::Sandbox;
use tokio::net::TcpListener;
use utoipa_axum::router::OpenApiRouter;

use crate::folder::DataFolder;
use crate::openapi;
use crate::secrets::Secrets;
use crate::settings::Settings;

/// The process's name in what it records.
const NODE: &str = "homestay";

/// Where each domain's server stands in this process.
#[derive(Default)]
struct Slots {
    order: LocalSlot,
    payment: LocalSlot,
    travel: LocalSlot,
    usercenter: LocalSlot,
    mqueue: LocalSlot,
}

/// One mq target: its queue and its table of sources and handlers.
struct MqTarget {
    name: &'static str,
    queue: &'static str,
    table: Vec<Binding>,
}

/// All domains, open and bound to each other. Calls work; events, jobs and HTTP wait for [`System::services`].
pub struct System {
    slots: Slots,
    credential: String,
    keys: Keys,
    pub clock: Clock,
    pub tasks: Tasks,
    pub health: Health,
    bus: Bus,
    targets: Vec<MqTarget>,
    accounts: Db,
    databases: Vec<(&'static str, Db)>,
}

/// Domains whose transactions leave events and jobs behind.
const OUTBOXES: [&str; 2] = ["order", "payment"];

impl System {
    /// Opens the domains' databases in the data folder and binds the domains to each other.
    ///
    /// # Errors
    /// A sentence naming the database that cannot be opened.
    pub async fn open(
        settings: &Settings,
        base_url: &str,
        folder: &DataFolder,
        secrets: &Secrets,
    ) -> Result<Self, String> {
        let clock = Clock::system();
        let tasks = Tasks::new();
        let slots = Slots::default();
        let credential = secrets.internal_credential.clone();
        let keys = Keys::new(secrets.jwt_keys.clone(), clock.clone());
        let link = |slot: &LocalSlot, name: &str| channel(slot, &credential, name);

        let open = |name: &'static str, migrations: Migrations| {
            let (path, tasks) = (folder.file(&format!("{name}.db")), tasks.clone());
            async move {
                Db::open_sqlite(&path, migrations, tasks).await.map_err(|error| {
                    format!(
                        "the database {} cannot be opened: {}",
                        path.display(),
                        error.chain()
                    )
                })
            }
        };
        let (order, payment, travel, usercenter, mqueue) = tokio::try_join!(
            open("order", order_rpc::MIGRATIONS),
            open("payment", payment_rpc::MIGRATIONS),
            open("travel", travel_rpc::MIGRATIONS),
            open("usercenter", usercenter_rpc::MIGRATIONS),
            open("mqueue", mqueue_rpc::MIGRATIONS),
        )?;

        let notifiers =
            mqueue_mq::notifiers(&settings.notify, clock.clone()).map_err(|error| error.to_string())?;
        let targets = vec![
            MqTarget {
                name: "order-mq",
                queue: queue::ORDER,
                table: order_mq::table(&OrderClient::new(link(&slots.order, "order-mq"))),
            },
            MqTarget {
                name: "payment-mq",
                queue: queue::PAYMENT,
                table: payment_mq::table(&PaymentClient::new(link(&slots.payment, "payment-mq"))),
            },
            MqTarget {
                name: "travel-mq",
                queue: queue::TRAVEL,
                table: travel_mq::table(TravelClient::new(link(&slots.travel, "travel-mq"))),
            },
            MqTarget {
                name: "mqueue-mq",
                queue: queue::MQUEUE,
                table: mqueue_mq::table(
                    &OrderClient::new(link(&slots.order, "mqueue-mq")),
                    &UserCenterClient::new(link(&slots.usercenter, "mqueue-mq")),
                    &MqueueClient::new(link(&slots.mqueue, "mqueue-mq")),
                    notifiers,
                ),
            },
        ];
        let all: Vec<Binding> = targets
            .iter()
            .flat_map(|target| target.table.iter().cloned())
            .collect();
        let bus = Bus::Local(LocalBus::new(&all, Enqueuer::new(link(&slots.mqueue, "bus"))));

        let guard = |methods| Guard::new(&credential, methods, tasks.clone());
        let ids = Ids::new(clock.clone(), 0);
        let orders = order_rpc::OrderService::new(
            order.clone(),
            ids.clone(),
            clock.clone(),
            TravelClient::new(link(&slots.travel, "order-rpc")),
            PaymentClient::new(link(&slots.payment, "order-rpc")),
            NODE.to_owned(),
            settings.order.clone(),
        );
        slots
            .order
            .bind(guard(order_rpc::METHODS).local(OrderServer::new(orders)));
        let mut payment_config = settings.payment.clone();
        if payment_config.public_base_url.is_empty() {
            base_url.clone_into(&mut payment_config.public_base_url);
        }
        let sandbox = Sandbox::for_demonstration(
            payment.clone(),
            ids.clone(),
            clock.clone(),
            OrderClient::new(link(&slots.order, "payment-rpc")),
            &payment_config,
            &secrets.sandbox,
        );
        let payments = payment_rpc::PaymentService::new(
            payment.clone(),
            ids.clone(),
            clock.clone(),
            OrderClient::new(link(&slots.order, "payment-rpc")),
            Providers::sandbox(sandbox),
        );
        slots
            .payment
            .bind(guard(payment_rpc::METHODS).local(PaymentServer::new(payments)));
        let houses = travel_rpc::TravelService::new(
            travel.clone(),
            clock.clone(),
            link(&slots.order, "travel-rpc"),
            settings.travel.clone(),
        );
        slots
            .travel
            .bind(guard(travel_rpc::METHODS).local(TravelServer::new(houses)));
        if !settings.auth.admin_mobile.is_empty() {
            let (mobile, password) = (&settings.auth.admin_mobile, settings.auth.admin_password.expose());
            usercenter_rpc::bootstrap_admin(&usercenter, &ids, &clock, mobile, password)
                .await
                .map_err(|error| format!("the first admin cannot be made: {}", error.chain()))?;
        }
        let wechat = &settings.auth.wechat;
        let users = usercenter_rpc::UserService::new(
            usercenter.clone(),
            ids.clone(),
            clock.clone(),
            &settings.auth,
            keys.clone(),
            usercenter_rpc::wechat::provider(wechat, settings.demo, homestay_http::client(wechat.timeout)),
            usercenter_rpc::Throttle::local(&settings.auth, &clock),
        );
        slots
            .usercenter
            .bind(guard(usercenter_rpc::METHODS).local(UserCenterServer::new(users)));
        let jobs = mqueue_rpc::MqueueService::new(
            mqueue.clone(),
            ids,
            clock.clone(),
            mqueue_rpc::Bell::memory(),
            settings.mqueue.clone(),
        );
        slots
            .mqueue
            .bind(guard(mqueue_rpc::METHODS).local(MqueueServer::new(jobs)));

        let accounts = usercenter.clone();
        let databases = vec![
            ("order", order),
            ("payment", payment),
            ("travel", travel),
            ("usercenter", usercenter),
            ("mqueue", mqueue),
        ];
        let health = Health::default();
        for (name, db) in &databases {
            let db = db.clone();
            health.require(format!("database {name}"), move || {
                let db = db.clone();
                async move { db.ping().await.map_err(|error| error.to_string()) }
            });
        }
        Ok(Self {
            slots,
            credential,
            keys,
            clock,
            tasks,
            health,
            bus,
            targets,
            accounts,
            databases,
        })
    }

    /// A channel to the domain in `slot`, calling as one of our own processes.
    fn service(&self, slot: &LocalSlot, name: &str) -> Channel {
        channel(slot, &self.credential, name)
    }

    /// What fills in sample data: the batch calls of travel and usercenter.
    pub fn seeding(&self) -> (TravelClient<Channel>, UserCenterClient<Channel>) {
        let travel = TravelClient::new(self.service(&self.slots.travel, "seed"));
        let users = UserCenterClient::new(self.service(&self.slots.usercenter, "seed"));
        (travel, users)
    }

    /// All HTTP routes of the five api targets.
    fn routes(&self, settings: &Settings) -> Router {
        // Guests' calls name their actor; one that forgets to has no rights.
        let link = |slot: &LocalSlot| slot.channel(Identity::new(&self.credential, &Actor::Anonymous));
        let users = usercenter_api::Api::new(link(&self.slots.usercenter));
        let travel = travel_api::Api::new(link(&self.slots.travel), link(&self.slots.usercenter));
        let order = order_api::Api::new(link(&self.slots.order), link(&self.slots.payment));
        let payment = payment_api::Api::new(link(&self.slots.payment));

        let rest = OpenApiRouter::new()
            .merge(travel_api::rest(travel.clone()))
            .merge(order_api::rest(order.clone()))
            .merge(payment_api::rest(payment.clone()))
            .merge(usercenter_api::rest(users.clone()))
            .merge(mqueue_api::rest(mqueue_api::Api::new(link(&self.slots.mqueue))));
        let router = openapi::documented(rest)
            .merge(travel_api::looklook(travel))
            .merge(order_api::looklook(order))
            .merge(payment_api::looklook(payment.clone()))
            .merge(payment_api::sandbox(payment))
            .merge(usercenter_api::looklook(users));
        let edge = Edge {
            keys: self.keys.clone(),
            deadline: settings.gateway.deadline,
            compat_status: settings.gateway.compat_status,
            trust_forwarded: settings.gateway.trust_forwarded,
            cors_origins: settings.gateway.cors_origins.clone(),
        };
        edge.around(router)
    }

    /// The services of the process: relays, workers, tickers, gateway and admin port.
    pub fn services(&self, settings: &Settings, gateway: TcpListener, admin: TcpListener) -> ServiceGroup {
        let mut group = ServiceGroup::default();
        for (domain, db) in self
            .databases
            .iter()
            .filter(|(domain, _)| OUTBOXES.contains(domain))
        {
            let (domain, db, bus) = (*domain, db.clone(), self.bus.clone());
            group.add(format!("{domain}-rpc event relay"), {
                let db = db.clone();
                move |stop| homestay_outbox::relay_events(domain, db, bus, stop)
            });
            let jobs = Enqueuer::new(self.service(&self.slots.mqueue, &format!("{domain}-rpc")));
            group.add(format!("{domain}-rpc job relay"), move |stop| {
                homestay_outbox::relay_jobs(domain, db, jobs, stop)
            });
        }
        let (accounts, clock) = (self.accounts.clone(), self.clock.clone());
        group.add("usercenter-rpc sweep", move |stop| {
            usercenter_rpc::sweep(accounts, clock, stop)
        });
        for target in &self.targets {
            let channel = self.service(&self.slots.mqueue, target.name);
            let config = WorkerConfig {
                queue: target.queue.to_owned(),
                name: target.name.to_owned(),
                concurrency: 64,
                wait: Duration::from_secs(5),
                // The last words to the broker take up to 2 s more.
                grace: settings.grace.saturating_sub(Duration::from_secs(3)),
            };
            let handlers = handlers(&target.table);
            group.add(format!("{} worker", target.name), {
                let channel = channel.clone();
                move |stop| homestay_jobs::work(channel, config, handlers, stop)
            });
            let (table, jobs, clock) = (target.table.clone(), Enqueuer::new(channel), self.clock.clone());
            group.add(format!("{} ticker", target.name), move |stop| {
                homestay_bus::ticker(&table, jobs, clock, stop)
            });
        }
        let routes = self.routes(settings);
        group.add("gateway", move |stop| homestay_http::serve(gateway, routes, stop));
        let health = homestay_service::admin(self.health.clone());
        group.add("admin", move |stop| homestay_http::serve(admin, health, stop));
        group
    }
}

fn channel(slot: &LocalSlot, credential: &str, name: &str) -> Channel {
    slot.channel(Identity::new(credential, &Actor::Service(name.into())))
}
