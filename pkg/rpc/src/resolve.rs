use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use homestay_error::Error;
use http::Uri;

/// Longest wait for one name.
const LOOKUP: Duration = Duration::from_secs(2);

type Lookup = dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync;

/// Where the addresses behind a name come from, and how often they are asked for.
#[derive(Clone)]
pub struct Resolver {
    pub(crate) every: Duration,
    lookup: Arc<Lookup>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

impl Resolver {
    /// The system's resolver, asked every 5 s and after failures. A headless Service answers with all its Pods.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Duration::from_secs(5), |host, port| async move {
            Ok(tokio::net::lookup_host((host, port)).await?.collect())
        })
    }

    /// Another source: a function from host and port to addresses.
    pub fn new<F, Fut>(every: Duration, lookup: F) -> Self
    where
        F: Fn(String, u16) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        Self {
            every,
            lookup: Arc::new(move |host, port| lookup(host, port).boxed()),
        }
    }
}

/// One configured endpoint, and the addresses last known for it.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) origin: Uri,
    host: String,
    port: u16,
    fixed: bool,
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Source {
    pub(crate) fn parse(endpoint: &str) -> Result<Self, Error> {
        let bad = || {
            Error::invalid(
                "endpoints",
                format!("must be like http://host:port: {endpoint:?}"),
            )
        };
        let origin: Uri = endpoint.parse().map_err(|_| bad())?;
        let (Some("http"), Some(host), Some(port)) = (origin.scheme_str(), origin.host(), origin.port_u16())
        else {
            return Err(bad());
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(bad());
        }
        let ip: Option<IpAddr> = host.parse().ok();
        Ok(Self {
            fixed: ip.is_some(),
            addresses: ip.map(|ip| SocketAddr::new(ip, port)).into_iter().collect(),
            host,
            port,
            origin,
        })
    }

    pub(crate) fn is_name(&self) -> bool {
        !self.fixed
    }

    /// Asks again. A name that cannot be resolved just now keeps the addresses it had.
    pub(crate) async fn refresh(&mut self, resolver: &Resolver) {
        if self.fixed {
            return;
        }
        let asked = tokio::time::timeout(LOOKUP, (resolver.lookup)(self.host.clone(), self.port)).await;
        let found = match asked {
            Ok(Ok(found)) if !found.is_empty() => found,
            Ok(Ok(_)) => return tracing::warn!(host = self.host, "a peer's name has no address"),
            Ok(Err(error)) => {
                return tracing::warn!(host = self.host, %error, "a peer's name cannot be resolved");
            }
            Err(_) => return tracing::warn!(host = self.host, "a peer's name was not resolved in time"),
        };
        self.addresses = found;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_address_or_a_name_with_a_port() {
        for (endpoint, want) in [
            ("http://10.0.0.1:12001", vec!["10.0.0.1:12001"]),
            ("http://[::1]:12001", vec!["[::1]:12001"]),
            ("http://order-rpc:12001", vec![]),
        ] {
            let source = Source::parse(endpoint).unwrap();
            let addresses: Vec<String> = source.addresses.iter().map(ToString::to_string).collect();
            assert_eq!(addresses, want, "{endpoint}");
            assert_eq!(source.is_name(), want.is_empty());
        }
        for bad in [
            "",
            "order-rpc:12001",
            "https://order-rpc:12001",
            "http://order-rpc",
            "http://:1",
        ] {
            assert_eq!(
                Source::parse(bad).unwrap_err().field_name(),
                Some("endpoints"),
                "{bad}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_that_fails_keeps_the_addresses_it_had() {
        let mut source = Source::parse("http://order-rpc:1").unwrap();
        let known: SocketAddr = "10.0.0.1:1".parse().unwrap();
        let good = Resolver::new(Duration::MAX, move |host, port| async move {
            assert_eq!((host.as_str(), port), ("order-rpc", 1));
            Ok(vec![known])
        });
        let empty = Resolver::new(Duration::MAX, |_, _| async { Ok(vec![]) });
        let broken = Resolver::new(Duration::MAX, |_, _| async { Err(io::Error::other("no server")) });
        for resolver in [good, empty, broken] {
            source.refresh(&resolver).await;
            assert_eq!(source.addresses, [known]);
        }
    }
}
