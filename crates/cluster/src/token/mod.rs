//! Service account tokens: minted with the claims of a real cluster, and kept fresh in a pod's volume.

mod issuer;
mod volume;

pub use issuer::{BoundPod, IssuedToken, TokenError, TokenIssuer, TokenRequest, TokenSubject};
pub use volume::{TokenFault, TokenVolume, refresh_at};
