//! The services by name, and the two protocols most of them speak. One module per service.

pub mod eks;
pub mod eks_auth;
pub mod iam;
pub mod query;
pub mod record;
pub mod rest_json;
pub mod s3;
pub mod sts;

pub use record::{ApiRecord, Recorded};

use std::sync::Arc;

use bytes::Bytes;
use emu_cloud::{Call, Cloud, ServiceError};
use http::{Request, Response};

/// A service we have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// `sts`
    Sts,
    /// `iam`
    Iam,
    /// `eks`
    Eks,
    /// `eks-auth`
    EksAuth,
    /// `s3`
    S3,
}

/// How a service words its errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// XML in the manner of STS and IAM.
    Query,
    /// JSON, with `…Exception` names.
    Json,
    /// XML in the manner of S3.
    S3,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Sts, Self::Iam, Self::Eks, Self::EksAuth, Self::S3];

    /// The name in credential scopes.
    pub const fn signing_name(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::Eks => "eks",
            Self::EksAuth => "eks-auth",
            Self::S3 => "s3",
        }
    }

    /// Finds a service by its signing name.
    pub fn from_signing_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.signing_name() == name)
    }

    /// How it words its errors.
    pub const fn family(self) -> Family {
        match self {
            Self::Sts | Self::Iam => Family::Query,
            Self::Eks | Self::EksAuth => Family::Json,
            Self::S3 => Family::S3,
        }
    }

    /// Answers a request whose signature holds.
    pub async fn handle(
        self,
        cloud: &Arc<Cloud>,
        call: Call,
        request: Request<Bytes>,
    ) -> Response<Bytes> {
        match self {
            Self::Sts => sts::handle(cloud, call, request),
            Self::Iam => iam::handle(cloud, call, request),
            Self::Eks => eks::handle(cloud, call, request),
            Self::EksAuth => eks_auth::handle(cloud, call, request),
            Self::S3 => s3::handle(cloud, call, request).await,
        }
    }

    /// An error in the service's protocol.
    pub fn error(self, error: &ServiceError, request_id: &str) -> Response<Bytes> {
        match self {
            Self::Sts => sts::error(error, request_id),
            Self::Iam => iam::error(error, request_id),
            Self::Eks => eks::error(error, request_id),
            Self::EksAuth => eks_auth::error(error, request_id),
            Self::S3 => s3::error(error, request_id),
        }
    }

    /// A request id in the service's form: a UUID, or sixteen upper-case hexadecimal digits at S3 (snapshots).
    pub fn request_id(self, ids: &emu_core::Ids) -> String {
        let uuid = ids.uuid();
        match self {
            Self::S3 => format!("{:016X}", uuid.as_u64_pair().1),
            _ => uuid.to_string(),
        }
    }
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.signing_name())
    }
}
