//! The code generated from the .proto files, nested as their packages are.
#![expect(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    reason = "generated; the .proto files are the documentation"
)]

pub mod homestay {
    pub mod common {
        pub mod v1 {
            tonic::include_proto!("homestay.common.v1");
        }
    }
    pub mod usercenter {
        pub mod v1 {
            tonic::include_proto!("homestay.usercenter.v1");
        }
    }
    pub mod travel {
        pub mod v1 {
            tonic::include_proto!("homestay.travel.v1");
        }
    }
    pub mod order {
        pub mod v1 {
            tonic::include_proto!("homestay.order.v1");
        }
    }
    pub mod payment {
        pub mod v1 {
            tonic::include_proto!("homestay.payment.v1");
        }
    }
    pub mod mqueue {
        pub mod v1 {
            tonic::include_proto!("homestay.mqueue.v1");
        }
    }
}
