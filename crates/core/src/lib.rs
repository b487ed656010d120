//! What every room of the house shares: ARNs and ids, durations as people write them, the settings,
//! the one clock and the one journal.
#![forbid(unsafe_code)]

pub mod arn;
pub mod association;
pub mod clock;
pub mod duration;
pub mod exchanges;
pub mod ids;
pub mod journal;
pub mod settings;

pub use arn::Arn;
pub use association::{AssociationFeed, AssociationState, ServiceAccountRef};
pub use clock::{Clock, Follower, Timer};
pub use duration::Span;
pub use exchanges::Exchanges;
pub use ids::Ids;
pub use jiff::Timestamp;
pub use journal::{Entry, Event, Journal};
pub use settings::Settings;
