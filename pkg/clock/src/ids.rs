use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use homestay_types::{OrderSn, PaymentSn, RefundSn};

use crate::Clock;

/// 2025-01-01T00:00:00Z: ids count from here, so that 40 bits of milliseconds last until 2059.
const EPOCH_MS: i64 = 1_735_689_600_000;
const NODES: i64 = 64;
const PER_MS: i64 = 128;

/// How far ahead of its claim a node number's new holder begins, in id time.
const BEGIN_AHEAD_MS: i64 = 5_000;
/// How long after the last proof of its claim a holder's ids follow the clock, and how far they may get at all.
const FOLLOW_MS: i64 = 1_000;
const REACH_MS: i64 = 3_000;

/// Makes ids and serial numbers that never repeat: milliseconds, then the node, then a count within the millisecond.
///
/// Ids grow with time, are positive and below 2^53, so that JSON readers keep them (RFC 8259 §6). They are no secrets.
/// An id's node is `id / 128 % 64`, in SQL too: that is how the outbox knows who wrote a row.
///
/// # A number that is claimed
/// Two processes that write the same tables need different node numbers. Where these are claimed (a lock that a session of
/// the database holds), a holder learns of a lost session later than the next one may claim the same number. Their ids differ
/// all the same, as they differ in time: a holder's ids never get beyond 3 s after the last proof of its claim, and whoever
/// claims begins 5 s after his claim, which the database grants only when the old session is gone. The 2 s between allow for
/// clocks that differ. Without proof ids follow the clock for 1 s, and then only count on through what is left of the 3 s
/// (256,000 ids; after these the last one is repeated, and its unique key refuses it): so that asking for an id never fails
/// and never waits, while [`Ids::is_claimed`] tells who writes that he has to wait.
#[derive(Debug, Clone)]
pub struct Ids {
    clock: Clock,
    made: Arc<Mutex<Made>>,
}

/// Times are milliseconds since [`EPOCH_MS`], ticks are times * [`PER_MS`] + count.
#[derive(Debug)]
struct Made {
    node: i64,
    /// Last tick given out.
    last: i64,
    /// Claim in id time and by the clock: 0 unless the number is claimed.
    begun: i64,
    claimed: i64,
    /// Up to when ids follow the clock.
    follow: i64,
    /// What no id reaches.
    reach: i64,
}

impl Ids {
    /// Ids of one node, 0 to 63, that is nobody else's.
    #[must_use]
    pub fn new(clock: Clock, node: u8) -> Self {
        let node = i64::from(node) % NODES;
        Self::made(clock, node, i64::MAX / PER_MS)
    }

    /// Ids of a node number that is still to be claimed ([`Ids::claim`]).
    #[must_use]
    pub fn unclaimed(clock: Clock) -> Self {
        Self::made(clock, 0, 0)
    }

    fn made(clock: Clock, node: i64, until: i64) -> Self {
        let made = Made {
            node,
            last: 0,
            begun: 0,
            claimed: 0,
            follow: until,
            reach: until,
        };
        Self {
            clock,
            made: Arc::new(Mutex::new(made)),
        }
    }

    /// From now on these are ids of `node`, claimed at `now_ms` by the clock of who granted it. There are none before the next
    /// proof ([`Ids::confirm`]).
    pub fn claim(&self, node: u8, now_ms: i64) {
        let mut made = self.lock();
        made.node = i64::from(node) % NODES;
        made.claimed = self.clock.now_ms() - EPOCH_MS;
        made.begun = made.claimed.max(now_ms - EPOCH_MS) + BEGIN_AHEAD_MS;
        made.last = made.last.max(made.begun * PER_MS);
        (made.follow, made.reach) = (0, 0);
    }

