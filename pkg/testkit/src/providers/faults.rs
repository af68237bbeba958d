use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;

/// How a provider misbehaves in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It answers 503 and does nothing.
    Down,
    /// It does what is asked, and the connection breaks before the answer.
    AnswerLost,
    /// It waits before it begins.
    Slow(Duration),
    /// It refuses with this code of its own.
    Refuse(&'static str),
    /// It begins, and fails: it answers 500 and has done nothing. Stripe answers so for ever under that key.
    Broken,
    /// It does what is asked, and fails before it can say so: it answers 500. Stripe answers so for ever under that key.
    BrokenAfter,
    /// It does what is asked, and somebody else signs the answer.
    Forged,
}

/// The faults of a server by the name of the call, and what was called.
#[derive(Debug, Default)]
pub(super) struct Faults {
    by_call: Mutex<HashMap<&'static str, Fault>>,
    calls: Mutex<Vec<&'static str>>,
    cut_off: AtomicBool,
}

impl Faults {
    pub fn set(&self, call: &'static str, fault: Fault) {
        self.by_call.lock().expect("faults").insert(call, fault);
    }

    pub fn heal(&self) {
        self.by_call.lock().expect("faults").clear();
        self.cut_off.store(false, Ordering::Relaxed);
    }

    /// Connections break before anything is read from them.
    pub fn cut_off(&self) {
        self.cut_off.store(true, Ordering::Relaxed);
    }

    /// Notes a call; the fault it meets.
    pub fn of(&self, call: &'static str) -> Option<Fault> {
        self.calls.lock().expect("calls").push(call);
        if self.cut_off.load(Ordering::Relaxed) {
            return Some(Fault::Down);
        }
        self.by_call.lock().expect("faults").get(call).copied()
    }

    pub fn is_cut_off(&self) -> bool {
        self.cut_off.load(Ordering::Relaxed)
    }

    /// How often this was called.
    pub fn count(&self, call: &str) -> usize {
        let calls = self.calls.lock().expect("calls");
        calls.iter().filter(|made| **made == call).count()
    }
}

/// An answer that breaks off: whoever waits for it learns nothing.
pub(super) fn broken() -> Response {
    let lost = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    Response::new(Body::from_stream(futures::stream::once(async {
        Err::<Bytes, _>(lost)
    })))
}
