//! The EKS Pod Identity Agent: a twin of it, and the runner of Amazon's own.
#![forbid(unsafe_code)]
