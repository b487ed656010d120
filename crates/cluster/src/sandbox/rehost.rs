//! Without namespaces pods call their agent on a loopback port; the agent refuses requests that name it so. What a pod
//! could not know is put right on the way. A `Host` that a caller chose by hand stays.

use std::{io, net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use tokio::io::AsyncWriteExt;

use super::{
    agent::Family,
    http1::{self, Kind, Message},
    relay::{Target, Wire},
};

/// An agent behind a loopback port.
pub(super) struct Rehosted {
    pub(super) target: Arc<dyn Target>,
    /// The port pods call.
    pub(super) called: SocketAddr,
}

#[async_trait]
impl Target for Rehosted {
    async fn serve(&self, wire: Box<dyn Wire>) -> io::Result<()> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (mut from_pod, mut to_pod) = tokio::io::split(wire);
        let (mut from_agent, mut to_agent) = tokio::io::split(near);
        let there = async {
            let mut buffer = Vec::new();
            while let Some(request) = http1::read(&mut from_pod, &mut buffer, Kind::Request).await?
            {
                to_agent.write_all(&self.rewritten(&request)).await?;
            }
            to_agent.shutdown().await?;
            std::future::pending::<io::Result<()>>().await
        };
        let back = async {
            tokio::io::copy(&mut from_agent, &mut to_pod).await?;
            to_pod.shutdown().await
        };
        let served = async {
            self.target.serve(Box::new(far)).await?;
            std::future::pending::<io::Result<()>>().await
        };
        tokio::select! {
            outcome = there => outcome,
            outcome = back => outcome,
            outcome = served => outcome,
        }
    }
}

impl Rehosted {
    fn rewritten(&self, request: &Message) -> Vec<u8> {
        let called = self.called.to_string();
        let mut out = format!("{}\r\n", request.start);
        for (name, value) in &request.headers {
            let ours = name.eq_ignore_ascii_case("host") && *value == called;
            let value = if ours { Family::V4.host() } else { value };
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        out.push_str("\r\n");
        let mut out = out.into_bytes();
        // A chunked body was put together: it goes on as chunks again, in one.
        let chunked = request.header("transfer-encoding").is_some();
        if chunked {
            out.extend_from_slice(format!("{:x}\r\n", request.body.len()).as_bytes());
        }
        out.extend_from_slice(&request.body);
        if chunked {
            out.extend_from_slice(if request.body.is_empty() {
                b"\r\n"
            } else {
                b"\r\n0\r\n\r\n"
            });
        }
        out
    }
}
