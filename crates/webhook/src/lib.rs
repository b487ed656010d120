//! Which pods get credentials: the pod mutation and its HTTPS server.
#![forbid(unsafe_code)]
