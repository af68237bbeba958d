//! travel-mq: the sweep of holds that no order has claimed.

use std::time::Duration;

use homestay_bus::{Binding, Source};
use homestay_jobs::Failure;
use homestay_proto::common::Empty;
use homestay_proto::travel::travel_client::TravelClient;
use homestay_rpc::Channel;
use homestay_types::job;

/// Distance of the sweeps. With the age at which a hold is asked about, an orphan lives for a minute and a half at most.
const SWEEP: Duration = Duration::from_secs(30);
/// Sweeps of one tick: each works until its deadline, so that more are needed only after a burst.
const ROUNDS: usize = 20;

/// What travel-mq does. `travel` is a client with a service's identity.
#[must_use]
pub fn table(travel: TravelClient<Channel>) -> Vec<Binding> {
    let source = Source::Every {
        kind: job::TRAVEL_SWEEP_HOLDS,
        period: SWEEP,
    };
    vec![Binding::new(source, move |_| sweep(travel.clone()))]
}

/// Sweeps until there is nothing left to do. Running it twice does nothing twice: each hold is settled once.
async fn sweep(mut travel: TravelClient<Channel>) -> Result<(), Failure> {
    for _ in 0..ROUNDS {
        let done = travel.sweep_holds(Empty {}).await?.into_inner();
        if done.bound + done.released == 0 {
            break;
        }
        tracing::debug!(bound = done.bound, released = done.released, "holds settled");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
