//! The agent's log: JSON lines as logrus writes them, to standard output, to the journal, or nowhere.

use std::{fmt, io::Write as _, str::FromStr};

use emu_core::{Clock, Event, Journal};

use crate::go::json::push_string;

/// How much is said. The names are logrus's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Above `fatal`; nothing the twin says.
    Panic,
    /// The end.
    Fatal,
    /// Failed requests.
    Error,
    /// What is odd.
    Warning,
    /// What is done; the default.
    Info,
    /// More of it.
    Debug,
    /// All of it.
    Trace,
}

impl Level {
    /// The name in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The level is not one of logrus's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid logrus Level: {0:?}")]
pub struct UnknownLevel(pub String);

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Ok(match text.to_lowercase().as_str() {
            "panic" => Self::Panic,
            "fatal" => Self::Fatal,
            "error" => Self::Error,
            "warn" | "warning" => Self::Warning,
            "info" => Self::Info,
            "debug" => Self::Debug,
            "trace" => Self::Trace,
            _ => return Err(UnknownLevel(text.into())),
        })
    }
}

/// Where a log goes.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) level: Level,
    pub(crate) stdout: bool,
    pub(crate) journal: Option<Journal>,
    pub(crate) clock: Clock,
    pub(crate) node: String,
}

/// Fields that come with a line.
pub(crate) type Fields = Vec<(&'static str, String)>;

impl Log {
    /// Whether anybody would see a line of that level.
    pub(crate) fn enabled(&self, level: Level) -> bool {
        level <= self.level && (self.stdout || self.journal.is_some())
    }

    /// Writes a line.
    pub(crate) fn write(&self, level: Level, fields: &Fields, message: impl fmt::Display) {
        if !self.enabled(level) {
            return;
        }
        let line = self.line(level, fields, &message.to_string());
        if self.stdout {
            let mut out = std::io::stdout().lock();
            let _ = out
                .write_all(line.as_bytes())
                .and_then(|()| out.write_all(b"\n"));
        }
        if let Some(journal) = &self.journal {
            journal.record(Event::Log {
                component: "agent".into(),
                node: Some(self.node.clone()),
                level: level.as_str().into(),
                line,
            });
        }
    }

    fn line(&self, level: Level, fields: &Fields, message: &str) -> String {
        let time = self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut all: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        all.extend([
            ("level", level.as_str()),
            ("msg", message),
            ("time", time.as_str()),
        ]);
        // logrus writes a map, and Go sorts maps; the last value of a name wins.
        all.sort_by_key(|(name, _)| *name);
        let mut out = Vec::with_capacity(200);
        out.push(b'{');
        for (at, (name, value)) in all.iter().enumerate() {
            if all.get(at + 1).is_some_and(|(next, _)| next == name) {
                continue;
            }
            if out.len() > 1 {
                out.push(b',');
            }
            push_string(&mut out, name);
            out.push(b':');
            if matches!(
                *name,
                "request_time_ms" | "refreshTtl" | "ttl" | "cache-hit"
            ) {
                out.extend_from_slice(value.as_bytes());
            } else {
                push_string(&mut out, value);
            }
        }
        out.push(b'}');
        String::from_utf8_lossy(&out).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_sorted_json() {
        let journal = Journal::new(Clock::new(), 10);
        let log = Log {
            level: Level::Info,
            stdout: false,
            journal: Some(journal.clone()),
            clock: Clock::new(),
            node: "n".into(),
        };
        log.write(Level::Debug, &Fields::new(), "unseen");
        log.write(
            Level::Info,
            &vec![("ttl", "5".into()), ("cluster-name", "demo".into())],
            "a \"b\"",
        );
        let entries = journal.since(0);
        assert_eq!(entries.len(), 1);
        let Event::Log { line, .. } = &entries[0].event else {
            panic!()
        };
        assert!(
            line.starts_with(r#"{"cluster-name":"demo","level":"info","msg":"a \"b\"","time":""#),
            "{line}"
        );
        assert!(line.ends_with(r#"Z","ttl":5}"#), "{line}");
    }

    #[test]
    fn levels_are_those_of_logrus() {
        assert_eq!("WARN".parse(), Ok(Level::Warning));
        assert!("loud".parse::<Level>().is_err());
    }
}
