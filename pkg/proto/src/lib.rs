//! The .proto files of all domains (package `homestay.<domain>.v1`) and the code generated from them.
//!
//! Fields are added, never renumbered. Who may call a method stands in the `<domain>-rpc` crate's table.

// The generated modules refer to each other by their package path.
mod generated;

pub use generated::homestay::{
    common::v1 as common, mqueue::v1 as mqueue, order::v1 as order, payment::v1 as payment,
    travel::v1 as travel, usercenter::v1 as usercenter,
};

/// The encoded `FileDescriptorSet` of all packages, for reflection and for tests over the method tables.
pub const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));
