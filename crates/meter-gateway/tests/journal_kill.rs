//! `kill -9` at a hundred random moments: nothing acknowledged is missing, nothing is there twice.
//!
//! The test starts itself again as the victim: it appends, delivers and acknowledges, and prints what
//! the journal has acknowledged.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod journal_log;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use meter_core::UnixMillis;
use meter_gateway::journal::{Journal, Options, Start};
use rand::RngExt;

const VICTIM: &str = "METERLINE_TEST_JOURNAL_VICTIM";
const METERS: [&[u8]; 2] = [b"house", b"solar"];
/// So late that retention leaves it alone.
const LATE: UnixMillis = UnixMillis(i64::MAX / 2);
/// Readings that a victim delivers at a time.
const HANDFUL: usize = 7;
const KILLS: u32 = 100;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn options(directory: &Path) -> Options {
    Options {
        sync_interval: Duration::from_millis(7),
        ..Options::in_directory(directory)
    }
}

/// Appends from two tasks at once and delivers to one output, for ever.
#[tokio::test]
async fn victim() -> Outcome {
    let Some(directory) = std::env::var_os(VICTIM) else {
        return Ok(());
    };
    let journal = Journal::open(options(Path::new(&directory)))?;
    let mut cursor = journal.cursor("home", Start::Beginning).await?;
    for meter in METERS {
        let journal = journal.clone();
        tokio::spawn(async move {
            for count in 0_u64.. {
                let body = format!("{}/{count}", String::from_utf8_lossy(meter)).into_bytes();
                if let Ok(seq) = journal.append(meter, LATE, body).await {
                    say(&format!(
                        "appended {seq} {}/{count}",
                        String::from_utf8_lossy(meter)
                    ));
                }
            }
        });
    }
    loop {
        let records = cursor.next(HANDFUL).await?;
        let Some(last) = records.last() else {
            cursor.wait_for_more().await?;
            continue;
        };
        for record in &records {
            say(&format!("delivered {}", record.seq));
        }
        cursor.ack(last.seq).await?;
    }
}

/// One write for one line, so that a kill can only cut the last one.
fn say(line: &str) {
    let _ = std::io::stdout()
        .lock()
        .write_all(format!("\n{line};\n").as_bytes());
}

/// What the victim managed to say in one life.
#[derive(Default)]
struct Life {
    appended: Vec<(u64, String)>,
    delivered: Vec<u64>,
}

fn live_and_die(directory: &Path, after: Duration) -> Result<Life, Box<dyn std::error::Error>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--exact", "victim", "--nocapture", "--test-threads=1"])
        .env(VICTIM, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let stdout = child.stdout.take().ok_or("no output")?;
    let reader = std::thread::spawn(move || {
        let mut life = Life::default();
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let Some(said) = line.strip_suffix(';') else {
                continue;
            };
            match said.split(' ').collect::<Vec<_>>()[..] {
                ["appended", seq, body] => {
                    life.appended.push((seq.parse().unwrap(), body.to_owned()));
                }
                ["delivered", seq] => life.delivered.push(seq.parse().unwrap()),
                _ => {}
            }
        }
        life
    });
    std::thread::sleep(after);
    child.kill()?; // SIGKILL
    child.wait()?;
    reader.join().map_err(|_| "the reader failed".into())
}

#[tokio::test]
async fn a_hundred_kills_lose_nothing() -> Outcome {
    journal_log::listen();
    let directory = tempfile::tempdir()?;
    let mut random = rand::rng();
    let (mut appended, mut delivered) = (Vec::new(), Vec::new());
    for _ in 0..KILLS {
        let life = live_and_die(
            directory.path(),
            Duration::from_millis(random.random_range(5..120)),
        )?;
        appended.extend(life.appended);
        delivered.extend(life.delivered);
    }
    assert!(
        appended.len() > 1000,
        "the victims hardly did anything: {} readings",
        appended.len()
    );

    let journal = Journal::open(options(directory.path()))?;
    let mut all = journal.cursor("audit", Start::Beginning).await?;
    let mut found = Vec::new();
    loop {
        let records = all.next(1000).await?;
        let Some(last) = records.last() else { break };
        all.ack(last.seq).await?;
        found.extend(records);
    }
    assert!(
        found.is_sorted_by(|a, b| a.seq < b.seq),
        "a number is there twice"
    );
    for (seq, body) in &appended {
        let place = found.binary_search_by_key(seq, |record| record.seq);
        let record = place
            .map(|index| &found[index])
            .map_err(|_| format!("{seq} was appended and is gone"))?;
        assert_eq!(
            record.body,
            body.as_bytes(),
            "{seq} is another reading than the one appended"
        );
    }
    // The output goes on where it was: what it has not delivered comes, and nothing is left out.
    let mut home = journal.cursor("home", Start::Now).await?;
    while let Some(last) = {
        let records = home.next(1000).await?;
        delivered.extend(records.iter().map(|record| record.seq));
        records.last().map(|record| record.seq)
    } {
        home.ack(last).await?;
    }
    let handed_out = delivered.len();
    delivered.sort_unstable();
    delivered.dedup();
    let expected: Vec<u64> = found.iter().map(|record| record.seq).collect();
    assert_eq!(delivered, expected);
    // Only what a victim had in hand when it was killed, and the one whose acknowledgement waited for
    // the next commit.
    assert!(handed_out - expected.len() <= KILLS as usize * (HANDFUL + 1));
    assert_eq!(journal_log::about(directory.path()), Vec::<String>::new());
    println!(
        "{KILLS} kills, {} readings acknowledged, {} found, {} delivered twice",
        appended.len(),
        found.len(),
        handed_out - expected.len()
    );
    Ok(())
}
