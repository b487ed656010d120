//! The arguments. Every flag has an `EMU_*` twin; flags win over variables.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use emu_agent::AgentChoice;
use emu_cluster::kubernetes::WebhookKind;

/// A local EKS Pod Identity, real enough to debug with.
#[derive(Debug, Parser)]
#[command(name = "emu", version, about, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play scenario files and report what held.
    Run(RunArgs),
    /// Start the emulator and keep it up until Ctrl-C.
    Up(UpArgs),
    /// Remove what an emu left behind that was killed: nodes of its own, and what it put on clusters of others.
    Down(DownArgs),
    /// Print the variables that point AWS clients at the running emulator.
    Env(EnvArgs),
    /// Run a local program as a pod of a service account: `emu exec shop/api -- aws s3 ls`.
    Exec(ExecArgs),
    /// Read or move the running emulator's clock.
    Clock(ClockArgs),
    /// Print what happened so far in the running emulator.
    Journal(JournalArgs),
    /// Say what is here, what is missing, and what that means.
    Doctor(DoctorArgs),
    /// The node agent: serve our twin, or fetch Amazon's own.
    Agent(AgentArgs),
    /// The webhook: a drop-in for Amazon's.
    Webhook(WebhookArgs),
    /// Kubernetes binaries for `--cluster node`.
    Kubernetes(KubernetesArgs),
    /// Print the JSON schema of scenario files.
    Schema,
    /// Print completions for a shell.
    Completions(CompletionsArgs),
    /// Write emu's own image as an OCI archive, without Docker: `docker load -i FILE`.
    Image(ImageArgs),
    /// Sleep for ever; the pause container of our images.
    #[command(hide = true)]
    Pause,
    /// What emu does inside a pod of its own image.
    #[command(hide = true)]
    Pod(PodArgs),
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Which kind of cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClusterChoice {
    pub(crate) kind: emu_cluster::ClusterKind,
    pub(crate) context: Option<String>,
}

impl std::str::FromStr for ClusterChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        use emu_cluster::ClusterKind;
        let (kind, context) = match text.split_once('=') {
            Some((kind, context)) => (kind, Some(context.to_owned())),
            None => (text, None),
        };
        let kind = match kind {
            "sandbox" => ClusterKind::Sandbox,
            "node" => ClusterKind::Node,
            "kind" => ClusterKind::Kind,
            "k3d" => ClusterKind::K3d,
            "kubeconfig" => ClusterKind::Kubeconfig,
            other => {
                return Err(format!(
                    "`{other}` is none of sandbox, node, kind, k3d, kubeconfig[=CONTEXT]"
                ));
            }
        };
        Ok(Self { kind, context })
    }
}

/// Which webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WebhookChoice {
    Emu,
    Amazon,
    Path(PathBuf),
}

impl std::str::FromStr for WebhookChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "emu" => Self::Emu,
            "amazon" => Self::Amazon,
            path => Self::Path(path.into()),
        })
    }
}

/// What `run` and `up` have in common.
#[derive(Clone, Debug, Args)]
pub(crate) struct WorldArgs {
    /// Where pods run: sandbox, node, kind[=NAME], k3d[=NAME], or kubeconfig=CONTEXT.
    #[arg(long, env = "EMU_CLUSTER", default_value = "sandbox")]
    pub(crate) cluster: ClusterChoice,
    #[command(flatten)]
    pub(crate) docker: DockerArgs,
    /// The address of this machine at which a cluster that emu did not make reaches it; the one towards its API server
    /// if absent.
    #[arg(long, env = "EMU_HOST_ADDRESS")]
    pub(crate) host_address: Option<IpAddr>,
    /// The reference under which such a cluster pulls emu's own image; `emu image` writes it.
    #[arg(long, env = "EMU_IMAGE")]
    pub(crate) image: Option<String>,
    /// The node agent: auto (Amazon's own if it can be had), twin, real, or a path to Amazon's.
    #[arg(long, env = "EMU_AGENT", default_value = "auto")]
    pub(crate) agent: AgentChoice,
    /// The webhook of a real cluster: emu (ours), amazon (its image), or a path to Amazon's program.
    #[arg(long, env = "EMU_WEBHOOK", default_value = "emu")]
    pub(crate) webhook: WebhookChoice,
    /// The image that `--webhook amazon` has the cluster pull.
    #[arg(long, env = "EMU_WEBHOOK_IMAGE", default_value = emu_cluster::kubernetes::amazon_webhook::IMAGE)]
    pub(crate) webhook_image: String,
    /// The account of the administrator's key.
    #[arg(long, env = "EMU_ACCOUNT", default_value = "000000000000")]
    pub(crate) account: String,
    /// The region.
    #[arg(long, env = "EMU_REGION", default_value = "us-east-1")]
    pub(crate) region: String,
    /// The seed of everything random, to repeat a run.
    #[arg(long, env = "EMU_SEED")]
    pub(crate) seed: Option<u64>,
}

