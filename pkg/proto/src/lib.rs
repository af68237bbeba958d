//! The .proto files of all domains (package `homestay.<domain>.v1`) and the code generated from them.
//!
//! Fields are added, never renumbered. Who may call a method stands in the `<domain>-rpc` crate's table; whether a call may be
//! repeated stands at the method (`idempotency_level`).

// The generated modules refer to each other by their package path.
mod generated;

pub use generated::homestay::{
    common::v1 as common, mqueue::v1 as mqueue, order::v1 as order, payment::v1 as payment,
    travel::v1 as travel, usercenter::v1 as usercenter,
};

/// The encoded `FileDescriptorSet` of all packages, for reflection and for tests over the method tables.
pub const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));

/// Full paths of the methods that may be called again when it is not known whether the first call was served: those with an
/// `idempotency_level`. Sorted.
pub const IDEMPOTENT: &[&str] = include!(concat!(env!("OUT_DIR"), "/idempotent.rs"));

#[cfg(test)]
mod tests {
    use super::IDEMPOTENT;

    #[test]
    fn only_methods_that_say_so_may_be_repeated() {
        assert!(IDEMPOTENT.is_sorted());
        for (method, may) in [
            ("/homestay.order.v1.Order/Get", true),
            ("/homestay.travel.v1.Travel/Hold", true),
            ("/homestay.mqueue.v1.Mqueue/Enqueue", true),
            ("/homestay.order.v1.Order/Create", false),
            ("/homestay.payment.v1.Payment/Create", false),
            ("/homestay.mqueue.v1.Mqueue/Claim", false),
            ("/homestay.usercenter.v1.UserCenter/Refresh", false),
        ] {
            assert_eq!(IDEMPOTENT.binary_search(&method).is_ok(), may, "{method}");
        }
    }
}
