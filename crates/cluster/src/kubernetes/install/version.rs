//! The versions of Kubernetes that we know how to build, with every module pinned.

use super::Error;

/// A version of Kubernetes, and the etcd that goes with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Version {
    /// `1.34`.
    pub minor: &'static str,
    /// `1.34.4`.
    pub number: &'static str,
    /// The version of etcd.
    pub etcd: &'static str,
    /// `go.mod` and `go.sum` to build Kubernetes with.
    pub(super) kubernetes: (&'static str, &'static str),
    /// The same for etcd.
    pub(super) etcd_modules: (&'static str, &'static str),
}

macro_rules! modules {
    ($folder:literal) => {
        (
            include_str!(concat!("../../../kubernetes-modules/", $folder, "/go.mod")),
            include_str!(concat!("../../../kubernetes-modules/", $folder, "/go.sum")),
        )
    };
}

/// All known versions, oldest first.
pub static VERSIONS: [Version; 2] = [
    Version {
        minor: "1.33",
        number: "1.33.13",
        etcd: "3.6.5",
        kubernetes: modules!("1.33"),
        etcd_modules: modules!("etcd"),
    },
    Version {
        minor: "1.34",
        number: "1.34.4",
        etcd: "3.6.5",
        kubernetes: modules!("1.34"),
        etcd_modules: modules!("etcd"),
    },
];

/// Finds a version by its minor or full number; a leading `v` does not matter. The newest for an empty text.
///
/// # Errors
/// When it is not known.
pub fn find(asked: &str) -> Result<&'static Version, Error> {
    let bare = asked.strip_prefix('v').unwrap_or(asked);
    VERSIONS
        .iter()
        .rev()
        .find(|v| bare.is_empty() || v.minor == bare || v.number == bare)
        .ok_or_else(|| Error::Version {
            asked: asked.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_modules_are_those_of_the_version() {
        for version in &VERSIONS {
            let (module, sums) = version.kubernetes;
            assert!(module.contains(&format!("require k8s.io/kubernetes v{}\n", version.number)));
            assert!(sums.contains(&format!("k8s.io/kubernetes v{} h1:", version.number)));
            let (module, sums) = version.etcd_modules;
            assert!(module.contains(&format!("go.etcd.io/etcd/server/v3 v{}\n", version.etcd)));
            assert!(sums.contains(&format!("go.etcd.io/etcd/server/v3 v{} h1:", version.etcd)));
            assert!(version.number.starts_with(version.minor));
        }
    }

    #[test]
    fn versions_are_found_by_minor_and_number() {
        assert_eq!(find("").unwrap().minor, "1.34");
        assert_eq!(find("v1.33").unwrap().number, "1.33.13");
        assert_eq!(find("1.34.4").unwrap().minor, "1.34");
        let error = find("1.12").unwrap_err().to_string();
        assert!(error.contains("1.33.13, 1.34.4"), "{error}");
    }
}
