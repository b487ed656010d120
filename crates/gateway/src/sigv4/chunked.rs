//! `aws-chunked` bodies of S3: signed chunks, signed trailers, or neither signature.

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

use super::{EMPTY_SHA256, Seed};

/// Which of the three forms `x-amz-content-sha256` announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunks {
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`.
    Signed,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`.
    SignedTrailer,
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`.
    UnsignedTrailer,
}

impl Chunks {
    /// Reads the word in `x-amz-content-sha256`.
    pub fn announced(word: &str) -> Option<Self> {
        match word {
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Some(Self::Signed),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Some(Self::SignedTrailer),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Some(Self::UnsignedTrailer),
            _ => None,
        }
    }
}

/// A body without its frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// The content.
    pub body: Bytes,
    /// The trailers, names in lower case, the trailer signature left out.
    pub trailers: Vec<(String, String)>,
}

/// What is wrong with a chunked body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// It is not in chunks, or ends early.
    #[error("the body is not well-formed aws-chunked: {0}")]
    Malformed(&'static str),
    /// A chunk's signature, or the trailers', is wrong.
    #[error("a chunk's signature does not match")]
    Signature {
        /// What should have been signed.
        string_to_sign: String,
        /// What was sent.
        signature: String,
    },
}

/// Takes the frame off and checks every signature on the way. Without a seed only the unsigned form can be read.
///
/// # Errors
/// [`ChunkError`].
pub fn decode(raw: &Bytes, chunks: Chunks, seed: Option<&Seed>) -> Result<Decoded, ChunkError> {
    let mut cursor = Cursor { raw, at: 0 };
    let mut previous = seed.map(|s| s.signature.clone()).unwrap_or_default();
    let mut single: Option<Bytes> = None;
    let mut joined = BytesMut::new();
    loop {
        let line = cursor.line()?;
        let (size, extension) = line.split_once(';').unwrap_or((line, ""));
        let size = usize::from_str_radix(size.trim(), 16)
            .map_err(|_| ChunkError::Malformed("no chunk size"))?;
        let data = cursor.take(size)?;
        if chunks != Chunks::UnsignedTrailer {
            let signature = extension
                .trim()
                .strip_prefix("chunk-signature=")
                .ok_or(ChunkError::Malformed("no chunk signature"))?;
            let hashes = format!("{EMPTY_SHA256}\n{}", hex::encode(Sha256::digest(&data)));
            check(
                seed,
                "AWS4-HMAC-SHA256-PAYLOAD",
                &previous,
                &hashes,
                signature,
            )?;
            previous = signature.to_owned();
        }
        if size == 0 {
            break;
        }
        cursor.end_of_line()?;
        match single.take() {
            None if joined.is_empty() => single = Some(data),
            None => joined.extend_from_slice(&data),
            Some(first) => {
                joined.reserve(raw.len());
                joined.extend_from_slice(&first);
                joined.extend_from_slice(&data);
            }
        }
    }
    let trailers = trailers(&mut cursor, chunks, seed, &previous)?;
    Ok(Decoded {
        body: single.unwrap_or_else(|| joined.freeze()),
        trailers,
    })
}

fn trailers(
    cursor: &mut Cursor<'_>,
    chunks: Chunks,
    seed: Option<&Seed>,
    previous: &str,
) -> Result<Vec<(String, String)>, ChunkError> {
    let mut found = Vec::new();
    let mut signed = String::new();
    let mut signature = None;
    while !cursor.is_at_end() {
        let line = cursor.line()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line
            .split_once(':')
            .ok_or(ChunkError::Malformed("a trailer without a colon"))?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if name == "x-amz-trailer-signature" {
            signature = Some(value);
            continue;
        }
        signed.push_str(&format!("{name}:{value}\n"));
        found.push((name, value.to_owned()));
    }
    if chunks == Chunks::SignedTrailer {
        let signature = signature.ok_or(ChunkError::Malformed("no trailer signature"))?;
        let hash = hex::encode(Sha256::digest(&signed));
        check(seed, "AWS4-HMAC-SHA256-TRAILER", previous, &hash, signature)?;
    }
    Ok(found)
}

fn check(
    seed: Option<&Seed>,
    algorithm: &str,
    previous: &str,
    hashes: &str,
    signature: &str,
) -> Result<(), ChunkError> {
    let seed = seed.ok_or(ChunkError::Malformed(
        "signed chunks in an unsigned request",
    ))?;
    let text = format!(
        "{algorithm}\n{}\n{}\n{previous}\n{hashes}",
        seed.date, seed.scope
    );
    if seed.key.verify(&[text.as_bytes()], signature) {
        return Ok(());
    }
    Err(ChunkError::Signature {
        string_to_sign: text,
        signature: signature.to_owned(),
    })
}

struct Cursor<'b> {
    raw: &'b Bytes,
    at: usize,
}

impl<'b> Cursor<'b> {
    fn rest(&self) -> &'b [u8] {
        self.raw.get(self.at..).unwrap_or_default()
    }

    fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    /// A line without its end, which is CR LF or LF alone. Lines are short: sizes, signatures, trailers.
    fn line(&mut self) -> Result<&'b str, ChunkError> {
        const LONGEST: usize = 16 * 1024;
        let rest = self.rest();
        let window = &rest[..rest.len().min(LONGEST)];
        let end = window
            .iter()
            .position(|b| *b == b'\n')
            .ok_or(ChunkError::Malformed("a line without an end"))?;
        self.at += end + 1;
        let line = window[..end].strip_suffix(b"\r").unwrap_or(&window[..end]);
        std::str::from_utf8(line).map_err(|_| ChunkError::Malformed("a line that is not text"))
    }

    fn take(&mut self, size: usize) -> Result<Bytes, ChunkError> {
        let end = self
            .at
            .checked_add(size)
            .filter(|end| *end <= self.raw.len())
            .ok_or(ChunkError::Malformed("it ends within a chunk"))?;
        let data = self.raw.slice(self.at..end);
        self.at = end;
        Ok(data)
    }

    fn end_of_line(&mut self) -> Result<(), ChunkError> {
        match self.line()? {
            "" => Ok(()),
            _ => Err(ChunkError::Malformed("a chunk longer than its size")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigv4::{AmzDate, SigningKey};

    /// The worked example of AWS docs, "Transferring payload in multiple chunks".
    fn example() -> (Bytes, Seed) {
        let seed = Seed {
            key: SigningKey::derive(
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                "20130524",
                "us-east-1",
                "s3",
            ),
            date: AmzDate::basic("20130524T000000Z").unwrap(),
            scope: "20130524/us-east-1/s3/aws4_request".into(),
            signature: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9".into(),
        };
        let mut body = Vec::new();
        for (size, signature) in [
            (
                65_536,
                "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            ),
            (
                1_024,
                "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            ),
            (
                0,
                "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
            ),
        ] {
            body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
            body.extend(std::iter::repeat_n(b'a', size));
            body.extend_from_slice(b"\r\n");
        }
        (body.into(), seed)
    }

    #[test]
    fn the_documented_example_holds() {
        let (body, seed) = example();
        let decoded = decode(&body, Chunks::Signed, Some(&seed)).unwrap();
        assert_eq!(decoded.body.len(), 66_560);
        assert!(decoded.body.iter().all(|b| *b == b'a'));
    }

    #[test]
    fn a_changed_byte_is_found_and_a_short_body_too() {
        let (body, seed) = example();
        let mut changed = body.to_vec();
        changed[70_000 - 4_000] = b'b';
        assert!(matches!(
            decode(&changed.into(), Chunks::Signed, Some(&seed)),
            Err(ChunkError::Signature { .. })
        ));
        for cut in [0, 1, 50, 90, 60_000, 66_000, body.len() - 90] {
            assert!(
                decode(&body.slice(..cut), Chunks::Signed, Some(&seed)).is_err(),
                "{cut}"
            );
        }
    }

    #[test]
    fn unsigned_trailers_are_read() {
        let body =
            Bytes::from_static(b"3\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:AAA=\r\n\r\n");
        let decoded = decode(&body, Chunks::UnsignedTrailer, None).unwrap();
        assert_eq!(&decoded.body[..], b"abcde");
        assert_eq!(
            decoded.trailers,
            [("x-amz-checksum-crc32".into(), "AAA=".into())]
        );
    }
}
