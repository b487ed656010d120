//! S3: buckets and objects, as far as pods use them. Source of rules: the reference's sections G.9 and H.3.

mod bucket;
mod listing;
mod multipart;
mod object;
mod policy;
mod setup;
mod store;
mod texts;
mod visit;

pub use bucket::BucketInfo;
pub use listing::{Listing, ListingRequest};
pub use multipart::{Part, PartName, Upload};
pub use object::{Checksum, Headers, NewObject, Object, OnlyIf};
pub use setup::NewBucket;
pub use store::S3;
pub use visit::{Asked, Visit};
