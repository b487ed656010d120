//! The journal, read at once, waited for, or followed.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use emu_core::{Entry, Span};
use http::{HeaderValue, Response, header, request::Parts};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{Problem, ok, problem};
use crate::front::{Body, Front, bytes, stream};

/// What of the journal is asked for.
#[derive(Debug, Default)]
struct Question {
    /// Entries after this one.
    since: u64,
    /// At most so many.
    limit: Option<usize>,
    /// Only these types (`apiCall`), any of them.
    types: Vec<String>,
    /// Only entries where the member at a dotted path has a value: `caller.kind=assumed-role`.
    members: Vec<(String, String)>,
    /// Wait this long for a first entry.
    wait: Option<Duration>,
    /// One entry a line, and go on as they come.
    follow: bool,
}

/// `GET /_emu/journal?since=&type=&limit=&wait=&follow=&<member>=<value>`.
pub(super) async fn answer(front: &Front, parts: &Parts) -> Response<Body> {
    let question = match Question::read(parts.uri.query().unwrap_or_default()) {
        Ok(question) => question,
        Err(Problem { status, message }) => return bytes(problem(status, &message)),
    };
    let journal = front.cloud.journal().clone();
    if question.follow {
        let since = question.since;
        let entries = futures::stream::unfold(
            (
                journal,
                question,
                since,
                Vec::<Arc<Entry>>::new().into_iter(),
            ),
            |(journal, question, mut since, mut pending)| async move {
                loop {
                    for entry in pending.by_ref() {
                        since = entry.seq;
                        if let Some(value) = question.fits(&entry) {
                            let line = Bytes::from(format!("{value}\n"));
                            return Some((line, (journal, question, since, pending)));
                        }
                    }
                    let mut news = journal.subscribe();
                    news.mark_unchanged();
                    pending = journal.since(since).into_iter();
                    if pending.len() == 0 && news.changed().await.is_err() {
                        return None;
                    }
                }
            },
        );
        let mut response = Response::new(stream(entries));
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-ndjson"),
        );
        return response;
    }
    if let Some(limit) = question.wait {
        journal
            .wait(question.since, limit, |entry| {
                question.fits(entry).is_some()
            })
            .await;
    }
    let last = journal.last();
    let entries: Vec<Value> = journal
        .since(question.since)
        .iter()
        .filter_map(|entry| question.fits(entry))
        .take(question.limit.unwrap_or(usize::MAX))
        .collect();
    bytes(ok(&json!({ "last": last, "entries": entries })))
}

impl Question {
    fn read(query: &str) -> Result<Self, Problem> {
        let mut question = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "since" => question.since = number(&name, &value)?,
                "limit" => question.limit = Some(number(&name, &value)? as usize),
                "type" => question.types.extend(value.split(',').map(str::to_owned)),
                "wait" => {
                    let span: Span = value
                        .parse()
                        .map_err(|e| Problem::bad(format!("wait: {e}")))?;
                    question.wait = Some(span.get());
                }
                "follow" => question.follow = value != "false" && value != "0",
                _ => question
                    .members
                    .push((name.into_owned(), value.into_owned())),
            }
        }
        Ok(question)
    }

    /// The entry as JSON, if it fits.
    fn fits(&self, entry: &Entry) -> Option<Value> {
        let value = serde_json::to_value(entry).ok()?;
        let kind = value["type"].as_str().unwrap_or_default();
        if !self.types.is_empty() && !self.types.iter().any(|t| t == kind) {
            return None;
        }
        for (path, wanted) in &self.members {
            let found = path.split('.').try_fold(&value, |at, name| at.get(name))?;
            let same = match found.as_str() {
                Some(text) => text == wanted,
                None => serde_json::from_str::<Value>(wanted).is_ok_and(|wanted| wanted == *found),
            };
            if !same {
                return None;
            }
        }
        Some(value)
    }
}

fn number(name: &str, value: &str) -> Result<u64, Problem> {
    value
        .parse()
        .map_err(|_| Problem::bad(format!("{name}: `{value}` is not a number")))
}
