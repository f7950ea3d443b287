//! What meters and lines do beside the specification, a made telegram for each.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use proptest::prelude::*;
use sml_wire::body::{CloseRes, OpenRes};
use sml_wire::element::ErrorKind;
use sml_wire::file::salvage;
use sml_wire::{
    Body, Cause, CrcKind, Decoder, Event, File, Frame, GetListRes, Integer, ListEntry, Message,
    MessageCrc, Minutes, Obis, Time, Value, Writer,
};

const ENERGY: [u8; 6] = Obis::electricity(1, 8, 0).0;
const POWER: [u8; 6] = Obis::electricity(16, 7, 0).0;

fn entry<'a>(name: &'a [u8], value: Value<'a>) -> ListEntry<'a> {
    ListEntry {
        name,
        status: None,
        time: None,
        unit: Some(Integer::unsigned(30)),
        scaler: Some(Integer::signed(-1)),
        value,
        signature: None,
    }
}

fn number(value: u64) -> Value<'static> {
    Value::Integer(Integer::unsigned(value))
}

/// Bytes that `emit` writes.
fn written(emit: impl FnOnce(&mut Writer<'_>) -> Result<(), sml_wire::Full>) -> Vec<u8> {
    let mut space = vec![0; 64 * 1024];
    let mut writer = Writer::new(&mut space);
    emit(&mut writer).expect("space");
    writer.written().to_vec()
}

fn list_message(entries: &[ListEntry<'_>]) -> Vec<u8> {
    let list = GetListRes {
        entries: entries.into(),
        ..GetListRes::of(b"\x0a\x01EMH\0\0\0\0\x01")
    };
    written(|writer| Message::new(b"2", Body::GetListRes(list)).emit(writer))
}

fn open_message() -> Vec<u8> {
    let open = OpenRes {
        codepage: None,
        client_id: None,
        file_id: b"1",
        server_id: b"meter",
        reference_time: None,
        sml_version: None,
    };
    written(|writer| Message::new(b"1", Body::OpenRes(open)).emit(writer))
}

fn close_message() -> Vec<u8> {
    let close = Body::CloseRes(CloseRes { signature: None });
    written(|writer| Message::new(b"3", close).emit(writer))
}

fn file(entries: &[ListEntry<'_>]) -> Vec<u8> {
    [open_message(), list_message(entries), close_message()].concat()
}

fn frame(payload: &[u8]) -> Vec<u8> {
    written(|writer| Frame::new(payload, CrcKind::X25).emit(writer))
}

fn telegram() -> Vec<u8> {
    frame(&file(&[entry(&ENERGY, number(29_416_459))]))
}

/// What a decoder makes of the bytes: payloads, and causes with offset and length.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    payloads: Vec<Vec<u8>>,
    skipped: Vec<(Cause, u64, u64)>,
}

fn decode_with(capacity: usize, pieces: &[&[u8]]) -> Seen {
    let mut seen = Seen::default();
    let mut note = |event: Event<'_>| match event {
        Event::Frame(frame) => seen.payloads.push(frame.payload.to_vec()),
        Event::Skipped(part) => seen.skipped.push((part.cause, part.offset, part.length)),
    };
    let mut decoder = Decoder::new(vec![0; capacity]);
    for piece in pieces {
        let mut input = *piece;
        while let Some(event) = decoder.next(&mut input) {
            note(event);
        }
    }
    while let Some(event) = decoder.finish() {
        note(event);
    }
    let counts = *decoder.counts();
    let given: usize = pieces.iter().map(|piece| piece.len()).sum();
    let counted = counts.frame_bytes
        + counts.noise_bytes
        + counts.crc_bytes
        + counts.cut_bytes
        + counts.too_long_bytes
        + counts.invalid_bytes
        + counts.version_2_bytes;
    assert_eq!(counted, given as u64, "every byte is counted once");
    assert_eq!(counts.frames, seen.payloads.len() as u64);
    seen
}

fn decode(bytes: &[u8]) -> Seen {
    let whole = decode_with(16 * 1024, &[bytes]);
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(
        whole,
        decode_with(16 * 1024, &single),
        "byte by byte gives the same"
    );
    whole
}

fn decoded(bytes: &[u8]) -> Vec<u8> {
    let seen = decode(bytes);
    assert_eq!(seen.skipped, []);
    assert_eq!(seen.payloads.len(), 1);
    seen.payloads.concat()
}

fn messages(payload: &[u8]) -> Vec<Result<Message<'_>, sml_wire::Error>> {
    File::new(payload, CrcKind::X25).messages().collect()
}

