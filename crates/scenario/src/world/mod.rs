//! The world a scenario plays in, and `emu up` keeps up: one fake AWS behind one gateway, and clusters.

mod bucket;
mod change;
mod cluster;
mod establish;
mod external;
mod names;
mod node_cluster;
mod node_credentials;
mod options;
mod start;
mod visit;

pub use cluster::ClusterAt;
pub use names::unknown;
pub use node_credentials::NodeRoles;
pub use options::WorldOptions;
pub use start::World;
