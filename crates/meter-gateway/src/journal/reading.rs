//! What the thread answers: readings for the outputs, and how things are.

use std::sync::Arc;

use super::error::AskError;
use super::position::Position;
use super::record::{Backlog, Record, Rejected, Start, Status, Suspect};
use super::store::{Store, Stored};
use super::trouble::Cause;
use super::worker::{Asides, Stage, Worker};

/// Bytes of bodies in one answer, after which it ends early: memory matters more than round trips.
const ANSWER_BYTES: usize = 256 * 1024;

/// What was found of an output's backlog.
#[derive(Debug, Default)]
struct Found {
    records: Vec<Record>,
    altered: Vec<u64>,
    bytes: usize,
    limit: usize,
}

impl Found {
    /// False when it is enough.
    fn take(&mut self, stored: Stored) -> bool {
        if stored.sound {
            self.bytes += stored.record.body.len();
            self.records.push(stored.record);
        } else {
            self.altered.push(stored.record.seq);
        }
        !self.enough()
    }

    fn enough(&self) -> bool {
        self.records.len() >= self.limit || self.bytes >= ANSWER_BYTES
    }
}

impl Worker {
    /// Asks the file; sets it aside and asks the new one if it turns out to be damaged.
    pub(super) fn read<T>(
        &mut self,
        ask: impl Fn(&Self, &Store) -> rusqlite::Result<T>,
    ) -> Result<T, AskError> {
        for _ in 0..2 {
            let Some(store) = &self.store else { break };
            match ask(self, store) {
                Ok(answer) => return Ok(answer),
                Err(error)
                    if Cause::of(&error) == Cause::Damaged && self.replace(&error.to_string()) => {}
                Err(error) => return Err(AskError::Retry(error.to_string())),
            }
        }
        Err(self.not_now())
    }

    /// An output that was not known begins where `start` says.
    pub(super) fn open_output(&mut self, output: &Arc<str>, start: Start) -> Result<(), AskError> {
        if self.positions.contains_key(output) {
            return Ok(());
        }
        let last = self.last_seq;
        let position = match start {
            Start::Now => Position::new(last, 0),
            Start::Beginning => {
                let (first, readings) = self.read(|_, store| {
                    let first = store.oldest_seq()?.unwrap_or(last + 1);
                    Ok((first, store.count(first, last)?))
                })?;
                let first = self
                    .pending
                    .readings(0, last)
                    .next()
                    .map_or(first, |record| record.seq.min(first));
                let waiting = self.pending.readings(first, last).count() as u64;
                Position::new(
                    first - 1,
                    (last + 1 - first).saturating_sub(readings + waiting),
                )
            }
        };
        self.positions.insert(Arc::clone(output), position);
        self.flush();
        Ok(())
    }

    /// Forgets all outputs but these.
    pub(super) fn retain_outputs(&mut self, names: &[String]) -> Result<(), AskError> {
        let gone: Vec<Arc<str>> = self
            .positions
            .keys()
            .filter(|name| !names.iter().any(|kept| **kept == ***name))
            .cloned()
            .collect();
        for output in gone {
            let undelivered = self
                .positions
                .get(&output)
                .map_or(0, |position| position.backlog(self.last_seq));
            self.read(|_, store| store.forget_output(&output))?;
            self.positions.remove(&output);
            if undelivered == 0 {
                tracing::info!(%output, "the journal forgets an output that is no longer configured");
            } else {
                tracing::warn!(
                    path = %self.options.path.display(),
                    "output {output} is no longer configured, and {undelivered} readings that it has not \
                     delivered will not be delivered. An output goes on where it was only under the same \
                     name: change an [output.NAME], but do not rename it"
                );
            }
        }
        Ok(())
    }

    /// The oldest readings that `output` has not delivered.
    pub(super) fn next(&mut self, output: &str, limit: usize) -> Result<Vec<Record>, AskError> {
        let last = self.last_seq;
        let found = self.read(|worker, store| {
            let mut found = Found {
                limit,
                ..Found::default()
            };
            let Some(position) = worker.positions.get(output) else {
                return Ok(found);
            };
            for (first, last) in position.gaps(last) {
                store.readings(first, last, |stored| found.take(stored))?;
                for record in worker.pending.readings(first, last) {
                    if found.enough()
                        || !found.take(Stored {
                            record: record.clone(),
                            sound: true,
                        })
                    {
                        break;
                    }
                }
                if found.enough() {
                    break;
                }
            }
            Ok(found)
        })?;
        if found.records.is_empty() && found.altered.is_empty() && limit > 0 {
            // Only numbers without a reading are left, if any.
            if let Some(position) = self.positions.get_mut(output) {
                let left = position.missing();
                position.find(left);
                position.ack(last);
            }
        }
        self.refuse_altered(output, &found.altered);
        Ok(found.records)
    }

