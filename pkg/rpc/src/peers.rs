use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::join_all;
use http::Uri;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::deadline::CALL;
use crate::resolve::{Resolver, Source};

/// Longest wait for a connection. A peer that takes longer rests, and others are asked.
const CONNECT: Duration = Duration::from_millis(500);
/// A call that is given up after so long without a word casts doubt on its peer. Shorter ones had too little time.
const SILENCE: Duration = Duration::from_millis(500);
/// Pause between two looks at peers that rest, and between two lookups of a name.
const LOOK: Duration = Duration::from_millis(500);

/// How long a connection may be silent before it is asked whether it lives, and how long for an answer: a machine that vanished
/// says nothing.
const ALIVE: Duration = Duration::from_secs(2);

/// One address, and the one connection to it.
#[derive(Debug)]
pub(crate) struct Peer {
    address: SocketAddr,
    pub(crate) channel: Channel,
    busy: AtomicUsize,
    /// Nobody answered there; not asked while others do.
    resting: AtomicBool,
}

/// A call in hand at a peer. However it ends, also because its time is over: if it has waited for long and the peer has said
/// nothing, the peer rests until it has shown that it lives.
#[derive(Debug)]
pub(crate) struct Turn {
    peer: Arc<Peer>,
    trouble: Arc<Notify>,
    since: Instant,
    answered: AtomicBool,
}

impl Turn {
    pub(crate) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// The peer has answered, or failed otherwise: its silence says nothing.
    pub(crate) fn answered(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.peer.busy.fetch_sub(1, Ordering::Relaxed);
        let waited = self.since.elapsed();
        // Longer calls are long polls: they wait for something else.
        if !self.answered.load(Ordering::Relaxed) && waited >= SILENCE && waited <= CALL + SILENCE {
            rest(&self.peer, &self.trouble);
        }
    }
}

fn rest(peer: &Peer, trouble: &Notify) {
    if !peer.resting.swap(true, Ordering::Relaxed) {
        tracing::warn!(peer = %peer.address, "a peer does not answer");
    }
    trouble.notify_one();
}

impl Peer {
    fn new(address: SocketAddr, origin: &Uri) -> Self {
        // The address is one; whatever `SocketAddr` prints is an authority.
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .expect("an address is an authority")
            .origin(origin.clone())
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(ALIVE)
            .keep_alive_timeout(ALIVE)
            .keep_alive_while_idle(true);
        Self {
            address,
            channel: endpoint.connect_lazy(),
            busy: AtomicUsize::new(0),
            resting: AtomicBool::new(false),
        }
    }

    /// Whether anything answers there: asked for the health of a service that nobody has, which is known without looking.
    async fn lives(&self) -> bool {
        let request = HealthCheckRequest {
            service: "look".to_owned(),
        };
        let mut client = HealthClient::new(self.channel.clone());
        match timeout(CONNECT, client.check(request)).await {
            Ok(Ok(_)) => true,
            // These are also what a connection fails with.
            Ok(Err(status)) => !matches!(
                status.code(),
                Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled | Code::DeadlineExceeded
            ),
            Err(_) => false,
        }
    }

    /// It has answered.
    pub(crate) fn awake(&self) {
        if self.resting.load(Ordering::Relaxed) && self.resting.swap(false, Ordering::Relaxed) {
            tracing::info!(peer = %self.address, "a peer is back");
        }
    }
}

type List = Arc<[Arc<Peer>]>;

/// The peers behind the endpoints, as they are now. A task follows their names and looks after those that rest; it ends with
/// the last clone of the channel.
///
/// tonic's own balanced channel is not used: it takes an address to which nobody connects for a ready one (the error is kept
/// for the next call), does not say where a call failed, and spreads by chance instead of by load.
#[derive(Debug)]
pub(crate) struct Peers {
    /// `None` until the names have been looked up once.
    list: watch::Sender<Option<List>>,
    trouble: Arc<Notify>,
}

impl Peers {
    /// Follows `sources` on a task of its own.
    pub(crate) fn follow(sources: Vec<Source>, resolver: Resolver) -> Arc<Self> {
        let (list, _) = watch::channel(None);
        let peers = Arc::new(Self {
            list,
            trouble: Arc::new(Notify::new()),
        });
        if !sources.iter().any(Source::is_name) {
            peers.update(&sources);
        }
        let keeper = keep(Arc::downgrade(&peers), peers.trouble.clone(), sources, resolver);
        homestay_service::Tasks::new().detach(keeper);
        peers
    }

