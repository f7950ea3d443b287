//! Steps that are run one after the other, each with a heading, a time and a result.

use std::time::{Duration, Instant};

use crate::failure::Failure;

/// How one step ended when nothing was wrong.
pub enum Done {
    /// It was checked and it holds.
    Passed,
    /// It could not be checked on this machine, for the reason given.
    Skipped(String),
}

impl From<()> for Done {
    fn from((): ()) -> Self {
        Self::Passed
    }
}

struct Taken {
    name: &'static str,
    time: Duration,
    result: Result<Done, Failure>,
}

/// The steps that were run so far.
#[derive(Default)]
pub struct Steps {
    taken: Vec<Taken>,
}

impl Steps {
    /// Runs one step. A failed step does not keep the next ones from running: whoever
    /// waits for a long run wants to know everything that is wrong.
    pub fn run<D: Into<Done>>(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> Result<D, Failure>,
    ) {
        println!("\n==> {name}");
        let start = Instant::now();
        let result = step().map(Into::into);
        let time = start.elapsed();
        match &result {
            Ok(Done::Passed) => {}
            Ok(Done::Skipped(reason)) => println!("skipped: {reason}"),
            Err(failure) => println!("FAILED: {failure}"),
        }
        println!("<== {name}: {:.1} s", time.as_secs_f64());
        self.taken.push(Taken { name, time, result });
    }

    /// Prints what became of each step, and one closing line that a program can read.
    pub fn finish(self) -> Result<(), Failure> {
        println!("\n==> steps");
        for taken in &self.taken {
            let (result, why) = match &taken.result {
                Ok(Done::Passed) => ("passed", String::new()),
                Ok(Done::Skipped(reason)) => ("skipped", format!("  ({reason})")),
                Err(failure) => ("FAILED", format!("  ({failure})")),
            };
            println!(
                "{result:>8}  {:7.1} s  {}{why}",
                taken.time.as_secs_f64(),
                taken.name
            );
        }
        let skipped = self.count(|result| matches!(result, Ok(Done::Skipped(_))));
        let passed = self.count(|result| matches!(result, Ok(Done::Passed)));
        let failed: Vec<_> = self
            .taken
            .iter()
            .filter(|taken| taken.result.is_err())
            .map(|taken| taken.name)
            .collect();
        let skipped = if skipped == 0 {
            String::new()
        } else {
            format!(", {skipped} skipped")
        };
        println!("\n{passed} passed, {} failed{skipped}", failed.len());
        if failed.is_empty() {
            Ok(())
        } else {
            Err(Failure::Steps(failed))
        }
    }

    fn count(&self, wanted: impl Fn(&Result<Done, Failure>) -> bool) -> usize {
        self.taken
            .iter()
            .filter(|taken| wanted(&taken.result))
            .count()
    }
}
