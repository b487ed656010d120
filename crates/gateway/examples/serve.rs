//! A bare AWS on a port, without clusters: `cargo run -p emu-gateway --example serve [address]`.

use std::sync::Arc;

use emu_cloud::Cloud;
use emu_core::{Clock, Ids, Journal, Settings};
use emu_gateway::{Gateway, Listener};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:4566".into());
    let clock = Clock::new();
    let settings = Settings::default();
    let journal = Journal::new(clock.clone(), settings.journal_entries);
    let cloud = Cloud::new(clock, journal, settings, Ids::random());
    let gateway = Gateway::start(Arc::clone(&cloud), vec![Listener::bind(address)?])?;
    gateway.set_ready(true);
    println!(
        "Ready. export AWS_ENDPOINT_URL=http://{}",
        gateway.addr().ok_or("no address")?
    );
    tokio::signal::ctrl_c().await?;
    gateway.stop(std::time::Duration::from_secs(5)).await;
    Ok(())
}
