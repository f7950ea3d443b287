//! What is sent next, and what the journal is told about it.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, SystemTime};

use meter_core::UnixMillis;
use tokio::time::Instant;

use super::change::Changes;
use super::config::Delivery;
use super::suspects::{Suspects, Verdict};
use super::thin::thin;
use crate::input::MeterName;
use crate::journal::{AskError, Backlog, Cursor, Record};

/// How many records are looked at at once to find the newest of each interval.
const THINNING_VIEW: usize = 1024;

/// Why a piece is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its turn has come.
    InTurn,
    /// It is the newest, and goes before a backlog.
    Fresh,
    /// To see whether the server takes anything at all.
    Trial,
}

/// Readings that are sent together, oldest first; never empty.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) records: Vec<Record>,
    pub(super) kind: Kind,
    /// How many pieces had been acknowledged when these readings were last
    /// refused together with others.
    refused_at: Option<u64>,
}

impl Piece {
    fn new(records: Vec<Record>, kind: Kind) -> Self {
        Self {
            records,
            kind,
            refused_at: None,
        }
    }

    fn in_turn(records: Vec<Record>) -> Self {
        Self::new(records, Kind::InTurn)
    }

    /// Takes what follows the first `count` readings away.
    pub(super) fn split_off(&mut self, count: usize) -> Self {
        Self {
            records: self.records.split_off(count),
            ..*self
        }
    }

    fn seqs(&self) -> Vec<u64> {
        self.records.iter().map(|record| record.seq).collect()
    }
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Next {
    Send(Piece),
    /// Nothing, until something is appended or this time has passed.
    Wait(Option<Duration>),
}

/// What became of a refused piece.
#[derive(Debug)]
pub(super) enum Refused {
    /// Smaller pieces, or evidence, will tell.
    Narrowed,
    /// The reading is set aside for good.
    SetAside(Record),
    /// The server takes nothing: so many were refused one by one.
    Everything(usize),
}

/// An output's view of the journal.
#[derive(Debug)]
pub(super) struct Queue {
    cursor: Cursor,
    /// What was fetched and is still to be sent, in this order.
    pieces: VecDeque<Piece>,
    /// Fetched and not settled: pieces, suspects, and readings held back.
    outstanding: BTreeSet<u64>,
    suspects: Suspects,
    /// When a suspect is tried although nothing else was.
    recheck_at: Instant,
    recheck: Duration,
    most: usize,
    span: Option<Duration>,
    meters: Vec<MeterName>,
    changes: Option<Changes>,
    newest_first: bool,
    /// There is more than one POST's worth to send.
    behind: bool,
    fresh_at: Instant,
    last_fresh: u64,
    left_out: u64,
    /// How many pieces were acknowledged.
    acknowledged: u64,
}

impl Queue {
    pub(super) fn new(config: &Delivery, cursor: Cursor, most: usize) -> Self {
        Self {
            cursor,
            pieces: VecDeque::new(),
            outstanding: BTreeSet::new(),
            suspects: Suspects::default(),
            recheck_at: Instant::now(),
            recheck: config.recheck.get(),
            most,
            span: config.interval.span(),
            meters: config.meters.clone(),
            changes: config.on_change.clone().map(Changes::new),
            newest_first: config.newest_first,
            // Nobody knows yet what has piled up.
            behind: true,
            fresh_at: Instant::now(),
            last_fresh: 0,
            left_out: 0,
            acknowledged: 0,
        }
    }

    /// Decides what to send. Safe to cancel.
    pub(super) async fn next(&mut self) -> Result<Next, AskError> {
        if self.suspects.block() {
            return self.trial().await;
        }
        if self.newest_first
            && self.behind
            && let Some(piece) = self.fresh().await?
        {
            return Ok(Next::Send(piece));
        }
        let mut wake = None;
        if self.pieces.is_empty() {
            wake = self.fetch().await?;
        }
        if let Some(piece) = self.pieces.pop_front() {
            return Ok(Next::Send(piece));
        }
        let Some(suspect) = self.suspects.oldest() else {
            return Ok(Next::Wait(wake));
        };
        let left = self.recheck_at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let records = vec![suspect.clone()];
            return Ok(Next::Send(Piece::new(records, Kind::Trial)));
        }
        Ok(Next::Wait(Some(wake.map_or(left, |wake| wake.min(left)))))
    }

