//! Several instances in one process do not see each other, and nothing of them is left when they are dropped.

use std::{
    env, fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use emu::{AgentChoice, Ask, Emu, Error, Program};
use emu_policy::{DecidedBy, Decision};

/// An instance with a bucket, a role that may list it, and an association.
async fn instance(name: &str) -> Result<Emu, Error> {
    let emu = Emu::builder()
        .cluster(name)
        .agent(AgentChoice::Twin)
        .start()
        .await?;
    emu.bucket(name).object("only-here", name).create()?;
    emu.role("app")
        .allow(["s3:ListBucket"], [format!("arn:aws:s3:::{name}").as_str()])
        .create()?;
    emu.associate("shop", "api", "app")?;
    Ok(emu)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_do_not_see_each_other() -> Result<(), Error> {
    let (one, two, three) = tokio::try_join!(instance("one"), instance("two"), instance("three"))?;
    let (in_one, in_two, in_three) = tokio::try_join!(
        one.pod("shop", "api"),
        two.pod("shop", "api"),
        three.pod("shop", "api")
    )?;
    for (pod, own) in [(&in_one, "one"), (&in_two, "two"), (&in_three, "three")] {
        let listed = pod.call("s3:ListBucket", Ask::bucket(own)).await?;
        assert!(listed.allowed, "{listed:?}");
        assert!(listed.body.contains("only-here"), "{}", listed.body);
        let session = listed.session_name.unwrap_or_default();
        assert!(session.starts_with(&format!("eks-{own}-api-")), "{session}");
    }
    let strange = in_one.call("s3:ListBucket", Ask::bucket("two")).await?;
    assert!(!strange.allowed);
    assert_ne!(one.endpoint(), two.endpoint());
    // The keys of one are nobody's in the others.
    assert_ne!(in_one.credentials().await?, in_two.credentials().await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_has_a_clock_of_its_own() -> Result<(), Error> {
    let (moved, still) = tokio::try_join!(instance("moved"), instance("still"))?;
    let (in_moved, in_still) =
        tokio::try_join!(moved.pod("shop", "api"), still.pod("shop", "api"))?;
    let (first, kept) = tokio::try_join!(in_moved.credentials(), in_still.credentials())?;
    moved.advance(Duration::from_secs(7 * 3600)).await?;
    let later = in_moved.credentials().await?;
    assert_ne!(later, first, "seven hours later there are new ones");
    assert!(later.expires_at > moved.now());
    assert!(
        first.expires_at < moved.now(),
        "the first ones have expired"
    );
    assert_eq!(in_still.credentials().await?, kept, "no time passed here");
    assert!(kept.expires_at > still.now());
    let called = in_moved.call("s3:ListBucket", Ask::bucket("moved")).await?;
    assert!(called.allowed, "{called:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_says_what_decided() -> Result<(), Error> {
    let emu = instance("shop").await?;
    emu.role("app")
        .allow(["s3:*"], ["*"])
        .deny(["s3:DeleteObject"], ["*"])
        .create()?;
    let pod = emu.pod("shop", "api").await?;
    let refused = pod
        .call("s3:DeleteObject", Ask::object("shop", "only-here"))
        .await?;
    assert!(!refused.allowed);
    assert_eq!(refused.status, Some(403));
    assert_eq!(refused.code.as_deref(), Some("AccessDenied"));
    let message = refused.message.clone().unwrap_or_default();
    assert!(
        message.contains("is not authorized to perform: s3:DeleteObject"),
        "{message}"
    );
    let verdict = refused.verdicts.last().expect("a verdict");
    assert_eq!(verdict.decision, Decision::ExplicitDeny);
    assert_eq!(verdict.decided_by, DecidedBy::Permission);
    assert_eq!(verdict.action, "s3:DeleteObject");
    assert_eq!(verdict.resource, "arn:aws:s3:::shop/only-here");
    assert!(!refused.why().is_empty());

    let stranger = emu.pod("shop", "other").await?;
    assert!(!stranger.mutated);
    let nothing = stranger.call("s3:ListBucket", Ask::bucket("shop")).await?;
    assert!(!nothing.allowed);
    assert_eq!(nothing.source, "none");
    assert!(nothing.why().starts_with("A1 "), "{}", nothing.why());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_of_aws_keep_their_names() -> Result<(), Error> {
    let emu = instance("named").await?;
    let twice = emu
        .associate("shop", "api", "app")
        .expect_err("one is there");
    assert_eq!(twice.code(), Some("ResourceInUseException"));
    let unknown = emu
        .associate("shop", "web", "arn:aws:iam::000000000000:role/nobody")
        .expect_err("no such role");
    assert_eq!(unknown.code(), Some("InvalidParameterException"));
    let misspelt = emu
        .associate("shop", "web", "apq")
        .expect_err("no such role");
    assert_eq!(misspelt.code(), None, "never asked of AWS");
    assert!(
        misspelt.to_string().contains("unknown role `apq`"),
        "{misspelt}"
    );
    Ok(())
}

/// What of this process the machine knows.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    mounts: String,
    interfaces: usize,
    children: Vec<String>,
    files: Vec<PathBuf>,
}

impl Traces {
    fn now(folder: &Path) -> Self {
        let children = fs::read_dir("/proc/self/task")
            .expect("threads")
            .flatten()
            .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
            .flat_map(|pids| {
                pids.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect();
        let mut files: Vec<PathBuf> = fs::read_dir(folder)
            .expect("the folder of temporary files")
            .flatten()
            .map(|entry| entry.path())
            .collect();
        files.sort();
        Self {
            mounts: fs::read_to_string("/proc/self/mountinfo").expect("mounts"),
            interfaces: fs::read_to_string("/proc/net/dev")
                .expect("interfaces")
                .lines()
                .count(),
            children,
            files,
        }
    }
}

const ALONE: &str = "EMU_TEST_ALONE_IN";

/// Played in a process of its own, so that the traces are its own, with temporary files in a folder of its own.
#[test]
fn nothing_is_left_when_they_are_dropped() {
    if let Some(folder) = env::var_os(ALONE) {
        return leave_nothing(Path::new(&folder));
    }
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("alone-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let output = Command::new(env::current_exe().expect("this test"))
        .args([
            "--exact",
            "nothing_is_left_when_they_are_dropped",
            "--nocapture",
        ])
        .env(ALONE, &folder)
        .env("TMPDIR", &folder)
        .output()
        .expect("the test runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    fs::remove_dir_all(&folder).expect("the folder goes");
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

fn leave_nothing(folder: &Path) {
    let before = Traces::now(folder);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let addresses = runtime.block_on(async {
        let (one, two) = tokio::try_join!(instance("one"), instance("two")).expect("two instances");
        for emu in [&one, &two] {
            let pod = emu.pod("shop", "api").await.expect("a pod");
            let ran = pod
                .exec(Program::new(["cat", "/proc/self/mountinfo"]))
                .await
                .expect("a program");
            assert!(ran.success(), "{}", ran.stderr_text());
        }
        assert_ne!(Traces::now(folder), before, "a running instance is seen");
        [one.endpoint(), two.endpoint()]
    });
    // What ends, ends soon, not at once.
    let deadline = Instant::now() + Duration::from_secs(20);
    while Traces::now(folder) != before && Instant::now() < deadline {
        std::thread::park_timeout(Duration::from_millis(10));
    }
    assert_eq!(Traces::now(folder), before);
    for address in addresses {
        let address = address.trim_start_matches("http://").to_owned();
        while TcpStream::connect(&address).is_ok() {
            assert!(Instant::now() < deadline, "{address} still listens");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}