impl WorldArgs {
    /// The webhook that is asked for.
    pub(crate) fn webhook_kind(&self) -> WebhookKind {
        match &self.webhook {
            WebhookChoice::Emu => WebhookKind::Emu,
            WebhookChoice::Amazon => WebhookKind::Image(self.webhook_image.clone()),
            WebhookChoice::Path(path) => WebhookKind::Program(path.clone()),
        }
    }
}

/// What is said of a kind or k3d cluster.
#[derive(Clone, Debug, Args)]
pub(crate) struct DockerArgs {
    /// The image of a kind or k3d cluster's nodes, and so its version of Kubernetes; the program's choice if absent.
    #[arg(long, env = "EMU_CLUSTER_IMAGE")]
    pub(crate) cluster_image: Option<String>,
    /// How many nodes a kind or k3d cluster gets; as many as the scenarios give if absent.
    #[arg(long, env = "EMU_CLUSTER_NODES")]
    pub(crate) cluster_nodes: Option<usize>,
    /// A configuration file for kind or k3d, to which emu adds what it needs.
    #[arg(long, env = "EMU_CLUSTER_CONFIG")]
    pub(crate) cluster_config: Option<PathBuf>,
    /// The addresses of a kind cluster: ipv4, ipv6, dual.
    #[arg(long, env = "EMU_IP_FAMILY", default_value = "ipv4")]
    pub(crate) ip_family: emu_cluster::docker::IpFamily,
    /// Leave the kind or k3d cluster there for the next run; `emu down --cluster kind` removes it.
    #[arg(long, env = "EMU_KEEP")]
    pub(crate) keep: bool,
    /// How long making a kind or k3d cluster may take, the pulling of images included.
    #[arg(long, env = "EMU_CLUSTER_TIMEOUT", default_value = "10m")]
    pub(crate) cluster_timeout: emu_core::Span,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Scenario files, or folders of them.
    #[arg(default_value = "scenarios")]
    pub(crate) paths: Vec<PathBuf>,
    /// Play only scenarios whose name, tags or catalogue ids contain this.
    #[arg(long, short = 'k', env = "EMU_FILTER")]
    pub(crate) filter: Option<String>,
    /// How many are played at once; if absent, two for each processor in a sandbox, and one on a real cluster.
    #[arg(long, short = 'j', env = "EMU_JOBS")]
    pub(crate) jobs: Option<usize>,
    /// Print text or JSON.
    #[arg(long, short = 'o', env = "EMU_OUTPUT", value_enum, default_value_t)]
    pub(crate) output: Output,
    /// Write a JUnit report to this file too.
    #[arg(long, env = "EMU_JUNIT")]
    pub(crate) junit: Option<PathBuf>,
    /// Print each step as it is played.
    #[arg(long, short = 'v', env = "EMU_VERBOSE")]
    pub(crate) verbose: bool,
    /// Only read the files and say whether they are right.
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) world: WorldArgs,
}

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Where to listen. Anything but loopback is said aloud.
    #[arg(long, env = "EMU_ADDR", default_value = "127.0.0.1:4566")]
    pub(crate) addr: SocketAddr,
    /// A scenario file whose `given` is established first.
    #[arg(long, short = 'f', env = "EMU_FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Roles that do not exist may be named in associations, and the root user may assume roles. For outside suites only.
    #[arg(long, env = "EMU_LENIENT_ROLES")]
    pub(crate) lenient_roles: bool,
    /// Leave pods that are made on a real cluster without AWS_ENDPOINT_URL; else a webhook of ours gives it to them.
    #[arg(long, env = "EMU_NO_ENDPOINT_IN_PODS")]
    pub(crate) no_endpoint_in_pods: bool,
    #[command(flatten)]
    pub(crate) world: WorldArgs,
}

