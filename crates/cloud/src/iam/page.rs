//! Lists in pages: `MaxItems` (1 to 1000, 100 if absent) and `Marker`.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::texts;
use crate::{ServiceError, constraint::Constraints};

/// What part of a list is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// How many entries at most.
    pub max_items: Option<i32>,
    /// Where the page before ended.
    pub marker: Option<String>,
}

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where the next page begins; absent at the end.
    pub marker: Option<String>,
}

impl PageRequest {
    pub(super) fn check(&self, constraints: &mut Constraints) {
        if let Some(n) = self.max_items {
            constraints.range("maxItems", i64::from(n), 1, 1_000);
        }
        if let Some(marker) = &self.marker {
            constraints.length("marker", marker, 1, 320);
        }
    }

    /// Cuts the page out of a list sorted by `key`.
    pub(super) fn cut<T>(
        &self,
        items: Vec<T>,
        key: impl Fn(&T) -> &str,
    ) -> Result<Page<T>, ServiceError> {
        let after = match &self.marker {
            None => None,
            Some(marker) => Some(
                STANDARD
                    .decode(marker)
                    .ok()
                    .and_then(|bytes| String::from_utf8(bytes).ok())
                    .ok_or_else(texts::bad_marker)?,
            ),
        };
        let most = usize::try_from(self.max_items.unwrap_or(100)).unwrap_or(100);
        let mut items: Vec<T> = items
            .into_iter()
            .filter(|item| after.as_deref().is_none_or(|after| key(item) > after))
            .take(most + 1)
            .collect();
        let more = items.len() > most;
        items.truncate(most);
        let marker = more
            .then(|| items.last().map(|item| STANDARD.encode(key(item))))
            .flatten();
        Ok(Page { items, marker })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_join_up() {
        let all: Vec<String> = (0..7).map(|n| format!("n{n}")).collect();
        let mut request = PageRequest {
            max_items: Some(3),
            marker: None,
        };
        let mut seen = Vec::new();
        loop {
            let page = request.cut(all.clone(), String::as_str).unwrap();
            seen.extend(page.items);
            match page.marker {
                Some(marker) => request.marker = Some(marker),
                None => break,
            }
        }
        assert_eq!(seen, all);
    }
}
