//! Appending, delivering, acknowledging: what an output sees of the journal.

use std::path::Path;
use std::time::Duration;

use meter_core::UnixMillis;
use meter_gateway::journal::{
    AppendError, AskError, Backlog, Cursor, Journal, Look, Moment, OpenError, Options, Record,
    Start,
};
use tokio::time::timeout;

const HOUSE: &[u8] = b"\x0a\x01EMH\x00\x00\xbc\x61\x4e";
const SOLAR: &[u8] = b"\x0a\x01ISK\x00\x00\xbc\x61\x4f";

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn open(directory: &Path) -> Result<Journal, OpenError> {
    Journal::open(Options::in_directory(directory))
}

async fn fill(
    journal: &Journal,
    meter: &[u8],
    times: std::ops::Range<i64>,
) -> Result<u64, AppendError> {
    let mut last = 0;
    for time in times {
        last = journal
            .append(meter, UnixMillis(time), format!("body {time}").into_bytes())
            .await?;
    }
    Ok(last)
}

fn seqs(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.seq).collect()
}

async fn drain(cursor: &mut Cursor) -> Result<Vec<u64>, AskError> {
    Ok(seqs(&cursor.next(usize::MAX).await?))
}

/// What a program finds that is started now, after a crash of this one: a copy of what is on the disk.
async fn after_a_crash(directory: &Path) -> Result<Vec<u64>, Box<dyn std::error::Error>> {
    let copy = tempfile::tempdir()?;
    for name in ["journal.db", "journal.db-wal"] {
        std::fs::copy(directory.join(name), copy.path().join(name))?;
    }
    let journal = open(copy.path())?;
    Ok(drain(&mut journal.cursor("home", Start::Now).await?).await?)
}

#[tokio::test]
async fn an_acknowledgement_survives_a_crash_after_a_second() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = open(directory.path())?;
    let mut cursor = journal.cursor("home", Start::Now).await?;
    fill(&journal, HOUSE, 0..4).await?;
    assert_eq!(after_a_crash(directory.path()).await?, [1, 2, 3, 4]);
    cursor.ack(2).await?;
    // Only so that the acknowledgement has reached the thread.
    journal.status().await?;
    assert_eq!(after_a_crash(directory.path()).await?, [3, 4], "of several");
    cursor.ack(3).await?;
    fill(&journal, HOUSE, 4..5).await?;
    assert_eq!(after_a_crash(directory.path()).await?, [4, 5], "of one");
    cursor.ack(4).await?;
    let written = timeout(Duration::from_secs(20), async {
        while after_a_crash(directory.path()).await? != [5] {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok::<(), Box<dyn std::error::Error>>(())
    });
    written.await?
}

#[tokio::test]
async fn readings_come_out_as_they_went_in() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = open(directory.path())?;
    let mut cursor = journal.cursor("home", Start::Now).await?;
    let first = journal
        .append(HOUSE, UnixMillis(1000), vec![0x77, 0, 0xFF])
        .await?;
    let second = journal.append(SOLAR, UnixMillis(-1), Vec::new()).await?;
    let expected = vec![
        Record {
            seq: first,
            meter: HOUSE.into(),
            time: UnixMillis(1000),
            body: vec![0x77, 0, 0xFF],
        },
        Record {
            seq: second,
            meter: SOLAR.into(),
            time: UnixMillis(-1),
            body: Vec::new(),
        },
    ];
    assert_eq!(cursor.next(10).await?, expected);
    assert_eq!(cursor.next(10).await?, expected, "nothing was acknowledged");
    assert_eq!(cursor.next(1).await?, expected[..1]);
    cursor.ack(first).await?;
    assert_eq!(cursor.next(10).await?, expected[1..]);
    cursor.ack(second).await?;
    assert_eq!(cursor.next(10).await?, []);
    Ok(())
}

#[tokio::test]
async fn each_output_has_its_own_place_and_keeps_it() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = open(directory.path())?;
    fill(&journal, HOUSE, 0..3).await?;
    let mut all = journal.cursor("all", Start::Beginning).await?;
    let mut new = journal.cursor("new", Start::Now).await?;
    fill(&journal, HOUSE, 3..5).await?;
    assert_eq!(drain(&mut all).await?, [1, 2, 3, 4, 5]);
    assert_eq!(drain(&mut new).await?, [4, 5]);
    assert_eq!(
        all.backlog().await?,
        Backlog {
            readings: 5,
            oldest: Some(UnixMillis(0))
        }
    );
    all.ack(2).await?;
    new.ack_ahead(vec![5]).await?;
    journal.close().await;

    let journal = open(directory.path())?;
    let mut all = journal.cursor("all", Start::Now).await?;
    let mut new = journal.cursor("new", Start::Beginning).await?;
    assert_eq!(drain(&mut all).await?, [3, 4, 5]);
    assert_eq!(drain(&mut new).await?, [4]);
    assert_eq!(fill(&journal, HOUSE, 5..6).await?, 6);
    assert_eq!(drain(&mut new).await?, [4, 6]);
    Ok(())
}

