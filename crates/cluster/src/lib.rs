//! Where pods run: sandbox, node, kind, k3d and kubeconfig behind one trait.
#![forbid(unsafe_code)]
