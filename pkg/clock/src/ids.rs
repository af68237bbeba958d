use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use homestay_types::{OrderSn, PaymentSn, RefundSn};

use crate::Clock;

/// 2025-01-01T00:00:00Z: ids count from here, so that 40 bits of milliseconds last until 2059.
const EPOCH_MS: i64 = 1_735_689_600_000;
const NODES: i64 = 64;
const PER_MS: i64 = 128;

/// Makes ids and serial numbers that never repeat: milliseconds, then the node, then a count within the millisecond.
///
/// Ids grow with time, are positive and below 2^53, so that JSON readers keep them (RFC 8259 §6). They are no secrets.
#[derive(Debug, Clone)]
pub struct Ids {
    clock: Clock,
    node: i64,
    /// Last (millisecond since [`EPOCH_MS`]) * [`PER_MS`] + count given out.
    last: Arc<AtomicI64>,
}

impl Ids {
    /// Ids of one node. Two processes that write the same tables need different `node`s, 0 to 63.
    #[must_use]
    pub fn new(clock: Clock, node: u8) -> Self {
        Self {
            clock,
            node: i64::from(node) % NODES,
            last: Arc::new(AtomicI64::new(0)),
        }
    }

    /// Takes the next tick. More than [`PER_MS`] in one millisecond, or a clock that went back, run ahead of the clock.
    fn tick(&self) -> (i64, i64) {
        let floor = (self.clock.now_ms() - EPOCH_MS).max(1) * PER_MS;
        let before = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(floor.max(last + 1))
            })
            .unwrap_or_else(|last| last);
        let tick = floor.max(before + 1);
        (tick / PER_MS, tick % PER_MS)
    }

    /// A new id.
    #[must_use]
    pub fn id(&self) -> i64 {
        let (ms, count) = self.tick();
        (ms * NODES + self.node) * PER_MS + count
    }

    fn sn(&self, prefix: &str) -> String {
        let (ms, count) = self.tick();
        let at = jiff::Timestamp::from_millisecond(ms + EPOCH_MS).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let second = at.strftime("%Y%m%d%H%M%S");
        format!(
            "{prefix}{second}{:03}{:02}{count:03}",
            ms.rem_euclid(1000),
            self.node
        )
    }

    /// A new order number.
    #[must_use]
    pub fn order_sn(&self) -> OrderSn {
        made(&self.sn(OrderSn::PREFIX))
    }

    /// A new payment number.
    #[must_use]
    pub fn payment_sn(&self) -> PaymentSn {
        made(&self.sn(PaymentSn::PREFIX))
    }

    /// A new refund number.
    #[must_use]
    pub fn refund_sn(&self) -> RefundSn {
        made(&self.sn(RefundSn::PREFIX))
    }
}

fn made<T: std::str::FromStr<Err = homestay_types::SnError>>(text: &str) -> T {
    text.parse().expect("numbers are made in their own form")
}

/// `len` characters of a code that nobody can guess: digits and capital letters without 0, 1, I and O, which people misread.
#[must_use]
pub fn secret_code(len: usize) -> String {
    const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let mut bytes = vec![0u8; len];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut bytes);
    bytes
        .iter()
        .map(|b| char::from(ALPHABET[usize::from(*b) % 32]))
        .collect()
}

/// A token of 32 random bytes in lower-case hex, for addresses and refresh tokens that nobody can guess.
#[must_use]
pub fn secret_token() -> String {
    let mut bytes = [0u8; 32];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut bytes);
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_and_numbers_never_repeat_even_when_the_clock_stands() {
        let ids = Ids::new(Clock::manual(1_795_219_200_000), 3);
        let many: Vec<i64> = (0..10_000).map(|_| ids.id()).collect();
        assert!(many.windows(2).all(|w| w[0] < w[1]));
        assert!(many.iter().all(|id| *id < homestay_types::MAX_SAFE_ID));
        let sns: HashSet<_> = (0..10_000).map(|_| ids.order_sn()).collect();
        assert_eq!(sns.len(), 10_000);
    }
}
