//! Two brokers over one database, joined by Redis: when a job comes, and what a lost Redis costs.

mod support;

use std::time::{Duration, Instant};

use homestay_clock::{Clock, Ids};
use homestay_config::test_server;
use homestay_proto::mqueue::mqueue_client::MqueueClient;
use homestay_proto::mqueue::mqueue_server::MqueueServer;
use homestay_testkit::{Proxy, TestDb, channel_as, serve};
use mqueue_rpc::{Bell, METHODS, MIGRATIONS, MqueueService};
use support::*;

/// From due time to claim, if a ring was heard: less than the second after which a claim looks by itself.
const HEARD_MS: i64 = 400;
/// If none was heard: that second, and what a busy machine adds.
const LOOKED_MS: i64 = 1_700;

struct Pair {
    here: Broker,
    there: Broker,
    line: Proxy,
    url: String,
}

/// `there` reaches Redis over a line that can be cut, `here` too.
async fn pair() -> Option<Pair> {
    let url = test_server("HOMESTAY_TEST_REDIS_URL")?;
    let line = Proxy::to(&url).await;
    let prefix = format!("test-{:x}", rand::random::<u64>());
    let clock = Clock::system();
    let test_db = homestay_testkit::database(MIGRATIONS).await;
    let db = test_db.db.clone();
    let broker = |node, test_db: TestDb| {
        let bell = Bell::redis(&line.url(&url), &prefix, &clock).unwrap();
        let ids = Ids::new(clock.clone(), node);
        let service = MqueueService::new(db.clone(), ids, clock.clone(), bell, config());
        let slot = serve(MqueueServer::new(service), METHODS);
        Broker {
            clock: clock.clone(),
            client: MqueueClient::new(channel_as(&slot, &support::service())),
            slot,
            test_db,
        }
    };
    let here = broker(0, test_db);
    // Its own database stays empty.
    let there = broker(1, homestay_testkit::database(MIGRATIONS).await);
    Some(Pair {
        here,
        there,
        line,
        url,
    })
}

impl Pair {
    /// A claim waits there, a job due in a moment is enqueued here: how late it comes, in milliseconds.
    async fn lateness(&self) -> i64 {
        let claim = self.there.claim_waiting("w", 1, 10_000);
        let enqueue = async {
            // The claim has looked, and sleeps.
            tokio::time::sleep(Duration::from_millis(30)).await;
            let due_at_ms = self.here.clock.now_ms() + 200;
            let began = Instant::now();
            self.here.enqueue(vec![due("order.x", due_at_ms)]).await;
            assert!(
                began.elapsed() < Duration::from_millis(900),
                "enqueue waits for nobody"
            );
            due_at_ms
        };
        let (jobs, due_at_ms) = tokio::join!(claim, enqueue);
        let late = self.there.clock.now_ms() - due_at_ms;
        assert_eq!(kinds(&jobs), ["order.x"]);
        assert!(late >= 0, "never early");
        self.there.finish(jobs.iter().map(done).collect()).await;
        late
    }

    /// Until three in a row are in time: by chance a look may come just then, three times it does not.
    async fn rings(&self) {
        let mut good = 0;
        for _ in 0..20 {
            let late = self.lateness().await;
            assert!(late < LOOKED_MS, "{late}");
            good = if late < HEARD_MS { good + 1 } else { 0 };
            if good == 3 {
                return;
            }
        }
        panic!("the bell is not heard");
    }
}

#[tokio::test]
async fn a_job_enqueued_at_one_replica_comes_in_time_at_another_and_a_second_late_without_redis() {
    let Some(pair) = pair().await else { return };
    pair.rings().await;

    for harm in [Proxy::cut, Proxy::silence] {
        harm(&pair.line);
        for _ in 0..3 {
            let late = pair.lateness().await;
            assert!(late < LOOKED_MS, "{late}");
        }
        pair.line.restore();
        pair.rings().await;
    }

    let client = redis::Client::open(pair.url.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.unwrap();
    pair.rings().await;
}
