//! The agent's credential cache: one for each address pods call.

mod lru;
mod renewal;
mod retriever;

pub(crate) use lru::Lru;
pub(crate) use retriever::{Entry, Refused, Retriever};