#[tokio::test]
async fn the_newest_of_each_meter_may_go_first() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = open(directory.path())?;
    let mut cursor = journal.cursor("home", Start::Now).await?;
    fill(&journal, HOUSE, 0..4).await?;
    fill(&journal, SOLAR, 4..6).await?;
    let newest = seqs(&cursor.newest().await?);
    assert_eq!(newest, [4, 6]);
    cursor.ack_ahead(newest).await?;
    assert_eq!(cursor.newest().await?, []);
    assert_eq!(cursor.backlog().await?.readings, 4);
    assert_eq!(drain(&mut cursor).await?, [1, 2, 3, 5]);
    cursor.ack(5).await?;
    assert_eq!(
        cursor.backlog().await?,
        Backlog {
            readings: 0,
            oldest: None
        }
    );
    Ok(())
}

#[tokio::test]
async fn a_refused_reading_is_set_aside_with_the_answer() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = open(directory.path())?;
    let mut cursor = journal.cursor("home", Start::Now).await?;
    fill(&journal, HOUSE, 0..3).await?;
    cursor
        .reject(2, "400 Bad Request", "unknown device")
        .await?;
    assert_eq!(drain(&mut cursor).await?, [1, 3]);
    let rejected = journal.rejected(10).await?;
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].output, "home");
    assert_eq!(rejected[0].record.seq, 2);
    assert_eq!(rejected[0].record.body, b"body 1");
    assert_eq!(
        (rejected[0].reason.as_str(), rejected[0].answer.as_str()),
        ("400 Bad Request", "unknown device")
    );
    assert_eq!(journal.status().await?.rejected, 1);
    Ok(())
}

#[tokio::test]
async fn waiting_ends_with_the_next_reading() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = open(directory.path())?;
    let mut cursor = journal.cursor("home", Start::Now).await?;
    assert_eq!(cursor.next(1).await?, []);
    let nothing = timeout(Duration::from_millis(20), cursor.wait_for_more()).await;
    assert!(nothing.is_err(), "there is nothing to wake up for");
    let waiting = tokio::spawn(async move {
        cursor.wait_for_more().await?;
        cursor.next(1).await
    });
    fill(&journal, HOUSE, 0..1).await?;
    assert_eq!(
        seqs(&timeout(Duration::from_secs(5), waiting).await???),
        [1]
    );
    Ok(())
}

/// What a person is shown, while the daemon runs and when it does not.
#[tokio::test]
async fn another_process_may_look() -> Outcome {
    let directory = tempfile::Builder::new().prefix("a ?#%41").tempdir()?;
    let path = directory.path().join("journal.db");
    assert!(matches!(
        Look::open(&path),
        Err(OpenError::NotReadable { .. })
    ));
    let journal = open(directory.path())?;
    let mut cursor = journal.cursor("home", Start::Now).await?;
    let seq = fill(&journal, HOUSE, 0..1).await?;
    cursor.reject(seq, "refused", "400 (\"why\")").await?;
    journal
        .append_suspect(SOLAR, UnixMillis(5), "it fell", b"x".to_vec())
        .await?;
    let look = || -> Result<(), OpenError> {
        let look = Look::open(&path)?;
        let rejected = look.rejected(10)?;
        assert_eq!(rejected.len(), 1);
        assert_eq!(&*rejected[0].record.meter, HOUSE);
        assert_eq!(rejected[0].answer, "400 (\"why\")");
        let suspects = look.suspects(10)?;
        assert_eq!(suspects.len(), 1);
        assert_eq!(&*suspects[0].meter, SOLAR);
        Ok(())
    };
    look()?;
    // It goes on as if nobody had looked.
    fill(&journal, HOUSE, 1..3).await?;
    journal.close().await;
    let files = || Ok::<_, std::io::Error>(std::fs::read_dir(directory.path())?.count());
    let before = files()?;
    look()?;
    assert_eq!(files()?, before, "looking leaves nothing behind");
    Ok(())
}

