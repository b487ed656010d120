//! A raw request from within a pod.

use std::{io, net::SocketAddr};

use tokio::io::AsyncWriteExt;

use super::{
    agent::Family,
    http1::{self, Kind},
    pod::PodRecord,
};
use crate::fetch::{FetchRequest, FetchResponse};

/// Sends the request and reads the answer.
pub(super) async fn fetch(pod: &PodRecord, request: &FetchRequest) -> io::Result<FetchResponse> {
    let address = target(request, pod.node.spec.agent.port)?;
    tokio::time::timeout(request.timeout, exchange(pod, request, address)).await?
}

/// Where a request goes.
pub(crate) fn target(request: &FetchRequest, port: u16) -> io::Result<SocketAddr> {
    let Some(target) = &request.target else {
        return Ok(Family::V4.address(port));
    };
    let with_port = [target.clone(), format!("{target}:80")];
    with_port
        .iter()
        .find_map(|t| t.parse().ok())
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{target} is not an address with a port"),
            )
        })
}

async fn exchange(
    pod: &PodRecord,
    request: &FetchRequest,
    address: SocketAddr,
) -> io::Result<FetchResponse> {
    let mut stream = pod.connect(address).await?;
    stream.write_all(&head(request, address)).await?;
    stream.write_all(&request.body).await?;
    let kind = Kind::Response {
        to_head: request.method == "HEAD",
    };
    let mut buffer = Vec::new();
    let message = http1::read(&mut stream, &mut buffer, kind)
        .await?
        .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection"))?;
    let status = message
        .status()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it does not speak HTTP"))?;
    Ok(FetchResponse {
        status,
        headers: message.headers,
        body: message.body,
    })
}

pub(crate) fn head(request: &FetchRequest, address: SocketAddr) -> Vec<u8> {
    let has = |name: &str| {
        request
            .headers
            .iter()
            .any(|(n, _)| n.eq_ignore_ascii_case(name))
    };
    let mut out = format!("{} {} HTTP/1.1\r\n", request.method, request.path);
    if !has("host") {
        // As clients write it: without the port if it is HTTP's own.
        let host = match (address.port(), address) {
            (80, SocketAddr::V4(a)) => a.ip().to_string(),
            (80, SocketAddr::V6(a)) => format!("[{}]", a.ip()),
            _ => address.to_string(),
        };
        out.push_str(&format!("Host: {host}\r\n"));
    }
    for (name, value) in &request.headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    if !request.body.is_empty() && !has("content-length") {
        out.push_str(&format!("Content-Length: {}\r\n", request.body.len()));
    }
    if !has("connection") {
        out.push_str("Connection: close\r\n");
    }
    out.push_str("\r\n");
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_absent_is_added() {
        let request = FetchRequest::credentials().header("host", "localhost:8080");
        let address = target(&request, 80).unwrap();
        assert_eq!(
            String::from_utf8(head(&request, address)).unwrap(),
            "GET /v1/credentials HTTP/1.1\r\nhost: localhost:8080\r\nConnection: close\r\n\r\n"
        );
        let plain = String::from_utf8(head(&FetchRequest::credentials(), address)).unwrap();
        assert!(plain.contains("\r\nHost: 169.254.170.23\r\n"), "{plain}");
    }

    #[test]
    fn targets() {
        let to = |t: &str| {
            target(
                &FetchRequest {
                    target: Some(t.into()),
                    ..FetchRequest::default()
                },
                80,
            )
        };
        assert_eq!(to("169.254.169.254").unwrap().port(), 80);
        assert_eq!(to("[fd00:ec2::23]:80").unwrap().port(), 80);
        assert!(to("nobody").is_err());
    }
}
