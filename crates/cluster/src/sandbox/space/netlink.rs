//! Messages that configure the loopback interface of a new network namespace.

use std::net::IpAddr;

/// `lo` is the first interface of every network namespace.
const LOOPBACK: i32 = 1;

/// The message that brings `lo` up.
pub(super) fn loopback_up() -> Vec<u8> {
    // struct ifinfomsg: family, pad, type, index, flags, change.
    let mut body = vec![libc::AF_UNSPEC as u8, 0, 0, 0];
    body.extend(LOOPBACK.to_ne_bytes());
    body.extend((libc::IFF_UP as u32).to_ne_bytes());
    body.extend((libc::IFF_UP as u32).to_ne_bytes());
    message(libc::RTM_NEWLINK, 0, &body)
}

/// The message that gives `lo` one more address, as a host address.
pub(super) fn loopback_address(address: IpAddr) -> Vec<u8> {
    let (family, bytes) = match address {
        IpAddr::V4(v4) => (libc::AF_INET, v4.octets().to_vec()),
        IpAddr::V6(v6) => (libc::AF_INET6, v6.octets().to_vec()),
    };
    // struct ifaddrmsg: family, prefix length, flags, scope, index.
    let prefix = (bytes.len() * 8) as u8;
    let mut body = vec![family as u8, prefix, libc::IFA_F_NODAD as u8, 0];
    body.extend(LOOPBACK.to_ne_bytes());
    for kind in [libc::IFA_LOCAL, libc::IFA_ADDRESS] {
        body.extend((4 + bytes.len() as u16).to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(&bytes);
    }
    let create = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
    message(libc::RTM_NEWADDR, create as u16, &body)
}

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let flags = flags | (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
    // struct nlmsghdr: length, type, flags, sequence, sender.
    let mut out = Vec::with_capacity(16 + body.len());
    out.extend((16 + body.len() as u32).to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(flags.to_ne_bytes());
    out.extend(1u32.to_ne_bytes());
    out.extend(0u32.to_ne_bytes());
    out.extend(body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_true() {
        for message in [
            loopback_up(),
            loopback_address("169.254.170.23".parse().unwrap()),
            loopback_address("fd00:ec2::23".parse().unwrap()),
        ] {
            let length = u32::from_ne_bytes(message[..4].try_into().unwrap());
            assert_eq!(length as usize, message.len());
            assert_eq!(message.len() % 4, 0);
        }
    }
}
