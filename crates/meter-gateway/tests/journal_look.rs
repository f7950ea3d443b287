//! Readings of a time, out of a journal that is being written.

use std::collections::BTreeSet;

use meter_core::UnixMillis;
use meter_gateway::journal::{Journal, Look, Options, Record, Span, Start};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const METER: &[u8] = b"house";
const OTHER: &[u8] = b"garage";

/// More than three stretches.
const READINGS: i64 = 4000;

/// A journal with the readings of two meters. Every hundredth was stored long after its time.
async fn journal(options: Options) -> Result<(Journal, Vec<Record>)> {
    let journal = Journal::open(options)?;
    let mut appending = Vec::new();
    for number in 0..READINGS {
        let meter = if number % 3 == 0 { OTHER } else { METER };
        let late = if number % 100 == 0 { 500_000 } else { 0 };
        let time = UnixMillis(1_000_000 + 1000 * number - late);
        let journal = journal.clone();
        appending.push(tokio::spawn(async move {
            journal
                .append(meter, time, number.to_be_bytes().to_vec())
                .await
        }));
    }
    for appended in appending {
        appended.await??;
    }
    let mut cursor = journal.cursor("all", Start::Beginning).await?;
    let mut records = Vec::new();
    loop {
        let next = cursor.next(1000).await?;
        let Some(last) = next.last() else { break };
        cursor.ack(last.seq).await?;
        records.extend(next);
    }
    assert_eq!(records.len(), 4000);
    Ok((journal, records))
}

/// Everything of a span, page by page.
fn all(look: &Look, span: &Span, limit: usize) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut next = Some(0);
    while let Some(after) = next {
        let part = look.readings(span, after, limit)?;
        assert!(part.records.len() <= limit);
        assert!(part.next.is_none() || !part.records.is_empty());
        records.extend(part.records);
        next = part.next;
    }
    Ok(records)
}

fn span(from: i64, to: i64) -> Span {
    Span {
        meter: METER.into(),
        from: UnixMillis(from),
        to: UnixMillis(to),
    }
}

#[tokio::test]
async fn a_span_is_found_wherever_its_readings_are_stored() -> Result {
    let directory = tempfile::tempdir()?;
    let (journal, records) = journal(Options::in_directory(directory.path())).await?;
    let look = journal.look()?;
    // Each span twice: the second time it is known where nothing is.
    for _ in 0..2 {
        for (from, to) in [
            (i64::MIN, i64::MAX),
            (1_000_000, 1_010_000),
            (3_000_000, 3_000_001),
            (500_000, 1_000_000),
            (4_990_000, 5_000_000),
            (6_000_000, 7_000_000),
            (2_000_000, 1_000_000),
        ] {
            let fits =
                |record: &&Record| *record.meter == *METER && (from..to).contains(&record.time.0);
            let wanted: Vec<_> = records.iter().filter(fits).cloned().collect();
            for limit in [7, 100_000] {
                assert_eq!(all(&look, &span(from, to), limit)?, wanted, "{from} {to}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_is_stored_later_is_found_by_a_look_that_is_open() -> Result {
    let directory = tempfile::tempdir()?;
    let (journal, _) = journal(Options::in_directory(directory.path())).await?;
    let look = journal.look()?;
    let later = span(9_000_000, 9_000_001);
    assert!(all(&look, &later, 10)?.is_empty());
    let seq = journal
        .append(METER, UnixMillis(9_000_000), vec![1])
        .await?;
    assert_eq!(all(&look, &later, 10)?[0].seq, seq);
    Ok(())
}

#[tokio::test]
async fn an_altered_reading_and_an_unknown_meter_are_left_out() -> Result {
    let directory = tempfile::tempdir()?;
    let (journal, records) = journal(Options::in_directory(directory.path())).await?;
    journal.close().await;
    let path = directory.path().join("journal.db");
    let database = rusqlite::Connection::open(&path)?;
    let altered = records
        .iter()
        .find(|record| *record.meter == *METER)
        .unwrap();
    let changed = database.execute(
        "UPDATE readings SET body = x'00' WHERE seq = ?",
        [altered.seq.cast_signed()],
    )?;
    assert_eq!(changed, 1);
    drop(database);

    let look = Look::open(&path)?;
    let found = all(&look, &span(i64::MIN, i64::MAX), 1000)?;
    let found: BTreeSet<_> = found.iter().map(|record| record.seq).collect();
    assert!(!found.contains(&altered.seq));
    let house = records.iter().filter(|record| *record.meter == *METER);
    assert_eq!(found.len(), house.count() - 1);
    let nobody = Span {
        meter: b"nobody"[..].into(),
        ..span(i64::MIN, i64::MAX)
    };
    assert!(all(&look, &nobody, 10)?.is_empty());
    Ok(())
}