    /// The claim was still held at `at_ms` by our clock, or later.
    pub fn confirm(&self, at_ms: i64) {
        let mut made = self.lock();
        let at = at_ms - EPOCH_MS;
        // While the ids are ahead of the clock, by what has passed since the claim: whoever is next begins that much later.
        let ahead = made.begun + (at - made.claimed).clamp(0, FOLLOW_MS);
        made.follow = at + FOLLOW_MS;
        made.reach = ahead.max(at + REACH_MS);
    }

    /// Whether the claim was proved lately enough for ids to be written.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        let now = self.clock.now_ms() - EPOCH_MS;
        let made = self.lock();
        now < made.reach && made.last < made.reach * PER_MS - 1
    }

    fn lock(&self) -> MutexGuard<'_, Made> {
        // What is guarded is whole between any two statements.
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next (millisecond, node, count). More than [`PER_MS`] in one millisecond, or a clock that went back, run
    /// ahead of the clock.
    fn tick(&self) -> (i64, i64, i64) {
        let mut made = self.lock();
        let now = (self.clock.now_ms() - EPOCH_MS).max(1).min(made.follow);
        let next = (now * PER_MS).max(made.last + 1);
        made.last = next.min((made.reach * PER_MS - 1).max(made.last));
        (made.last / PER_MS, made.node, made.last % PER_MS)
    }

    /// A new id.
    #[must_use]
    pub fn id(&self) -> i64 {
        let (ms, node, count) = self.tick();
        (ms * NODES + node) * PER_MS + count
    }

    fn sn(&self, prefix: &str) -> String {
        let (ms, node, count) = self.tick();
        let at = jiff::Timestamp::from_millisecond(ms + EPOCH_MS).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let second = at.strftime("%Y%m%d%H%M%S");
        format!("{prefix}{second}{:03}{:02}{count:03}", ms.rem_euclid(1000), node)
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
    const START_MS: i64 = 1_795_219_200_000;

    fn parts(id: i64) -> (i64, i64) {
        (id / (NODES * PER_MS) + EPOCH_MS, id / PER_MS % NODES)
    }

    #[test]
    fn who_claims_a_number_never_makes_an_id_its_last_holder_can_make() {
        let clock = Clock::manual(START_MS);
        let (old, new) = (Ids::unclaimed(clock.clone()), Ids::unclaimed(clock.clone()));
        assert!(!old.is_claimed());
        old.claim(7, clock.now_ms());
        clock.advance(std::time::Duration::from_millis(20));
        assert!(!old.is_claimed());
        old.confirm(clock.now_ms());
        assert!(old.is_claimed());
        assert_eq!(parts(old.id()), (START_MS + 5_000, 7));
        for _ in 0..20 {
            clock.advance(std::time::Duration::from_millis(500));
            old.confirm(clock.now_ms());
            let _ = old.id();
        }
        assert_eq!(parts(old.id()).0, clock.now_ms());

        // The session is lost just now, and the number is claimed by another process at once.
        let lost_ms = clock.now_ms();
        new.claim(7, lost_ms);
        new.confirm(lost_ms + 1);
        let first = new.id();
        clock.advance(std::time::Duration::from_secs(60));
        assert!(!old.is_claimed());
        let many: Vec<i64> = (0..300_000).map(|_| old.id()).collect();

        assert!(many.iter().all(|id| *id < first));
        assert!(many[..256_000].windows(2).all(|w| w[0] < w[1]));
        assert_eq!(parts(many[299_999]).0, lost_ms + 2_999);
    }

    #[test]
    fn a_holder_that_claims_another_number_goes_on_with_it_at_once() {
        let clock = Clock::manual(START_MS);
        let ids = Ids::unclaimed(clock.clone());
        for node in [3, 9, 3] {
            ids.claim(node, clock.now_ms());
            ids.confirm(clock.now_ms() + 1);
            assert_eq!(parts(ids.id()).1, i64::from(node));
        }
        let mut seen = HashSet::new();
        assert!((0..100).all(|_| seen.insert(ids.id())));
    }
}
