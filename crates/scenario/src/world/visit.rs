//! Pods made for a program from outside, as `emu exec` asks for them.

use emu_cluster::{
    Cluster as _, PodName,
    sandbox::{Entrance, Invitation},
};

use super::World;
use crate::{file::Located, given, run::Trouble};

impl World {
    /// Creates a pod of a service account and gives the way into it, and onto its clock where that may move.
    ///
    /// # Errors
    /// If there is no such cluster, it is no sandbox, or the pod is not admitted.
    pub async fn visit(
        &mut self,
        cluster: Option<&str>,
        namespace: &str,
        service_account: &str,
    ) -> Result<(PodName, Entrance, Option<Invitation>), Trouble> {
        let cluster = cluster.map(Located::from);
        let place = self.cluster_place(cluster.as_ref())?;
        let suffix = self.cloud.ids().below(1 << 20);
        let pod = given::Pod {
            name: format!("{service_account}-{suffix:05x}").as_str().into(),
            namespace: Some(namespace.into()),
            service_account: Some(service_account.into()),
            cluster,
            ..given::Pod::default()
        };
        let seen = pod.establish(self).await?;
        if let Some(error) = seen.error {
            return Err(Trouble::new(error.message));
        }
        let name = PodName::new(namespace, pod.name.value);
        let sandbox = self.clusters[place].sandbox.as_ref().ok_or_else(|| {
            Trouble::new(
                "programs of this machine enter pods of a sandbox only; use kubectl exec here",
            )
        })?;
        let entrance = sandbox.entrance(&name)?;
        let invitation = sandbox.invitation(&name).await?;
        Ok((name, entrance, invitation))
    }

    /// Deletes a pod that was made for a visit.
    pub async fn leave(&mut self, pod: &PodName) {
        if let Some(i) = self.names.pods.iter().position(|(_, known)| known == pod) {
            let (place, _) = self.names.pods.remove(i);
            if let Some(sandbox) = &self.clusters[place].sandbox {
                // It may be gone already with its cluster.
                let _ = sandbox.delete_pod(pod).await;
            }
        }
    }
}
