//! Lines on standard error as the original's klog writes them.

use std::fmt;

use emu_core::Clock;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// Writes log lines to standard error, unless the program already has them written elsewhere. `verbosity` is `-v`.
pub(crate) fn init(verbosity: i64, clock: Clock) {
    let level = match verbosity {
        i64::MIN..=2 => "info",
        3..=4 => "debug",
        _ => "trace",
    };
    // Ours at the level asked for, what is below us only if something is wrong.
    let filter = tracing_subscriber::EnvFilter::new(format!("error,emu_webhook={level}"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .event_format(Klog { clock })
        .try_init();
}

struct Klog {
    clock: Clock,
}

impl<S, N> FormatEvent<S, N> for Klog
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let severity = match *metadata.level() {
            Level::ERROR => 'E',
            Level::WARN => 'W',
            _ => 'I',
        };
        let file = metadata.file().unwrap_or("?");
        let file = file.rsplit('/').next().unwrap_or(file);
        write!(
            writer,
            "{severity}{} {:>7} {file}:{}] ",
            self.clock.now().strftime("%m%d %H:%M:%S.%6f"),
            std::process::id(),
            metadata.line().unwrap_or(0),
        )?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
