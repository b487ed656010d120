//! The flags of the original, with its names, defaults and ways of writing them.

use std::time::Duration;

use clap::ArgAction;

use crate::go::{parse_bool, parse_int_any_base};

/// The version the original prints, which is not its release.
pub const VERSION: &str = "v0.1.0";

fn boolean(text: &str) -> Result<bool, String> {
    parse_bool(text).ok_or_else(|| format!("strconv.ParseBool: parsing {text:?}: invalid syntax"))
}

fn integer(text: &str) -> Result<i64, String> {
    parse_int_any_base(text)
        .ok_or_else(|| format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
}

fn port(text: &str) -> Result<u16, String> {
    u16::try_from(integer(text)?).map_err(|_| format!("invalid port {text}"))
}

/// Go's `time.ParseDuration`; what is negative counts as zero.
fn duration(text: &str) -> Result<Duration, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let number = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .ok_or_else(|| format!("time: missing unit in duration {text:?}"))?;
        let value: f64 = rest[..number].parse().map_err(|_| invalid())?;
        rest = &rest[number..];
        let end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        total += value
            * match &rest[..end] {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return Err(format!("time: unknown unit in duration {text:?}")),
            };
        rest = &rest[end..];
    }
    if negative {
        return Ok(Duration::ZERO);
    }
    Duration::try_from_secs_f64(total).map_err(|_| invalid())
}

/// The flags of `emu webhook serve`.
#[derive(Clone, Debug, clap::Args)]
#[command(args_override_self = true, allow_negative_numbers = true)]
pub struct ServeArgs {
    /// Port to listen on
    #[arg(long, default_value = "443", value_parser = port, allow_hyphen_values = true)]
    pub port: u16,

    /// Port to listen on for metrics (http)
    #[arg(long, default_value = "9999", value_parser = port, allow_hyphen_values = true)]
    pub metrics_port: u16,

    /// (out-of-cluster) Absolute path to the API server kubeconfig file
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub kubeconfig: String,

    /// (out-of-cluster) The url to the API server
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub kube_api: String,

    /// (out-of-cluster) TLS key file path
    #[arg(
        long,
        default_value = "/etc/webhook/certs/tls.key",
        allow_hyphen_values = true
    )]
    pub tls_key: String,

    /// (out-of-cluster) TLS certificate file path
    #[arg(
        long,
        default_value = "/etc/webhook/certs/tls.crt",
        allow_hyphen_values = true
    )]
    pub tls_cert: String,

    /// Comma-separated list of cipher suites for the server, by Go's names
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub tls_cipher_suites: String,

    /// The minimum TLS version (1.0, 1.1, 1.2, 1.3); there is none below 1.2 here
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub tls_min_version: String,

    /// Use in-cluster authentication and the certificate in the TLS secret
    #[arg(long, default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        action = ArgAction::Set, value_parser = boolean)]
    pub in_cluster: bool,

    /// (in-cluster) The service name fronting this webhook
    #[arg(
        long,
        default_value = "pod-identity-webhook",
        allow_hyphen_values = true
    )]
    pub service_name: String,

    /// (in-cluster) The namespace this webhook, the TLS secret and the ConfigMap are in
    #[arg(long, default_value = "eks", allow_hyphen_values = true)]
    pub namespace: String,

    /// (in-cluster) The secret name for storing the TLS serving cert
    #[arg(
        long,
        default_value = "pod-identity-webhook",
        allow_hyphen_values = true
    )]
    pub tls_secret: String,

    /// The prefix of the annotations to look for
    #[arg(long, default_value = "eks.amazonaws.com", allow_hyphen_values = true)]
    pub annotation_prefix: String,

    /// The default audience for tokens. Can be overridden by annotation
    #[arg(long, default_value = "sts.amazonaws.com", allow_hyphen_values = true)]
    pub token_audience: String,

    /// The path to mount tokens
    #[arg(
        long,
        default_value = "/var/run/secrets/eks.amazonaws.com/serviceaccount",
        allow_hyphen_values = true
    )]
    pub token_mount_path: String,

    /// The token expiration in seconds
    #[arg(long, default_value = "86400", value_parser = integer, allow_hyphen_values = true)]
    pub token_expiration: i64,

    /// If set, AWS_DEFAULT_REGION and AWS_REGION will be set to this value in mutated containers
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub aws_default_region: String,

    /// Whether to inject AWS_STS_REGIONAL_ENDPOINTS=regional in mutated pods
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        action = ArgAction::Set, value_parser = boolean)]
    pub sts_regional_endpoint: bool,

    /// Enables watching service accounts that are configured through the pod-identity-webhook ConfigMap
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        action = ArgAction::Set, value_parser = boolean)]
    pub watch_config_map: bool,

    /// Accept role names and paths for ARNs; partition and account come from the instance's metadata
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        action = ArgAction::Set, value_parser = boolean)]
    pub compose_role_arn: bool,

    /// Absolute path to the container credential config file to watch for
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub watch_container_credentials_config: String,

    /// The audience for tokens used by the AWS Container Credentials method
    #[arg(
        long,
        default_value = "pods.eks.amazonaws.com",
        allow_hyphen_values = true
    )]
    pub container_credentials_audience: String,

    /// The path to mount tokens used by the AWS Container Credentials method
    #[arg(
        long,
        default_value = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount",
        allow_hyphen_values = true
    )]
    pub container_credentials_token_mount_path: String,

    /// The name of the projected volume of the AWS Container Credentials method
    #[arg(
        long,
        default_value = "eks-pod-identity-token",
        allow_hyphen_values = true
    )]
    pub container_credentials_token_volume_name: String,

    /// The path of the injected token of the AWS Container Credentials method
    #[arg(
        long,
        default_value = "eks-pod-identity-token",
        allow_hyphen_values = true
    )]
    pub container_credentials_token_path: String,

    /// AWS_CONTAINER_CREDENTIALS_FULL_URI will be set to this value in mutated containers
    #[arg(
        long,
        default_value = "http://169.254.170.23/v1/credentials",
        allow_hyphen_values = true
    )]
    pub container_credentials_full_uri: String,

    /// Display the version and exit
    #[arg(long = "version", id = "webhook-version", default_value = "false", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", action = ArgAction::Set, value_parser = boolean)]
    pub show_version: bool,

    /// Enable debugging handlers. Currently /debug/alpha/cache is supported
    #[arg(long, default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        action = ArgAction::Set, value_parser = boolean)]
    pub enable_debugging_handlers: bool,

    /// How long to wait for a service account that is not known yet, such as 100ms; 0 for not at all
    #[arg(long, default_value = "0", value_parser = duration, allow_hyphen_values = true)]
    pub service_account_lookup_grace_period: Duration,

    /// The period to resync the service accounts
    #[arg(long, default_value = "1m0s", value_parser = duration, allow_hyphen_values = true)]
    pub resync_period: Duration,

    /// Number for the log level verbosity
    #[arg(short = 'v', long = "v", id = "webhook-verbosity", default_value = "0", value_parser = integer,
        allow_hyphen_values = true)]
    pub verbosity: i64,

    /// Logging flags of the original; accepted, logs always go to standard error
    #[command(flatten)]
    pub ignored: IgnoredFlags,

    /// What is left over; ignored, as in the original
    #[arg(hide = true)]
    pub rest: Vec<String>,
}

