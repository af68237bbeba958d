//! The rpc targets: each domain's server over its own database, its relays and its sweeps.

use std::convert::Infallible;

use futures::future::BoxFuture;
use homestay_bus::Bus;
use homestay_clock::{Clock, Ids};
use homestay_db::Db;
use homestay_error::Error;
use homestay_http::Keys;
use homestay_jobs::Enqueuer;
use homestay_proto::mqueue::mqueue_server::MqueueServer;
use homestay_proto::order::order_client::OrderClient;
use homestay_proto::order::order_server::OrderServer;
use homestay_proto::payment::payment_client::PaymentClient;
use homestay_proto::payment::payment_server::PaymentServer;
use homestay_proto::travel::travel_client::TravelClient;
use homestay_proto::travel::travel_server::TravelServer;
use homestay_proto::usercenter::user_center_client::UserCenterClient;
use homestay_proto::usercenter::user_center_server::UserCenterServer;
use homestay_rpc::{Guard, Serving};
use homestay_service::{Health, ServiceGroup, Stop, Tasks};
use mqueue_rpc::Bell;
use payment_rpc::Providers;
use payment_rpc::sandbox::Sandbox;
use tokio::net::TcpListener;
use usercenter_rpc::Throttle;

use super::events;
use super::links::Links;
use super::stores;
use crate::secrets::Secrets;
use crate::settings::{Mode, Settings};
use crate::targets::{Domain, Target};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// Serves a server on a listener until the stop.
pub type Serve = Box<dyn FnOnce(TcpListener, Stop) -> BoxFuture<'static, Result<(), BoxError>> + Send>;

/// One rpc target of this process. It can be called from here.
pub struct Rpc {
    pub target: &'static Target,
    pub db: Db,
    /// The time of its database.
    pub clock: Clock,
    /// Serves it to other processes; taken once.
    pub serve: Option<Serve>,
}

/// What the servers are made of.
pub struct Parts<'a> {
    pub settings: &'a Settings,
    pub secrets: &'a Secrets,
    /// Address under which guests reach the system, where no setting says it.
    pub base_url: &'a str,
    pub links: &'a Links,
    pub keys: &'a Keys,
    pub clock: &'a Clock,
    pub tasks: &'a Tasks,
    pub health: &'a Health,
    /// The process's name in what it records.
    pub node: &'a str,
}

