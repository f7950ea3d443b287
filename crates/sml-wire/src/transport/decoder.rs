//! Finds frames in a stream of bytes.

use super::scan::{self, CONTROL, ESCAPE, Hunt, Inside, START_VERSION_2};
use super::{Frame, OVERHEAD};
use crate::CrcKind;

/// Fill bytes that a frame may have: three are enough, DZG meters send four instead of none.
const FILL_MAX: u8 = 4;

/// Why bytes are not part of a good frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// They lie outside of frames: reflections, a bad position of the head, another protocol.
    Noise,
    /// The frame has a wrong CRC: bits were flipped or bytes lost.
    Crc,
    /// The frame ends in the middle, at the start of another or at the end of the input.
    Cut,
    /// The frame is longer than the buffer.
    TooLong,
    /// The frame holds a control sequence that there is not, or an impossible number of fill bytes.
    Invalid,
    /// The frame is one of transport protocol version 2.
    Version2,
}

impl core::fmt::Display for Cause {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(match self {
            Self::Noise => "no frame",
            Self::Crc => "frame with a wrong CRC",
            Self::Cut => "frame cut off",
            Self::TooLong => "frame too long",
            Self::Invalid => "frame with an invalid control sequence",
            Self::Version2 => "frame of transport version 2",
        })
    }
}

/// What a decoder found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A good frame.
    Frame(Frame<'a>),
    /// Bytes that are no part of one.
    Skipped(Skipped<'a>),
}

/// Bytes that are no part of a good frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped<'a> {
    /// Where they begin, counted from the first byte the decoder was given.
    pub offset: u64,
    /// How many they are.
    pub length: u64,
    /// Why they are none.
    pub cause: Cause,
    /// The bytes of a broken frame, for [`salvage`](crate::file::salvage); of noise none.
    pub bytes: &'a [u8],
}

/// How many bytes and frames a decoder has seen. The bytes add up to all that it was given, but
/// for those that it still holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Good frames.
    pub frames: u64,
    /// Bytes of good frames.
    pub frame_bytes: u64,
    /// Bytes outside of frames.
    pub noise_bytes: u64,
    /// Frames with a wrong CRC.
    pub crc: u64,
    /// Bytes of frames with a wrong CRC.
    pub crc_bytes: u64,
    /// Frames that were cut.
    pub cut: u64,
    /// Bytes of frames that were cut.
    pub cut_bytes: u64,
    /// Frames that were longer than the buffer.
    pub too_long: u64,
    /// Bytes of frames that were longer than the buffer.
    pub too_long_bytes: u64,
    /// Frames with invalid control sequences.
    pub invalid: u64,
    /// Bytes of frames with invalid control sequences.
    pub invalid_bytes: u64,
    /// Frames of transport version 2.
    pub version_2: u64,
    /// Bytes of frames of transport version 2.
    pub version_2_bytes: u64,
}

impl Counts {
    fn add(&mut self, cause: Cause, length: u64) {
        let mut noise_events = 0;
        let (events, bytes) = match cause {
            Cause::Noise => (&mut noise_events, &mut self.noise_bytes),
            Cause::Crc => (&mut self.crc, &mut self.crc_bytes),
            Cause::Cut => (&mut self.cut, &mut self.cut_bytes),
            Cause::TooLong => (&mut self.too_long, &mut self.too_long_bytes),
            Cause::Invalid => (&mut self.invalid, &mut self.invalid_bytes),
            Cause::Version2 => (&mut self.version_2, &mut self.version_2_bytes),
        };
        *events = events.saturating_add(1);
        *bytes = bytes.saturating_add(length);
    }
}

/// Finds frames in a stream of bytes that comes in any pieces.
///
/// `B` is the buffer, `[u8; 1024]` on a chip or a `Vec<u8>`: its length is the bound on a frame's
/// bytes on the line. It is written to only when a frame does not lie in one piece of the input, or
/// has escapes that must be taken out; otherwise frames are passed on where they lie.
#[derive(Clone, Debug)]
pub struct Decoder<B> {
    /// The first `held` bytes are input that may be, or be the start of, a frame.
    buffer: B,
    held: usize,
    /// How far the held bytes have been looked through.
    scanned: usize,
    /// Whether there are doubled escapes in them.
    doubled: bool,
    /// Held bytes that the last event was about: they go when the next one is asked for.
    done: usize,
    tally: Tally,
}

/// What a decoder knows beside the bytes.
#[derive(Clone, Debug, Default)]
struct Tally {
    /// Where the first byte that is neither counted nor noise lies in the stream.
    offset: u64,
    /// Bytes of noise right before it, of which no event has told yet.
    noise: u64,
    /// The kind of CRC of the last good frame: tried first.
    crc: CrcKind,
    counts: Counts,
}

