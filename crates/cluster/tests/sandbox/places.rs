//! What is where in a pod, and what is left when it is gone.

use std::{collections::BTreeSet, fs, os::unix::process::CommandExt, time::Duration};

use emu_cluster::{
    Cluster, FetchRequest, Program,
    sandbox::{Imds, Isolation},
};
use emu_core::Event;

use crate::world::{TOKEN_FILE, config, has, name, pod, sh, start};

#[tokio::test]
async fn a_program_finds_everything_at_its_true_place() {
    let config = config().await;
    let journal = config.journal.clone();
    let sandbox = start(config).await;
    let stored = sandbox.create_pod(pod("api-0", "api"), None).await.unwrap();
    let uid = stored.metadata.uid.unwrap();
    if !sandbox.isolation().is_true() {
        eprintln!("skipped: {}", sandbox.isolation());
        return;
    }
    if !has("curl") {
        return;
    }
    let script = format!(
        "set -e; cat {TOKEN_FILE}; echo; \
         curl -sS -H \"Authorization: $(cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)\" $AWS_CONTAINER_CREDENTIALS_FULL_URI \
         -o /dev/null -w '%{{http_code}}\\n'; \
         curl -sS http://169.254.170.23/nowhere -o /dev/null -w '%{{http_code}}\\n'; \
         curl -sS http://127.0.0.1:4566/ping; echo; echo $AWS_ENDPOINT_URL; \
         touch {TOKEN_FILE}.x 2>/dev/null && echo writable || echo read-only"
    );
    let output = sh(&sandbox, "api-0", &script).await;
    assert!(output.success(), "{}", output.stderr_text());
    let text = output.stdout_text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0].split('.').count(), 3, "{text}");
    assert_eq!(
        &lines[1..],
        [
            "200",
            "404",
            "GET /ping HTTP/1.1",
            "http://127.0.0.1:4566",
            "read-only"
        ]
    );
    let started = journal
        .wait(0, Duration::from_secs(5), |e| {
            matches!(&e.event, Event::ProgramExited { pod, code: Some(0), .. } if pod.uid == uid)
        })
        .await;
    assert!(started.is_some());
    let asked = journal.since(0).into_iter().any(|e| {
        matches!(&e.event, Event::AgentRequest { pod: Some(pod), status: 200, access_key_id: Some(key), .. }
            if pod.uid == uid && key == "ASIAPOD")
    });
    assert!(asked, "{:#?}", journal.since(0));
}

#[tokio::test]
async fn ipv6_is_there_only_on_nodes_that_have_it() {
    let mut config = config().await;
    config.nodes[0].ipv6 = true;
    let mut without = config.nodes[0].clone();
    without.name = "v4-only".into();
    without.ipv6 = false;
    without.agent.bind_hosts = vec!["169.254.170.23".into()];
    config.nodes.push(without);
    let sandbox = start(config).await;
    if !sandbox.isolation().is_true() || fs::metadata("/proc/net/if_inet6").is_err() {
        eprintln!("skipped: no namespaces or no IPv6 here");
        return;
    }
    let v6 = || FetchRequest {
        target: Some("[fd00:ec2::23]:80".into()),
        path: "/nowhere".into(),
        ..FetchRequest::default()
    };
    sandbox
        .create_pod(pod("a", "api"), Some("node-1"))
        .await
        .unwrap();
    sandbox
        .create_pod(pod("b", "api"), Some("v4-only"))
        .await
        .unwrap();
    assert_eq!(sandbox.fetch(&name("a"), v6()).await.unwrap().status, 404);
    let error = sandbox
        .fetch(&name("b"), v6())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("unreachable") || error.contains("Cannot assign"),
        "{error}"
    );
}