#[tokio::test]
async fn a_forgotten_output_begins_anew() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = open(directory.path())?;
    journal.cursor("old", Start::Now).await?;
    let mut kept = journal.cursor("kept", Start::Now).await?;
    fill(&journal, HOUSE, 0..3).await?;
    journal
        .retain_outputs(vec!["kept".to_owned(), "unborn".to_owned()])
        .await?;
    assert_eq!(drain(&mut kept).await?, [1, 2, 3]);
    journal.close().await;
    let journal = open(directory.path())?;
    let mut old = journal.cursor("old", Start::Now).await?;
    assert!(drain(&mut old).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn readings_without_a_time_wait_for_it() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = open(directory.path())?;
    let mut cursor = journal.cursor("home", Start::Now).await?;
    let moment = |boot: &str, monotonic_ms| Moment {
        boot: boot.into(),
        monotonic_ms,
    };
    journal
        .append_provisional(HOUSE, moment("first", 7000), Some(500), b"a".to_vec())
        .await?;
    journal
        .append_provisional(SOLAR, moment("first", 7500), None, b"b".to_vec())
        .await?;
    journal.close().await;

    let journal = open(directory.path())?;
    journal
        .append_provisional(HOUSE, moment("second", 1000), Some(520), b"c".to_vec())
        .await?;
    journal
        .append_provisional(HOUSE, moment("second", 2000), None, b"d".to_vec())
        .await?;
    cursor = journal.cursor(cursor.output(), Start::Now).await?;
    assert_eq!(cursor.next(10).await?, [], "none of them has a time");

    assert_eq!(
        journal
            .restamp("second", UnixMillis(1_700_000_000_000))
            .await?,
        2
    );
    let times: Vec<i64> = cursor
        .next(10)
        .await?
        .iter()
        .map(|record| record.time.0)
        .collect();
    assert_eq!(
        times,
        [1_700_000_001_000, 1_700_000_002_000],
        "the other boot is not touched"
    );

    // The meter's own clock went on while the host was off: at 520 it was …001 s.
    assert_eq!(
        journal
            .restamp_by_index(HOUSE, 520, UnixMillis(1_700_000_001_000))
            .await?,
        1
    );
    let records = cursor.next(10).await?;
    assert_eq!(
        (records[2].time.0, records[2].body.as_slice()),
        (1_699_999_981_000, &b"a"[..])
    );
    assert_eq!(
        journal.status().await?.provisional,
        1,
        "a reading without an index cannot be placed"
    );
    assert_eq!(
        journal.restamp("second", UnixMillis(0)).await?,
        0,
        "each is stamped once"
    );
    Ok(())
}

#[tokio::test]
async fn suspects_are_kept_apart_until_a_person_decides() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = open(directory.path())?;
    let mut cursor = journal.cursor("home", Start::Now).await?;
    journal
        .append_suspect(
            HOUSE,
            UnixMillis(5),
            "1.8.0 fell from 10 Wh to 3 Wh",
            b"a".to_vec(),
        )
        .await?;
    journal
        .append_suspect(SOLAR, UnixMillis(6), "jumped", b"b".to_vec())
        .await?;
    journal
        .append_suspect(HOUSE, UnixMillis(7), "fell", b"c".to_vec())
        .await?;
    fill(&journal, HOUSE, 8..9).await?;
    assert_eq!(drain(&mut cursor).await?, [1]);
    let suspects = journal.suspects(10).await?;
    assert_eq!(suspects.len(), 3);
    assert_eq!(suspects[0].reason, "1.8.0 fell from 10 Wh to 3 Wh");
    assert_eq!(journal.accept_suspects(HOUSE, 0).await?, 2);
    assert_eq!(journal.discard_suspects(SOLAR).await?, 1);
    let bodies: Vec<Vec<u8>> = cursor
        .next(10)
        .await?
        .into_iter()
        .map(|record| record.body)
        .collect();
    assert_eq!(bodies, [b"body 8".to_vec(), b"a".to_vec(), b"c".to_vec()]);
    assert_eq!(journal.status().await?.suspects, 0);
    Ok(())
}

#[tokio::test]
async fn synced_means_durable() -> Outcome {
    let directory = tempfile::tempdir()?;
    let mut options = Options::in_directory(directory.path());
    options.sync_interval = Duration::from_millis(30);
    let journal = Journal::open(options)?;
    let last = fill(&journal, HOUSE, 0..3).await?;
    assert_eq!(journal.sync().await?, last);
    let last = fill(&journal, HOUSE, 3..4).await?;
    journal.durable(last).await?;
    assert_eq!(journal.status().await?.durable_seq, last);
    // And by itself, within the interval.
    let last = fill(&journal, HOUSE, 4..5).await?;
    let synced = async {
        while journal.status().await?.durable_seq < last {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok::<(), AskError>(())
    };
    timeout(Duration::from_secs(5), synced).await??;
    Ok(())
}

#[tokio::test]
async fn what_is_too_long_or_too_late_is_refused() -> Outcome {
    let directory = tempfile::tempdir()?;
    let journal = open(directory.path())?;
    let other = journal.clone();
    assert_eq!(
        journal.append(HOUSE, UnixMillis(0), vec![0; 65_537]).await,
        Err(AppendError::TooLong(65_537))
    );
    journal.close().await;
    assert_eq!(
        other.append(HOUSE, UnixMillis(0), Vec::new()).await,
        Err(AppendError::Closed)
    );
    assert_eq!(other.status().await, Err(AskError::Closed));
    Ok(())
}
