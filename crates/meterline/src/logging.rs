//! Where log lines go: to standard error, or into the live view.

use std::fmt;
use std::io::{self, IsTerminal as _};

use tokio::sync::mpsc;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::failure::Failure;
use crate::paint::{Paint, When};

/// What is logged (`--log`).
#[derive(Debug, Clone, clap::Args)]
pub struct LogArguments {
    /// What to log: error, warn, info, debug, trace, or a filter like `info,meter_gateway=debug`
    #[arg(
        long,
        value_name = "FILTER",
        env = "METERLINE_LOG",
        default_value = "info"
    )]
    log: String,
}

impl LogArguments {
    fn filter(&self) -> Result<EnvFilter, Failure> {
        EnvFilter::try_new(&self.log).map_err(|error| Failure::LogFilter(error.to_string()))
    }

    /// Logs to standard error from now on, the way its reader wants it: coloured for a person,
    /// with the priority and without a time for the journal of systemd, plain for a file.
    pub fn to_stderr(&self, color: When) -> Result<Hush, Failure> {
        let filter = self.filter()?;
        let builder = tracing_subscriber::fmt().with_writer(io::stderr);
        // It fails only when nothing is logged any more, which is what is wanted.
        Ok(
            if std::env::var_os("JOURNAL_STREAM").is_some() && !io::stderr().is_terminal() {
                let builder = builder
                    .with_ansi(false)
                    .event_format(ForJournal)
                    .with_env_filter(filter)
                    .with_filter_reloading();
                let filter = builder.reload_handle();
                builder.init();
                Hush(Box::new(move || {
                    drop(filter.reload(EnvFilter::new("error")));
                }))
            } else {
                let colored = Paint::new(color, &io::stderr()).is_on();
                let builder = builder.with_ansi(colored).with_target(false);
                let builder = builder.with_env_filter(filter).with_filter_reloading();
                let filter = builder.reload_handle();
                builder.init();
                Hush(Box::new(move || {
                    drop(filter.reload(EnvFilter::new("error")));
                }))
            },
        )
    }

    /// Sends log lines to the live view from now on.
    pub fn to_view(&self) -> Result<mpsc::UnboundedReceiver<Line>, Failure> {
        let (sender, receiver) = mpsc::unbounded_channel();
        tracing_subscriber::fmt()
            .with_env_filter(self.filter()?)
            .with_writer(ToView(sender))
            .with_ansi(false)
            .without_time()
            .with_level(false)
            .with_target(false)
            .init();
        Ok(receiver)
    }
}

/// Ends all log lines but errors, when what is taken down would only complain about that.
pub struct Hush(Box<dyn Fn()>);

impl Hush {
    /// From now on.
    pub fn now(&self) {
        (self.0)();
    }
}

/// One line of the log for the live view.
#[derive(Debug, Clone)]
pub struct Line {
    /// How serious it is.
    pub level: Level,
    /// What it says.
    pub text: String,
}

/// Lines as the journal of systemd takes them: the priority in front (sd-daemon(3)), no time.
struct ForJournal;

impl<S, N> FormatEvent<S, N> for ForJournal
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
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        context
            .field_format()
            .format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

struct ToView(mpsc::UnboundedSender<Line>);

impl<'a> MakeWriter<'a> for ToView {
    type Writer = LineWriter;

    fn make_writer(&'a self) -> LineWriter {
        LineWriter {
            level: Level::INFO,
            sender: self.0.clone(),
        }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> LineWriter {
        LineWriter {
            level: *metadata.level(),
            sender: self.0.clone(),
        }
    }
}

/// Takes one event, which the formatter writes in one piece.
struct LineWriter {
    level: Level,
    sender: mpsc::UnboundedSender<Line>,
}

impl io::Write for LineWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(buffer).trim_end().to_owned();
        // The view has closed: it was the only reader.
        let _ = self.sender.send(Line {
            level: self.level,
            text,
        });
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
