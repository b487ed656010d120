//! One call to a service: who, when, from where.

use std::net::IpAddr;

use emu_core::journal::PodRef;

use crate::{Cloud, Identity};

/// What a service knows of the request beside its parameters. Made by the gateway once the signature holds.
#[derive(Clone, Debug)]
pub struct Call {
    /// The id AWS would give the request.
    pub request_id: String,
    /// Who calls.
    pub identity: Identity,
    /// The region of the endpoint (the credential scope's).
    pub region: String,
    /// The peer's address.
    pub source_ip: Option<IpAddr>,
    /// The caller's `User-Agent`.
    pub user_agent: Option<String>,
    /// The pod the request came from, where the listener tells.
    pub pod: Option<PodRef>,
    /// The account whose resources are meant when the request does not say: the caller's.
    pub account: String,
}

impl Call {
    /// A call of our own with the account's root as caller, for programs that set a world up.
    pub fn administrator(cloud: &Cloud, account: &str) -> Self {
        Self {
            request_id: cloud.ids().uuid().to_string(),
            identity: Identity::root(account, None),
            region: cloud.settings().region.clone(),
            source_ip: None,
            user_agent: None,
            pod: None,
            account: account.into(),
        }
    }
}
