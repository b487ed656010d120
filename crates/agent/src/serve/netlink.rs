//! Just enough of the kernel's routing messages to make a link with addresses, for images without the program `ip`.

use std::{
    io,
    net::IpAddr,
    os::fd::{AsRawFd as _, OwnedFd},
};

use nix::{
    net::if_::if_nametoindex,
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto,
        socket,
    },
};

const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const NLMSG_ERROR: u16 = 2;
const REQUEST_ACK: u16 = 0x5;
const CREATE: u16 = 0x400;
const EXCL: u16 = 0x200;
const IFF_UP: u32 = 1;
const IFA_F_NODAD: u8 = 2;

/// A link's number, if there is such a link.
pub(super) fn index(name: &str) -> Option<u32> {
    if_nametoindex(name).ok()
}

/// Makes a link of a kind (`dummy`, `ifb`).
pub(super) fn add_link(name: &str, kind: &str) -> io::Result<()> {
    let mut info = Vec::new();
    attribute(&mut info, 1, kind.as_bytes());
    let mut body = link(0, 0);
    let mut named = name.as_bytes().to_vec();
    named.push(0);
    attribute(&mut body, 3, &named);
    attribute(&mut body, 18, &info);
    ask(RTM_NEWLINK, CREATE | EXCL, &body)
}

/// Brings a link up.
pub(super) fn set_up(index: u32) -> io::Result<()> {
    ask(RTM_NEWLINK, 0, &link(index, IFF_UP))
}

/// Gives a link one more address, as a host address; an error of kind `AlreadyExists` if it has it.
pub(super) fn add_address(index: u32, address: IpAddr) -> io::Result<()> {
    let (family, bytes) = parts(address);
    // struct ifaddrmsg: family, prefix length, flags, scope, index.
    let mut body = vec![family, prefix(&bytes), IFA_F_NODAD, 0];
    body.extend(index.to_ne_bytes());
    attribute(&mut body, 2, &bytes);
    attribute(&mut body, 1, &bytes);
    ask(RTM_NEWADDR, CREATE | EXCL, &body)
}

/// Adds a route for exactly this address; an error of kind `AlreadyExists` if there is one.
pub(super) fn add_route(index: u32, address: IpAddr) -> io::Result<()> {
    const MAIN: u8 = 254;
    const BOOT: u8 = 3;
    const LINK: u8 = 253;
    const UNICAST: u8 = 1;
    let (family, bytes) = parts(address);
    // struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags.
    let mut body = vec![
        family,
        prefix(&bytes),
        0,
        0,
        MAIN,
        BOOT,
        LINK,
        UNICAST,
        0,
        0,
        0,
        0,
    ];
    attribute(&mut body, 1, &bytes);
    attribute(&mut body, 4, &index.to_ne_bytes());
    ask(RTM_NEWROUTE, CREATE | EXCL, &body)
}

fn parts(address: IpAddr) -> (u8, Vec<u8>) {
    match address {
        IpAddr::V4(v4) => (AddressFamily::Inet as u8, v4.octets().to_vec()),
        IpAddr::V6(v6) => (AddressFamily::Inet6 as u8, v6.octets().to_vec()),
    }
}

fn prefix(bytes: &[u8]) -> u8 {
    (bytes.len() * 8) as u8
}

/// struct ifinfomsg: family, pad, type, index, flags, change.
fn link(index: u32, flags: u32) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0];
    body.extend(index.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body
}

fn attribute(body: &mut Vec<u8>, kind: u16, bytes: &[u8]) {
    body.extend((4 + bytes.len() as u16).to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
}

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    // struct nlmsghdr: length, type, flags, sequence, sender.
    let mut out = Vec::with_capacity(16 + body.len());
    out.extend((16 + body.len() as u32).to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend((flags | REQUEST_ACK).to_ne_bytes());
    out.extend(1u32.to_ne_bytes());
    out.extend(0u32.to_ne_bytes());
    out.extend(body);
    out
}

fn ask(kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
    let socket: OwnedFd = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    let kernel = NetlinkAddr::new(0, 0);
    let fd = socket.as_raw_fd();
    sendto(fd, &message(kind, flags, body), &kernel, MsgFlags::empty())?;
    let mut answer = [0; 4096];
    let length = recv(fd, &mut answer, MsgFlags::empty())?;
    verdict(&answer[..length])
}

/// What the kernel's acknowledgement says.
fn verdict(answer: &[u8]) -> io::Result<()> {
    let short = || io::Error::new(io::ErrorKind::InvalidData, "a short answer of the kernel");
    let kind = answer.get(4..6).ok_or_else(short)?;
    let code = answer.get(16..20).ok_or_else(short)?;
    let number = |bytes: &[u8]| bytes.try_into().map(i32::from_ne_bytes);
    if kind != NLMSG_ERROR.to_ne_bytes() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "an unexpected answer of the kernel",
        ));
    }
    match number(code) {
        Ok(0) => Ok(()),
        Ok(code) => Err(io::Error::from_raw_os_error(-code)),
        Err(_) => Err(short()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_as_long_as_they_say_and_answers_are_read() {
        let mut body = link(0, 0);
        attribute(&mut body, 3, b"pod-id-link0\0");
        let message = message(RTM_NEWLINK, CREATE, &body);
        let length = u32::from_ne_bytes(message[..4].try_into().unwrap());
        assert_eq!(length as usize, message.len());
        assert_eq!(message.len() % 4, 0);
        let mut answer = vec![0; 20];
        answer[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        assert!(verdict(&answer).is_ok());
        answer[16..20].copy_from_slice(&(-17i32).to_ne_bytes());
        assert_eq!(
            verdict(&answer).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert!(verdict(&answer[..10]).is_err());
    }

    #[test]
    fn loopback_has_a_number() {
        assert!(index("lo").is_some());
        assert_eq!(index("emu-no-such-link"), None);
    }
}
