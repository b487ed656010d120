//! The association somebody probably meant.

use emu_core::ServiceAccountRef;

/// In words, the association nearest to a service account that has none; `None` if none is near.
pub(crate) fn near_miss(
    wanted: &ServiceAccountRef,
    associations: &[ServiceAccountRef],
) -> Option<String> {
    let nearest = associations
        .iter()
        .filter_map(|candidate| Some((distance(wanted, candidate)?, candidate)))
        .min()?;
    let ((rank, _), found) = nearest;
    let difference = match rank {
        0 => "in another namespace",
        1 => "with a similar name",
        _ => "with a similar name in a similar namespace",
    };
    Some(format!(
        "no association for service account {wanted}; there is one {difference}: {found}"
    ))
}

/// How far two service accounts are apart: the kind of difference first, then the edits.
fn distance(wanted: &ServiceAccountRef, candidate: &ServiceAccountRef) -> Option<(u8, usize)> {
    let namespace = strsim::osa_distance(&wanted.namespace, &candidate.namespace);
    if wanted.service_account == candidate.service_account {
        return Some((0, namespace));
    }
    if !similar(&wanted.service_account, &candidate.service_account) {
        return None;
    }
    let name = strsim::osa_distance(&wanted.service_account, &candidate.service_account);
    if wanted.namespace == candidate.namespace {
        return Some((1, name));
    }
    similar(&wanted.namespace, &candidate.namespace).then_some((2, name + namespace))
}

/// Whether one text looks like a slip for the other: few edits for its length, or one with a suffix more.
fn similar(a: &str, b: &str) -> bool {
    let longest = a.chars().count().max(b.chars().count());
    let prefix = |short: &str, long: &str| short.len() >= 3 && long.starts_with(short);
    a.eq_ignore_ascii_case(b)
        || strsim::osa_distance(a, b) * 3 <= longest
        || prefix(a, b)
        || prefix(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest() {
        let all = [
            ServiceAccountRef::new("prod", "reader"),
            ServiceAccountRef::new("demo", "reader-sa"),
            ServiceAccountRef::new("demo", "writer"),
        ];
        let told = |ns: &str, name: &str| near_miss(&ServiceAccountRef::new(ns, name), &all);
        assert!(
            told("demo", "reader")
                .unwrap()
                .ends_with("in another namespace: prod/reader")
        );
        assert!(
            told("demo", "writr")
                .unwrap()
                .ends_with("with a similar name: demo/writer")
        );
        assert_eq!(told("demo", "billing"), None);
    }
}
