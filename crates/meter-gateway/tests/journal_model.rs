//! Random deeds against a model that fits a screen: per output a list of what is not delivered.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod journal_log;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use meter_core::UnixMillis;
use meter_gateway::journal::{Cursor, Journal, Moment, Options, Start};
use proptest::prelude::*;

const OUTPUTS: [&str; 2] = ["first", "second"];
const METERS: [&[u8]; 3] = [b"house", b"solar", b"heat"];

#[derive(Clone, Debug)]
enum Deed {
    Append(usize),
    Wait(usize),
    Stamp,
    Doubt(usize),
    Accept(usize),
    Discard(usize),
    /// Output, how many are fetched, how many of them are acknowledged.
    Deliver(usize, usize, usize),
    DeliverNewest(usize),
    /// Output, which of its backlog.
    AckAhead(usize, Vec<usize>),
    Reject(usize, usize),
    Reopen,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        8 => (0..3_usize).prop_map(Deed::Append),
        1 => (0..3_usize).prop_map(Deed::Wait),
        1 => Just(Deed::Stamp),
        1 => (0..3_usize).prop_map(Deed::Doubt),
        1 => (0..3_usize).prop_map(Deed::Accept),
        1 => (0..3_usize).prop_map(Deed::Discard),
        4 => (0..2_usize, 1..8_usize, 0..8_usize).prop_map(|(output, limit, acked)| Deed::Deliver(output, limit, acked)),
        2 => (0..2_usize).prop_map(Deed::DeliverNewest),
        2 => (0..2_usize, prop::collection::vec(0..50_usize, 0..4)).prop_map(|(output, which)| Deed::AckAhead(output, which)),
        1 => (0..2_usize, 0..50_usize).prop_map(|(output, which)| Deed::Reject(output, which)),
        1 => Just(Deed::Reopen),
    ]
}

/// What the journal should hold. A reading is its meter and a number that is its body.
#[derive(Default)]
struct Model {
    log: BTreeMap<u64, (usize, u32)>,
    open: [Vec<u64>; 2],
    waiting: Vec<(usize, u32)>,
    suspects: Vec<(usize, u32)>,
    rejected: usize,
    next: u32,
    last: u64,
}

impl Model {
    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn append(&mut self, seq: u64, reading: (usize, u32)) {
        assert!(seq > self.last, "{seq} is used twice");
        self.last = seq;
        self.log.insert(seq, reading);
        self.open.iter_mut().for_each(|open| open.push(seq));
    }

    fn admit(&mut self, readings: Vec<(usize, u32)>) {
        for reading in readings {
            self.append(self.last + 1, reading);
        }
    }
}

struct Run {
    journal: Journal,
    cursors: Vec<Cursor>,
    model: Model,
}

/// Everything that all outputs have delivered is old enough to go, at once.
fn options(directory: &Path) -> Options {
    Options {
        max_age: Duration::from_secs(1),
        tidy_interval: Duration::from_millis(1),
        sync_interval: Duration::from_millis(1),
        ..Options::in_directory(directory)
    }
}

async fn open(directory: &Path) -> (Journal, Vec<Cursor>) {
    let journal = Journal::open(options(directory)).unwrap();
    let mut cursors = Vec::new();
    for output in OUTPUTS {
        cursors.push(journal.cursor(output, Start::Now).await.unwrap());
    }
    (journal, cursors)
}

fn body(number: u32) -> Vec<u8> {
    number.to_string().into_bytes()
}

impl Run {
    async fn put(&mut self, deed: &Deed) {
        let number = self.model.number();
        match *deed {
            Deed::Append(meter) => {
                let seq = self
                    .journal
                    .append(METERS[meter], UnixMillis(number.into()), body(number))
                    .await
                    .unwrap();
                self.model.append(seq, (meter, number));
            }
            Deed::Wait(meter) => {
                let moment = Moment {
                    boot: "boot".into(),
                    monotonic_ms: number.into(),
                };
                self.journal
                    .append_provisional(METERS[meter], moment, None, body(number))
                    .await
                    .unwrap();
                self.model.waiting.push((meter, number));
            }
            Deed::Doubt(meter) => {
                let time = UnixMillis(i64::MAX / 2);
                self.journal
                    .append_suspect(METERS[meter], time, "odd", body(number))
                    .await
                    .unwrap();
                self.model.suspects.push((meter, number));
            }
            Deed::Stamp => {
                let stamped = self.journal.restamp("boot", UnixMillis(0)).await.unwrap();
                let waiting = std::mem::take(&mut self.model.waiting);
                assert_eq!(stamped, waiting.len() as u64);
                self.model.admit(waiting);
            }
            Deed::Accept(meter) | Deed::Discard(meter) => {
                let (of_meter, others) = self
                    .model
                    .suspects
                    .drain(..)
                    .partition(|suspect| suspect.0 == meter);
                self.model.suspects = others;
                let of_meter: Vec<_> = of_meter;
                let count = of_meter.len() as u64;
                if matches!(deed, Deed::Accept(_)) {
                    assert_eq!(
                        self.journal
                            .accept_suspects(METERS[meter], 0)
                            .await
                            .unwrap(),
                        count
                    );
                    self.model.admit(of_meter);
                } else {
                    assert_eq!(
                        self.journal.discard_suspects(METERS[meter]).await.unwrap(),
                        count
                    );
                }
            }
            _ => self.take(deed).await,
        }
    }

