//! STS, rule by rule, with its exact texts.
