//! Pages of a list, with tokens that no change in between confuses.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// One page of a list, with the token for the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page<T> {
    /// The items of this page.
    pub(super) items: Vec<T>,
    /// What to ask the next page with.
    pub(super) next_token: Option<String>,
}

/// Cuts a page out of `items`, which must be sorted by `key`. The token carries the last key, so that a list that
/// changes meanwhile neither repeats nor skips. `None` when the token is not one of ours.
pub(super) fn page<T>(
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> &str,
    max: usize,
    token: Option<&str>,
) -> Option<Page<T>> {
    let after = match token.filter(|t| !t.is_empty()) {
        Some(token) => Some(String::from_utf8(STANDARD.decode(token).ok()?).ok()?),
        None => None,
    };
    let mut rest = items
        .into_iter()
        .filter(|item| after.as_deref().is_none_or(|after| key(item) > after));
    let items: Vec<T> = rest.by_ref().take(max.max(1)).collect();
    let next_token = rest
        .next()
        .and_then(|_| items.last().map(|last| STANDARD.encode(key(last))));
    Some(Page { items, next_token })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        let items = ["a", "b", "c", "d", "e"];
        let mut token = None;
        let mut seen = Vec::new();
        loop {
            let page = page(items, |i| i, 2, token.as_deref()).unwrap();
            seen.extend(page.items);
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, items);
        assert!(page(items, |i| i, 2, Some("???")).is_none());
    }
}