fn lists(payload: &[u8]) -> usize {
    messages(payload)
        .into_iter()
        .filter(|message| {
            matches!(
                message,
                Ok(Message {
                    body: Body::GetListRes(_),
                    crc: MessageCrc::Right(_),
                    ..
                })
            )
        })
        .count()
}

#[test]
fn four_fill_bytes_where_none_are_needed() {
    // DZG DVS74 without PIN.
    let payload = [file(&[entry(&ENERGY, number(1))]), vec![0; 3]].concat();
    let payload = &payload[..payload.len() / 4 * 4];
    for fill in 0..=4 {
        let whole = Frame {
            fill,
            ..Frame::new(payload, CrcKind::X25)
        };
        assert_eq!(
            decoded(&written(|writer| whole.emit(writer))),
            payload,
            "{fill}"
        );
    }
    let five = Frame {
        fill: 5,
        ..Frame::new(payload, CrcKind::X25)
    };
    let bytes = written(|writer| five.emit(writer));
    assert_eq!(
        decode(&bytes).skipped,
        [(Cause::Invalid, 0, bytes.len() as u64)]
    );
}

#[test]
fn kermit_in_frame_and_messages() {
    // Holley DTZ541 over RS485.
    let list = GetListRes::of(b"meter");
    let message = Message {
        crc: MessageCrc::Right(CrcKind::Kermit),
        ..Message::new(b"1", Body::GetListRes(list))
    };
    let payload = written(|writer| message.emit(writer));
    let bytes = written(|writer| Frame::new(&payload, CrcKind::Kermit).emit(writer));
    let mut decoder = Decoder::new([0; 256]);
    let mut input = bytes.as_slice();
    let Some(Event::Frame(frame)) = decoder.next(&mut input) else {
        panic!("no frame");
    };
    assert_eq!(frame.crc, CrcKind::Kermit);
    let found = frame.file().messages().next();
    assert_eq!(
        found.map(|found| found.map(|found| found.crc)),
        Some(Ok(message.crc))
    );
    // The same bytes in a frame with X.25: the message's own checksum is wrong then.
    assert_eq!(messages(&payload)[0].map(|found| found.intact()), Ok(false));
}

#[test]
fn any_number_of_1b_before_the_start() {
    let telegram = telegram();
    for extra in 1..=17 {
        let bytes = [vec![0x1b; extra], telegram.clone()].concat();
        let seen = decode(&bytes);
        assert_eq!(seen.payloads.len(), 1, "{extra}");
        assert_eq!(seen.skipped, [(Cause::Noise, 0, extra as u64)]);
    }
}

#[test]
fn escapes_in_the_payload() {
    for run in 0..=21 {
        for (before, after) in [
            (&b"a"[..], &b"b"[..]),
            (b"", b"b"),
            (b"a", b"\x01\x01\x01\x01"),
        ] {
            let payload = [before, &vec![0x1b; run], after].concat();
            assert_eq!(decoded(&frame(&payload)), payload, "run of {run}");
        }
    }
}

#[test]
fn payload_that_ends_in_1b() {
    for run in 1..=13 {
        let payload = [&b"abc"[..], &vec![0x1b; run]].concat();
        let fill = 4 - payload.len() % 4;
        let whole = Frame {
            fill: u8::try_from(fill % 4).expect("small"),
            ..Frame::new(&payload, CrcKind::X25)
        };
        assert_eq!(
            decoded(&written(|writer| whole.emit(writer))),
            payload,
            "{run}"
        );
    }
}

#[test]
fn a_start_inside_a_telegram_begins_anew() {
    let telegram = telegram();
    for cut in 8..telegram.len() {
        let bytes = [&telegram[..cut], &telegram].concat();
        let seen = decode(&bytes);
        assert_eq!(seen.payloads.len(), 1, "cut at {cut}");
        assert_eq!(
            seen.skipped.iter().map(|part| part.2).sum::<u64>(),
            cut as u64
        );
    }
}

#[test]
fn a_good_frame_behind_a_broken_one_survives() {
    let telegram = telegram();
    for position in 0..telegram.len() {
        let mut bytes = [telegram.clone(), telegram.clone()].concat();
        bytes[position] ^= 0x10;
        assert_eq!(decode(&bytes).payloads.len(), 1, "byte {position} flipped");
        let mut bytes = [telegram.clone(), telegram.clone()].concat();
        bytes.remove(position);
        let least = usize::from(position != telegram.len() - 1);
        assert!(
            decode(&bytes).payloads.len() >= least,
            "byte {position} lost"
        );
    }
}