/// The emulator that is meant.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct At {
    /// Where the running emulator listens.
    #[arg(long, env = "EMU_ADDR", default_value = "127.0.0.1:4566")]
    pub(crate) addr: SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    /// Remove this cluster that emu made, also one that was kept: kind[=NAME], k3d[=NAME].
    #[arg(long)]
    pub(crate) cluster: Option<ClusterChoice>,
    /// Print text or JSON.
    #[arg(long, short = 'o', env = "EMU_OUTPUT", value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct EnvArgs {
    #[command(flatten)]
    pub(crate) at: At,
    /// Print text (for `eval`) or JSON.
    #[arg(long, short = 'o', env = "EMU_OUTPUT", value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    pub(crate) at: At,
    /// The cluster; the only one, or the first one, if absent.
    #[arg(long, short = 'c')]
    pub(crate) cluster: Option<String>,
    /// Namespace and service account, as in `shop/api`.
    pub(crate) service_account: String,
    /// The program and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ClockArgs {
    #[command(flatten)]
    pub(crate) at: At,
    #[command(subcommand)]
    pub(crate) action: Option<ClockAction>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClockAction {
    /// Move the clock forward: `emu clock advance 6h`.
    Advance {
        /// By how much.
        by: emu_core::Span,
    },
    /// Set the wall clock forwards or back: `emu clock step -2h`.
    #[command(allow_hyphen_values = true)]
    Step {
        /// By how much, with a sign.
        by: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct JournalArgs {
    #[command(flatten)]
    pub(crate) at: At,
    /// Only entries after this one.
    #[arg(long, default_value_t = 0)]
    pub(crate) since: u64,
    /// Only events of this type, such as `trustEvaluated`.
    #[arg(long, short = 't')]
    pub(crate) r#type: Option<String>,
    /// Print text or JSON (one object a line).
    #[arg(long, short = 'o', env = "EMU_OUTPUT", value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Print text or JSON.
    #[arg(long, short = 'o', env = "EMU_OUTPUT", value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct AgentArgs {
    #[command(subcommand)]
    pub(crate) action: AgentAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AgentAction {
    /// Our twin, and Amazon's fetched.
    #[command(flatten)]
    Agent(emu_agent::AgentCommand),
    /// Fetch Amazon's own agent from its public image, without Docker.
    Pull(emu_agent::PullArgs),
}

#[derive(Debug, Args)]
pub(crate) struct WebhookArgs {
    #[command(subcommand)]
    pub(crate) action: WebhookAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WebhookAction {
    /// Serve; takes the flags of Amazon's webhook.
    Serve(Box<emu_webhook::ServeArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct KubernetesArgs {
    #[command(subcommand)]
    pub(crate) action: KubernetesAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KubernetesAction {
    /// Obtain Kubernetes and etcd into emu's cache folder.
    Install {
        /// The minor version, such as 1.34; the newest known if absent.
        #[arg(long)]
        version: Option<String>,
        /// Where from: `go` builds from their Go modules, `release` takes the official archives.
        #[arg(long, default_value = "release")]
        from: String,
        /// Further binaries: kubeadm, kube-proxy.
        #[arg(long)]
        with: Vec<String>,
    },
    /// Bring the images of an archive onto the running emulator's nodes: `docker save app:dev | emu kubernetes load -`.
    Load(LoadArgs),
    /// Run kubectl against the running emulator's cluster: `emu kubernetes kubectl get pods`.
    Kubectl(KubectlArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    pub(crate) at: At,
    /// The cluster; the only one, or the first one, if absent.
    #[arg(long, short = 'c')]
    pub(crate) cluster: Option<String>,
    /// What `docker save` writes, or an OCI layout in a tar; `-` reads it from standard input.
    pub(crate) archive: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct KubectlArgs {
    #[command(flatten)]
    pub(crate) at: At,
    /// The cluster; the only one, or the first one, if absent.
    #[arg(long, short = 'c')]
    pub(crate) cluster: Option<String>,
    /// kubectl's arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ImageArgs {
    /// The image's reference; one that names this very program if absent.
    #[arg(long)]
    pub(crate) tag: Option<String>,
    /// The file to write.
    #[arg(long, short = 'o')]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PodArgs {
    #[command(subcommand)]
    pub(crate) action: PodAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PodAction {
    /// Look whether the emulator can be reached, and make the agent's link; then become a program, if one is named.
    Prepare {
        /// The emulator, `HOST:PORT`.
        address: SocketAddr,
        /// The program's command line.
        #[arg(last = true)]
        program: Vec<String>,
    },
    /// Connect standard input and output with an address.
    Relay {
        /// `HOST:PORT`.
        address: SocketAddr,
    },
    /// Replace a file as a whole with so many bytes of standard input.
    Write {
        /// The file.
        file: PathBuf,
        /// How many.
        length: u64,
    },
    /// Print a file.
    Read {
        /// The file.
        file: PathBuf,
    },
    /// Run a program with other variables, in the words of the program `env`.
    Env {
        /// `-u NAME`, `NAME=VALUE`, and the command line.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        words: Vec<String>,
    },
    /// End this container's first process, so that the container is started again.
    End,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}
