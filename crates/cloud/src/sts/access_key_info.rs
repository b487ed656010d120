//! GetAccessKeyInfo and DecodeAuthorizationMessage.

use emu_core::ids::account_of_access_key;

use super::{Sts, texts};
use crate::{Access, Call, Cloud, ServiceError, constraint::Constraints};

impl Sts {
    /// GetAccessKeyInfo: the account an access key id belongs to, whether the key lives or not (docs).
    ///
    /// # Errors
    /// If the id is not acceptable, or the caller may not.
    pub fn access_key_info(
        &self,
        cloud: &Cloud,
        call: &Call,
        id: Option<&str>,
    ) -> Result<String, ServiceError> {
        let mut constraints = Constraints::sts();
        if let Some(id) = constraints.present("accessKeyId", id) {
            constraints.length("accessKeyId", id, 16, 128);
            constraints.characters("accessKeyId", id, r"[\w]*", |c| {
                c.is_ascii_alphanumeric() || c == '_'
            });
        }
        constraints.finish()?;
        let id = id.unwrap_or_default();
        require(cloud, call, "sts:GetAccessKeyInfo")?;
        account_of_access_key(id).ok_or_else(|| texts::bad_access_key_id(&cloud.settings(), id))
    }

    /// DecodeAuthorizationMessage. EKS, STS, IAM and S3 encode none (docs), so there is none to decode.
    ///
    /// # Errors
    /// Always.
    pub fn decode_authorization_message(
        &self,
        cloud: &Cloud,
        call: &Call,
        message: Option<&str>,
    ) -> Result<String, ServiceError> {
        let mut constraints = Constraints::sts();
        if let Some(message) = constraints.present("encodedMessage", message) {
            constraints.length("encodedMessage", message, 1, 10_240);
        }
        constraints.finish()?;
        require(cloud, call, "sts:DecodeAuthorizationMessage")?;
        Err(texts::undecodable(&cloud.settings()))
    }
}

fn require(cloud: &Cloud, call: &Call, action: &str) -> Result<(), ServiceError> {
    cloud.require(
        call,
        Access {
            action: action.into(),
            resource: "*".into(),
            resource_account: call.identity.caller.account.clone(),
            ..Access::default()
        },
    )
}
