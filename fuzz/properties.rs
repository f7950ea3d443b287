//! What holds for any bytes whatever. The fuzz targets and the ordinary tests call the same
//! functions, each of which panics where its property does not hold.
#![allow(dead_code, reason = "each fuzz target calls one of the functions")]

use std::fmt::Write as _;

use sml_wire::file::salvage;
use sml_wire::{Body, CrcKind, Decoder, Event, File, Frame, Message, Writer};

/// Smaller than on a real line, so that short inputs reach the bound.
const FRAME_BOUND: usize = 512;

/// A frame or a broken one, without its borrowed bytes. Noise is left out: how it falls into
/// events depends on the pieces, and its sum is compared through the counts.
#[derive(Debug, PartialEq)]
struct Seen {
    offset: u64,
    length: u64,
    what: String,
    payload: Vec<u8>,
}

/// The first byte says into what pieces the rest is split.
///
/// Bytes in any pieces give the same frames and the same counts, every byte is counted once,
/// whatever came before a good frame does not keep the next one from being read, and nothing
/// panics.
pub fn stream(input: &[u8]) {
    let Some((&split, bytes)) = input.split_first() else {
        return;
    };
    let (whole, counts) = decode([bytes]);
    let pieces = bytes.chunks(usize::from(split % 67) + 1);
    let (in_pieces, counts_in_pieces) = decode(pieces);
    assert_eq!(whole, in_pieces);
    assert_eq!(counts, counts_in_pieces);
    let counted = counts.frame_bytes
        + counts.noise_bytes
        + counts.crc_bytes
        + counts.cut_bytes
        + counts.too_long_bytes
        + counts.invalid_bytes
        + counts.version_2_bytes;
    assert_eq!(counted, bytes.len() as u64);
    recovers(bytes);
}

fn recovers(before: &[u8]) {
    let payload = [0x63, 0x12, 0x34, 0x00];
    let mut wire = [0; 64];
    let mut writer = Writer::new(&mut wire);
    Frame::new(&payload, CrcKind::X25)
        .emit(&mut writer)
        .expect("there is room");
    let frame = writer.written();
    let (seen, _) = decode([before, frame, frame]);
    let last = seen.last().expect("a frame was written");
    assert_eq!(last.payload, payload);
}

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Seen>, sml_wire::Counts) {
    let mut decoder = Decoder::new([0; FRAME_BOUND]);
    let mut seen = Vec::new();
    for mut piece in pieces {
        while let Some(event) = decoder.next(&mut piece) {
            seen.extend(look(&event));
        }
    }
    while let Some(event) = decoder.finish() {
        seen.extend(look(&event));
    }
    (seen, *decoder.counts())
}

fn look(event: &Event<'_>) -> Option<Seen> {
    match event {
        Event::Frame(frame) => {
            file_of(frame.payload, frame.crc);
            Some(Seen {
                offset: frame.offset,
                length: frame.length as u64,
                what: format!("frame {:?}", frame.crc),
                payload: frame.payload.to_vec(),
            })
        }
        Event::Skipped(skipped) => {
            assert!(salvage(skipped.bytes).all(|message| message.intact()));
            (skipped.cause != sml_wire::Cause::Noise).then(|| Seen {
                offset: skipped.offset,
                length: skipped.length,
                what: format!("{:?}", skipped.cause),
                payload: Vec::new(),
            })
        }
    }
}

/// Any payload can be walked through and shown, and nothing panics.
pub fn file(payload: &[u8]) {
    for crc in [CrcKind::X25, CrcKind::Kermit] {
        file_of(payload, crc);
    }
}

fn file_of(payload: &[u8], crc: CrcKind) {
    let mut shown = String::new();
    for message in File::new(payload, crc).messages() {
        match message {
            Ok(message) => {
                let _ = write!(shown, "{message}");
                if let Body::GetListRes(list) = message.body {
                    assert_eq!(list.entries.into_iter().count(), list.entries.len());
                }
            }
            Err(error) => {
                assert!(usize::try_from(error.offset).is_ok_and(|offset| offset <= payload.len()));
                let _ = write!(shown, "{error}");
            }
        }
    }
}

/// A payload in a frame comes out of it as it was; a message that can be read and is written
/// again says the same, and is written the same from then on.
pub fn round_trip(payload: &[u8]) {
    framed(payload);
    for message in File::new(payload, CrcKind::X25).messages().flatten() {
        let first = emitted(&message);
        let again: Vec<_> = File::new(&first, CrcKind::X25)
            .messages()
            .collect::<Result<_, _>>()
            .expect("what was written can be read");
        let [again] = again.as_slice() else {
            panic!("one message was written, {} are read", again.len());
        };
        assert!(again.intact());
        assert_eq!(outline(&message), outline(again));
        assert_eq!(first, emitted(again));
    }
}

fn framed(payload: &[u8]) {
    for crc in [CrcKind::X25, CrcKind::Kermit] {
        let frame = Frame::new(payload, crc);
        let mut wire = vec![0; 2 * payload.len() + 64];
        let mut writer = Writer::new(&mut wire);
        frame.emit(&mut writer).expect("there is room");
        let mut decoder = Decoder::new(vec![0; 2 * payload.len() + 64]);
        let mut input = writer.written();
        let Some(Event::Frame(read)) = decoder.next(&mut input) else {
            panic!("what was written is no frame");
        };
        assert_eq!(read.payload, payload);
        // One frame in 65 536 is right by both checksums. Nothing tells which one was meant.
        let covered = &writer.written()[..writer.written().len() - 2];
        let by_both = CrcKind::X25.checksum(covered) == CrcKind::Kermit.checksum(covered);
        assert!(read.crc == crc || by_both);
        assert!(input.is_empty());
    }
}

fn emitted(message: &Message<'_>) -> Vec<u8> {
    // What was written short may be longer when it is written in full.
    let mut buffer = vec![0; 64 * 1024];
    let mut writer = Writer::new(&mut buffer);
    message.emit(&mut writer).expect("there is room");
    writer.written().to_vec()
}

fn outline(message: &Message<'_>) -> String {
    format!("{:?}", message.body)
}
