//! The HTTP face of `cloud::s3`, through the `s3s` crate: it reads and writes REST-XML, we do the rest.
//!
//! Signatures are verified by [`crate::sigv4`] before, for all services alike: the order of checks, the clock, the
//! texts and the coverage rules are AWS's there. `s3s` therefore gets requests in path style and without their
//! authentication, and has no say in who may do what.

mod adapter;
mod ask;
mod buckets;
mod checksum;
mod conditions;
mod error;
mod handle;
mod listing;
mod multipart;
mod objects;
mod page;
mod request;
mod settings;

pub use error::error;
pub use handle::handle;
pub(crate) use request::{path_style, prepare};
