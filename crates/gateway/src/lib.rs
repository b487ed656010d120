//! The HTTP face of the fake AWS: SigV4, the AWS protocols, routing, faults and the control API.
#![forbid(unsafe_code)]

pub mod services;
pub mod sigv4;
