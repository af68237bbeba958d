use std::net::SocketAddr;

use homestay_service::Tasks;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A line to a real server that a test can cut, or make silent.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    target: String,
    line: watch::Sender<Line>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Line {
    Open,
    /// Connections end, new ones too.
    Cut,
    /// Connections stay, and nothing comes through.
    Silent,
}

impl Proxy {
    /// A line to the server of a URL.
    ///
    /// # Panics
    /// If the URL names no host and port.
    pub async fn to(url: &str) -> Self {
        let uri: http::Uri = url.parse().expect("a URL");
        let (host, port) = (uri.host().expect("a host"), uri.port_u16().expect("a port"));
        let target = format!("{host}:{port}");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (line, _) = watch::channel(Line::Open);
        let (changes, to) = (line.subscribe(), target.clone());
        let tasks = Tasks::new();
        tasks.clone().detach(async move {
            while let Ok((client, _)) = listener.accept().await {
                if changes.has_changed().is_err() {
                    return;
                }
                tasks.detach(carry(client, to.clone(), changes.clone()));
            }
        });
        Self {
            address,
            target,
            line,
        }
    }

    /// The URL, through this line.
    #[must_use]
    pub fn url(&self, url: &str) -> String {
        url.replace(&self.target, &self.address.to_string())
    }

    /// As if the server had died.
    pub fn cut(&self) {
        self.line.send_replace(Line::Cut);
    }

    /// As if the server hung.
    pub fn silence(&self) {
        self.line.send_replace(Line::Silent);
    }

    /// As if nothing had been; what was connected while it was silent is not any more.
    pub fn restore(&self) {
        self.line.send_replace(Line::Open);
    }
}

async fn carry(mut client: TcpStream, target: String, mut line: watch::Receiver<Line>) {
    let state = *line.borrow_and_update();
    if state == Line::Open
        && let Ok(mut server) = TcpStream::connect(target).await
    {
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => return,
            _ = line.changed() => {}
        }
    }
    // Held, or dropped, until the next change.
    if *line.borrow_and_update() == Line::Silent {
        let _ = line.changed().await;
    }
}