    /// A reading that is no suspect, the newer the better, or else the oldest suspect.
    async fn trial(&mut self) -> Result<Next, AskError> {
        let mut candidates = self.cursor.newest().await?;
        self.retain_untried(&mut candidates);
        if candidates.is_empty() {
            candidates = self.cursor.next(THINNING_VIEW).await?;
            self.retain_untried(&mut candidates);
        }
        let newest = candidates.into_iter().max_by_key(|record| record.seq);
        let candidate = newest.or_else(|| self.suspects.oldest().cloned());
        Ok(candidate.map_or(Next::Wait(None), |record| {
            Next::Send(Piece::new(vec![record], Kind::Trial))
        }))
    }

    fn retain_untried(&self, records: &mut Vec<Record>) {
        records.retain(|record| !self.suspects.contains(record.seq) && self.wants(record));
    }

    /// The newest reading of each meter, unless it was sent or it is too early.
    async fn fresh(&mut self) -> Result<Option<Piece>, AskError> {
        if Instant::now() < self.fresh_at {
            return Ok(None);
        }
        let mut records = self.cursor.newest().await?;
        self.retain_untried(&mut records);
        records.retain(|record| record.seq > self.last_fresh);
        records.sort_by_key(|record| record.seq);
        records.truncate(self.most);
        Ok((!records.is_empty()).then_some(Piece::new(records, Kind::Fresh)))
    }

    /// Fills `pieces`. Returns how long until a reading that is held back is due.
    async fn fetch(&mut self) -> Result<Option<Duration>, AskError> {
        loop {
            let limit = match self.span {
                None => self.most.saturating_add(self.suspects.len()),
                Some(_) => THINNING_VIEW,
            };
            let records = self.cursor.next(limit).await?;
            self.outstanding = records.iter().map(|record| record.seq).collect();
            self.behind = self.newest_first && self.is_behind().await?;
            let (wanted, unwanted): (Vec<Record>, Vec<Record>) =
                records.into_iter().partition(|record| self.wants(record));
            let mut left_out: Vec<u64> = unwanted.iter().map(|record| record.seq).collect();
            let mut due: Vec<Record> = wanted;
            due.retain(|record| !self.suspects.contains(record.seq));
            let mut wake = None;
            if let Some(span) = self.span {
                let now = now();
                // Until nothing is superseded any more, the view may end inside an interval.
                let cut = self.is_cut().await?;
                let thinned = thin(due, span, now, cut);
                left_out.extend(thinned.superseded);
                (due, wake) = (thinned.due, thinned.wake);
            }
            if let Some(changes) = &mut self.changes {
                let (changed, same): (Vec<_>, Vec<_>) =
                    due.into_iter().partition(|record| changes.choose(record));
                left_out.extend(same.iter().map(|record| record.seq));
                due = changed;
            }
            let none_left_out = left_out.is_empty();
            self.left_out += count(left_out.len());
            self.settle(&left_out).await?;
            if due.is_empty() && !none_left_out {
                continue;
            }
            while !due.is_empty() {
                let rest = due.split_off(due.len().min(self.most));
                self.pieces
                    .push_back(Piece::in_turn(std::mem::replace(&mut due, rest)));
            }
            return Ok(wake);
        }
    }

    /// Whether there is more than what was fetched, which may be less than was asked for.
    async fn is_cut(&self) -> Result<bool, AskError> {
        let backlog = self.cursor.backlog().await?.readings;
        Ok(backlog > count(self.outstanding.len()))
    }

    async fn is_behind(&self) -> Result<bool, AskError> {
        Ok(self.outstanding.len() > self.most || self.is_cut().await?)
    }

    fn wants(&self, record: &Record) -> bool {
        self.meters.is_empty() || self.meters.iter().any(|meter| meter.is(&record.meter))
    }

    /// The server acknowledged this piece.
    pub(super) async fn delivered(&mut self, piece: &Piece) -> Result<(), AskError> {
        let seqs = piece.seqs();
        self.acknowledged += 1;
        if piece.kind != Kind::InTurn {
            self.sent_out_of_turn(piece);
            for waiting in &mut self.pieces {
                waiting.records.retain(|record| !seqs.contains(&record.seq));
            }
            self.pieces.retain(|waiting| !waiting.records.is_empty());
        }
        for suspect in self.suspects.accepted(&seqs).into_iter().rev() {
            self.pieces.push_front(Piece::in_turn(vec![suspect]));
        }
        self.settle(&seqs).await
    }

