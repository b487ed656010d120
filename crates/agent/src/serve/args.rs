//! The flags of Amazon's agent, with their quirks.

use clap::{ArgAction, Args, Subcommand};

use crate::profile::Profile;

/// The agent's sub-commands.
#[derive(Clone, Debug, Subcommand)]
pub enum AgentCommand {
    /// Serve credentials; takes the flags of Amazon's `server`.
    #[command(alias = "server")]
    Serve(Box<ServeArgs>),
    /// Make the link `pod-id-link0` with the two addresses, as Amazon's `initialize` does. Needs NET_ADMIN.
    Initialize {
        /// Logging verbosity can be one of: panic, error, info, trace.
        #[arg(short, long, default_value = "info")]
        verbosity: String,
        /// Where the kernel makes no dummy links, take one of another kind, or the loopback. Amazon's agent has no such
        /// flag.
        #[arg(long)]
        any_link: bool,
    },
    /// Print the release whose behaviour the twin has.
    Version {
        /// The release: 0.1.37 or 0.2.
        #[arg(long, env = "EMU_AGENT_PROFILE", default_value = "0.1.37")]
        profile: Profile,
        /// Logging verbosity; of no effect here.
        #[arg(short, long, default_value = "info", hide = true)]
        verbosity: String,
    },
}

/// The flags of `server`. Of a flag that is given twice the last one counts, as in Go.
#[derive(Clone, Debug, Args)]
#[command(args_override_self = true)]
pub struct ServeArgs {
    /// Logging verbosity can be one of: panic, error, info, trace.
    #[arg(short, long, default_value = "info")]
    pub verbosity: String,
    /// Name of the EKS Cluster the agent will run on.
    #[arg(short, long)]
    pub cluster_name: String,
    /// Listening port of the proxy server.
    #[arg(short, long, default_value_t = 80)]
    pub port: u16,
    /// Hosts to bind server to; IPv6 in brackets. Once given, it replaces the whole default.
    #[arg(short, long, action = ArgAction::Append, default_values = ["169.254.170.23", "[fd00:ec2::23]"])]
    pub bind_hosts: Vec<String>,
    /// Health and readiness listening port.
    #[arg(long, default_value_t = 2703)]
    pub probe_port: u16,
    /// Metrics listening address.
    #[arg(long, default_value = "0.0.0.0")]
    pub metrics_address: String,
    /// Metrics listening port.
    #[arg(long, default_value_t = 2705)]
    pub metrics_port: u16,
    /// Maximum amount of time that agent waits before renewing credentials, in nanoseconds once parsed. Set 0 to
    /// disable caching.
    #[arg(
        long = "max-credential-retention-before-renewal",
        default_value = "3h0m0s",
        value_parser = go_duration,
        allow_negative_numbers = true
    )]
    pub retention: i64,
    /// Maximum amount of unique credentials to cache. Set 0 to disable caching.
    #[arg(long, default_value_t = 2_000, allow_negative_numbers = true)]
    pub max_cache_size: i64,
    /// Maximum amount of queries per second to EKS Auth, of background renewals only.
    #[arg(long, default_value_t = 3, allow_negative_numbers = true)]
    pub max_service_qps: i64,
    /// Enable credentials rotation from shared credentials file.
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        value_parser = go_bool
    )]
    pub rotate_credentials: bool,
    /// Override for EKS auth endpoint.
    #[arg(long, default_value = "")]
    pub endpoint: String,
    /// The release whose behaviour the twin has: 0.1.37 or 0.2. Amazon's agent has no such flag.
    #[arg(long, env = "EMU_AGENT_PROFILE", default_value = "0.1.37")]
    pub profile: Profile,
    /// Ignored, as by Amazon's agent: so `--rotate-credentials true` and `--rotate-credentials false` both enable it.
    #[arg(hide = true)]
    pub ignored: Vec<String>,
}

/// Go's `strconv.ParseBool`.
fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!(
            "strconv.ParseBool: parsing \"{text}\": invalid syntax"
        )),
    }
}

/// Go's `time.ParseDuration`, in nanoseconds.
fn go_duration(text: &str) -> Result<i64, String> {
    let wrong = || format!("time: invalid duration \"{text}\"");
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        total += number
            * match &rest[..letters] {
                "ns" => 1.0,
                "us" | "µs" | "μs" => 1e3,
                "ms" => 1e6,
                "s" => 1e9,
                "m" => 60e9,
                "h" => 3_600e9,
                "" => return Err(format!("time: missing unit in duration \"{text}\"")),
                unit => {
                    return Err(format!(
                        "time: unknown unit \"{unit}\" in duration \"{text}\""
                    ));
                }
            };
        rest = &rest[letters..];
    }
    Ok((sign * total) as i64)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(subcommand)]
        command: AgentCommand,
    }

    fn serve(args: &[&str]) -> ServeArgs {
        let all = ["agent", "server", "-c", "demo"].iter().chain(args);
        match Program::try_parse_from(all).unwrap().command {
            AgentCommand::Serve(args) => *args,
            _ => panic!(),
        }
    }

    #[test]
    fn flags_are_those_of_the_real_agent() {
        let args = serve(&[]);
        assert_eq!(args.bind_hosts, ["169.254.170.23", "[fd00:ec2::23]"]);
        assert_eq!(
            (args.port, args.probe_port, args.metrics_port),
            (80, 2703, 2705)
        );
        assert_eq!(args.retention, 3 * 3_600_000_000_000);
        assert!(!args.rotate_credentials);
        let args = serve(&[
            "-b",
            "127.0.0.1",
            "-b",
            "127.0.0.2",
            "-p=8080",
            "-v",
            "trace",
        ]);
        assert_eq!(args.bind_hosts, ["127.0.0.1", "127.0.0.2"]);
        assert_eq!((args.port, &*args.verbosity), (8080, "trace"));
        assert_eq!(serve(&["-c", "other"]).cluster_name, "other");
    }

    #[test]
    fn two_words_always_rotate() {
        assert!(serve(&["--rotate-credentials", "true"]).rotate_credentials);
        assert!(serve(&["--rotate-credentials", "false"]).rotate_credentials);
        assert!(!serve(&["--rotate-credentials=false"]).rotate_credentials);
        assert!(serve(&["--rotate-credentials", "--port", "81"]).rotate_credentials);
    }

    #[test]
    fn durations_are_go_s() {
        assert_eq!(go_duration("1h30m"), Ok(5_400_000_000_000));
        assert_eq!(go_duration("1.5s"), Ok(1_500_000_000));
        assert_eq!(go_duration("-10ms"), Ok(-10_000_000));
        assert_eq!(go_duration("0"), Ok(0));
        assert!(
            go_duration("3").is_err() && go_duration("3d").is_err() && go_duration("").is_err()
        );
    }
}
