//! What bytes may be that are not SML.

use meter_gateway::input::{Spoken, spoken};

/// How much of the input's start is looked at.
pub const START: usize = 4 * 1024;

/// Advice for somebody whose input holds no telegram: `text` is how the input starts as it is
/// written down, `start` how the bytes in it do.
pub fn advice(text: &[u8], start: &[u8], total: u64) -> Option<&'static str> {
    let is_d0 = |bytes| matches!(spoken(bytes), Spoken::D0 { .. });
    if is_d0(text) || is_d0(start) {
        return Some("this looks like IEC 62056-21 (D0) text, not SML; it is not supported");
    }
    if total == 0 {
        return Some(
            "there was no byte to decode: is the input empty, or text without hex digits?",
        );
    }
    match spoken(start) {
        Spoken::Dlms => {
            return Some("this looks like DLMS/COSEM over HDLC, not SML; it is not supported");
        }
        Spoken::MBus => return Some("this looks like M-Bus, not SML; it is not supported"),
        _ => {}
    }
    if !contains(start, &[0x1b; 4]) {
        return Some(
            "nowhere does a telegram start (1b 1b 1b 1b 01 01 01 01): were the bytes read with \
             another speed or parity than the meter's (usually 9600 baud, 8N1)?",
        );
    }
    None
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::advice;

    #[test]
    fn other_protocols_are_named() {
        let d0 = b"/ESY5Q3DA1004 V3.04\r\n\r\n1-0:0.0.0*255(112233)\r\n1-0:1.8.0*255(00000.1*kWh)\r\n!\r\n";
        assert!(advice(d0, &[], 0).is_some_and(|text| text.contains("D0")));
        let hdlc = [
            0x7e, 0xa0, 0x0c, 0xce, 0xff, 0x03, 0x13, 0x12, 0x8b, 0xe6, 0xe7, 0x00, 0x0f, 0x7e,
        ];
        assert!(advice(&[], &hdlc, 13).is_some_and(|text| text.contains("DLMS")));
        assert!(advice(&[], &[0x55; 100], 100).is_some_and(|text| text.contains("9600")));
        assert!(advice(&[], &[], 0).is_some_and(|text| text.contains("empty")));
    }
}