    fn sent_out_of_turn(&mut self, piece: &Piece) {
        let now = Instant::now();
        if piece.kind == Kind::Fresh {
            self.fresh_at = now + self.span.unwrap_or_default();
            let newest = piece.records.last().map_or(0, |record| record.seq);
            self.last_fresh = self.last_fresh.max(newest);
        } else {
            self.recheck_at = now + self.recheck;
        }
    }

    /// The server refused this piece because of its content.
    pub(super) async fn refused(
        &mut self,
        mut piece: Piece,
        answer: &str,
        too_large: bool,
    ) -> Result<Refused, AskError> {
        if too_large {
            self.most = self.most.min(piece.records.len().div_ceil(2));
        }
        if piece.kind != Kind::InTurn {
            self.sent_out_of_turn(&piece);
            let everything = piece.kind == Kind::Trial && self.suspects.block();
            // A fresh reading that is refused comes again in its turn.
            return Ok(if everything {
                Refused::Everything(self.suspects.len())
            } else {
                Refused::Narrowed
            });
        }
        if piece.records.len() > 1 {
            piece.refused_at = Some(self.acknowledged);
            let second = piece.split_off(piece.records.len() / 2);
            self.pieces.push_front(second);
            self.pieces.push_front(piece);
            return Ok(Refused::Narrowed);
        }
        let Some(record) = piece.records.pop() else {
            return Ok(Refused::Narrowed);
        };
        if self.suspects.is_empty() {
            self.recheck_at = Instant::now() + self.recheck;
        }
        let evidence = piece
            .refused_at
            .is_some_and(|before| self.acknowledged > before);
        match self.suspects.refused(&record, evidence) {
            Verdict::Suspected => Ok(Refused::Narrowed),
            Verdict::Rejected => {
                self.set_aside(record.seq, "refused by the server", answer)
                    .await?;
                Ok(Refused::SetAside(record))
            }
        }
    }

    /// Keeps one reading of the log apart and goes on with the rest.
    pub(super) async fn set_aside(
        &mut self,
        seq: u64,
        reason: &str,
        answer: &str,
    ) -> Result<(), AskError> {
        self.cursor.reject(seq, reason, answer).await?;
        self.outstanding.remove(&seq);
        for waiting in &mut self.pieces {
            waiting.records.retain(|record| record.seq != seq);
        }
        self.pieces.retain(|waiting| !waiting.records.is_empty());
        Ok(())
    }

    /// The piece, or what is left of it, is to be sent again.
    pub(super) fn put_back(&mut self, piece: Piece) {
        if piece.records.is_empty() {
            return;
        }
        self.behind = true;
        // A fresh reading will not be the newest by then, and is chosen again.
        if piece.kind == Kind::InTurn {
            self.pieces.push_front(piece);
        }
    }

    /// Tells the journal that these need not be handed out again.
    async fn settle(&mut self, seqs: &[u64]) -> Result<(), AskError> {
        let (fetched, mut ahead): (Vec<u64>, Vec<u64>) =
            seqs.iter().partition(|seq| self.outstanding.remove(*seq));
        // The view holds the oldest readings that are not delivered: all below
        // the first one that is outstanding is done.
        let first = self.outstanding.first().copied().unwrap_or(u64::MAX);
        let (through, behind_first): (Vec<u64>, Vec<u64>) =
            fetched.into_iter().partition(|seq| *seq < first);
        ahead.extend(behind_first);
        if let Some(through) = through.into_iter().max() {
            self.cursor.ack(through).await?;
        }
        if !ahead.is_empty() {
            self.cursor.ack_ahead(ahead).await?;
        }
        Ok(())
    }

    /// Waits until something was appended. Safe to cancel.
    pub(super) async fn wait_for_more(&mut self) -> Result<(), AskError> {
        self.cursor.wait_for_more().await
    }

    /// What is still to be sent.
    pub(super) async fn backlog(&self) -> Result<Backlog, AskError> {
        self.cursor.backlog().await
    }

    /// Readings that were left out since the start.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    pub(super) fn output(&self) -> &str {
        self.cursor.output()
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn now() -> UnixMillis {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
