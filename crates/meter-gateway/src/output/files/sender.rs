//! Readings in, lines on the disk out.

use std::fmt::{Display, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use meter_core::{Shown, payload};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Format;
use super::archive::Policy;
use super::config::Config;
use super::day::Day;
use super::trouble::Trouble;
use super::writer::Writer;
use crate::output::delivery::{Failure, Sender, Sent};
use crate::output::shape::Shaped;

/// The most readings that are written at once; each time waits for the disk.
const MOST: usize = 100;
/// So many bytes of readings are worth a write, however few they are.
const ENOUGH: usize = 128 << 10;
/// How long after a look at the days that are over the next one is taken.
const TIDY_EVERY: Duration = Duration::from_mins(10);

/// One output into files at work.
#[derive(Debug)]
pub(super) struct Files {
    format: Format,
    config: Config,
    /// Shared with the thread that writes, which goes on when nobody waits for it any more.
    writer: Arc<Mutex<Writer>>,
    most: usize,
    /// Fresh readings are collected until then, or until the end.
    collect_until: Instant,
    ending: CancellationToken,
    tidy_at: Instant,
    /// All that may be in the files already has come again, if it had to.
    caught_up: bool,
}

impl Files {
    /// `ending` says that nothing more is collected.
    pub(super) fn new(
        config: &Config,
        format: Format,
        output: &str,
        ending: CancellationToken,
    ) -> Self {
        let rate = config.delivery.max_rate.map_or(MOST, |rate| {
            usize::try_from(rate.get()).unwrap_or(usize::MAX)
        });
        let writer = Writer::new(config.directory.clone(), output, format);
        Self {
            format,
            config: config.clone(),
            writer: Arc::new(Mutex::new(writer)),
            most: rate.min(MOST),
            collect_until: Instant::now(),
            ending,
            tidy_at: Instant::now(),
            caught_up: false,
        }
    }

    /// Lets a thread work that may wait for the disk.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> T + Send + 'static,
    ) -> Result<T, Trouble> {
        let writer = Arc::clone(&self.writer);
        let done = spawn_blocking(move || {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut writer)
        });
        done.await
            .map_err(|error| Trouble::stopped(&self.config.directory, &error))
    }

    /// Looks after the days that are over, when it is time to.
    async fn tidy(&mut self) {
        if !self.caught_up || Instant::now() < self.tidy_at {
            return;
        }
        let policy = Policy {
            compress_after: self.config.compress_after.get(),
            keep_days: self.config.keep_days,
        };
        let more = self.on_disk(move |writer| writer.tidy(policy)).await;
        self.tidy_at = Instant::now();
        if !more.unwrap_or(false) {
            self.tidy_at += TIDY_EVERY.min(policy.compress_after);
        }
    }
}

impl Sender for Files {
    const SUSPECT_KEYS: &'static str = "directory";

    fn to(&self) -> impl Display + Send {
        self.config.directory.display()
    }

    fn most(&self) -> usize {
        self.most
    }

    async fn send(&mut self, readings: &[Shaped<'_>]) -> Result<Sent, Failure> {
        self.tidy().await;
        let days = write(readings, self.format);
        let bytes: usize = readings.iter().map(|shaped| shaped.record.body.len()).sum();
        let backlog = readings.len() >= self.most || bytes >= ENOUGH;
        if !backlog {
            let collecting = sleep_until(self.collect_until);
            let _ = self.ending.run_until_cancelled(collecting).await;
        }
        let written = self
            .on_disk(move |writer| append(writer, &days, backlog))
            .await;
        self.collect_until = Instant::now() + self.config.sync_interval.get();
        self.caught_up |= !backlog;
        match written? {
            (0, Some(trouble)) => Err(trouble.into()),
            (readings, _) => Ok(Sent::all(readings)),
        }
    }

    async fn idle(&mut self) -> Failure {
        self.caught_up = true;
        loop {
            sleep_until(self.tidy_at).await;
            self.tidy().await;
        }
    }
}

/// Lines for the file of one day.
#[derive(Debug)]
struct Lines {
    day: Day,
    text: String,
    /// Of how many readings.
    readings: usize,
}

/// Readings as lines, in their order.
fn write(readings: &[Shaped<'_>], format: Format) -> Vec<Lines> {
    let mut days: Vec<Lines> = Vec::new();
    for shaped in readings {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = match format {
            Format::Csv => payload::csv(shaped, &mut text),
            Format::Jsonl => {
                payload::json(&[*shaped], &mut text).and_then(|()| text.write_char('\n'))
            }
        };
        let day = Day::of(shaped.time());
        match days.last_mut().filter(|last| last.day == day) {
            Some(last) => {
                last.text.push_str(&text);
                last.readings += 1;
            }
            None => days.push(Lines {
                day,
                text,
                readings: 1,
            }),
        }
    }
    days
}

/// Returns how many readings are on the disk, and what is in the way of the others.
fn append(writer: &mut Writer, days: &[Lines], backlog: bool) -> (usize, Option<Trouble>) {
    let mut readings = 0;
    for lines in days {
        if let Err(trouble) = writer.append(&lines.day, &lines.text) {
            return (readings, Some(trouble));
        }
        readings += lines.readings;
    }
    if !backlog {
        writer.forget_known();
    }
    (readings, None)
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use meter_core::{Reading, UnixMillis};
    use sml_wire::GetListRes;
    use tokio::time::timeout;

    use super::*;
    use crate::journal::Record;
    use crate::output::shape::Shape;

    fn record(seq: u64) -> Result<Record, Box<dyn Error>> {
        let meter = [0x0a, 1, b'E', b'M', b'H', 0, 0, 0xa1, 0xbd, 0x34];
        let mut buffer = [0; 256];
        let body = Reading::new(GetListRes::of(&meter)).emit(&mut buffer);
        Ok(Record {
            seq,
            meter: meter.into(),
            time: UnixMillis(i64::try_from(seq)?),
            body: body.map_err(|_| "too long")?.to_vec(),
        })
    }

    #[tokio::test]
    async fn what_is_collected_is_written_when_the_end_comes() -> Result<(), Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let mut config = Config::new(directory.path().to_owned());
        config.sync_interval = crate::config::Duration::from_secs(3600);
        let ending = CancellationToken::new();
        let mut files = Files::new(&config, Format::Jsonl, "house", ending.clone());
        let (first, second, shape) = (record(1)?, record(2)?, Shape::default());
        let first = [Shaped::new(&first, &[], &shape).map_err(|_| "no reading")?];
        let second = [Shaped::new(&second, &[], &shape).map_err(|_| "no reading")?];
        assert_eq!(files.send(&first).await.map_err(|_| "send")?.readings, 1);
        {
            let mut sending = std::pin::pin!(files.send(&second));
            let soon = timeout(Duration::from_millis(100), &mut sending).await;
            assert!(soon.is_err(), "it is not collected");
            ending.cancel();
            assert_eq!(sending.await.map_err(|_| "send")?.readings, 1);
        }
        let text = std::fs::read_to_string(directory.path().join("house-1970-01-01.jsonl"))?;
        assert_eq!(text.lines().count(), 2, "{text}");
        Ok(())
    }
}
