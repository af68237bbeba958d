//! Which calls are made again, and how often.

mod support;

use homestay_error::Code;
use homestay_proto::mqueue as pb;
use homestay_rpc::Serving;
use support::*;

#[tokio::test]
async fn an_idempotent_call_is_made_again_when_the_server_is_unavailable() {
    let server = Server::start(Fake::failing(2));
    let mut client = client(&[&server]);
    client.list_jobs(pb::ListJobsRequest::default()).await.unwrap();
    assert_eq!(server.served(), 3);

    let down = Server::start(Fake::failing(100));
    let mut client = support::client(&[&down]);
    let refused = client.list_jobs(pb::ListJobsRequest::default()).await;
    assert_eq!(
        (code(refused), down.served()),
        (Code::Unavailable, 3),
        "and then no more"
    );
}

#[tokio::test]
async fn another_call_is_made_once() {
    let server = Server::start(Fake::failing(1));
    let mut client = client(&[&server]);
    let refused = client.finish(pb::FinishRequest::default()).await;
    assert_eq!((code(refused), server.served()), (Code::Unavailable, 1));
}

#[tokio::test]
async fn a_call_that_may_have_been_served_is_not_made_again_when_its_server_dies() {
    let mut dying = Server::start(Fake::closed());
    let address = dying.address;
    let mut client = client(&[&dying]);
    let call = client.finish(pb::FinishRequest::default());
    let (outcome, ()) = within(futures::future::join(call, async {
        dying.fake.reached(1).await;
        dying.kill();
    }))
    .await;
    // Its successor must not get it.
    let next = Server::serve(Fake::default(), Serving::default(), address);
    assert_eq!(
        (code(outcome), dying.served(), next.served()),
        (Code::Unavailable, 1, 0)
    );
}

#[tokio::test]
async fn repetitions_are_bounded_by_the_budget_however_many_calls_fail() {
    const CALLS: u32 = 300;
    let down = Server::start(Fake::failing(u32::MAX));
    let client = client(&[&down]);
    let calls = (0..CALLS).map(|_| {
        let mut client = client.clone();
        let mut request = tonic::Request::new(pb::ListJobsRequest::default());
        request.set_timeout(std::time::Duration::from_secs(15));
        async move { client.list_jobs(request).await }
    });
    for outcome in within(futures::future::join_all(calls)).await {
        assert_eq!(code(outcome), Code::Unavailable);
    }
    // A fifth, and 5 a second over 10 s. Without a budget there would be 600.
    let again = down.served() - CALLS;
    assert!((50..=CALLS / 5 + 50 + 10).contains(&again), "{again}");
}
