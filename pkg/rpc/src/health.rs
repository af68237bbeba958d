use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use homestay_service::{Health, Stop};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthService, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// A watcher hears of a change this late at most.
const LOOK: Duration = Duration::from_secs(1);

/// `grpc.health.v1.Health`: readiness of the process, asked when it is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    health: Health,
    service: &'static str,
    stop: Stop,
}

impl Report {
    pub(crate) fn server(health: Health, service: &'static str, stop: Stop) -> HealthServer<Self> {
        HealthServer::new(Self {
            health,
            service,
            stop,
        })
    }

    /// The empty name is the process.
    fn knows(&self, service: &str) -> bool {
        service.is_empty() || service == self.service
    }

    async fn status(&self) -> ServingStatus {
        if self.health.unready().await.is_empty() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        }
    }
}

fn reply(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

#[tonic::async_trait]
impl HealthService for Report {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if !self.knows(&request.get_ref().service) {
            return Err(Status::not_found("no such service"));
        }
        Ok(Response::new(reply(self.status().await)))
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        if !self.knows(&request.get_ref().service) {
            let unknown = Ok(reply(ServingStatus::ServiceUnknown));
            return Ok(Response::new(stream::once(async { unknown }).boxed()));
        }
        // Ends with the server: a watcher must not hold up its stop.
        let stop = self.stop.clone();
        let changes = stream::unfold((self.clone(), None), |(report, last)| async move {
            loop {
                let status = report.status().await;
                if Some(status) != last {
                    return Some((Ok(reply(status)), (report, Some(status))));
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        Ok(Response::new(changes.take_until(stop.cancelled_owned()).boxed()))
    }
}
