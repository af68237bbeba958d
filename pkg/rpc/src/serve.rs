use std::convert::Infallible;

use homestay_service::Stop;
use http::{Request, Response};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::{Layer, Service};

use crate::Guard;

/// Serves a generated server behind its guard over HTTP/2 until `stop`, then finishes the calls in hand.
///
/// # Errors
/// If the listener fails.
pub async fn serve<S>(
    listener: TcpListener,
    guard: Guard,
    server: S,
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
    let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(std::time::Duration::from_secs(10)))
        .add_service(guard.layer(server))
        .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
        .await?;
    Ok(())
}