    async fn take(&mut self, deed: &Deed) {
        match deed {
            Deed::Deliver(output, limit, acked) => {
                let records = self.cursors[*output].next(*limit).await.unwrap();
                let open = &mut self.model.open[*output];
                let expected: Vec<u64> = open.iter().copied().take(*limit).collect();
                assert_eq!(
                    records.iter().map(|record| record.seq).collect::<Vec<_>>(),
                    expected
                );
                for record in &records {
                    let (meter, number) = self.model.log[&record.seq];
                    assert_eq!(
                        (&*record.meter, &record.body),
                        (METERS[meter], &body(number))
                    );
                }
                if let Some(last) = records.iter().take(*acked).next_back() {
                    self.cursors[*output].ack(last.seq).await.unwrap();
                    open.retain(|seq| *seq > last.seq);
                }
            }
            Deed::DeliverNewest(output) => {
                let newest = self.cursors[*output].newest().await.unwrap();
                let newest: Vec<u64> = newest.iter().map(|record| record.seq).collect();
                let mut of_meters = BTreeMap::new();
                for (seq, (meter, _)) in &self.model.log {
                    of_meters.insert(*meter, *seq);
                }
                let open = &mut self.model.open[*output];
                let mut expected: Vec<u64> = of_meters
                    .into_values()
                    .filter(|seq| open.contains(seq))
                    .collect();
                expected.sort_unstable();
                assert_eq!(newest, expected);
                open.retain(|seq| !newest.contains(seq));
                self.cursors[*output].ack_ahead(newest).await.unwrap();
            }
            Deed::AckAhead(output, which) => {
                let open = &mut self.model.open[*output];
                let seqs: Vec<u64> = which
                    .iter()
                    .filter_map(|which| open.get(*which).copied())
                    .collect();
                open.retain(|seq| !seqs.contains(seq));
                self.cursors[*output].ack_ahead(seqs).await.unwrap();
            }
            Deed::Reject(output, which) if *which < self.model.open[*output].len() => {
                let seq = self.model.open[*output].remove(*which);
                self.cursors[*output]
                    .reject(seq, "no", "400")
                    .await
                    .unwrap();
                self.model.rejected += 1;
            }
            _ => {}
        }
    }

    async fn compare(&mut self) {
        for (cursor, open) in self.cursors.iter_mut().zip(&self.model.open) {
            let backlog = cursor.backlog().await.unwrap();
            assert_eq!(backlog.readings, open.len() as u64);
            let records = cursor.next(usize::MAX).await.unwrap();
            assert_eq!(
                &records.iter().map(|record| record.seq).collect::<Vec<_>>(),
                open
            );
            assert_eq!(backlog.oldest, records.first().map(|record| record.time));
        }
        let status = self.journal.status().await.unwrap();
        assert_eq!(status.provisional, self.model.waiting.len() as u64);
        assert_eq!(status.suspects, self.model.suspects.len() as u64);
        assert_eq!(status.rejected, self.model.rejected as u64);
        assert_eq!(status.last_seq, self.model.last);
    }
}

async fn run(deeds: Vec<Deed>) {
    journal_log::listen();
    let directory = tempfile::tempdir().unwrap();
    let (journal, cursors) = open(directory.path()).await;
    let mut run = Run {
        journal,
        cursors,
        model: Model::default(),
    };
    for deed in deeds {
        if matches!(deed, Deed::Reopen) {
            run.compare().await;
            run.journal.close().await;
            (run.journal, run.cursors) = open(directory.path()).await;
        } else {
            run.put(&deed).await;
        }
    }
    run.compare().await;
    assert_eq!(journal_log::about(directory.path()), Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn the_journal_does_what_the_model_does(deeds in prop::collection::vec(deed(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(deeds));
    }
}
