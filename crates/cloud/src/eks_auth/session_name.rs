//! `eks-<cluster>-<pod>-<uuid>`.

use uuid::Uuid;

/// The session's name: the first ten characters of cluster and pod name, cut without trimming, and a fresh UUID for each
/// call (threads, six independent samples). At most 62 characters.
pub fn session_name(cluster: &str, pod: &str, uuid: Uuid) -> String {
    let cut = |text: &str| text.chars().take(10).collect::<String>();
    format!("eks-{}-{}-{uuid}", cut(cluster), cut(pod))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_seen_in_the_field() {
        let uuid = Uuid::nil();
        for (cluster, pod, start) in [
            (
                "eks-workshop",
                "carts-d49c7b-x",
                "eks-eks-worksh-carts-d49c-",
            ),
            ("k8s-wl-dev-1", "engine-boots", "eks-k8s-wl-dev-engine-boo-"),
            ("demo", "aws-cli", "eks-demo-aws-cli-"),
        ] {
            let name = session_name(cluster, pod, uuid);
            assert!(name.starts_with(start), "{name}");
            assert!(name.len() <= 62);
        }
    }
}
