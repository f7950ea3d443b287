use meter_device::console::{BadLine, Event, LINE_BYTES, Port};
use meter_device::improv::Error;
use proptest::prelude::*;

/// What comes of a stream, in words.
fn events(stream: &[u8]) -> Vec<String> {
    let mut port = Port::new();
    take(&mut port, stream)
}

fn take(port: &mut Port, stream: &[u8]) -> Vec<String> {
    let mut told = Vec::new();
    for octet in stream {
        if let Some(event) = port.push(*octet) {
            told.push(match event {
                Event::Command(meter_device::console::Command::Configure(json)) => {
                    format!("configure {}", String::from_utf8_lossy(json))
                }
                Event::Command(command) => command.name().to_owned(),
                Event::BadLine(bad) => format!("{bad:?}"),
                Event::Improv(request) => format!("{request:?}"),
                Event::BadPacket(error) => format!("{error:?}"),
            });
        }
    }
    told
}

/// A packet as a browser sends it.
fn packet(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut octets = b"IMPROV\x01".to_vec();
    octets.extend([kind, u8::try_from(data.len()).unwrap()]);
    octets.extend(data);
    octets.push(
        octets
            .iter()
            .fold(0, |sum: u8, octet| sum.wrapping_add(*octet)),
    );
    octets.push(b'\n');
    octets
}

const STATE: &[u8] = b"IMPROV\x01\x03\x02\x02\x00\xe5\n";

#[test]
fn a_packet_octet_by_octet() {
    assert_eq!(packet(3, b"\x02\x00"), STATE);
    let wifi = packet(3, b"\x01\x08\x02ab\x04cdef");
    assert_eq!(wifi, b"IMPROV\x01\x03\x0a\x01\x08\x02ab\x04cdef\x4f\n");
    assert_eq!(events(&wifi), ["Wifi(\"ab\")"]);
}

#[test]
fn lines_and_packets_share_the_stream() {
    let mut stream = b"\r\n\ninfo\r\n".to_vec();
    stream.extend(STATE);
    stream.extend(b"configure {\"name\":\"a\"}\n");
    stream.extend(b"\xff\xfe noise");
    stream.extend(packet(3, b"\x03\x00"));
    stream.extend(b"I am IMPROVing\nhelp\n");
    assert_eq!(
        events(&stream),
        [
            "info",
            "State",
            "configure {\"name\":\"a\"}",
            "Info",
            "Unknown",
            "help"
        ]
    );
}

#[test]
fn typing_can_be_mended() {
    for (typed, told) in [
        (&b"infp\x7fo\n"[..], vec!["info"]),
        (b"info\xc3\xa4\x08\n", vec!["info"]),
        (b"\x08\x08info\n", vec!["info"]),
        (b"forget\x03info\n", vec!["info"]),
        (b"forget\x15\n", vec![]),
        (b"\xc3\xa4\n", vec!["Unknown"]),
        (b"\xff\n", vec!["NotText"]),
    ] {
        assert_eq!(events(typed), told, "{typed:?}");
    }
}

#[test]
fn a_line_that_is_too_long_is_told_once() {
    let mut port = Port::new();
    let mut long = vec![b'x'; LINE_BYTES];
    long.push(b'\n');
    assert_eq!(take(&mut port, &long), ["Unknown"]);
    long.insert(0, b'x');
    assert_eq!(take(&mut port, &long), [format!("{:?}", BadLine::TooLong)]);
    assert_eq!(take(&mut port, b"info\n"), ["info"]);
}

#[test]
fn a_damaged_packet_is_refused() {
    let mut damaged = STATE.to_vec();
    damaged[11] ^= 1;
    assert_eq!(events(&damaged), [format!("{:?}", Error::BadPacket)]);
    assert_eq!(events(&packet(1, b"\x02")), ["BadPacket"]);
    assert_eq!(events(&packet(3, b"\x63\x00")), ["UnknownCommand"]);
}

#[test]
fn silence_ends_what_is_left_of_a_packet() {
    let mut port = Port::new();
    assert!(take(&mut port, b"IMPROV\x01\x03\xff").is_empty());
    port.quiet();
    assert_eq!(take(&mut port, b"info\n"), ["info"]);
    assert!(take(&mut port, b"inf").is_empty());
    port.quiet();
    assert_eq!(take(&mut port, b"o\n"), ["info"]);
}

#[test]
fn a_packet_within_a_damaged_one_is_found() {
    // The length is wrong, so that what follows seems to belong to it.
    let mut stream = b"IMPROV\x01\x03\x20\x02\x00\xe5\n".to_vec();
    stream.extend(STATE);
    stream.extend(b"0123456789012345678901234567890\n");
    stream.extend(STATE);
    let told = events(&stream);
    assert_eq!(
        told.iter().filter(|told| *told == "State").count(),
        2,
        "{told:?}"
    );
}

fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..20),
        1 => Just(b"IMPROV".to_vec()),
        1 => Just(b"IMPROV\x01".to_vec()),
        1 => Just(b"IMPROV\x01\x03\xff".to_vec()),
        1 => Just(STATE[..10].to_vec()),
        1 => Just(b"\n".to_vec()),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn after_any_noise_and_silence_a_packet_is_found(noise in noise()) {
        let mut port = Port::new();
        take(&mut port, &noise);
        port.quiet();
        let told = take(&mut port, STATE);
        prop_assert_eq!(told, ["State"]);
    }

    /// Without the silence the noise may have begun a packet of at most 258 octets.
    #[test]
    fn after_any_noise_the_third_of_long_packets_is_found(noise in noise()) {
        let mut stream = noise;
        let wifi = packet(3, &[&[1, 202, 100][..], &[b'a'; 100], &[100], &[b'b'; 100]].concat());
        stream.extend(wifi.repeat(3));
        let told = events(&stream);
        prop_assert!(told.last().unwrap().starts_with("Wifi"), "{told:?}");
    }

    #[test]
    fn after_any_noise_and_two_line_ends_a_command_is_read(noise in noise()) {
        let mut port = Port::new();
        take(&mut port, &noise);
        port.quiet();
        take(&mut port, b"\n");
        prop_assert_eq!(take(&mut port, b"info\n"), ["info"]);
    }
}