    /// The least busy peer that is awake and not among `tried`; on a first try one that rests, if all do.
    pub(crate) async fn pick(&self, tried: &[Arc<Peer>]) -> Option<Turn> {
        let list = self.list().await;
        let untried = || {
            list.iter()
                .filter(|peer| !tried.iter().any(|t| Arc::ptr_eq(t, peer)))
        };
        let awake = untried().filter(|peer| !peer.resting.load(Ordering::Relaxed));
        // Starts anywhere, so that peers that are equally idle take turns.
        let start = if list.len() > 1 {
            rand::random_range(0..list.len())
        } else {
            0
        };
        let least = awake
            .enumerate()
            .min_by_key(|(i, peer)| (peer.busy.load(Ordering::Relaxed), (i + start) % list.len()))
            .map(|(_, peer)| peer);
        let chosen = match least {
            None if tried.is_empty() => list.get(start),
            least => least,
        }?;
        chosen.busy.fetch_add(1, Ordering::Relaxed);
        Some(Turn {
            peer: chosen.clone(),
            trouble: self.trouble.clone(),
            since: Instant::now(),
            answered: AtomicBool::new(false),
        })
    }

    async fn list(&self) -> List {
        if let Some(list) = &*self.list.borrow() {
            return list.clone();
        }
        let mut known = self.list.subscribe();
        let list = known.wait_for(Option::is_some).await;
        list.ok().and_then(|list| list.clone()).unwrap_or_default()
    }

    /// Nobody answered there.
    pub(crate) fn rest(&self, peer: &Peer) {
        rest(peer, &self.trouble);
    }

    /// Something failed that another address may cure.
    pub(crate) fn trouble(&self) {
        self.trouble.notify_one();
    }

    /// Peers whose address stays are kept with their connections; calls in hand at others run to their end.
    fn update(&self, sources: &[Source]) {
        let known: HashMap<SocketAddr, Arc<Peer>> = match &*self.list.borrow() {
            Some(list) => list.iter().map(|peer| (peer.address, peer.clone())).collect(),
            None => HashMap::new(),
        };
        let mut list: Vec<Arc<Peer>> = Vec::new();
        for source in sources {
            for address in &source.addresses {
                if list.iter().any(|peer| peer.address == *address) {
                    continue;
                }
                let peer = known.get(address).cloned();
                list.push(peer.unwrap_or_else(|| Arc::new(Peer::new(*address, &source.origin))));
            }
        }
        let same = list.len() == known.len() && list.iter().all(|peer| known.contains_key(&peer.address));
        self.list.send_if_modified(|current| {
            let first = current.is_none();
            if first || !same {
                *current = Some(list.into());
            }
            first || !same
        });
    }

    fn resting(&self) -> Vec<Arc<Peer>> {
        let list = self.list.borrow();
        let all = list.iter().flat_map(|list| list.iter());
        all.filter(|peer| peer.resting.load(Ordering::Relaxed))
            .cloned()
            .collect()
    }
}

async fn keep(peers: Weak<Peers>, trouble: Arc<Notify>, mut sources: Vec<Source>, resolver: Resolver) {
    let named = sources.iter().any(Source::is_name);
    let mut asked: Option<Instant> = None;
    let mut troubled = false;
    loop {
        let due = asked.is_none_or(|at| {
            let since = at.elapsed();
            since >= resolver.every || (troubled && since >= LOOK)
        });
        if !named {
            troubled = false;
        } else if due {
            join_all(sources.iter_mut().map(|source| source.refresh(&resolver))).await;
            asked = Some(Instant::now());
            troubled = false;
            match peers.upgrade() {
                Some(peers) => peers.update(&sources),
                None => return,
            }
        }
        let resting = match peers.upgrade() {
            Some(peers) => peers.resting(),
            None => return,
        };
        let looks = resting.iter().map(|peer| async move {
            if peer.lives().await {
                peer.awake();
            }
        });
        join_all(looks).await;
        // While something is wrong the pace is quick; otherwise the next lookup or the next trouble is waited for.
        if troubled || !resting.is_empty() {
            troubled |= !resting.is_empty();
            tokio::time::sleep(LOOK).await;
        } else {
            tokio::select! {
                () = trouble.notified() => troubled = true,
                () = tokio::time::sleep(resolver.every) => {}
            }
        }
    }
}
