//! Reading a request's body: not more than allowed, not slower than allowed.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{header, request::Parts};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

/// How long a client may be silent in the middle of a body, in real time.
const SILENCE: Duration = Duration::from_secs(20);
/// How much of a body that is too large is thrown away so that the client gets to read the answer.
const DRAIN: u64 = 64 << 20;
/// What is reserved at once on the word of a `Content-Length`.
const TRUST: u64 = 1 << 20;

/// The body will not be read to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TooLarge {
    /// It is too large, and the client listens.
    Answer,
    /// The client is gone, or too slow.
    Gone,
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read(
    parts: &Parts,
    mut incoming: Incoming,
    limit: usize,
) -> Result<Bytes, TooLarge> {
    if incoming.is_end_stream() {
        return Ok(Bytes::new());
    }
    let announced = incoming.size_hint().exact();
    if announced.is_some_and(|length| length > limit as u64) {
        // Who asks first need not send at all.
        if !parts.headers.contains_key(header::EXPECT) {
            drain(&mut incoming).await?;
        }
        return Err(TooLarge::Answer);
    }
    let Some(first) = next(&mut incoming).await? else {
        return Ok(Bytes::new());
    };
    if announced == Some(first.len() as u64) {
        return Ok(first);
    }
    let mut body = BytesMut::with_capacity(announced.unwrap_or(0).min(TRUST) as usize);
    body.extend_from_slice(&first);
    while let Some(data) = next(&mut incoming).await? {
        if body.len() + data.len() > limit {
            drain(&mut incoming).await?;
            return Err(TooLarge::Answer);
        }
        body.extend_from_slice(&data);
    }
    Ok(body.freeze())
}

async fn next(incoming: &mut Incoming) -> Result<Option<Bytes>, TooLarge> {
    loop {
        let frame = tokio::time::timeout(SILENCE, incoming.frame())
            .await
            .map_err(|_| TooLarge::Gone)?;
        match frame {
            None => return Ok(None),
            Some(Err(_)) => return Err(TooLarge::Gone),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

async fn drain(incoming: &mut Incoming) -> Result<(), TooLarge> {
    let mut drained = 0;
    while drained < DRAIN {
        match next(incoming).await? {
            Some(data) => drained += data.len() as u64,
            None => break,
        }
    }
    Ok(())
}