#[test]
fn the_bound_on_frames_is_the_buffer() {
    let telegram = telegram();
    let bytes = [telegram.clone(), telegram.clone()].concat();
    assert_eq!(decode_with(telegram.len(), &[&bytes]).payloads.len(), 2);
    for capacity in 0..telegram.len() {
        let whole = decode_with(capacity, &[&bytes]);
        assert_eq!(whole.payloads.len(), 0);
        let pieces: Vec<&[u8]> = bytes.chunks(5).collect();
        assert_eq!(whole, decode_with(capacity, &pieces));
    }
}

#[test]
fn version_2_is_passed_over_and_counted() {
    let mut version_2 = telegram();
    version_2[4..8].fill(0x02);
    let bytes = [version_2.clone(), telegram()].concat();
    let seen = decode(&bytes);
    assert_eq!(seen.payloads.len(), 1);
    assert_eq!(seen.skipped, [(Cause::Version2, 0, version_2.len() as u64)]);
}

#[test]
fn noise_for_ever_is_counted() {
    let mut decoder = Decoder::new([0; 64]);
    let noise = [0x1b, 0x00, 0x55].repeat(100_000);
    let mut input = noise.as_slice();
    assert_eq!(decoder.next(&mut input), None);
    assert_eq!(decoder.counts().noise_bytes, 300_000);
}

#[test]
fn zeros_between_messages_and_a_missing_end() {
    let entries = [entry(&ENERGY, number(1))];
    let (open, list, close) = (open_message(), list_message(&entries), close_message());
    let padded = [&open[..], &[0, 0, 0], &list, &[0], &close, &[0, 0]].concat();
    assert_eq!(messages(&padded).len(), 3);
    assert_eq!(lists(&padded), 1);
    let endless = [&open[..open.len() - 1], &list[..list.len() - 1], &close].concat();
    assert_eq!(messages(&endless).len(), 3);
    assert_eq!(lists(&endless), 1);
}

#[test]
fn an_unknown_or_broken_message_leaves_its_neighbours_alone() {
    let list = list_message(&[entry(&ENERGY, number(1))]);
    // GetCosem.Res, whatever is in it, and a GetList.Res whose list is no list.
    for (tag, body) in [
        (0x0801_u64, &b"\x73\x01\x72\x62\x01\x62\x02\x42\x01"[..]),
        (0x0701, b"\x62\x01"),
    ] {
        let start = written(|writer| {
            writer.list(6)?;
            writer.octets(b"x")?;
            writer.raw(b"\x62\x00\x62\x00\x72")?;
            sml_wire::Wire::emit(&Integer::unsigned(tag), writer)?;
            writer.raw(body)
        });
        let crc = CrcKind::X25.checksum(&start);
        let strange = [&start[..], &[0x63], &crc, &[0x00]].concat();
        let payload = [&strange[..], &list].concat();
        assert_eq!(lists(&payload), 1, "{tag:04x}");
        let first = messages(&payload)[0];
        if tag == 0x0801 {
            assert_eq!(
                first.map(|message| (message.body.tag(), message.intact())),
                Ok((tag, true))
            );
        } else {
            let kind = first.expect_err("no list").kind;
            assert!(matches!(kind, ErrorKind::Type { .. }), "{kind:?}");
        }
    }
}

#[test]
fn tags_and_checksums_of_other_widths() {
    for tag_width in 2..=4 {
        let message = Message {
            tag_width,
            ..Message::new(b"1", Body::CloseRes(CloseRes { signature: None }))
        };
        let payload = written(|writer| message.emit(writer));
        assert_eq!(
            messages(&payload)[0].map(|read| (read.tag_width, read.intact())),
            Ok((tag_width, true))
        );
    }
    // ISKRA MT631 leaves the zero out with which a checksum begins.
    let trimmed = (0..=u16::MAX).find_map(|number| {
        let id = number.to_be_bytes();
        let message = Message {
            crc_width: 1,
            ..Message::new(&id, Body::CloseRes(CloseRes { signature: None }))
        };
        let payload = written(|writer| message.emit(writer));
        (messages(&payload)[0].map(|read| read.crc_width) == Ok(1)).then_some(payload)
    });
    let payload = trimmed.expect("one in 256 checksums begins with a zero");
    assert_eq!(
        messages(&payload)[0].map(|read| (read.crc_width, read.intact())),
        Ok((1, true))
    );
}