/// Logging flags that are accepted and change nothing.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(args_override_self = true)]
pub struct IgnoredFlags {
    #[arg(long = "add_dir_header", hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    add_dir_header: Option<String>,
    #[arg(long = "alsologtostderr", hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    also_log_to_stderr: Option<String>,
    #[arg(long = "alsologtostderrthreshold", hide = true)]
    also_threshold: Option<String>,
    #[arg(long = "legacy_stderr_threshold_behavior", hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    legacy_threshold: Option<String>,
    #[arg(long = "log_backtrace_at", hide = true)]
    log_backtrace_at: Option<String>,
    #[arg(long = "log_dir", hide = true)]
    log_dir: Option<String>,
    #[arg(long = "log_file", hide = true)]
    log_file: Option<String>,
    #[arg(long = "log_file_max_size", hide = true)]
    log_file_max_size: Option<String>,
    #[arg(long = "logtostderr", hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    log_to_stderr: Option<String>,
    #[arg(long = "one_output", hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    one_output: Option<String>,
    #[arg(long = "skip_headers", hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    skip_headers: Option<String>,
    #[arg(long = "skip_log_headers", hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    skip_log_headers: Option<String>,
    #[arg(long = "stderrthreshold", hide = true)]
    threshold: Option<String>,
    #[arg(long = "vmodule", hide = true)]
    vmodule: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    #[command(disable_version_flag = true)]
    struct Program {
        #[command(flatten)]
        args: ServeArgs,
    }

    fn parse(line: &str) -> Result<ServeArgs, String> {
        let words = std::iter::once("serve").chain(line.split_whitespace());
        Program::try_parse_from(words)
            .map(|program| program.args)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn defaults() {
        let args = parse("").unwrap();
        assert!(args.in_cluster && !args.watch_config_map && !args.show_version);
        assert_eq!((args.port, args.metrics_port), (443, 9999));
        assert_eq!(args.resync_period, Duration::from_secs(60));
        assert_eq!(
            args.container_credentials_full_uri,
            "http://169.254.170.23/v1/credentials"
        );
    }

    #[test]
    fn every_way_of_writing() {
        let args = parse(
            "--in-cluster=false --port=8443 --metrics-port 0x10 --watch-config-map=T --sts-regional-endpoint -v=4 \
             --logtostderr --stderrthreshold=2 --skip_headers=true --token-expiration -5 --resync-period 1.5h \
             --service-account-lookup-grace-period=200ms --kube-api=http://127.0.0.1:1 --vmodule=a=1 --token-audience=",
        )
        .unwrap();
        assert!(!args.in_cluster && args.watch_config_map && args.sts_regional_endpoint);
        assert_eq!(
            (args.port, args.metrics_port, args.verbosity),
            (8443, 16, 4)
        );
        assert_eq!(args.token_expiration, -5);
        assert_eq!(args.token_audience, "");
        assert_eq!(args.resync_period, Duration::from_secs(5400));
        assert_eq!(
            args.service_account_lookup_grace_period,
            Duration::from_millis(200)
        );
        // A boolean takes no next word; the last of a repeated flag counts; what is left over is ignored.
        let args = parse("--in-cluster false --port 1 --port 2 -v4 -v 5 --version").unwrap();
        assert!(args.in_cluster && args.show_version);
        assert_eq!((args.port, args.verbosity), (2, 5));
        for bad in [
            "--bogus",
            "--port x",
            "--in-cluster=maybe",
            "--resync-period 60",
            "--port",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