/// What to do with the bytes at hand, which begin at the start of the buffer or of the input.
enum Step {
    /// Keep those from `keep` on until there are more.
    More {
        keep: usize,
        scanned: usize,
        doubled: bool,
    },
    /// This many are noise; behind them a frame starts.
    Noise(usize),
    /// This many are a broken frame.
    Broken(Cause, usize),
    /// This many are a good frame.
    Frame {
        length: usize,
        crc: CrcKind,
        fill: u8,
        doubled: bool,
    },
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Decoder<B> {
    /// A decoder for frames of up to `buffer`'s length. Real telegrams have 200 to 700 bytes, those
    /// of some meters with all data switched on more than 1000.
    pub fn new(buffer: B) -> Self {
        Self {
            buffer,
            held: 0,
            scanned: 0,
            doubled: false,
            done: 0,
            tally: Tally::default(),
        }
    }

    /// What was seen so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.tally.counts
    }

    /// Takes bytes from the front of `input` up to the next event. `None` means that all are taken
    /// and that more are needed.
    #[inline]
    pub fn next<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Option<Event<'s>> {
        self.forget_done();
        if self.held > 0 {
            return self.next_held(input);
        }
        // The usual case: whole frames in the input, none of them copied.
        let step = self.step(input, 0, false);
        let length = match step {
            Step::More {
                keep,
                scanned,
                doubled,
            } => {
                self.tally.drop_noise(keep);
                self.hold(input.get(keep..).unwrap_or_default(), scanned, doubled);
                *input = &[];
                return None;
            }
            _ => self.tally.length_now(&step),
        };
        let (wire, rest) = input.split_at_checked(length)?;
        *input = rest;
        if let Some(noise) = self.tally.take_noise() {
            return Some(noise);
        }
        if let Step::Frame { doubled: true, .. } = step {
            let frame = self.buffer.as_mut().get_mut(..length)?;
            frame.copy_from_slice(wire);
            return Some(self.tally.event(&step, undoubled(frame), length));
        }
        Some(self.tally.event(&step, wire, length))
    }

    /// The end of the input: what is held will not become a frame any more. To be called until it
    /// gives `None`.
    pub fn finish(&mut self) -> Option<Event<'_>> {
        self.forget_done();
        if self.held < CONTROL {
            self.tally.drop_noise(self.held);
            self.held = 0;
        }
        if let Some(noise) = self.tally.take_noise() {
            return Some(noise);
        }
        if self.held == 0 {
            return None;
        }
        self.done = self.held;
        let wire = self.buffer.as_ref().get(..self.held)?;
        let step = Step::Broken(Cause::Cut, self.held);
        Some(self.tally.event(&step, wire, self.held))
    }

    /// Goes on with a frame, or the start of one, that lies in the buffer.
    #[inline(never)]
    fn next_held<'s>(&'s mut self, input: &mut &[u8]) -> Option<Event<'s>> {
        loop {
            let held = self.held;
            let space = self.buffer.as_mut().get_mut(held..)?;
            let count = space.len().min(input.len());
            let (taken, rest) = input.split_at_checked(count)?;
            space.get_mut(..count)?.copy_from_slice(taken);
            let all = held + count;
            let step = self.step(self.buffer.as_ref().get(..all)?, self.scanned, self.doubled);
            if let Step::More {
                keep,
                scanned,
                doubled,
            } = step
            {
                *input = rest;
                self.tally.drop_noise(keep);
                self.buffer.as_mut().copy_within(keep..all, 0);
                self.held = all - keep;
                self.scanned = scanned;
                self.doubled = doubled;
                if input.is_empty() {
                    return None;
                }
                continue;
            }
            let length = self.tally.length_now(&step);
            // What was copied behind the event's bytes stays in the input.
            self.held = length.max(held);
            self.done = length;
            self.scanned = 0;
            *input = input.get(self.held - held..)?;
            if let Some(noise) = self.tally.take_noise() {
                return Some(noise);
            }
            let frame = self.buffer.as_mut().get_mut(..length)?;
            let wire = match step {
                Step::Frame { doubled: true, .. } => undoubled(frame),
                _ => frame,
            };
            return Some(self.tally.event(&step, wire, length));
        }
    }

    /// Judges bytes that lie in one piece, of which the first `scanned` were looked through before.
    #[inline]
    fn step(&self, bytes: &[u8], scanned: usize, doubled: bool) -> Step {
        let capacity = self.buffer.as_ref().len();
        if capacity < OVERHEAD {
            return Step::More {
                keep: bytes.len(),
                scanned: 0,
                doubled: false,
            };
        }
        if scanned == 0 {
            match scan::hunt(bytes) {
                Hunt::Start(0) => {}
                Hunt::Start(at) => return Step::Noise(at),
                Hunt::Perhaps(keep) => {
                    return Step::More {
                        keep,
                        scanned: 0,
                        doubled: false,
                    };
                }
            }
        }
        let bytes = bytes.get(..capacity).unwrap_or(bytes);
        match scan::inside(bytes, scanned.max(CONTROL), doubled) {
            Inside::End { length, doubled } => judge(
                bytes.get(..length).unwrap_or(bytes),
                doubled,
                self.tally.crc,
            ),
            Inside::Start(at) => Step::Broken(Cause::Cut, at),
            Inside::Invalid(at) => broken(Cause::Invalid, bytes.get(..at).unwrap_or(bytes)),
            Inside::More { scanned, doubled } if bytes.len() < capacity => Step::More {
                keep: 0,
                scanned,
                doubled,
            },
            Inside::More { .. } => broken(Cause::TooLong, bytes),
        }
    }

    /// Keeps bytes that begin with what may be the start of a frame.
    fn hold(&mut self, bytes: &[u8], scanned: usize, doubled: bool) {
        if let Some(space) = self.buffer.as_mut().get_mut(..bytes.len()) {
            space.copy_from_slice(bytes);
            self.held = bytes.len();
            self.scanned = scanned;
            self.doubled = doubled;
        }
    }

    /// Lets go of the bytes that the last event was about.
    #[inline]
    fn forget_done(&mut self) {
        if self.done > 0 {
            self.buffer.as_mut().copy_within(self.done..self.held, 0);
            self.held -= self.done;
            self.done = 0;
            self.scanned = 0;
            self.doubled = false;
        }
    }
}