#[test]
fn integers_of_every_width() {
    for width in 1..=8 {
        let most = u64::MAX >> (64 - 8 * u32::from(width));
        for integer in [
            Integer::unsigned(most),
            Integer::unsigned(1).with_width(width),
            Integer::signed(-1).with_width(width),
            Integer::signed((most >> 1).cast_signed()),
            Integer::signed(-1 - (most >> 1).cast_signed()),
        ] {
            assert_eq!(integer.width(), width);
            let payload = file(&[entry(&POWER, Value::Integer(integer))]);
            assert_eq!(first_entry(&payload).value, Value::Integer(integer));
        }
    }
}

fn first_entry(payload: &[u8]) -> ListEntry<'_> {
    for message in messages(payload).into_iter().flatten() {
        if let Body::GetListRes(list) = message.body {
            return list.entries.iter().next().expect("an entry");
        }
    }
    panic!("no list")
}

#[test]
fn times_in_all_forms() {
    let seconds = Integer::unsigned(0x12_3456_789a);
    let minutes = |minutes| Minutes { minutes, width: 2 };
    for time in [
        Time::SecondsIndex(seconds),
        Time::SecondsIndex(Integer::unsigned(0)),
        Time::Timestamp(seconds),
        Time::Bare(seconds),
        Time::Local {
            timestamp: seconds,
            local_offset: minutes(60),
            season_offset: minutes(-60),
        },
    ] {
        let with_time = ListEntry {
            time: Some(time),
            ..entry(&ENERGY, number(1))
        };
        let payload = file(&[with_time, entry(&POWER, number(2))]);
        assert_eq!(first_entry(&payload), with_time);
        let value = match time {
            // As a value it would be a plain number.
            Time::Bare(seconds) => Value::Integer(seconds),
            time => Value::Time(time),
        };
        let payload = file(&[entry(&ENERGY, value), entry(&POWER, number(2))]);
        assert_eq!(first_entry(&payload).value, value);
    }
}

#[test]
fn lists_of_more_than_fifteen() {
    for count in [0, 1, 15, 16, 21, 255, 256, 500] {
        let entries = vec![entry(&ENERGY, number(7)); count];
        let payload = file(&entries);
        let found = messages(&payload)
            .into_iter()
            .flatten()
            .find_map(|message| match message.body {
                Body::GetListRes(list) => Some(list.entries.iter().count()),
                _ => None,
            });
        assert_eq!(found, Some(count));
    }
}

#[test]
fn lengths_that_take_more_bytes_than_they_need() {
    // 80 0b is 0b with a byte more, which counts itself.
    let list = list_message(&[entry(&ENERGY, number(1))]);
    let position = list
        .windows(7)
        .position(|bytes| bytes == b"\x07\x01\x00\x01\x08\x00\xff")
        .expect("name");
    let mut long = list[..list.len() - 4].to_vec();
    long.splice(position..=position, [0x80, 0x08]);
    let crc = CrcKind::X25.checksum(&long);
    long.extend([&[0x63], &crc[..], &[0x00]].concat());
    assert_eq!(lists(&long), 1);
    assert_eq!(first_entry(&long).name, ENERGY);
}

#[test]
fn hostile_lengths_and_nesting() {
    for bytes in [
        &b"\xff\xff\xff\x0f"[..], // a list of 65 535
        b"\xff\xff\xff\xff\xff\xff\xff\x0f",
        b"\x80\x01",     // shorter than itself
        b"\xf0\x80\x02", // seen to crash a reader in use
        b"\x50",
        b"\x60",
        b"\x76",
    ] {
        let found = messages(bytes);
        assert_eq!(found.len(), 1, "{bytes:02x?}");
        assert!(found[0].is_err());
    }
    let nested = vec![0x71; 100_000];
    assert!(matches!(messages(&nested)[..], [Err(_)]));
    let closed = [vec![0x71; 100_000], vec![0x01]].concat();
    assert!(matches!(messages(&closed)[..], [Err(_)]));
    assert!(!File::new(&closed, CrcKind::X25).to_string().is_empty());
}

#[test]
fn values_of_other_kinds() {
    for value in [
        Value::Absent,
        Value::Bool(true),
        Value::Bool(false),
        Value::Octets(&[7; 300]),
    ] {
        let payload = file(&[entry(&ENERGY, value)]);
        assert_eq!(first_entry(&payload).value, value);
    }
}

