//! The small program that plays a pod: default credential chain, STS and S3 calls, JSON out.
#![forbid(unsafe_code)]
