//! A run as JUnit XML, as CI systems read it.

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};

use super::{Summary, failure_story};
use crate::run::{Outcome, ScenarioReport};

/// One test case a scenario.
///
/// # Errors
/// If the XML cannot be written, which memory alone can cause.
pub fn junit(reports: &[ScenarioReport]) -> std::io::Result<String> {
    let mut out = Writer::new_with_indent(Vec::new(), b' ', 2);
    let summary = Summary::of(reports);
    out.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let mut suite = BytesStart::new("testsuite");
    let total: u64 = reports.iter().map(|r| r.millis).sum();
    for (name, value) in [
        ("name", "emu".to_owned()),
        ("tests", reports.len().to_string()),
        ("failures", summary.failed.to_string()),
        ("errors", summary.broken.to_string()),
        ("skipped", summary.skipped.to_string()),
        ("time", seconds(total)),
    ] {
        suite.push_attribute((name, value.as_str()));
    }
    out.write_event(Event::Start(suite))?;
    for report in reports {
        case(&mut out, report)?;
    }
    out.write_event(Event::End(BytesEnd::new("testsuite")))?;
    String::from_utf8(out.into_inner()).map_err(std::io::Error::other)
}

fn case(out: &mut Writer<Vec<u8>>, report: &ScenarioReport) -> std::io::Result<()> {
    let mut case = BytesStart::new("testcase");
    let file = report.file.display().to_string();
    let time = seconds(report.millis);
    for (name, value) in [
        ("classname", "emu"),
        ("name", report.scenario.as_str()),
        ("file", file.as_str()),
        ("time", time.as_str()),
    ] {
        case.push_attribute((name, value));
    }
    let element = match report.outcome {
        Outcome::Held => return out.write_event(Event::Empty(case)),
        Outcome::Failed => "failure",
        Outcome::Broken => "error",
        Outcome::Skipped => "skipped",
    };
    out.write_event(Event::Start(case))?;
    let mut child = BytesStart::new(element);
    let message = report.reason.clone().unwrap_or_else(|| {
        report
            .steps
            .iter()
            .flat_map(|step| &step.mismatches)
            .map(|m| format!("{}: expected {}, found {}", m.key, m.expected, m.found))
            .next()
            .unwrap_or_default()
    });
    child.push_attribute(("message", message.as_str()));
    out.write_event(Event::Start(child))?;
    let story = failure_story(report);
    out.write_event(Event::Text(BytesText::new(&story)))?;
    out.write_event(Event::End(BytesEnd::new(element)))?;
    out.write_event(Event::End(BytesEnd::new("testcase")))
}

fn seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1_000, millis % 1_000)
}
