//! The wire: what Flightdeck says and hears, generated from `proto/`.
//!
//! [`flyteidl`] is the protocol of Flyte's connector services, under the paths
//! of its protobuf packages; [`flightdeck`] is the handle in which a task
//! travels. The types of `google.protobuf` are those of `prost_types`.

mod execution;
pub mod handle;
pub mod literal;
pub mod python;

pub use execution::ExecutionId;

/// Every `.proto` file of this module with what it imports, as an encoded
/// `google.protobuf.FileDescriptorSet`, HTTP annotations included: for gRPC
/// reflection and for JSON.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/flightdeck_descriptor.bin"));

/// Flyte's protocol, version 1 (`flyteidl`).
#[allow(
    missing_docs,
    clippy::large_enum_variant,
    reason = "generated code: self-evident fields have no comment, and no variant is boxed"
)]
pub mod flyteidl {
    /// The messages of the connector services.
    pub mod admin {
        tonic::include_proto!("flyteidl.admin");
    }

    /// What the messages are about: tasks, types, literals, identifiers.
    pub mod core {
        tonic::include_proto!("flyteidl.core");
    }

    /// The three services, as server and as client.
    pub mod service {
        tonic::include_proto!("flyteidl.service");
    }
}

/// Flightdeck's own messages.
pub mod flightdeck {
    /// The handle, in its first version.
    pub mod v1 {
        tonic::include_proto!("flightdeck.v1");
    }
}
