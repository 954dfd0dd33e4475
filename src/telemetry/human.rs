//! Lines of the log for people.

use std::fmt::{self, Write};

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Full, Writer, format},
    },
    registry::LookupSpan,
};

use super::subject;

/// Writes an event as `tracing_subscriber` does, and what the line is about
/// behind it.
pub(super) struct HumanLine {
    format: Format<Full>,
}

impl HumanLine {
    pub(super) fn new(is_ansi: bool) -> Self {
        Self { format: format().with_target(false).with_ansi(is_ansi) }
    }
}

impl<S, N> FormatEvent<S, N> for HumanLine
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
        let Some(subject) = subject::current() else {
            return self.format.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.format.format_event(context, Writer::new(&mut line), event)?;
        line.truncate(line.trim_end().len());
        subject.fields(&mut |name, value| {
            // Writing to a string does not fail.
            let _ = write!(line, " {name}={value}");
        });
        writeln!(writer, "{line}")
    }
}
