//! Servers on real sockets that can be killed and started again.
#![allow(dead_code, clippy::allow_attributes, reason = "each test file uses its part")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use homestay_error::{Code, Error};
use homestay_proto::common::Empty;
use homestay_proto::mqueue as pb;
use homestay_proto::mqueue::mqueue_client::MqueueClient;
use homestay_proto::mqueue::mqueue_server::{Mqueue, MqueueServer};
use homestay_rpc::{Actor, Allow, Channel, Guard, Identity, Methods, Serving, deadline, serve};
use homestay_service::{Stop, Tasks};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

pub const METHODS: Methods = &[
    ("/homestay.mqueue.v1.Mqueue/ListQueues", Allow::ANYONE),
    ("/homestay.mqueue.v1.Mqueue/ListJobs", Allow::ANYONE),
    ("/homestay.mqueue.v1.Mqueue/Finish", Allow::ANYONE),
    ("/homestay.mqueue.v1.Mqueue/Heartbeat", Allow::ANYONE),
    ("/homestay.mqueue.v1.Mqueue/Claim", Allow::ANYONE.waits()),
];

type Reply<T> = Result<Response<T>, Status>;

/// What a test sees of a server, and how it holds calls back.
#[derive(Clone)]
pub struct Fake {
    pub served: Arc<AtomicU32>,
    /// `finish` and `claim` pass one by one.
    pub gate: Arc<Semaphore>,
    /// So many calls of `list_jobs` and `finish` are UNAVAILABLE.
    pub failing: Arc<AtomicU32>,
    /// `heartbeat` goes on to there after a pause.
    pub next: Option<Channel>,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            served: Arc::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            failing: Arc::default(),
            next: None,
        }
    }
}

impl Fake {
    pub fn closed() -> Self {
        Self {
            gate: Arc::new(Semaphore::new(0)),
            ..Self::default()
        }
    }

    pub fn failing(calls: u32) -> Self {
        Self {
            failing: Arc::new(AtomicU32::new(calls)),
            ..Self::default()
        }
    }

    pub fn served(&self) -> u32 {
        self.served.load(Ordering::SeqCst)
    }

    /// Until so many calls have come.
    pub async fn reached(&self, calls: u32) {
        within(async {
            while self.served() < calls {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }

    fn count(&self) {
        self.served.fetch_add(1, Ordering::SeqCst);
    }

    fn fail(&self) -> Result<(), Status> {
        let left = self
            .failing
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(_) => Err(Error::new(Code::Unavailable).into()),
            Err(_) => Ok(()),
        }
    }

    async fn pass(&self) {
        self.gate.acquire().await.expect("an open semaphore").forget();
    }
}

#[tonic::async_trait]
impl Mqueue for Fake {
    async fn list_queues(&self, _: Request<Empty>) -> Reply<pb::ListQueuesReply> {
        self.count();
        Ok(Response::new(pb::ListQueuesReply::default()))
    }
    async fn list_jobs(&self, _: Request<pb::ListJobsRequest>) -> Reply<pb::ListJobsReply> {
        self.count();
        self.fail()?;
        Ok(Response::new(pb::ListJobsReply::default()))
    }
    async fn finish(&self, _: Request<pb::FinishRequest>) -> Reply<pb::FinishReply> {
        self.count();
        self.fail()?;
        self.pass().await;
        Ok(Response::new(pb::FinishReply::default()))
    }
    async fn claim(&self, _: Request<pb::ClaimRequest>) -> Reply<pb::ClaimReply> {
        self.count();
        self.pass().await;
        Ok(Response::new(pb::ClaimReply::default()))
    }
    async fn heartbeat(&self, request: Request<pb::HeartbeatRequest>) -> Reply<pb::HeartbeatReply> {
        self.count();
        match &self.next {
            Some(next) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                MqueueClient::new(next.clone())
                    .heartbeat(request.into_inner())
                    .await
            }
            None => {
                let left = deadline::left().unwrap_or_default();
                Err(Error::with(Code::StaleToken, left.as_millis().to_string()).into())
            }
        }
    }
    async fn enqueue(&self, _: Request<pb::EnqueueRequest>) -> Reply<pb::EnqueueReply> {
        unreachable!("not in the table")
    }
    async fn release(&self, _: Request<pb::ReleaseRequest>) -> Reply<Empty> {
        unreachable!("not in the table")
    }
    async fn sweep(&self, _: Request<Empty>) -> Reply<Empty> {
        unreachable!("not in the table")
    }
}

/// A server on threads of its own: killed, it leaves its connections as a dead process does.
pub struct Server {
    pub fake: Fake,
    pub address: SocketAddr,
    pub tasks: Tasks,
    stop: Stop,
    runtime: Option<Runtime>,
}

impl Server {
    pub fn start(fake: Fake) -> Self {
        Self::serve(fake, Serving::default(), "127.0.0.1:0".parse().unwrap())
    }

    pub fn serve(fake: Fake, serving: Serving, address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (stop, tasks) = (Stop::new(), Tasks::new());
        let listener = {
            let _inside = runtime.enter();
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(address).unwrap();
            socket.listen(64).unwrap()
        };
        let address = listener.local_addr().unwrap();
        let guard = Guard::new("secret", METHODS, tasks.clone());
        let server = serve(
            listener,
            guard,
            MqueueServer::new(fake.clone()),
            serving,
            stop.clone(),
        );
        runtime.spawn(async move { server.await.unwrap() });
        Self {
            fake,
            address,
            tasks,
            stop,
            runtime: Some(runtime),
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// As SIGKILL.
    pub fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // On a thread of its own, as it blocks until all is closed.
            let ended = std::thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(5)));
            ended.join().unwrap();
        }
    }

    /// As SIGTERM.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    pub fn served(&self) -> u32 {
        self.fake.served()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn identity() -> Identity {
    Identity::new("secret", &Actor::Service("test".into()))
}

pub fn client(servers: &[&Server]) -> MqueueClient<Channel> {
    let endpoints: Vec<String> = servers.iter().map(|server| server.endpoint()).collect();
    MqueueClient::new(Channel::remote(&endpoints, identity()).unwrap())
}

pub fn code<T: std::fmt::Debug>(outcome: Result<T, Status>) -> Code {
    Error::from(outcome.expect_err("a refusal")).code()
}

/// Nothing in these tests takes longer.
pub async fn within<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), work)
        .await
        .expect("in time")
}