impl Tally {
    fn drop_noise(&mut self, length: usize) {
        self.noise += length as u64;
        self.offset += length as u64;
        self.counts.add(Cause::Noise, length as u64);
    }

    /// The noise before what comes next, once.
    #[inline]
    fn take_noise(&mut self) -> Option<Event<'static>> {
        let length = core::mem::take(&mut self.noise);
        (length > 0).then(|| {
            let offset = self.offset - length;
            Event::Skipped(Skipped {
                offset,
                length,
                cause: Cause::Noise,
                bytes: &[],
            })
        })
    }

    /// How many bytes the next event takes. Noise is told of before what follows it.
    #[inline]
    fn length_now(&mut self, step: &Step) -> usize {
        match *step {
            Step::Noise(length) => {
                self.drop_noise(length);
                length
            }
            Step::Broken(_, length) | Step::Frame { length, .. } if self.noise == 0 => length,
            _ => 0,
        }
    }

    /// The event about `wire`, which had `length` bytes on the line.
    #[inline]
    fn event<'s>(&mut self, step: &Step, wire: &'s [u8], length: usize) -> Event<'s> {
        let offset = self.offset;
        self.offset += length as u64;
        if let Step::Frame { crc, fill, .. } = *step {
            self.crc = crc;
            self.counts.frames += 1;
            self.counts.frame_bytes += length as u64;
            let end = wire.len().saturating_sub(CONTROL + usize::from(fill));
            let payload = wire.get(CONTROL..end).unwrap_or_default();
            return Event::Frame(Frame {
                offset,
                length,
                crc,
                fill,
                payload,
            });
        }
        let cause = match *step {
            _ if is_version_2(wire) => Cause::Version2,
            Step::Broken(cause, _) => cause,
            _ => Cause::Noise,
        };
        let length = length as u64;
        self.counts.add(cause, length);
        Event::Skipped(Skipped {
            offset,
            length,
            cause,
            bytes: wire,
        })
    }
}

/// Checks a frame that lies before us from start to CRC.
#[inline]
fn judge(frame: &[u8], doubled: bool, first: CrcKind) -> Step {
    let Some((covered, stated)) = frame.split_last_chunk::<2>() else {
        return Step::Broken(Cause::Invalid, frame.len());
    };
    let crc = [first, first.other()]
        .into_iter()
        .find(|kind| kind.checksum(covered) == *stated);
    match (crc, covered.last()) {
        _ if is_version_2(frame) => Step::Broken(Cause::Version2, frame.len()),
        (Some(crc), Some(&fill)) if fill <= FILL_MAX => Step::Frame {
            length: frame.len(),
            crc,
            fill,
            doubled,
        },
        (Some(_), _) => broken(Cause::Invalid, frame),
        (None, _) => broken(Cause::Crc, frame),
    }
}

/// What is behind a broken frame may lie in it: the start of another, or some first bytes of one,
/// where bytes were lost.
fn broken(cause: Cause, frame: &[u8]) -> Step {
    match scan::hunt(frame.get(1..).unwrap_or_default()) {
        Hunt::Start(at) | Hunt::Perhaps(at) => Step::Broken(cause, 1 + at),
    }
}

fn is_version_2(wire: &[u8]) -> bool {
    wire.get(ESCAPE.len()..CONTROL) == Some(&START_VERSION_2)
}

/// The frame without the doubled escapes.
fn undoubled(frame: &mut [u8]) -> &[u8] {
    let length = scan::undouble(frame);
    frame.get(..length).unwrap_or_default()
}
