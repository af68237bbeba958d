use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use homestay_service::Stop;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::{ServiceExt, service_fn};

/// Connections at the same time (contract.md §1.2); more wait to be accepted.
const CONNECTIONS: usize = 10_000;
/// How long a client may take to send a request's head, or to stay silent between two. Longer than gateways keep idle
/// connections (60 s in nginx), so that it is not we who close one while a request is on its way.
const HEAD: Duration = Duration::from_secs(75);
/// After the stop, requests in hand have this long; a request's deadline is shorter.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// Serves a router until `stop`, then finishes the requests in hand.
///
/// # Errors
/// None so far: a connection that cannot be accepted is logged, and the next one waited for.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: Stop,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut connections = JoinSet::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = places.clone().acquire_owned() => place?,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = answer(stream, peer, router.clone(), stop.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                // Too many open files, most likely: wait for some to be closed.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let finish = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_REQUESTS, finish).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections are cut at the stop");
    }
    Ok(())
}

/// One connection to its end.
async fn answer(stream: TcpStream, peer: SocketAddr, router: Router, stop: Stop) {
    // Small answers must not wait for more to send.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(HEAD));
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // A client that hung up or sent no HTTP.
        tracing::debug!(%error, "a connection ended early");
    }
}
