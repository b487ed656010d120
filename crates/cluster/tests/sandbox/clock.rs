//! Unmodified programs on the emulator's clock.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use emu_cluster::{Cluster, Program, sandbox::NodeSpec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{TOKEN_FILE, config, has, name, pod, sh, start};

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

#[tokio::test]
async fn a_program_has_its_answer_before_the_clock_goes_on() {
    if !has("curl") {
        return;
    }
    let mut config = config().await;
    config.virtual_time = true;
    // As on a busy machine: the program is at rest long before the emulator has answered.
    config.emulator.serve = Some(Arc::new(|mut served, _| {
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            assert!(served.read(&mut buffer).await.unwrap() > 0);
            tokio::time::sleep(Duration::from_millis(80)).await;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            served.write_all(answer).await.unwrap();
        });
    }));
    let clock = config.clock.clone();
    let sandbox = start(config).await;
    if !sandbox.capabilities().virtual_time {
        eprintln!("skipped: {:?}", emu_vtime::supported());
        return;
    }
    if !sandbox.isolation().is_true() {
        eprintln!("skipped: programs reach the emulator themselves: pods are not set apart here");
        return;
    }
    sandbox
        .create_pod(pod("api-0", "api"), Some("node-1"))
        .await
        .unwrap();
    let script = "echo begun; for turn in 1 2 3 4; do sleep 36000; \
                  curl -sS -m 10 -o /dev/null -w '%{http_code} ' $AWS_ENDPOINT_URL 2>&1; done";
    let mut running = sandbox
        .start(&name("api-0"), Program::new(["sh", "-c", script]))
        .await
        .unwrap();
    while running.so_far().stdout.is_empty() {
        running.more().await;
    }
    clock
        .advance(Duration::from_secs(4 * 36_000 + 60))
        .await
        .unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), running.wait());
    let output = ended.await.expect("it slept past the jump").unwrap();
    assert_eq!(output.stdout_text(), "begun\n200 200 200 200 ");
}
