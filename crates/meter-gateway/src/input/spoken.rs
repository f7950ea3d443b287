//! Recognises what a stream of bytes is by the bytes alone.
//!
//! Pure functions over a sample; [`super::Finding`] turns them into words.

/// The start of an SML transport frame of version 1 (BSI TR-03109-1, SML 1.04 clause 8).
const START: [u8; 8] = [0x1b, 0x1b, 0x1b, 0x1b, 1, 1, 1, 1];

/// The start of an SML transport frame of version 2, which no meter in reach has been seen to send.
const START_V2: [u8; 8] = [0x1b, 0x1b, 0x1b, 0x1b, 2, 2, 2, 2];

/// What bytes look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoken {
    /// SML transport frames begin in it.
    Sml,
    /// SML transport frames of version 2 begin in it.
    SmlV2,
    /// IEC 62056-21 text ("D0"): `1-0:1.8.0*255(000123.4*kWh)`.
    D0 {
        /// The eighth bit of each character is an even parity bit.
        parity: bool,
    },
    /// DLMS in HDLC frames (IEC 62056-46), as meters in Austria and the Nordics send it.
    Dlms,
    /// Wired M-Bus long frames (EN 13757-2).
    MBus,
    /// JSON.
    Json,
    /// HTML.
    Html,
    /// None of these.
    Unknown,
}

/// Says what `sample` looks like.
#[must_use]
pub fn spoken(sample: &[u8]) -> Spoken {
    let has = |pattern: &[u8]| {
        sample
            .windows(pattern.len())
            .any(|window| window == pattern)
    };
    if has(&START) {
        return Spoken::Sml;
    }
    if has(&START_V2) {
        return Spoken::SmlV2;
    }
    if has_hdlc(sample) {
        return Spoken::Dlms;
    }
    if has_mbus(sample) {
        return Spoken::MBus;
    }
    let text = sample.trim_ascii();
    match text.first() {
        Some(b'{' | b'[') if is_text(text) => return Spoken::Json,
        Some(b'<') if is_text(text) => return Spoken::Html,
        _ => {}
    }
    if is_text(sample) && has_register(sample) {
        return Spoken::D0 {
            parity: sample.iter().any(|byte| byte & 0x80 != 0),
        };
    }
    Spoken::Unknown
}

/// Nine of ten characters can be read once a parity bit is taken off.
fn is_text(sample: &[u8]) -> bool {
    let readable = sample
        .iter()
        .filter(|&&byte| {
            // A parity bit, if there is one, makes the number of ones even.
            let parity_fits = byte & 0x80 == 0 || byte.count_ones() % 2 == 0;
            // STX and ETX enclose a D0 block.
            parity_fits && matches!(byte & 0x7f, b' '..=b'~' | b'\r' | b'\n' | b'\t' | 2 | 3)
        })
        .count();
    sample.len() >= 8 && readable * 10 >= sample.len() * 9
}

/// A value in brackets behind a code with points, `1.8.0(`, or an identification, `/EMH5`.
fn has_register(sample: &[u8]) -> bool {
    let plain: Vec<u8> = sample.iter().map(|byte| byte & 0x7f).collect();
    let identification = plain.windows(5).any(|at| {
        at[0] == b'/' && at[1..4].iter().all(u8::is_ascii_alphabetic) && at[4].is_ascii_digit()
    });
    let register = plain.split(|&byte| byte == b'\n').any(|row| {
        row.iter()
            .position(|&byte| byte == b'(')
            .is_some_and(|bracket| {
                let code = &row[..bracket];
                code.contains(&b'.') && code.iter().any(u8::is_ascii_digit)
            })
    });
    identification || register
}

/// An HDLC frame of type 3 whose length field leads to its closing flag.
fn has_hdlc(sample: &[u8]) -> bool {
    sample.windows(3).enumerate().any(|(at, head)| {
        let [0x7e, format, low] = *head else {
            return false;
        };
        let length = usize::from(format & 0x07) << 8 | usize::from(low);
        // Addresses, control and check sequence alone take seven bytes.
        format & 0xf0 == 0xa0 && length >= 7 && sample.get(at + 1 + length) == Some(&0x7e)
    })
}

/// An M-Bus long frame whose length field, given twice, leads to its stop byte.
fn has_mbus(sample: &[u8]) -> bool {
    sample.windows(4).enumerate().any(|(at, head)| {
        let [0x68, length, again, 0x68] = *head else {
            return false;
        };
        length == again && length >= 3 && sample.get(at + 5 + usize::from(length)) == Some(&0x16)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets the even parity bit, as a line of 8 data bits shows a sender of 7E1.
    fn with_parity(text: &str) -> Vec<u8> {
        let set = |byte: u8| byte | (u8::from(byte.count_ones() % 2 == 1) << 7);
        text.bytes().map(set).collect()
    }

    const D0: &str = "/ESY5Q3DA1024 V3.04\r\n\r\n1-0:1.8.0*255(00000999.0000000*kWh)\r\n!\r\n";

    #[test]
    fn knows_text_with_and_without_parity() {
        assert_eq!(spoken(D0.as_bytes()), Spoken::D0 { parity: false });
        assert_eq!(spoken(&with_parity(D0)), Spoken::D0 { parity: true });
        assert_eq!(
            spoken(b"0.2(6.8*V)\r\n1.8.0(4.1)\r\n"),
            Spoken::D0 { parity: false }
        );
    }

    #[test]
    fn knows_dlms_and_mbus_by_their_lengths() {
        let mut hdlc = vec![
            0x00, 0x7e, 0xa0, 0x0a, 0x41, 0x08, 0x83, 0x13, 9, 9, 9, 9, 0x7e,
        ];
        assert_eq!(spoken(&hdlc), Spoken::Dlms);
        hdlc.pop();
        assert_eq!(spoken(&hdlc), Spoken::Unknown);
        let mbus = [0x68, 3, 3, 0x68, 0x53, 0xff, 0x10, 0x62, 0x16];
        assert_eq!(spoken(&mbus), Spoken::MBus);
    }

    #[test]
    fn knows_frames_of_either_version() {
        assert_eq!(
            spoken(&[&[9, 0x1b][..], &START, &[0x76]].concat()),
            Spoken::Sml
        );
        assert_eq!(spoken(&START_V2), Spoken::SmlV2);
    }

    #[test]
    fn knows_what_web_servers_say() {
        assert_eq!(spoken(br#" {"$type":"imp_data","kw":1}"#), Spoken::Json);
        assert_eq!(spoken(b"<!doctype html><html>"), Spoken::Html);
    }

    #[test]
    fn random_bytes_are_nothing() {
        let noise: Vec<u8> = (0..1000_u32)
            .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1])
            .collect();
        assert_eq!(spoken(&noise), Spoken::Unknown);
        assert_eq!(spoken(b""), Spoken::Unknown);
        assert_eq!(spoken(b"Nothing matches the given URI"), Spoken::Unknown);
    }
}
