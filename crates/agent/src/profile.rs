//! The releases whose behaviour the twin can have.

use std::str::FromStr;

/// An agent release's behaviour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// 0.1.37: the cache is keyed by token.
    #[default]
    V0_1,
    /// 0.2.1 and later: the cache is keyed by pod, rotated tokens are validated locally.
    V0_2,
}

impl Profile {
    /// As written in settings and flags.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V0_1 => "0.1.37",
            Self::V0_2 => "0.2",
        }
    }
}

impl Profile {
    /// The release, as it names itself.
    pub(crate) const fn release(self) -> &'static str {
        match self {
            Self::V0_1 => "v0.1.37",
            Self::V0_2 => "v0.2.2",
        }
    }
}

/// No such profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an agent profile: write 0.1.37 or 0.2")]
pub struct UnknownProfile(pub String);

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        match text.trim_start_matches('v') {
            "0.1.37" | "0.1" => Ok(Self::V0_1),
            "0.2" | "0.2.1" | "0.2.2" => Ok(Self::V0_2),
            _ => Err(UnknownProfile(text.into())),
        }
    }
}
