//! Amazon's webhook on a real node, from a program of this machine.

use super::{World, lock};
use crate::{
    cluster::{ClusterError, Result},
    kubernetes::{
        AmazonWebhook, WebhookKind,
        amazon_webhook::{AssociationsFile, Certificate, LOCAL_IMAGE, image_of},
        other,
    },
};

impl World {
    /// Amazon's webhook as it is to be, if it is asked for.
    pub(super) async fn amazon_webhook(&self) -> Result<Option<AmazonWebhook>> {
        let failed = |message: String| ClusterError::Kubernetes {
            what: "Amazon's webhook cannot be brought to the node".into(),
            message,
        };
        let binary = match &self.config.webhook_kind {
            WebhookKind::Emu => return Ok(None),
            WebhookKind::Program(binary) => binary.clone(),
            WebhookKind::Image(_) => {
                return Err(failed(
                    "the node pulls no images; --webhook takes the path of the program as well"
                        .into(),
                ));
            }
        };
        let archive = self.node.run_dir().join("webhook.tar");
        let path = archive.clone();
        tokio::task::spawn_blocking(move || image_of(&binary)?.write_archive(&path))
            .await
            .map_err(|e| failed(e.to_string()))?
            .map_err(|e| failed(e.to_string()))?;
        let imported = self.node.import(&archive).await;
        imported.map_err(|e| failed(e.to_string()))?;
        let folder = self.node.run_dir().join("webhook");
        std::fs::create_dir_all(&folder).map_err(ClusterError::system(
            "make the folder of Amazon's webhook's file",
        ))?;
        Ok(Some(AmazonWebhook {
            image: LOCAL_IMAGE.into(),
            pull_policy: "Never".into(),
            region: self.config.region.clone(),
            associations: AssociationsFile::Folder(folder),
            certificate: Certificate::new().map_err(other("make a certificate"))?,
            // There is no kube-proxy.
            without_services: Some(self.node.config().addresses.api_server()),
        }))
    }

    /// Sees to it that the webhook knows what it is to know when a pod is made.
    pub(super) async fn webhook_up_to_date(&self) -> Result<()> {
        let webhook = lock(&self.webhook).clone();
        match webhook {
            Some(webhook) => webhook.up_to_date().await,
            None => Ok(()),
        }
    }
}
