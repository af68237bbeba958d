use std::convert::Infallible;
use std::time::Duration;

use homestay_service::{Health, Stop};
use http::{Request, Response};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::{Layer, Service};

use crate::health::Report;
use crate::{Allow, Guard, Methods};

/// Reflection is for our own processes: who has the credential.
const REFLECTION: Methods = &[(
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    Allow::SERVICE,
)];

/// How a server is run beside what it serves.
#[derive(Debug, Clone)]
pub struct Serving {
    /// Calls in hand at once, long polls aside; more are refused at once. See [`Guard::limit`].
    pub concurrency: usize,
    /// Whether reflection answers those who have the credential: for demonstrations.
    pub reflection: bool,
    /// What the health service reports, which is open to all.
    pub health: Health,
}

impl Default for Serving {
    fn default() -> Self {
        Self {
            concurrency: 256,
            reflection: false,
            health: Health::default(),
        }
    }
}

/// Serves a generated server behind its guard over HTTP/2 until `stop`, then finishes the calls in hand. Health is open
/// (`grpc.health.v1.Health`); everything else wants the credential.
///
/// # Errors
/// If the listener fails.
pub async fn serve<S>(
    listener: TcpListener,
    guard: Guard,
    server: S,
    serving: Serving,
    stop: Stop,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    let reflection = serving
        .reflection
        .then(|| {
            let server = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(homestay_proto::DESCRIPTOR)
                .build_v1()?;
            Ok::<_, tonic_reflection::server::Error>(guard.over(REFLECTION).layer(server))
        })
        .transpose()?;
    let health = Report::server(serving.health, S::NAME, stop.clone());
    let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(10)))
        .http2_keepalive_timeout(Some(Duration::from_secs(5)))
        .add_service(guard.limit(serving.concurrency).layer(server))
        .add_service(health)
        .add_optional_service(reflection)
        .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
        .await?;
    Ok(())
}
