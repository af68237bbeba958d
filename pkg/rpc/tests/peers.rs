//! A channel to several servers on real sockets: they die, come back, appear and leave.

mod support;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use homestay_error::Code;
use homestay_proto::common::Empty;
use homestay_proto::mqueue as pb;
use homestay_proto::mqueue::mqueue_client::MqueueClient;
use homestay_rpc::{Channel, Resolver, Serving, deadline};
use support::*;

#[tokio::test]
async fn calls_spread_over_two_servers_and_go_on_when_one_is_killed() {
    let (mut first, second) = (Server::start(Fake::default()), Server::start(Fake::default()));
    let mut client = client(&[&first, &second]);
    for _ in 0..100 {
        client.list_queues(Empty {}).await.unwrap();
    }
    assert!(
        first.served() > 20 && second.served() > 20,
        "{} {}",
        first.served(),
        second.served()
    );

    first.kill();
    // What was on its way to the dead one is made again.
    for _ in 0..20 {
        client.list_queues(Empty {}).await.unwrap();
    }
    for n in 0..100 {
        // Not idempotent: it goes on because nobody answered at the other, not because it may be repeated.
        client
            .finish(pb::FinishRequest::default())
            .await
            .unwrap_or_else(|error| panic!("call {n}: {error}"));
    }
}

#[tokio::test]
async fn a_dead_server_costs_one_call_a_second_try_and_the_others_nothing() {
    let (mut dead, alive) = (Server::start(Fake::default()), Server::start(Fake::default()));
    let mut client = client(&[&dead, &alive]);
    dead.kill();
    // Whoever meets it first finds out; from then on it rests.
    for _ in 0..50 {
        client.list_queues(Empty {}).await.unwrap();
    }
    for _ in 0..50 {
        client.list_queues(Empty {}).await.unwrap();
    }
    assert_eq!(alive.served(), 100);
}

#[tokio::test]
async fn a_server_that_comes_back_is_asked_again_and_a_single_one_at_once() {
    let mut server = Server::start(Fake::default());
    let mut client = client(&[&server]);
    client.list_queues(Empty {}).await.unwrap();
    server.kill();
    assert_eq!(code(client.list_queues(Empty {}).await), Code::Unavailable);

    let again = Server::serve(Fake::default(), Serving::default(), server.address);
    client.list_queues(Empty {}).await.unwrap();
    assert_eq!(again.served(), 1);

    let mut other = Server::start(Fake::default());
    let mut both = support::client(&[&again, &other]);
    other.kill();
    for _ in 0..10 {
        both.list_queues(Empty {}).await.unwrap();
    }
    let other = Server::serve(Fake::default(), Serving::default(), other.address);
    within(async {
        while other.served() == 0 {
            both.list_queues(Empty {}).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_stops_finishes_what_it_has_and_costs_nobody_a_call() {
    let (first, second) = (Server::start(Fake::default()), Server::start(Fake::default()));
    let client = client(&[&first, &second]);
    let calls = (0..8).map(|_| {
        let mut client = client.clone();
        async move {
            for _ in 0..100 {
                // Not idempotent.
                client.finish(pb::FinishRequest::default()).await.unwrap();
            }
        }
    });
    let stop = async {
        first.fake.reached(100).await;
        first.stop();
    };
    within(futures::future::join(futures::future::join_all(calls), stop)).await;
    assert_eq!(first.served() + second.served(), 800, "each served once");
    assert!(second.served() > first.served());
}

#[tokio::test]
async fn addresses_of_a_name_come_and_go_without_a_new_channel() {
    let (first, second) = (Server::start(Fake::default()), Server::start(Fake::default()));
    let addresses: Arc<Mutex<Vec<SocketAddr>>> = Arc::default();
    let resolver = Resolver::new(Duration::from_millis(20), {
        let addresses = addresses.clone();
        move |host, port| {
            assert_eq!((host.as_str(), port), ("mqueue-rpc", 12005));
            let found = addresses.lock().unwrap().clone();
            async move { Ok(found) }
        }
    });
    let endpoints = ["http://mqueue-rpc:12005".to_owned()];
    let mut client = MqueueClient::new(Channel::remote_by(&endpoints, identity(), resolver).unwrap());
    assert_eq!(
        code(client.list_queues(Empty {}).await),
        Code::Unavailable,
        "no address yet"
    );

    addresses.lock().unwrap().push(first.address);
    within(async { while client.list_queues(Empty {}).await.is_err() {} }).await;

    addresses.lock().unwrap().push(second.address);
    within(async {
        while second.served() == 0 {
            client.list_queues(Empty {}).await.unwrap();
        }
    })
    .await;

    addresses.lock().unwrap().remove(0);
    within(async {
        // Fifty calls in a row that it does not see.
        let mut unseen = 0;
        while unseen < 50 {
            let before = first.served();
            client.list_queues(Empty {}).await.unwrap();
            unseen = if first.served() == before { unseen + 1 } else { 0 };
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_connected_and_silent_costs_the_first_calls_and_then_none() {
    // The system accepts for it: as a process that hangs, or a machine behind a cut line.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let good = Server::start(Fake::default());
    let endpoints = [
        format!("http://{}", silent.local_addr().unwrap()),
        good.endpoint(),
    ];
    let channel = Channel::remote(&endpoints, identity()).unwrap();
    let call = || {
        let mut client = MqueueClient::new(channel.with_identity(identity()));
        deadline::scope(Duration::from_millis(700), async move {
            client.list_queues(Empty {}).await
        })
    };

    let first = futures::future::join_all((0..8).map(|_| call())).await;
    let lost = first.iter().filter(|outcome| outcome.is_err()).count();
    assert!((1..8).contains(&lost), "{lost}");

    for n in 0..100 {
        call().await.unwrap_or_else(|error| panic!("call {n}: {error}"));
    }
    // The looks do not take it for awake, however often.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    for n in 0..50 {
        call()
            .await
            .unwrap_or_else(|error| panic!("later call {n}: {error}"));
    }
}

#[tokio::test]
async fn where_nobody_answers_the_refusal_is_quick_and_never_later_than_the_deadline() {
    let dead = ["http://127.0.0.1:1".to_owned(), "http://127.0.0.1:2".to_owned()];
    let mut client = MqueueClient::new(Channel::remote(&dead, identity()).unwrap());
    let began = Instant::now();
    assert_eq!(code(client.list_queues(Empty {}).await), Code::Unavailable);
    assert!(
        began.elapsed() < Duration::from_millis(1000),
        "{:?}",
        began.elapsed()
    );

    // A listener that never accepts a stream: connected, but silent.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoints = [format!("http://{}", silent.local_addr().unwrap())];
    let mut client = MqueueClient::new(Channel::remote(&endpoints, identity()).unwrap());
    let began = Instant::now();
    let call = deadline::scope(Duration::from_millis(200), client.list_queues(Empty {}));
    assert_eq!(code(call.await), Code::Timeout);
    assert!(
        began.elapsed() < Duration::from_millis(1000),
        "{:?}",
        began.elapsed()
    );

    let never = Resolver::new(Duration::from_secs(5), |_, _| std::future::pending());
    let endpoints = ["http://mqueue-rpc:12005".to_owned()];
    let mut client = MqueueClient::new(Channel::remote_by(&endpoints, identity(), never).unwrap());
    let call = deadline::scope(Duration::from_millis(200), client.list_queues(Empty {}));
    assert_eq!(code(call.await), Code::Timeout);
}
