//! What the program logs, for tests that expect a line and for those that expect none.

use std::fmt::Write;
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

static LINES: Mutex<Vec<(ThreadId, String)>> = Mutex::new(Vec::new());
static START: Once = Once::new();

struct Collector;

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO && metadata.target().starts_with("meter_gateway")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LINES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((thread::current().id(), line.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

/// Listens from now on.
pub fn listen() {
    START.call_once(|| {
        // Nobody else sets one in these tests.
        let _ = tracing::subscriber::set_global_default(Collector);
    });
}

/// Every line at INFO or above so far, of all threads or of one: its level, then its fields.
pub fn lines(of: Option<ThreadId>) -> Vec<String> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let wanted = lines
        .iter()
        .filter(|(thread, _)| of.is_none_or(|of| of == *thread));
    wanted.map(|(_, line)| line.clone()).collect()
}
