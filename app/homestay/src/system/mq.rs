//! The mq targets: each a table of sources and handlers, worked by consumers, workers and tickers.

use std::time::Duration;

use homestay_bus::{Binding, handlers};
use homestay_clock::Clock;
use homestay_jobs::{Enqueuer, WorkerConfig};
use homestay_proto::mqueue::mqueue_client::MqueueClient;
use homestay_proto::order::order_client::OrderClient;
use homestay_proto::payment::payment_client::PaymentClient;
use homestay_proto::travel::travel_client::TravelClient;
use homestay_proto::usercenter::user_center_client::UserCenterClient;
use homestay_service::ServiceGroup;
use homestay_types::queue;

use super::events;
use super::links::Links;
use crate::settings::{Mode, Settings};
use crate::targets::{Domain, Target};

/// One mq target of this process: its queue and its table of sources and handlers.
pub struct Mq {
    pub target: &'static Target,
    queue: &'static str,
    pub table: Vec<Binding>,
}

impl Mq {
    /// The table of `target`.
    ///
    /// # Errors
    /// A sentence naming the setting that is no address.
    pub fn new(
        target: &'static Target,
        links: &Links,
        settings: &Settings,
        clock: &Clock,
    ) -> Result<Self, String> {
        let link = |domain| links.of(target, domain);
        let (queue, table) = match target.domain {
            Domain::Order => (
                queue::ORDER,
                order_mq::table(&OrderClient::new(link(Domain::Order)?)),
            ),
            Domain::Payment => (
                queue::PAYMENT,
                payment_mq::table(&PaymentClient::new(link(Domain::Payment)?)),
            ),
            Domain::Travel => (
                queue::TRAVEL,
                travel_mq::table(TravelClient::new(link(Domain::Travel)?)),
            ),
            Domain::Mqueue => {
                let notifiers = mqueue_mq::notifiers(&settings.notify, clock.clone())
                    .map_err(|error| error.to_string())?;
                let table = mqueue_mq::table(
                    &OrderClient::new(link(Domain::Order)?),
                    &UserCenterClient::new(link(Domain::Usercenter)?),
                    &MqueueClient::new(link(Domain::Mqueue)?),
                    notifiers,
                );
                (queue::MQUEUE, table)
            }
            Domain::Usercenter => unreachable!("usercenter has no mq target"),
        };
        Ok(Self { target, queue, table })
    }

    /// Its services: the workers of its queue, its ticks, and, where events come from Kafka, their consumers.
    ///
    /// # Errors
    /// As [`Mq::new`].
    pub fn services(
        &self,
        group: &mut ServiceGroup,
        links: &Links,
        settings: &Settings,
        clock: &Clock,
    ) -> Result<(), String> {
        let name = self.target.name;
        let channel = links.of(self.target, Domain::Mqueue)?;
        let config = WorkerConfig {
            queue: self.queue.to_owned(),
            name: name.to_owned(),
            // More at once than the rpc targets have connections would only wait for each other, and on a machine that is
            // behind all of them too long. SQLite's writer takes as many as there are in one commit.
            concurrency: match settings.mode {
                Mode::Embedded => 64,
                Mode::Distributed => 16,
            },
            wait: Duration::from_secs(5),
            // The last words to the broker take up to 2 s more.
            grace: settings.grace.saturating_sub(Duration::from_secs(3)),
        };
        let jobs = Enqueuer::new(channel.clone());
        let handlers = handlers(&self.table);
        group.add(format!("{name} worker"), move |stop| {
            homestay_jobs::work(channel, config, handlers, stop)
        });
        let (table, enqueuer, clock) = (self.table.clone(), jobs.clone(), clock.clone());
        group.add(format!("{name} ticker"), move |stop| {
            homestay_bus::ticker(&table, enqueuer, clock, stop)
        });
        if settings.mode == Mode::Distributed && self.target.uses_kafka() {
            events::add_consumer(group, name, &settings.kafka, &self.table, &jobs);
        }
        Ok(())
    }
}
