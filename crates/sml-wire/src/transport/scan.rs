//! Where frames begin and end, in bytes that lie in one piece.

/// What announces a control sequence.
pub(super) const ESCAPE: [u8; 4] = [0x1b; 4];
/// What follows [`ESCAPE`] at the start of a frame of version 1.
pub(super) const START: [u8; 4] = [0x01; 4];
/// What follows [`ESCAPE`] at the start of a frame of version 2.
pub(super) const START_VERSION_2: [u8; 4] = [0x02; 4];
/// What follows [`ESCAPE`] at the end of a frame; the count of fill bytes and the CRC are next.
pub(super) const END: u8 = 0x1a;
/// Bytes of a start, and of an end.
pub(super) const CONTROL: usize = 8;

/// What the hunt for a start found.
pub(super) enum Hunt {
    /// A start begins here.
    Start(usize),
    /// There is none, but one may begin here with bytes that are still to come.
    Perhaps(usize),
}

/// Looks for the start of a frame, behind however many `1b`.
#[inline]
pub(super) fn hunt(bytes: &[u8]) -> Hunt {
    // Nearly always the next telegram follows right behind.
    if bytes.first_chunk() == Some(&[0x1b, 0x1b, 0x1b, 0x1b, 1, 1, 1, 1]) {
        return Hunt::Start(0);
    }
    let mut at = 0;
    while let Some(run) = next_run(bytes, at) {
        let control = bytes.get(run.end..).unwrap_or_default();
        let escape = run.end.saturating_sub(ESCAPE.len()).max(run.start);
        if control.is_empty() {
            return Hunt::Perhaps(escape);
        }
        if run.end - run.start >= ESCAPE.len() {
            for start in [START, START_VERSION_2] {
                if control.starts_with(&start) {
                    return Hunt::Start(escape);
                }
                if start.starts_with(control) {
                    return Hunt::Perhaps(escape);
                }
            }
        }
        at = run.end;
    }
    Hunt::Perhaps(bytes.len())
}

/// What a look into a frame found.
pub(super) enum Inside {
    /// The frame is this long; `doubled` tells whether escapes in it are to be taken out.
    End { length: usize, doubled: bool },
    /// Another frame begins here: this one was cut.
    Start(usize),
    /// A control sequence that there is not, behind which to go on.
    Invalid(usize),
    /// More bytes are needed; up to here there is nothing.
    More { scanned: usize, doubled: bool },
}

/// Looks for the end of the frame that begins with `bytes`, from `scanned` on.
///
/// A run of n times `1b` in a payload is sent as 2n - n mod 4. So in a run of m on the line each
/// whole eight are four of the payload, and what is left is payload too if it is less than four;
/// otherwise its last four are an escape.
#[inline]
pub(super) fn inside(bytes: &[u8], scanned: usize, mut doubled: bool) -> Inside {
    let version_2 = bytes.get(4..CONTROL) == Some(&START_VERSION_2);
    let mut at = scanned;
    while let Some(run) = next_run(bytes, at) {
        let count = run.end - run.start;
        let Some(&next) = bytes.get(run.end) else {
            return Inside::More {
                scanned: run.start,
                doubled,
            };
        };
        at = run.end;
        if count % 8 < ESCAPE.len() {
            doubled |= count >= 8;
            continue;
        }
        let escape = run.end - ESCAPE.len();
        let Some(control) = bytes.get(run.end..run.end + 4) else {
            return Inside::More {
                scanned: run.start,
                doubled,
            };
        };
        doubled |= count >= 8;
        if next == END {
            return Inside::End {
                length: run.end + 4,
                doubled,
            };
        }
        if control == START || control == START_VERSION_2 {
            return Inside::Start(escape);
        }
        if !version_2 {
            return Inside::Invalid(run.end);
        }
    }
    Inside::More {
        scanned: bytes.len(),
        doubled,
    }
}

/// The next run of `1b`.
#[inline]
fn next_run(bytes: &[u8], from: usize) -> Option<core::ops::Range<usize>> {
    let start = from + memchr::memchr(0x1b, bytes.get(from..)?)?;
    let count = bytes
        .get(start..)?
        .iter()
        .take_while(|byte| **byte == 0x1b)
        .count();
    Some(start..start + count)
}

/// Takes the doubled escapes out of a frame and returns how long it is then. Start and end stay as
/// they are.
pub(super) fn undouble(frame: &mut [u8]) -> usize {
    let (mut read, mut written) = (0, 0);
    loop {
        let run = next_run(frame, read).unwrap_or(frame.len()..frame.len());
        frame.copy_within(read..run.start, written);
        written += run.start - read;
        let count = run.end - run.start;
        let kept = count / 8 * 4 + count % 8;
        if kept == 0 {
            return written;
        }
        if let Some(space) = frame.get_mut(written..written + kept) {
            space.fill(0x1b);
        }
        written += kept;
        read = run.end;
    }
}
