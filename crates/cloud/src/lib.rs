//! The fake AWS as state and services: IAM, STS, EKS, EKS Auth and S3.
#![forbid(unsafe_code)]
