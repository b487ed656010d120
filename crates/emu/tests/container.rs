//! Credentials in a pod of a real cluster that `testcontainers` started. `tests/kind/run` says of which image.
#![cfg(feature = "testcontainers")]

use emu::{
    AgentChoice, Ask, Emu,
    container::{ClusterContainer, ClusterImage},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_of_a_cluster_in_a_container_gets_credentials() -> Result<(), emu::Error> {
    let Some(image) = std::env::var("EMU_KIND_IMAGE")
        .ok()
        .filter(|i| !i.is_empty())
    else {
        eprintln!("skipped: EMU_KIND_IMAGE is not set; tests/kind/run makes an image and sets it");
        return Ok(());
    };
    let (name, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
    let image = ClusterImage::other(
        name,
        tag,
        "cluster-of-one: ready",
        "/etc/kubernetes/admin.conf",
    )
    .env("NODE_ALONE", "1")
    .limit(std::time::Duration::from_secs(180));
    let cluster = ClusterContainer::start(image).await?;
    assert!(cluster.kubeconfig().contains("certificate-authority-data"));

    // One instance after another on the same cluster.
    for role in ["first", "second"] {
        let emu = Emu::builder()
            .agent(AgentChoice::Twin)
            .on(&cluster)
            .start()
            .await?;
        emu.bucket("invoices").object("october.pdf", "…").create()?;
        emu.role(role)
            .allow(["s3:ListBucket"], ["arn:aws:s3:::invoices"])
            .create()?;
        emu.associate("shop", "api", role)?;
        let pod = emu.pod("shop", "api").await?;
        let credentials = pod.credentials().await?;
        assert!(
            credentials.access_key_id.starts_with("ASIA"),
            "{credentials:?}"
        );
        let listed = pod.call("s3:ListBucket", Ask::bucket("invoices")).await?;
        assert!(listed.allowed, "{}", listed.why());
        assert_eq!(listed.role.as_deref(), Some(role));
    }
    Ok(())
}