impl Parts<'_> {
    /// Makes the server of `target`'s domain over its database, and puts it in its place.
    ///
    /// # Errors
    /// A sentence saying what could not be made.
    pub async fn rpc(&self, target: &'static Target, db: Db) -> Result<Rpc, String> {
        // Of each database its own: what is due in it is judged by its time.
        let clock = db.clock(self.clock);
        // On Postgres a session claims the number and tells the time, which takes a moment.
        let ids = db.ids(clock.clone());
        stores::seated(target.domain, &db, self.health).await;
        let serve = match target.domain {
            Domain::Order => self.order(target, &db, ids, &clock)?,
            Domain::Payment => self.payment(target, &db, ids, &clock)?,
            Domain::Travel => self.travel(target, &db, ids, &clock)?,
            Domain::Usercenter => self.usercenter(target, &db, ids, &clock).await?,
            Domain::Mqueue => self.mqueue(target, &db, ids, &clock)?,
        };
        Ok(Rpc {
            target,
            db,
            clock,
            serve: Some(serve),
        })
    }

    fn order(&self, target: &Target, db: &Db, ids: Ids, clock: &Clock) -> Result<Serve, String> {
        let service = order_rpc::OrderService::new(
            db.clone(),
            ids,
            clock.clone(),
            TravelClient::new(self.links.of(target, Domain::Travel)?),
            PaymentClient::new(self.links.of(target, Domain::Payment)?),
            self.node.to_owned(),
            self.settings.order.clone(),
        );
        Ok(self.bind(target, OrderServer::new(service)))
    }

    fn payment(&self, target: &Target, db: &Db, ids: Ids, clock: &Clock) -> Result<Serve, String> {
        let mut config = self.settings.payment.clone();
        if config.public_base_url.is_empty() {
            self.base_url.clone_into(&mut config.public_base_url);
        }
        let rates = payment_rpc::Rates {
            fee_bp: config.fee_bp,
            commission_bp: config.commission_bp,
        };
        let orders = OrderClient::new(self.links.of(target, Domain::Order)?);
        let sandbox = || {
            Sandbox::for_demonstration(
                db.clone(),
                ids.clone(),
                clock.clone(),
                orders.clone(),
                &config,
                &self.secrets.sandbox,
            )
        };
        let providers = Providers::of(&config, clock, sandbox).map_err(|error| {
            let key = error.field_name().unwrap_or_default();
            format!("payment.{key}: {}", error.message())
        })?;
        let users = UserCenterClient::new(self.links.of(target, Domain::Usercenter)?);
        let service = payment_rpc::PaymentService::new(db.clone(), ids, clock.clone(), orders, providers)
            .with_users(users)
            .with_rates(rates);
        Ok(self.bind(target, PaymentServer::new(service)))
    }

    fn travel(&self, target: &Target, db: &Db, ids: Ids, clock: &Clock) -> Result<Serve, String> {
        let service = travel_rpc::TravelService::new(
            db.clone(),
            ids,
            clock.clone(),
            self.links.of(target, Domain::Order)?,
            self.settings.travel.clone(),
        );
        Ok(self.bind(target, TravelServer::new(service)))
    }

    async fn usercenter(&self, target: &Target, db: &Db, ids: Ids, clock: &Clock) -> Result<Serve, String> {
        let auth = &self.settings.auth;
        if !auth.admin_mobile.is_empty() {
            let (mobile, password) = (&auth.admin_mobile, auth.admin_password.expose());
            usercenter_rpc::bootstrap_admin(db, &ids, clock, mobile, password)
                .await
                .map_err(|error| format!("the first admin cannot be made: {}", error.chain()))?;
        }
        let wechat = &auth.wechat;
        let service = usercenter_rpc::UserService::new(
            db.clone(),
            ids,
            clock.clone(),
            auth,
            self.keys.clone(),
            usercenter_rpc::wechat::provider(
                wechat,
                self.settings.demo,
                homestay_http::client(wechat.timeout),
            ),
            self.throttle()?,
        )
        .with_demo(self.settings.demo);
        Ok(self.bind(target, UserCenterServer::new(service)))
    }

    /// Logins are counted together by all replicas where there is a Redis.
    fn throttle(&self) -> Result<Throttle, String> {
        let (auth, redis) = (&self.settings.auth, &self.settings.redis);
        match self.settings.mode {
            Mode::Embedded => Ok(Throttle::local(auth, self.clock)),
            Mode::Distributed => {
                Throttle::redis(redis.url.expose(), &redis.prefix, auth, self.clock).map_err(redis_failed)
            }
        }
    }

    fn mqueue(&self, target: &Target, db: &Db, ids: Ids, clock: &Clock) -> Result<Serve, String> {
        let redis = &self.settings.redis;
        let bell = match self.settings.mode {
            Mode::Embedded => Bell::memory(),
            Mode::Distributed => {
                Bell::redis(redis.url.expose(), &redis.prefix, clock).map_err(redis_failed)?
            }
        };
        let service = mqueue_rpc::MqueueService::new(
            db.clone(),
            ids,
            clock.clone(),
            bell.clone(),
            self.settings.mqueue.clone(),
        );
        let serve = self.bind(target, MqueueServer::new(service));
        Ok(Box::new(move |listener, stop| {
            Box::pin(async move {
                // Claims wait for seconds; a stop does not wait for them.
                let closing = async {
                    stop.cancelled().await;
                    bell.close();
                    std::future::pending::<Infallible>().await
                };
                tokio::select! {
                    served = serve(listener, stop.clone()) => served,
                    never = closing => match never {},
                }
            })
        }))
    }

    /// The server behind its guard: for calls from this process in its slot, for others as a future to be run.
    fn bind<S>(&self, target: &Target, server: S) -> Serve
    where
        S: tower::Service<
                http::Request<tonic::body::Body>,
                Response = http::Response<tonic::body::Body>,
                Error = Infallible,
            > + tonic::server::NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        let guard = Guard::new(
            self.links.credential(),
            target.domain.methods(),
            self.tasks.clone(),
        );
        self.links.slot(target.domain).bind(guard.local(server.clone()));
        let serving = Serving {
            reflection: self.settings.demo,
            health: self.health.clone(),
            ..Serving::default()
        };
        Box::new(move |listener, stop| Box::pin(homestay_rpc::serve(listener, guard, server, serving, stop)))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what map_err gives")]
fn redis_failed(error: Error) -> String {
    format!("redis.url: {}", error.chain())
}

/// What runs beside a server: the relays of its outbox, its sweeps.
///
/// # Errors
/// A sentence naming the endpoints that are no addresses.
pub fn services(
    group: &mut ServiceGroup,
    rpc: &Rpc,
    settings: &Settings,
    links: &Links,
    bus: Option<&Bus>,
) -> Result<(), String> {
    let (name, domain, db) = (rpc.target.name, rpc.target.domain, &rpc.db);
    if let Some(bus) = bus.filter(|_| !domain.topics().is_empty()) {
        let (events, bus) = (db.clone(), bus.clone());
        group.add(format!("{name} event relay"), move |stop| {
            homestay_outbox::relay_events(domain.name(), events, bus, stop)
        });
        let enqueuer = Enqueuer::new(links.of(rpc.target, Domain::Mqueue)?);
        let jobs = db.clone();
        group.add(format!("{name} job relay"), move |stop| {
            homestay_outbox::relay_jobs(domain.name(), jobs, enqueuer, stop)
        });
    }
    if settings.mode == Mode::Distributed && !domain.topics().is_empty() {
        events::add_topics(group, name, &settings.kafka, domain.topics());
    }
    if domain == Domain::Usercenter {
        let (accounts, clock) = (db.clone(), rpc.clock.clone());
        group.add(format!("{name} sweep"), move |stop| {
            usercenter_rpc::sweep(accounts, clock, stop)
        });
    }
    Ok(())
}
