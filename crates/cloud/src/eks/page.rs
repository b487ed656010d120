//! Pages of a list. The token is opaque and only good with the same other parameters.

use std::hash::{DefaultHasher, Hash, Hasher};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use emu_core::Settings;

use super::texts;
use crate::ServiceError;

/// `maxResults` and `nextToken` as they came.
#[derive(Clone, Debug, Default)]
pub struct PageRequest {
    /// 1 to 100; 100 by default (model).
    pub max_results: Option<String>,
    /// From the page before.
    pub next_token: Option<String>,
}

/// A page.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last.
    pub next_token: Option<String>,
}

impl PageRequest {
    /// Cuts the page out of all items. `scope` stands for the other parameters; `key` orders the items.
    pub(super) fn cut<T>(
        &self,
        settings: &Settings,
        scope: impl Hash,
        items: impl Iterator<Item = (String, T)>,
    ) -> Result<Page<T>, ServiceError> {
        let size = self.size()?;
        let mut hasher = DefaultHasher::new();
        scope.hash(&mut hasher);
        let scope = format!("{:016x}", hasher.finish());
        let after = match self.next_token.as_deref().filter(|t| !t.is_empty()) {
            None => None,
            Some(token) => Some(
                URL_SAFE_NO_PAD
                    .decode(token)
                    .ok()
                    .and_then(|bytes| String::from_utf8(bytes).ok())
                    .and_then(|text| text.strip_prefix(&scope).map(str::to_owned))
                    .ok_or_else(|| texts::bad_next_token(settings))?,
            ),
        };
        let mut rest =
            items.skip_while(|(key, _)| after.as_ref().is_some_and(|after| key <= after));
        let mut last = None;
        let mut page = Vec::new();
        for (key, item) in rest.by_ref().take(size) {
            last = Some(key);
            page.push(item);
        }
        let more = rest.next().is_some();
        Ok(Page {
            items: page,
            next_token: last
                .filter(|_| more)
                .map(|key| URL_SAFE_NO_PAD.encode(format!("{scope}{key}"))),
        })
    }

    fn size(&self) -> Result<usize, ServiceError> {
        match self.max_results.as_deref().map(str::parse::<i64>) {
            None => Ok(100),
            Some(Ok(n @ 1..=100)) => Ok(n as usize),
            // Model: 1 to 100; the text is inferred.
            Some(_) => Err(texts::invalid("maxResults must be between 1 and 100")),
        }
    }
}
