use std::sync::{Arc, LazyLock};

use argon2::password_hash::{self, PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Argon2, Params};
use homestay_error::{Code, Error, Result};
use tokio::sync::Semaphore;

/// Hashes at the same time: each takes a core for some 20 ms and 19 MiB.
const PARALLEL: usize = 2;
/// Callers that may wait for that; more are told to come back.
const WAITING: usize = 64;

/// A hash with the parameters of [`Argon2::default`] that no password has: verifying against it costs what verifying
/// against a real one costs.
static NOBODY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "$argon2id$v=19$m={},t={},p={}${}${}",
        Params::DEFAULT_M_COST,
        Params::DEFAULT_T_COST,
        Params::DEFAULT_P_COST,
        "A".repeat(22),
        "A".repeat(43),
    )
});

/// Hashes and verifies passwords with argon2id, off the async threads and at most two at a time. Clones share the limit.
#[derive(Debug, Clone)]
pub struct Passwords {
    pub(crate) running: Arc<Semaphore>,
    pub(crate) waiting: Arc<Semaphore>,
    #[cfg(test)]
    pub(crate) runs: Arc<std::sync::atomic::AtomicU64>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            running: Arc::new(Semaphore::new(PARALLEL)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            #[cfg(test)]
            runs: Arc::default(),
        }
    }
}

impl Passwords {
    /// The PHC string of a password, with a salt of its own.
    ///
    /// # Errors
    /// [`Code::Unavailable`] if too many wait.
    pub async fn hash(&self, password: String) -> Result<String> {
        self.run(move || {
            Argon2::default()
                .hash_password(password.as_bytes())
                .map(|hash: PasswordHash| hash.to_string())
                .map_err(Error::internal)
        })
        .await
    }

    /// Whether the password is the one of `hash`. Without a hash (unknown account, no password) the answer is no, after
    /// the same work.
    ///
    /// # Errors
    /// [`Code::Unavailable`] if too many wait.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool> {
        self.run(move || {
            let hash = hash.as_deref().unwrap_or(&NOBODY);
            match Argon2::default().verify_password(password.as_bytes(), hash) {
                Ok(()) => Ok(true),
                Err(password_hash::Error::PasswordInvalid) => Ok(false),
                Err(cause) => Err(Error::internal(cause)),
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let place = self
            .waiting
            .clone()
            .try_acquire_owned()
            .map_err(|_| Error::new(Code::Unavailable))?;
        let permit = self
            .running
            .clone()
            .acquire_owned()
            .await
            .map_err(Error::internal)?;
        #[cfg(test)]
        self.runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // The permit goes with the work: a caller that gives up does not make room before the core is free.
        tokio::task::spawn_blocking(move || {
            let _held = (place, permit);
            work()
        })
        .await
        .map_err(Error::internal)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hashes_are_argon2id_and_differ_for_equal_passwords() {
        let passwords = Passwords::default();
        let one = passwords.hash("hunter22".into()).await.expect("a hash");
        let two = passwords.hash("hunter22".into()).await.expect("a hash");
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two);
        for hash in [one, two] {
            assert_eq!(
                passwords.verify("hunter22".into(), Some(hash.clone())).await.ok(),
                Some(true)
            );
            assert_eq!(
                passwords.verify("hunter23".into(), Some(hash)).await.ok(),
                Some(false)
            );
        }
    }

    #[tokio::test]
    async fn nobody_has_the_hash_of_nobody_and_it_costs_what_a_real_one_costs() {
        let passwords = Passwords::default();
        assert_eq!(passwords.verify(String::new(), None).await.ok(), Some(false));
        let real = passwords.hash("hunter22".into()).await.expect("a hash");
        let parameters = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(parameters(&real), parameters(&NOBODY));
        assert_eq!(real.len(), NOBODY.len());
    }

    #[tokio::test]
    async fn more_than_can_wait_are_told_to_come_back() {
        let passwords = Passwords::default();
        let _places = passwords
            .waiting
            .clone()
            .acquire_many_owned(u32::try_from(WAITING).expect("few"))
            .await
            .expect("open");
        let refused = passwords.verify("x".into(), None).await.expect_err("full");
        assert_eq!(refused.code(), Code::Unavailable);
    }
}
