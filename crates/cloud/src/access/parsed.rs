//! Policies that come as text, parsed once as long as they are used.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use emu_policy::{Document, DocumentKind};

/// How many are kept; when there are more, all are forgotten and read anew.
const MOST: usize = 512;

type ByText = HashMap<Box<str>, Arc<Document>>;

/// Documents by kind and text.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    documents: RwLock<HashMap<DocumentKind, ByText>>,
}

impl Parsed {
    /// The document of a text; nothing if it is malformed.
    pub(crate) fn get(&self, kind: DocumentKind, text: &str) -> Option<Arc<Document>> {
        let documents = self
            .documents
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(document) = documents.get(&kind).and_then(|known| known.get(text)) {
            return Some(Arc::clone(document));
        }
        drop(documents);
        let document = Arc::new(Document::parse(text, kind).ok()?);
        let mut documents = self
            .documents
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let known = documents.entry(kind).or_default();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(text.into(), Arc::clone(&document));
        Some(document)
    }
}