    /// For each meter its newest reading, if `output` has not delivered it.
    pub(super) fn newest(&mut self, output: &str) -> Result<Vec<Record>, AskError> {
        let found = self.read(|worker, store| {
            let mut found = Found {
                limit: usize::MAX,
                ..Found::default()
            };
            let Some(position) = worker.positions.get(output) else {
                return Ok(found);
            };
            for seq in worker
                .newest
                .values()
                .copied()
                .filter(|seq| !position.delivered(*seq))
            {
                if let Some(record) = worker.pending.readings(seq, seq).next() {
                    found.take(Stored {
                        record: record.clone(),
                        sound: true,
                    });
                } else if let Some(stored) = store.reading(seq)? {
                    found.take(stored);
                }
            }
            found.records.sort_unstable_by_key(|record| record.seq);
            Ok(found)
        })?;
        self.refuse_altered(output, &found.altered);
        Ok(found.records)
    }

    /// For each meter its newest reading, delivered or not.
    pub(super) fn newest_of_each_meter(&mut self) -> Result<Vec<Record>, AskError> {
        self.read(|worker, store| {
            let mut records = Vec::new();
            for seq in worker.newest.values().copied() {
                if let Some(record) = worker.pending.readings(seq, seq).next() {
                    records.push(record.clone());
                } else if let Some(stored) = store.reading(seq)?.filter(|stored| stored.sound) {
                    records.push(stored.record);
                }
            }
            Ok(records)
        })
    }

    /// A reading whose bytes changed on the disk is set aside like one that a backend refused.
    fn refuse_altered(&mut self, output: &str, seqs: &[u64]) {
        if seqs.is_empty() {
            return;
        }
        tracing::error!(
            path = %self.options.path.display(),
            output,
            ?seqs,
            "readings were altered on the disk and are not delivered; they are kept among the rejected: check the disk"
        );
        self.losses.altered += seqs.len() as u64;
        self.losses_changed = true;
        for seq in seqs {
            self.stage(Stage::Reject {
                output: output.into(),
                seq: *seq,
                reason: "altered on the disk: its checksum is wrong".to_owned(),
                answer: String::new(),
            });
        }
        self.flush();
    }

    pub(super) fn backlog(&mut self, output: &str) -> Result<Backlog, AskError> {
        let last = self.last_seq;
        let Some(position) = self.positions.get(output) else {
            return Ok(Backlog {
                readings: 0,
                oldest: None,
            });
        };
        let readings = position.backlog(last);
        if readings == 0 {
            return Ok(Backlog {
                readings,
                oldest: None,
            });
        }
        let oldest = self.read(|worker, store| {
            let Some(position) = worker.positions.get(output) else {
                return Ok(None);
            };
            for (first, last) in position.gaps(last) {
                if let Some(outline) = store.outlines(first, last, 1)?.first() {
                    return Ok(Some(meter_core::UnixMillis(outline.time)));
                }
                if let Some(record) = worker.pending.readings(first, last).next() {
                    return Ok(Some(record.time));
                }
            }
            Ok(None)
        })?;
        Ok(Backlog { readings, oldest })
    }

    pub(super) fn rejected(&mut self, limit: usize) -> Result<Vec<Rejected>, AskError> {
        self.read(|_, store| store.rejected(limit))
    }

    pub(super) fn suspects(&mut self, limit: usize) -> Result<Vec<Suspect>, AskError> {
        self.read(|_, store| store.suspects(None, 0, limit))
    }

    /// The meters that have suspects.
    pub(super) fn suspected_meters(&mut self) -> Result<Vec<Box<[u8]>>, AskError> {
        self.read(|_, store| store.suspected_meters())
    }

    /// The newest suspects of a meter, oldest first.
    pub(super) fn suspects_of(
        &mut self,
        meter: &[u8],
        limit: usize,
    ) -> Result<Vec<Suspect>, AskError> {
        let mut suspects = self.read(|_, store| store.newest_suspects(meter, limit))?;
        suspects.reverse();
        Ok(suspects)
    }

    /// Rows beside the log; counted only when they may be others than last time.
    fn asides(&mut self) -> Result<Asides, AskError> {
        if let Some(asides) = self.asides {
            return Ok(asides);
        }
        let asides = self.read(|_, store| {
            Ok(Asides {
                rejected: store.number("SELECT count(*) FROM rejected")?,
                suspects: store.number("SELECT count(*) FROM suspects")?,
                provisional: store.number("SELECT count(*) FROM provisional")?,
            })
        })?;
        self.asides = Some(asides);
        Ok(asides)
    }

    pub(super) fn status(&mut self) -> Result<Status, AskError> {
        let asides = self.asides()?;
        self.read(|worker, store| {
            Ok(Status {
                last_seq: worker.last_seq,
                durable_seq: worker.durable_seq,
                bytes: store.used_pages()? * super::options::PAGE,
                in_memory: worker.pending.len() as u64,
                trouble: worker.trouble.as_ref().map(|trouble| trouble.text.clone()),
                rejected: asides.rejected,
                suspects: asides.suspects,
                provisional: asides.provisional,
                losses: worker.losses,
            })
        })
    }
}