#[tokio::test]
async fn containers_see_their_own_mounts() {
    let sandbox = start(config().await).await;
    let mut pod = pod("api-0", "api");
    pod.metadata.annotations = Some(
        [(
            "eks.amazonaws.com/skip-containers".to_owned(),
            "sidecar".to_owned(),
        )]
        .into(),
    );
    let spec = pod.spec.as_mut().unwrap();
    let mut sidecar = spec.containers[0].clone();
    sidecar.name = "sidecar".into();
    spec.containers.push(sidecar);
    sandbox.create_pod(pod, None).await.unwrap();
    let look = |container: &str| Program {
        container: Some(container.into()),
        ..Program::new([
            "sh",
            "-c",
            "test -n \"$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE\" && cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        ])
    };
    let app = sandbox.exec(&name("api-0"), look("app")).await.unwrap();
    assert!(app.success(), "{}", app.stderr_text());
    let other = sandbox.exec(&name("api-0"), look("sidecar")).await.unwrap();
    assert_eq!(other.code, Some(1));
    if sandbox.isolation().is_true() {
        let file = Program {
            container: Some("sidecar".into()),
            ..Program::new(["cat", TOKEN_FILE])
        };
        let file = sandbox.exec(&name("api-0"), file).await.unwrap();
        assert_eq!(file.code, Some(1), "{}", file.stdout_text());
    }
}

#[tokio::test]
async fn instance_metadata_is_as_far_away_as_its_hop_limit() {
    let mut config = config().await;
    config.nodes[0].imds = Some(Imds::default());
    let mut near = config.nodes[0].clone();
    near.name = "near".into();
    near.imds = Some(Imds {
        hop_limit: 1,
        ..Imds::default()
    });
    config.nodes.push(near);
    let sandbox = start(config).await;
    sandbox
        .create_pod(pod("far", "other"), Some("node-1"))
        .await
        .unwrap();
    sandbox
        .create_pod(pod("near", "other"), Some("near"))
        .await
        .unwrap();
    let token = |limit| {
        FetchRequest {
            method: "PUT".into(),
            target: Some("169.254.169.254:80".into()),
            path: "/latest/api/token".into(),
            timeout: limit,
            ..FetchRequest::default()
        }
        .header("X-aws-ec2-metadata-token-ttl-seconds", "60")
    };
    let got = sandbox
        .fetch(&name("far"), token(Duration::from_secs(5)))
        .await
        .unwrap();
    assert_eq!(got.status, 200);
    let role = FetchRequest {
        target: Some("169.254.169.254:80".into()),
        path: "/latest/meta-data/iam/security-credentials/".into(),
        ..FetchRequest::default()
    };
    assert_eq!(
        sandbox
            .fetch(&name("far"), role.clone())
            .await
            .unwrap()
            .status,
        401
    );
    let with = role.header("X-aws-ec2-metadata-token", got.text());
    assert_eq!(
        sandbox.fetch(&name("far"), with).await.unwrap().text(),
        "node-role"
    );
    let lost = sandbox
        .fetch(&name("near"), token(Duration::from_millis(200)))
        .await;
    assert!(lost.is_err());
}

fn traces() -> (String, String, BTreeSet<String>, BTreeSet<String>) {
    let me = std::process::id().to_string();
    let children = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|p| fs::read_to_string(p.path().join("stat")).ok())
        .filter(|stat| {
            let rest = stat.rsplit(") ").next().unwrap_or_default();
            rest.split(' ').nth(1) == Some(&me)
        })
        .collect();
    let directories = fs::read_dir(std::env::temp_dir())
        .unwrap()
        .flatten()
        .map(|d| d.file_name().to_string_lossy().into_owned())
        .filter(|n| n.starts_with("emu-sandbox-"))
        .collect();
    let interfaces: String = fs::read_to_string("/proc/net/dev")
        .unwrap()
        .lines()
        .filter_map(|l| l.split_once(':'))
        .map(|(name, _)| name.to_owned())
        .collect();
    (
        fs::read_to_string("/proc/self/mountinfo").unwrap(),
        interfaces,
        children,
        directories,
    )
}

/// Runs alone in a process of its own, so that what others do does not count.
#[test]
#[ignore = "started by the tests below"]
fn alone_nothing_is_left() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let before = traces();
    // By its length each sleep of this test is known among those of the machine.
    let length = format!("1000.{}", std::process::id());
    assert!(
        fs::metadata("/run/secrets").is_err(),
        "the machine has the directory already"
    );
    runtime.block_on(async {
        let sandbox = start(config().await).await;
        sandbox.create_pod(pod("api-0", "api"), None).await.unwrap();
        let script = format!(
            "sleep {length} >/dev/null 2>&1 & setsid sleep {length} >/dev/null 2>&1 & echo on"
        );
        let left = sh(&sandbox, "api-0", &script).await;
        assert_eq!(left.stdout_text(), "on\n");
        let mut running = sandbox
            .start(
                &name("api-0"),
                Program::new(["sh", "-c", &format!("echo ready; exec sleep {length}")]),
            )
            .await
            .unwrap();
        while running.so_far().stdout.is_empty() {
            running.more().await;
        }
        println!("isolation: {}", sandbox.isolation());
        drop(sandbox);
        let ended = running.wait().await.unwrap();
        assert_eq!(ended.signal, Some(9));
    });
    drop(runtime);
    assert!(fs::metadata("/run/secrets").is_err());
    assert_eq!(before, traces());
    let sleepers = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|p| fs::read(p.path().join("cmdline")).ok())
        .filter(|line| line == format!("sleep\0{length}\0").as_bytes())
        .count();
    if Isolation::detect().is_true() {
        assert_eq!(sleepers, 0);
    }
}

