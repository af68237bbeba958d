use homestay_error::Error;
use homestay_proto::common::Empty;
use homestay_proto::mqueue as pb;
use homestay_proto::mqueue::mqueue_server::Mqueue;
use tonic::{Request, Response, Status};

use crate::rules::State;
use crate::views::Filter;
use crate::{MqueueService, claim, enqueue, finish, sweep, views};

type Reply<T> = Result<Response<T>, Status>;

/// Longest list: a page of 100, and one more that tells whether there is a next.
const LIMIT: i64 = 101;

#[tonic::async_trait]
impl Mqueue for MqueueService {
    async fn enqueue(&self, request: Request<pb::EnqueueRequest>) -> Reply<pb::EnqueueReply> {
        let added = enqueue::enqueue(self, request.into_inner().jobs).await?;
        Ok(Response::new(pb::EnqueueReply { added }))
    }

    async fn claim(&self, request: Request<pb::ClaimRequest>) -> Reply<pb::ClaimReply> {
        Ok(Response::new(claim::claim(self, request.into_inner()).await?))
    }

    async fn finish(&self, request: Request<pb::FinishRequest>) -> Reply<pb::FinishReply> {
        let accepted = finish::finish(self, request.into_inner().results).await?;
        Ok(Response::new(pb::FinishReply { accepted }))
    }

    async fn heartbeat(&self, request: Request<pb::HeartbeatRequest>) -> Reply<pb::HeartbeatReply> {
        let alive = finish::heartbeat(self, request.into_inner().jobs).await?;
        Ok(Response::new(pb::HeartbeatReply { alive }))
    }

    async fn release(&self, request: Request<pb::ReleaseRequest>) -> Reply<Empty> {
        let pb::ReleaseRequest { worker, keep } = request.into_inner();
        finish::release(self, worker, keep).await?;
        Ok(Response::new(Empty {}))
    }

    async fn sweep(&self, _: Request<Empty>) -> Reply<Empty> {
        sweep::sweep(self).await?;
        Ok(Response::new(Empty {}))
    }

    async fn list_jobs(&self, request: Request<pb::ListJobsRequest>) -> Reply<pb::ListJobsReply> {
        let jobs = views::jobs(&self.db, filter(request.into_inner())?).await;
        Ok(Response::new(pb::ListJobsReply {
            jobs: jobs.map_err(Status::from)?,
        }))
    }

    async fn list_queues(&self, _: Request<Empty>) -> Reply<pb::ListQueuesReply> {
        let queues = views::queues(&self.db, self.clock.now_ms()).await?;
        Ok(Response::new(pb::ListQueuesReply { queues }))
    }
}

fn filter(request: pb::ListJobsRequest) -> Result<Filter, Error> {
    let state = match request.state.as_str() {
        "" => None,
        name => Some(
            State::named(name)
                .ok_or_else(|| Error::invalid("state", "must be ready, running, done or dead"))?,
        ),
    };
    if request.last_id < 0 {
        return Err(Error::invalid("cursor", "is not one of ours"));
    }
    if !(1..=LIMIT).contains(&request.limit) {
        return Err(Error::invalid("limit", format!("must be 1 to {LIMIT}")));
    }
    Ok(Filter {
        queue: Some(request.queue).filter(|queue| !queue.is_empty()),
        state,
        before_id: Some(request.last_id).filter(|id| *id > 0),
        limit: request.limit,
    })
}
