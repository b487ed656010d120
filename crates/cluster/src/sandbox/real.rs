//! Amazon's own agent on a node.

use std::{io, path::Path};

use super::{
    agent::LastWords,
    node::{AgentNeeds, Node, Up},
};

/// Starts the agent.
pub(super) async fn start(
    _node: &Node,
    _binary: &Path,
    _needs: &AgentNeeds,
) -> io::Result<Result<Up, LastWords>> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}
