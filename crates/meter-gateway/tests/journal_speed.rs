//! How fast the journal is: `cargo test --release -p meter-gateway --test journal_speed -- --ignored --nocapture`.

#![expect(clippy::print_stdout, reason = "the numbers are for a person")]

use std::time::Instant;

use meter_core::UnixMillis;
use meter_gateway::journal::{Journal, Options, Start};

const READINGS: u32 = 5000;
const LATE: UnixMillis = UnixMillis(i64::MAX / 2);

#[tokio::test]
#[ignore = "a measurement, not a test"]
async fn readings_per_second() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let journal = Journal::open(Options::in_directory(directory.path()))?;
    let mut cursor = journal.cursor("home", Start::Now).await?;

    let start = Instant::now();
    for _ in 0..READINGS {
        journal.append(b"0123456789", LATE, vec![7; 300]).await?;
    }
    report("appended one by one", start);

    let start = Instant::now();
    while let Some(last) = cursor.next(100).await?.last() {
        cursor.ack(last.seq).await?;
    }
    report("fetched and acknowledged by the hundred", start);

    let start = Instant::now();
    for _ in 0..READINGS {
        journal.append(b"0123456789", LATE, vec![7; 300]).await?;
        for record in cursor.next(100).await? {
            cursor.ack(record.seq).await?;
        }
    }
    report("appended, fetched and acknowledged one by one", start);

    let start = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..50 {
        let journal = journal.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..READINGS / 50 {
                journal.append(b"0123456789", LATE, vec![7; 300]).await?;
            }
            Ok::<(), meter_gateway::journal::AppendError>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    report("appended by fifty at once", start);
    Ok(())
}

fn report(what: &str, start: Instant) {
    println!(
        "{:>9.0} readings/s {what}",
        f64::from(READINGS) / start.elapsed().as_secs_f64()
    );
}
