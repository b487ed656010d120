//! Our own agent on a node.

use std::{io, sync::Arc};

use async_trait::async_trait;
use emu_core::journal::PodRef;

use super::{
    agent::{Agent, Family, LastWords, bound},
    gate::loopback_socket,
    http1::{self, Kind},
    node::{AgentNeeds, Node, Up},
    relay::{Target, Wire},
    space,
};

/// Starts the twin.
pub(super) async fn start(
    node: &Node,
    needs: &AgentNeeds,
) -> io::Result<Result<Up, LastWords>> {
    let families = bound(&node.spec.agent.bind_hosts);
    if families.contains(&Family::V6) && !(node.spec.ipv6 && space::has_ipv6()) {
        return Ok(Err(LastWords(format!(
            "Unable to start server: listen tcp [fd00:ec2::23]:{}: bind: cannot assign requested address",
            node.spec.agent.port
        ))));
    }
    let upstream = node.upstream_gate(loopback_socket()?, needs)?;
    Ok(Ok(Up {
        agent: Arc::new(Stub(families)),
        upstream,
        kind: "twin",
        version: "stub".into(),
    }))
}

struct Stub(Vec<Family>);
struct StubTarget;

#[async_trait]
impl Agent for Stub {
    fn answers(&self, family: Family) -> bool {
        self.0.contains(&family)
    }
    async fn target(&self, _: Family, _: &PodRef) -> io::Result<Arc<dyn Target>> {
        Ok(Arc::new(StubTarget))
    }
    fn forget(&self, _: &PodRef) {}
    async fn stop(&self) {}
}

#[async_trait]
impl Target for StubTarget {
    async fn serve(&self, mut wire: Box<dyn Wire>) -> io::Result<()> {
        let mut buffer = Vec::new();
        while let Some(request) = http1::read(&mut wire, &mut buffer, Kind::Request).await? {
            let status = if request.request().1 == "/v1/credentials" { 200 } else { 404 };
            http1::respond(&mut wire, status, &[], b"").await?;
        }
        Ok(())
    }
}
