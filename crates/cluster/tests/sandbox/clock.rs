//! Unmodified programs on the emulator's clock.

use std::time::{Duration, Instant};

use emu_cluster::{Cluster, Program, sandbox::NodeSpec};

use crate::world::{TOKEN_FILE, config, name, pod, sh, start};

#[tokio::test]
async fn programs_follow_the_clock() {
    let mut config = config().await;
    config.virtual_time = true;
    let mut late = NodeSpec::new("late");
    late.clock_offset = -7_200_000_000_000;
    config.nodes.push(late);
    let clock = config.clock.clone();
    // Moved before anything runs: programs join where the clock is.
    clock.advance(Duration::from_secs(100_000)).await.unwrap();
    let sandbox = start(config).await;
    if !sandbox.capabilities().virtual_time {
        eprintln!("skipped: {:?}", emu_vtime::supported());
        return;
    }
    sandbox
        .create_pod(pod("api-0", "api"), Some("node-1"))
        .await
        .unwrap();
    sandbox
        .create_pod(pod("api-1", "api"), Some("late"))
        .await
        .unwrap();
    let script =
        format!("date +%s; md5sum < {TOKEN_FILE}; sleep 72000; date +%s; md5sum < {TOKEN_FILE}");
    let mut running = sandbox
        .start(&name("api-0"), Program::new(["sh", "-c", &script]))
        .await
        .unwrap();
    while running
        .so_far()
        .stdout
        .iter()
        .filter(|b| **b == b'\n')
        .count()
        < 2
    {
        running.more().await;
    }
    let real = Instant::now();
    clock.advance(Duration::from_secs(72_000)).await.unwrap();
    let output = running.wait().await.unwrap();
    assert!(
        real.elapsed() < Duration::from_secs(20),
        "{:?}",
        real.elapsed()
    );
    let text = output.stdout_text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text} {}", output.stderr_text());
    let (before, after): (i64, i64) = (lines[0].parse().unwrap(), lines[2].parse().unwrap());
    assert!((72_000..72_020).contains(&(after - before)), "{text}");
    assert!((after - clock.now().as_second()).abs() < 20);
    if sandbox.isolation().is_true() {
        assert_ne!(lines[1], lines[3], "the token was renewed on the way");
    }
    // A node whose clock is two hours late.
    let late = sh(&sandbox, "api-1", "date +%s").await;
    let late: i64 = late.stdout_text().trim().parse().unwrap();
    assert!(
        (clock.now().as_second() - late - 7_200).abs() < 20,
        "{late}"
    );
}
