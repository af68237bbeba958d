use std::time::Duration;

/// Makes ring the process's TLS provider; must run before the first [`client`]. Repeating it changes nothing.
pub fn install_tls() {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The HTTP client for calls to the outside: webhooks, providers. It never waits longer than `timeout` and follows no redirects.
///
/// # Panics
/// If the system has no usable TLS setup.
#[must_use]
pub fn client(timeout: Duration) -> reqwest::Client {
    install_tls();
    reqwest::Client::builder()
        .connect_timeout(timeout.min(Duration::from_secs(2)))
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("homestay/", env!("CARGO_PKG_VERSION")))
        .build()
        .expect("an HTTP client")
}
