use std::collections::VecDeque;

use sml_wire::{Body, Counts, CrcKind, Decoder, Event, Frame, GetListRes, Wire, Writer};

/// Longest frame that is taken: real telegrams stay below 1 kB, with everything switched on.
const LONGEST: usize = 16 * 1024;

/// As many bytes as are looked at to say what is wrong. Two telegrams fit.
const SAMPLE: usize = 1024;

/// One list of registers, both of whose checksums are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Telegram {
    /// The meter's server id.
    pub server_id: Box<[u8]>,
    /// The `GetList.Res` body as on the wire.
    pub body: Vec<u8>,
    /// The kind of checksum.
    pub crc: CrcKind,
    /// The meter's seconds index.
    pub seconds: Option<u64>,
}

/// Takes bytes in any pieces and gives telegrams; remembers what the rest looked like.
#[derive(Debug)]
pub(crate) struct Telegrams {
    decoder: Decoder<Vec<u8>>,
    /// Bodies are written here before their length is known.
    scratch: Vec<u8>,
    /// More than one list of a frame.
    waiting: VecDeque<Telegram>,
    /// The last bytes since the last telegram.
    sample: Vec<u8>,
    /// All bytes since the last telegram.
    bytes: u64,
    /// Broken frames up to the last telegram.
    broken_before: u64,
}

impl Telegrams {
    pub(crate) fn new() -> Self {
        Self {
            decoder: Decoder::new(vec![0; LONGEST]),
            scratch: Vec::new(),
            waiting: VecDeque::new(),
            sample: Vec::new(),
            bytes: 0,
            broken_before: 0,
        }
    }

    /// Takes bytes from the front of `input` up to the next telegram; `None` when all are taken.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Option<Telegram> {
        loop {
            if let Some(telegram) = self.waiting.pop_front() {
                return Some(telegram);
            }
            let before = *input;
            let Some(event) = self.decoder.next(input) else {
                self.note(before);
                return None;
            };
            if let Event::Frame(frame) = event {
                lists(&frame, &mut self.scratch, &mut self.waiting);
            }
            if self.waiting.is_empty() {
                self.note(&before[..before.len() - input.len()]);
            } else {
                self.sample.clear();
                self.bytes = 0;
                self.broken_before = broken(self.decoder.counts());
            }
        }
    }

    /// The end of the input.
    pub(crate) fn finish(&mut self) {
        while self.decoder.finish().is_some() {}
    }

    /// What the decoder counted since the beginning.
    pub(crate) fn counts(&self) -> Counts {
        *self.decoder.counts()
    }

    /// The last bytes since the last telegram.
    pub(crate) fn sample(&self) -> &[u8] {
        &self.sample
    }

    /// All bytes since the last telegram.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Broken frames since the last telegram.
    pub(crate) fn broken(&self) -> u64 {
        broken(self.decoder.counts()) - self.broken_before
    }

    /// Forgets what came since the last telegram, as when a port is opened anew.
    pub(crate) fn forget(&mut self) {
        self.sample.clear();
        self.bytes = 0;
        self.broken_before = broken(self.decoder.counts());
    }

    fn note(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        let newest = &bytes[bytes.len().saturating_sub(SAMPLE)..];
        let excess = (self.sample.len() + newest.len()).saturating_sub(SAMPLE);
        self.sample.drain(..excess);
        self.sample.extend_from_slice(newest);
    }
}

/// Frames that were none in the end.
pub(super) fn broken(counts: &Counts) -> u64 {
    counts.crc + counts.cut + counts.too_long + counts.invalid
}

/// Adds the lists of a frame whose own checksums are right.
fn lists(frame: &Frame<'_>, scratch: &mut Vec<u8>, to: &mut VecDeque<Telegram>) {
    for message in frame.file().messages().flatten() {
        if let Body::GetListRes(list) = message.body
            && message.intact()
            && let Some(body) = written(&list, frame.payload.len(), scratch)
        {
            to.push_back(Telegram {
                server_id: list.server_id.into(),
                body,
                crc: frame.crc,
                seconds: seconds(&list),
            });
        }
    }
}

