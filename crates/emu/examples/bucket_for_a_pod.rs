//! A pod gets a role through Pod Identity, lists a bucket with it, and is told why it may not write to it. Six hours later
//! it still works, with new credentials.

use std::time::Duration;

use emu::{Ask, Emu, Error};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Error> {
    let emu = Emu::start().await?;
    emu.bucket("invoices")
        .object("october.pdf", "october")
        .create()?;
    emu.role("app")
        .allow(["s3:ListBucket"], ["arn:aws:s3:::invoices"])
        .create()?;
    emu.associate("shop", "api", "app")?;

    let pod = emu.pod("shop", "api").await?;
    println!("{}: mutated because of: {:?}", pod.name(), pod.reason);

    let listed = pod.call("s3:ListBucket", Ask::bucket("invoices")).await?;
    println!(
        "listed as {} ({})",
        listed.caller.unwrap_or_default(),
        listed.source
    );

    let refused = pod
        .call("s3:PutObject", Ask::object("invoices", "x").body("x"))
        .await?;
    println!("refused: {}", refused.message.clone().unwrap_or_default());
    println!("{}", refused.why());

    let before = pod.credentials().await?;
    emu.advance(Duration::from_secs(6 * 3600)).await?;
    let after = pod.credentials().await?;
    println!(
        "{} until {}, then {} until {}",
        before.access_key_id, before.expires_at, after.access_key_id, after.expires_at
    );
    Ok(())
}
