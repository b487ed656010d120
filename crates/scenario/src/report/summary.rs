//! The sum of a run.

use serde::Serialize;

use crate::run::{Outcome, ScenarioReport};

/// How many scenarios ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Summary {
    pub held: usize,
    pub failed: usize,
    pub broken: usize,
    pub skipped: usize,
}

impl Summary {
    /// Counts.
    pub fn of(reports: &[ScenarioReport]) -> Self {
        let mut summary = Self::default();
        for report in reports {
            match report.outcome {
                Outcome::Held => summary.held += 1,
                Outcome::Failed => summary.failed += 1,
                Outcome::Broken => summary.broken += 1,
                Outcome::Skipped => summary.skipped += 1,
            }
        }
        summary
    }

    /// 0: all held; 1: an expectation failed; 2: something could not be set up.
    pub fn exit_code(&self) -> u8 {
        match (self.broken, self.failed) {
            (0, 0) => 0,
            (0, _) => 1,
            _ => 2,
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} held, {} failed, {} broken, {} skipped",
            self.held, self.failed, self.broken, self.skipped
        )
    }
}