/// The list as it stood on the wire. It cannot be longer than the payload that it is from.
fn written(list: &GetListRes<'_>, bound: usize, scratch: &mut Vec<u8>) -> Option<Vec<u8>> {
    if scratch.len() < bound {
        scratch.resize(bound, 0);
    }
    let mut writer = Writer::new(scratch);
    list.emit(&mut writer).ok()?;
    Some(writer.written().to_vec())
}

/// The meter's seconds index, of the list or else of the first register that has one.
fn seconds(list: &GetListRes<'_>) -> Option<u64> {
    let of_list = list.sensor_time.and_then(sml_wire::Time::seconds_index);
    of_list.or_else(|| {
        let mut times = list.entries.iter().filter_map(|entry| entry.time);
        times.find_map(|time| time.seconds_index().filter(|seconds| *seconds != 0))
    })
}

#[cfg(test)]
mod tests {
    use sml_wire::{Integer, ListEntry, Message, Time, Value};

    use super::*;

    fn telegram(server_id: &[u8], seconds: u64) -> Vec<u8> {
        let entries = [ListEntry {
            name: &[1, 0, 1, 8, 0, 255],
            status: None,
            time: None,
            unit: Some(Integer::unsigned(30)),
            scaler: Some(Integer::signed(-1)),
            value: Value::Integer(Integer::unsigned(29_416_459)),
            signature: None,
        }];
        let list = GetListRes {
            entries: entries.as_slice().into(),
            sensor_time: Some(Time::SecondsIndex(Integer::unsigned(seconds))),
            ..GetListRes::of(server_id)
        };
        let (mut file, mut wire) = ([0; 512], [0; 512]);
        let mut payload = Writer::new(&mut file);
        Message::new(b"1", Body::GetListRes(list))
            .emit(&mut payload)
            .unwrap();
        let mut writer = Writer::new(&mut wire);
        Frame::new(payload.written(), CrcKind::X25)
            .emit(&mut writer)
            .unwrap();
        writer.written().to_vec()
    }

    #[test]
    fn telegrams_come_out_of_any_pieces() {
        let mut line = b"noise".to_vec();
        for seconds in 1..=5 {
            line.extend(telegram(b"meter", seconds));
        }
        for piece in 1..line.len() {
            let mut telegrams = Telegrams::new();
            let mut seen = Vec::new();
            for mut bytes in line.chunks(piece) {
                while let Some(telegram) = telegrams.next(&mut bytes) {
                    assert_eq!(&*telegram.server_id, b"meter");
                    seen.extend(telegram.seconds);
                }
            }
            assert_eq!(seen, [1, 2, 3, 4, 5], "pieces of {piece}");
            assert_eq!(telegrams.counts().noise_bytes, 5);
        }
    }

    #[test]
    fn what_is_no_telegram_is_remembered_to_be_looked_at() {
        let mut telegrams = Telegrams::new();
        let mut damaged = telegram(b"meter", 1);
        damaged[20] ^= 1;
        let mut input = damaged.as_slice();
        assert_eq!(telegrams.next(&mut input), None);
        assert_eq!(telegrams.sample(), damaged);
        assert_eq!(
            (telegrams.bytes(), telegrams.broken()),
            (damaged.len() as u64, 1)
        );
        let whole = telegram(b"meter", 2);
        assert!(telegrams.next(&mut whole.as_slice()).is_some());
        assert_eq!((telegrams.sample(), telegrams.broken()), (&b""[..], 0));
    }

    #[test]
    fn the_sample_is_bounded() {
        let mut telegrams = Telegrams::new();
        for _ in 0..100 {
            let noise = [0xa5; 333];
            telegrams.next(&mut noise.as_slice());
        }
        assert_eq!(telegrams.sample().len(), SAMPLE);
        assert_eq!(telegrams.bytes(), 33_300);
    }
}