#[test]
fn an_odd_entry_leaves_its_neighbours_alone() {
    let energy = entry(&ENERGY, number(29_416_459));
    let power = entry(&POWER, number(356));
    let entries = [energy, energy, power];
    let payload = list_message(&entries);
    let one = written(|writer| sml_wire::Wire::emit(&energy, writer));
    let second = payload
        .windows(one.len())
        .rposition(|window| window == one)
        .expect("it was written");
    // An entry of six elements, a number for the name, a time of a choice that there is not.
    for odd in [
        [&[0x76], &one[1..8], &one[9..]].concat(),
        [&[0x77, 0x62, 0x01], &one[8..]].concat(),
        [&one[..9], &[0x72, 0x62, 0x09, 0x62, 0x01], &one[10..]].concat(),
    ] {
        let changed = [&payload[..second], &odd, &payload[second + one.len()..]].concat();
        let messages = messages(&changed);
        let [
            Ok(Message {
                body: Body::GetListRes(list),
                ..
            }),
        ] = &messages[..]
        else {
            panic!("{messages:?}");
        };
        let read: Vec<_> = list.entries.iter().collect();
        let [before, middle, behind] = read[..] else {
            panic!("{read:?}");
        };
        assert_eq!((before, behind), (energy, power));
        assert_eq!(list.entries.len(), 3);
        assert!(middle.name.is_empty());
        assert!(matches!(middle.value, Value::Other(element) if element.bytes() == odd));
        let again = written(|writer| sml_wire::Wire::emit(list, writer));
        assert!(again.windows(odd.len()).any(|window| window == odd));
    }
}

#[test]
fn errors_say_where() {
    let list = list_message(&[entry(&ENERGY, number(1))]);
    let error = messages(&list[..20])[0].expect_err("cut");
    assert_eq!(
        error.to_string(),
        format!("element longer than what is left at byte {}", error.offset)
    );
}

#[test]
fn a_message_is_salvaged_by_its_own_checksum() {
    let telegram = telegram();
    let cut = &telegram[..telegram.len() - 12];
    let bytes = [cut, &telegram].concat();
    let mut decoder = Decoder::new(vec![0; 1024]);
    let mut input = bytes.as_slice();
    let Some(Event::Skipped(part)) = decoder.next(&mut input) else {
        panic!("the first is cut")
    };
    assert_eq!(part.cause, Cause::Cut);
    let names: Vec<_> = salvage(part.bytes)
        .map(|message| message.body.name())
        .collect();
    assert_eq!(names, ["PublicOpen.Res", "GetList.Res"]);
    // A flipped bit in the list: nothing of it is believed.
    let mut flipped = cut.to_vec();
    let last = flipped.len() - 20;
    flipped[last] ^= 1;
    assert!(salvage(&flipped).all(|message| message.body.name() != "GetList.Res"));
}

proptest! {
    #[test]
    fn whatever_is_framed_comes_back(
        payload in proptest::collection::vec(prop_oneof![Just(0x1b_u8), Just(0x01), Just(0x1a), any::<u8>()], 0..300),
        cuts in proptest::collection::vec(0_usize..700, 0..6),
        noise in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        // A payload never ends with 1b on a real line, since a message ends with 00.
        let payload = [&payload[..], &[0x00]].concat();
        let bytes = [&noise[..], &[0x00], &frame(&payload), &frame(&payload)].concat();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
        let seen = decode_with(16 * 1024, &pieces);
        prop_assert_eq!(&seen, &decode_with(16 * 1024, &[&bytes]));
        prop_assert!(seen.payloads.ends_with(&[payload.clone(), payload]));
    }

    #[test]
    fn any_bytes_give_the_same_in_any_pieces(
        bytes in proptest::collection::vec(prop_oneof![4 => Just(0x1b_u8), 3 => Just(0x01), 2 => Just(0x1a), 1 => Just(0x02), 2 => any::<u8>()], 0..400),
        capacity in 16_usize..200,
        piece in 1_usize..50,
    ) {
        let pieces: Vec<&[u8]> = bytes.chunks(piece).collect();
        prop_assert_eq!(decode_with(capacity, &pieces), decode_with(capacity, &[&bytes]));
    }

    #[test]
    fn what_can_be_read_is_written_again(bytes in proptest::collection::vec(any::<u8>(), 0..200), flips in proptest::collection::vec((0_usize..200, any::<u8>()), 0..4)) {
        let mut payload = file(&[entry(&ENERGY, number(29_416_459)), entry(&POWER, Value::Octets(b"x"))]);
        for (position, byte) in flips {
            let length = payload.len();
            payload[position % length] = byte;
        }
        for payload in [payload, bytes] {
            for message in messages(&payload).into_iter().flatten() {
                let once = written(|writer| message.emit(writer));
                let again = messages(&once)[0].expect("readable");
                prop_assert_eq!(again.body, message.body);
                prop_assert_eq!(written(|writer| again.emit(writer)), once);
            }
            let _ = File::new(&payload, CrcKind::X25).to_string();
        }
    }
}
