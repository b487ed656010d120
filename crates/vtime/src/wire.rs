//! What the embedding program, its new children and the tracer process say to each other.
//!
//! A request is one message on the *door*, a socket that all share, and carries a descriptor: the socket on which the
//! answer is wanted. So each call has its own connection, calls do not wait for each other, and a caller that dies
//! is noticed by its socket closing.

use std::io;

/// Tells the capabilities: answered with an [`Answer`], `numbers[0]` the errno of trying to trace, 0 when it works.
pub(crate) const HELLO: i64 = 1;
/// A process wants to be traced: the one that made the socket for the answer. Answered with 8 bytes, an errno or 0.
pub(crate) const JOIN: i64 = 2;
/// Move the clocks: wall, monotonic; 1 to wait for [`COMMIT`] while everything is stopped.
pub(crate) const MOVE: i64 = 3;
/// Wait until every thread is blocked: nanoseconds at most.
pub(crate) const SETTLE: i64 = 4;
/// Wait until no process is left.
pub(crate) const WAIT: i64 = 5;
/// Kill every process; answered when none is left.
pub(crate) const KILL: i64 = 6;
/// Say what there is: answered with text, one process a line.
pub(crate) const LIST: i64 = 7;
/// Kill everything and end.
pub(crate) const QUIT: i64 = 8;
/// Why was the last process refused? Answered with text.
pub(crate) const REFUSED: i64 = 9;

/// How long have the threads of some processes yet to wait? The processes come as a message on the answer's socket, four
/// bytes each. Answered with text, one thread a line.
pub(crate) const DUE: i64 = 10;

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) what: i64,
    pub(crate) numbers: [i64; 3],
}

impl Request {
    pub(crate) const LEN: usize = 32;

    pub(crate) fn new(what: i64, numbers: [i64; 3]) -> Self {
        Self { what, numbers }
    }
    pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let [a, b, c] = self.numbers;
        for (chunk, n) in bytes.chunks_exact_mut(8).zip([self.what, a, b, c]) {
            chunk.copy_from_slice(&n.to_ne_bytes());
        }
        bytes
    }
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [what, a, b, c] = words(bytes)?;
        Some(Self::new(what, [a, b, c]))
    }
}

/// One answer: numbers, then text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Answer {
    pub(crate) numbers: [i64; 4],
    pub(crate) text: String,
}

impl Answer {
    /// The longest answer.
    pub(crate) const MAX: usize = 64 * 1024;

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.numbers.iter().flat_map(|n| n.to_ne_bytes()).collect();
        let mut room = self.text.len().min(Self::MAX - bytes.len());
        while !self.text.is_char_boundary(room) {
            room -= 1;
        }
        bytes.extend_from_slice(&self.text.as_bytes()[..room]);
        bytes
    }
    pub(crate) fn from_bytes(bytes: &[u8]) -> io::Result<Self> {
        let numbers = bytes
            .get(..32)
            .and_then(words)
            .ok_or(io::ErrorKind::InvalidData)?;
        let text = String::from_utf8_lossy(&bytes[32..]).into_owned();
        Ok(Self { numbers, text })
    }
}

fn words(bytes: &[u8]) -> Option<[i64; 4]> {
    if bytes.len() != 32 {
        return None;
    }
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = i64::from_ne_bytes(chunk.try_into().ok()?);
    }
    Some(words)
}

/// The answer byte of a `MOVE` that waits: go on.
pub(crate) const COMMIT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let request = Request::new(MOVE, [-5, i64::MAX, 1]);
        assert_eq!(Request::from_bytes(&request.to_bytes()), Some(request));
        assert_eq!(Request::from_bytes(&[0; 31]), None);
        let answer = Answer {
            numbers: [1, -2, 3, 4],
            text: "µs".into(),
        };
        assert_eq!(Answer::from_bytes(&answer.to_bytes()).unwrap(), answer);
        assert!(Answer::from_bytes(&[1; 8]).is_err());
        let long = Answer {
            text: "é".repeat(Answer::MAX),
            ..Answer::default()
        };
        assert!(long.to_bytes().len() <= Answer::MAX);
    }
}
