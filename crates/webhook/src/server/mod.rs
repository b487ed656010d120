//! The server: HTTP and its rules, TLS and its flags, metrics.

mod cipher_suites;
mod connections;
mod form;
mod metrics;
mod routes;
mod tls;

pub use cipher_suites::{TlsFlagError, TlsFlags};
pub(crate) use connections::Running;
pub(crate) use metrics::Metrics;
pub(crate) use routes::{MetricsRoutes, Routes, WebhookRoutes};
pub use tls::{CertificateFiles, tls_config};