/// Runs tests of this file in a process of its own, perhaps as somebody else.
fn alone(tests: &[&str], user: Option<u32>) -> Option<String> {
    let mut command = std::process::Command::new("/proc/self/exe");
    command
        .args(tests)
        .args([
            "--exact",
            "--include-ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .current_dir("/");
    let own = tempfile::tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(own.path(), open).unwrap();
    command.env("TMPDIR", own.path());
    if let Some(user) = user {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: only root can become somebody else");
            return None;
        }
        command.uid(user).gid(user).env_remove("HOME");
    }
    let output = command.output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}");
    Some(text)
}

#[test]
fn nothing_is_left() {
    let text = alone(&["places::alone_nothing_is_left"], None).unwrap();
    assert!(text.contains("1 passed"), "{text}");
}

#[test]
fn an_ordinary_user_has_it_all_too() {
    let tests = [
        "places::alone_nothing_is_left",
        "places::a_program_finds_everything_at_its_true_place",
        "places::containers_see_their_own_mounts",
        "places::instance_metadata_is_as_far_away_as_its_hop_limit",
        "faults::refused_swallowed_reset_answered_and_well_again",
        "clock::programs_follow_the_clock",
        "real::it_binds_the_true_address_in_its_node",
        "tokens::a_token_is_renewed_at_80_percent_of_its_life",
    ];
    let Some(text) = alone(&tests, Some(65_534)) else {
        return;
    };
    assert!(text.contains(&format!("{} passed", tests.len())), "{text}");
    if !text.contains("isolation: user namespaces") {
        eprintln!("skipped: this machine has no user namespaces for ordinary users: {text}");
    }
}

#[tokio::test]
async fn without_namespaces_variables_point_to_loopback() {
    let mut config = config().await;
    config.isolation = Some(Isolation::Loopback {
        reason: "this test wants it so".into(),
    });
    let sandbox = start(config).await;
    sandbox.create_pod(pod("api-0", "api"), None).await.unwrap();
    assert!(!sandbox.capabilities().true_addresses);
    let env = sandbox.program_env(&name("api-0"), None).unwrap();
    let uri = &env["AWS_CONTAINER_CREDENTIALS_FULL_URI"];
    assert!(uri.starts_with("http://127.0.0.1:"), "{uri}");
    let token = fs::read_to_string(&env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).unwrap();
    assert_eq!(token.split('.').count(), 3);
    let nowhere = FetchRequest {
        path: "/nowhere".into(),
        ..FetchRequest::default()
    };
    assert_eq!(
        sandbox.fetch(&name("api-0"), nowhere).await.unwrap().status,
        404
    );
    if has("curl") {
        // The agent refuses what is called by another name than its own: here nobody could know better.
        let script = "curl -sS -H \"Authorization: $(cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)\" $AWS_CONTAINER_CREDENTIALS_FULL_URI; \
                      curl -sS -H 'Host: localhost:1' $AWS_CONTAINER_CREDENTIALS_FULL_URI";
        let output = sh(&sandbox, "api-0", script).await.stdout_text();
        assert!(
            output.contains("ASIAPOD") && output.contains("not localhost"),
            "{output}"
        );
    }
    let output = sh(
        &sandbox,
        "api-0",
        "cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    )
    .await;
    assert_eq!(output.stdout_text(), token);
}
