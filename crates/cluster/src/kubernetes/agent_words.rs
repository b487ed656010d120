//! The agent's command line and variables.

use emu_core::settings::AgentSettings;

/// What its command line says on every cluster. `ipv6`: whether it binds its IPv6 address; without it on the node the
/// agent would die.
pub(crate) fn server_words(cluster: &str, ipv6: bool) -> Vec<String> {
    let mut words = [
        "server",
        "--port",
        "80",
        "--cluster-name",
        cluster,
        "--probe-port",
        "2703",
    ]
    .map(String::from)
    .to_vec();
    if !ipv6 {
        words.extend(["--bind-hosts", "169.254.170.23"].map(String::from));
    }
    words
}

/// How the agent is to behave, in the flags that Amazon's has too.
pub(crate) fn behaviour(settings: &AgentSettings) -> Vec<String> {
    let usual = AgentSettings::default();
    let mut words = Vec::new();
    let renewal = settings.max_credential_retention_before_renewal;
    if renewal != usual.max_credential_retention_before_renewal {
        words.extend([
            "--max-credential-retention-before-renewal".into(),
            format!("{}ms", renewal.get().as_millis()),
        ]);
    }
    if settings.max_cache_size != usual.max_cache_size {
        words.extend([
            "--max-cache-size".into(),
            settings.max_cache_size.to_string(),
        ]);
    }
    if settings.max_service_qps != usual.max_service_qps {
        words.extend([
            "--max-service-qps".into(),
            settings.max_service_qps.to_string(),
        ]);
    }
    words
}

/// The same, as far as it is said in its environment.
pub(crate) fn environment(settings: &AgentSettings) -> Option<(String, String)> {
    let attempts = settings.max_attempts;
    let unusual = attempts != AgentSettings::default().max_attempts;
    unusual.then(|| ("AWS_MAX_ATTEMPTS".into(), attempts.to_string()))
}
