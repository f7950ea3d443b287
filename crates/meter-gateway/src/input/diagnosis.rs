//! Says why no readings come although the input is open.
//!
//! A pure function over what was counted and the last bytes that came
//! ([`Finding::of`]), and the words for it ([`Finding::advice`]).

use std::fmt;

use super::spoken::{Spoken, spoken};
use crate::ports::{DataBits, Line};

/// What is known since the last good frame.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evidence<'a> {
    /// All bytes that came.
    pub bytes: u64,
    /// The last of them, some hundred at most.
    pub sample: &'a [u8],
    /// Frames that began and were cut off or failed their checksum.
    pub broken: u64,
    /// What we sent before, if anything.
    pub sent: &'a [u8],
}

/// Where the bytes come from, as far as it changes the advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// A read head on a serial port with these settings.
    Head(Line),
    /// A serial server on the network.
    Network,
    /// A Tibber Pulse on its bridge.
    Pulse,
    /// A topic of a broker.
    Broker,
    /// A recording.
    Recording,
}

/// Why no readings come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// No byte at all.
    Dark,
    /// One byte again and again: a lamp or a reflection instead of a signal.
    Repeated(u8),
    /// What we sent comes back and nothing else.
    Echo,
    /// IEC 62056-21 text instead of SML.
    D0 {
        /// Its parity bits are seen as data: the line is set to 8N1.
        parity: bool,
    },
    /// DLMS, which is usually encrypted, instead of SML.
    Dlms,
    /// M-Bus instead of SML.
    MBus,
    /// SML transport version 2.
    SmlV2,
    /// Frames begin, and the line drops the eighth bit of every byte.
    SevenBits,
    /// Frames begin, and none is whole.
    Broken,
    /// Pulses longer than a character: a slower sender, or a lamp.
    LongPulses,
    /// Bytes without any pattern.
    Noise,
}

impl Finding {
    /// Draws the conclusion. Never fails: what it does not know is [`Finding::Noise`].
    #[must_use]
    pub fn of(evidence: &Evidence<'_>) -> Self {
        let sample = evidence.sample;
        let Some(&first) = sample.first() else {
            return Self::Dark;
        };
        if !evidence.sent.is_empty() && is_echo(sample, evidence.sent) {
            return Self::Echo;
        }
        if sample.len() >= 16 && sample.iter().all(|&byte| byte == first) {
            return Self::Repeated(first);
        }
        match spoken(sample) {
            Spoken::D0 { parity } => Self::D0 { parity },
            Spoken::Dlms => Self::Dlms,
            Spoken::MBus => Self::MBus,
            Spoken::SmlV2 => Self::SmlV2,
            Spoken::Sml if is_stripped(sample) => Self::SevenBits,
            Spoken::Sml => Self::Broken,
            _ if evidence.broken > 0 => Self::Broken,
            _ if has_long_pulses(sample) => Self::LongPulses,
            Spoken::Json | Spoken::Html | Spoken::Unknown => Self::Noise,
        }
    }

    /// One word for it, the same however the advice reads.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Repeated(_) => "repeated",
            Self::Echo => "echo",
            Self::D0 { .. } => "d0",
            Self::Dlms => "dlms",
            Self::MBus => "mbus",
            Self::SmlV2 => "sml-v2",
            Self::SevenBits => "seven-bits",
            Self::Broken => "broken",
            Self::LongPulses => "long-pulses",
            Self::Noise => "noise",
        }
    }

    /// What is wrong and what to do, one line.
    #[must_use]
    pub fn advice(self, medium: Medium) -> String {
        match (self, medium) {
            (Self::Dark, medium) => dark(medium).to_owned(),
            (Self::Repeated(byte), _) => format!(
                "only the byte 0x{byte:02x} again and again: the head sees a lamp, the sun or its own \
                 reflection; shade it and put it straight over the meter's diode"
            ),
            (Self::Echo, _) => "only an echo of what was sent: the head sees its own light \
                 reflected; turn it by a few degrees until the meter answers"
                .to_owned(),
            (Self::D0 { .. }, Medium::Pulse) => "this meter speaks D0 (IEC 62056-21) text, not SML, \
                 which is not supported: set the Pulse's meter mode to 3 (SML) if the meter can do both"
                .to_owned(),
            (Self::D0 { .. }, _) => "this meter speaks D0 (IEC 62056-21) text, not SML, which is not \
                 supported: many meters have an SML head on the other side, or a menu entry for it"
                .to_owned(),
            (Self::Dlms, _) => "this meter speaks DLMS (HDLC frames), which is not supported".to_owned(),
            (Self::MBus, _) => "this meter speaks M-Bus, which is not supported".to_owned(),
            (Self::SmlV2, _) => {
                "this meter sends SML transport version 2, which is not supported".to_owned()
            }
            (Self::SevenBits, Medium::Head(line)) => format!(
                "SML is there, but {line} drops the eighth bit of every byte: \
                 set data_bits = 8 and parity = \"none\""
            ),
            (Self::SevenBits, _) => "SML is there, but the eighth bit of every byte is missing: set \
                 the serial side to 9600 8N1"
                .to_owned(),
            (Self::Broken, medium) => broken(medium).to_owned(),
            (Self::LongPulses, medium) => long_pulses(medium),
            (Self::Noise, medium) => noise(medium),
        }
    }
}

/// What it is, in a few words.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dark => "nothing",
            Self::Repeated(byte) => return write!(f, "only the byte 0x{byte:02x}"),
            Self::Echo => "only an echo",
            Self::D0 { .. } => "D0 (IEC 62056-21) text, not SML",
            Self::Dlms => "DLMS, not SML",
            Self::MBus => "M-Bus, not SML",
            Self::SmlV2 => "SML transport version 2",
            Self::SevenBits => "SML without its eighth bit",
            Self::Broken => "damaged SML telegrams",
            Self::LongPulses => "long pulses",
            Self::Noise => "noise",
        })
    }
}

fn dark(medium: Medium) -> &'static str {
    match medium {
        Medium::Head(_) => {
            "nothing arrives (dark head): put the magnet over the meter's infrared diode, cable \
             downwards; the meter may need its PIN and \"InF on\"; a head powered by RTS may \
             need a supply"
        }
        Medium::Network => {
            "connected, but the server sends nothing: check that the head sits on the meter and that \
             no other client has the port (ser2net: max-connections)"
        }
        Medium::Pulse => {
            "the bridge answers, but has no data of the Pulse: check its batteries, its place on \
             the meter and the distance to the bridge"
        }
        Medium::Broker => {
            "nothing is published on the topic: check topic and username's rights, and that the device \
             is on (Tasmota: TelePeriod)"
        }
        Medium::Recording => "the recording is empty",
    }
}

fn broken(medium: Medium) -> &'static str {
    match medium {
        Medium::Head(_) => {
            "telegrams arrive, but every one is damaged: move or turn the head by a few degrees, \
             shade it, and keep other transmitters off the cable"
        }
        Medium::Network => {
            "telegrams arrive, but every one is damaged: set the server to raw mode (not telnet) and \
             its serial side to 9600 8N1, then move the head"
        }
        Medium::Pulse => {
            "telegrams arrive, but every one is damaged: turn the Pulse by a few degrees and bring \
             the bridge nearer"
        }
        Medium::Broker => {
            "telegrams arrive, but every one is damaged: look at the head of the device that publishes \
             them, and that each message is a whole telegram"
        }
        Medium::Recording => "the recording holds no undamaged telegram",
    }
}

fn long_pulses(medium: Medium) -> String {
    match medium {
        Medium::Head(line) => format!(
            "light comes, but in pulses longer than a character at {line}: lamp light (shade the head), \
             or a slower meter that speaks D0 at 300 7E1, which is not supported"
        ),
        _ => noise(medium),
    }
}

fn noise(medium: Medium) -> String {
    match medium {
        Medium::Head(line) if line.data_bits == DataBits::Seven || line.baud != 9600 => format!(
            "only noise at {line}: SML meters send with baud = 9600, data_bits = 8, parity = \"none\""
        ),
        Medium::Head(line) => format!(
            "only noise at {line}: put the head straight over the meter's diode and shade it \
             from other light"
        ),
        Medium::Network => {
            "only noise: set the server's serial side to 9600 8N1 and move the head \
             until telegrams come"
                .to_owned()
        }
        Medium::Pulse => {
            "the bridge delivers bytes that are no SML: set the Pulse's meter mode to 3 (SML)"
                .to_owned()
        }
        Medium::Broker => "the topic has messages that are no SML: check topic".to_owned(),
        Medium::Recording => {
            "the recording holds no SML: give a file of the meter's raw bytes".to_owned()
        }
    }
}

/// Nothing but what was sent, perhaps several times or not to its end.
fn is_echo(sample: &[u8], sent: &[u8]) -> bool {
    sample.len() >= sent.len().min(4)
        && sample.chunks(sent.len()).all(|part| sent.starts_with(part))
}

/// Enough bytes to be sure, and none with its eighth bit. Every telegram has
/// some: its own checksums alone make it all but certain.
fn is_stripped(sample: &[u8]) -> bool {
    sample.len() >= 128 && sample.iter().all(|byte| byte & 0x80 == 0)
}

/// A bit that lasts longer than a character shows as bytes that begin with
/// zeros and end with ones (the least significant bit comes first), most of them
/// all zeros or all ones.
fn has_long_pulses(sample: &[u8]) -> bool {
    let long = sample
        .iter()
        .filter(|&&byte| byte.leading_ones() + byte.trailing_zeros() >= 8)
        .count();
    sample.len() >= 32 && long * 10 >= sample.len() * 8
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Medium = Medium::Head(Line::SML);

    fn finding(sample: &[u8]) -> Finding {
        Finding::of(&Evidence {
            bytes: sample.len() as u64,
            sample,
            ..Evidence::default()
        })
    }

    #[test]
    fn silence_is_a_dark_head() {
        assert_eq!(finding(b""), Finding::Dark);
        let advice = Finding::Dark.advice(HEAD);
        for word in ["magnet", "PIN", "InF on", "RTS"] {
            assert!(advice.contains(word), "{advice}");
        }
        assert!(
            Finding::Dark
                .advice(Medium::Network)
                .contains("max-connections")
        );
        assert!(Finding::Dark.advice(Medium::Pulse).contains("batteries"));
    }

    #[test]
    fn one_byte_again_and_again_is_a_lamp() {
        assert_eq!(finding(&[0; 64]), Finding::Repeated(0));
        assert_eq!(finding(&[0; 3]), Finding::Noise, "too few to say");
        assert!(Finding::Repeated(0).advice(HEAD).contains("0x00"));
    }

    #[test]
    fn an_echo_is_what_was_sent() {
        let echo = |sample: &[u8]| {
            Finding::of(&Evidence {
                bytes: sample.len() as u64,
                sample,
                sent: b"/?!\r\n",
                ..Evidence::default()
            })
        };
        assert_eq!(echo(b"/?!\r\n"), Finding::Echo);
        assert_eq!(echo(b"/?!\r\n/?!\r"), Finding::Echo);
        assert_eq!(
            echo(b"/?!\r\n/EMH5\\@0100\r\n"),
            Finding::D0 { parity: false }
        );
    }

    #[test]
    fn text_is_another_protocol() {
        let d0 = b"1-0:1.8.0*255(00000999.0000000*kWh)\r\n";
        assert_eq!(finding(d0), Finding::D0 { parity: false });
        let advice = finding(d0).advice(HEAD);
        assert!(advice.starts_with("this meter speaks D0 (IEC 62056-21) text, not SML"));
    }

    #[test]
    fn damaged_frames_call_for_another_place() {
        let mut frame = vec![0x1b, 0x1b, 0x1b, 0x1b, 1, 1, 1, 1, 0x76, 0x05];
        assert_eq!(finding(&frame), Finding::Broken);
        frame.resize(200, 0xa5);
        assert_eq!(finding(&frame), Finding::Broken);
        assert!(Finding::Broken.advice(HEAD).contains("turn the head"));
        assert!(Finding::Broken.advice(Medium::Network).contains("telnet"));
    }

    #[test]
    fn a_line_of_seven_bits_shows_in_the_eighth() {
        let mut frame = vec![0x1b, 0x1b, 0x1b, 0x1b, 1, 1, 1, 1];
        frame.extend((0..192_u8).map(|byte| byte & 0x7f));
        assert_eq!(finding(&frame), Finding::SevenBits);
        let advice = Finding::SevenBits.advice(Medium::Head(Line::seven_even(9600)));
        assert!(advice.contains("9600 7E1 drops the eighth bit"), "{advice}");
        assert!(advice.contains("data_bits = 8"), "{advice}");
    }

    #[test]
    fn slow_bits_are_long_pulses() {
        let slow: Vec<u8> = [0x00, 0xff, 0x00, 0xf8, 0x00, 0x80, 0xff, 0x00].repeat(8);
        assert_eq!(finding(&slow), Finding::LongPulses);
        assert!(Finding::LongPulses.advice(HEAD).contains("300 7E1"));
    }

    #[test]
    fn the_rest_is_noise() {
        let noise: Vec<u8> = (0..300_u32)
            .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1])
            .collect();
        assert_eq!(finding(&noise), Finding::Noise);
        let advice = Finding::Noise.advice(Medium::Head(Line::eight(115_200)));
        assert!(advice.contains("baud = 9600"), "{advice}");
    }

    #[test]
    fn every_advice_is_one_line() {
        let all = [
            Finding::Dark,
            Finding::Repeated(0xff),
            Finding::Echo,
            Finding::D0 { parity: true },
            Finding::Dlms,
            Finding::MBus,
            Finding::SmlV2,
            Finding::SevenBits,
            Finding::Broken,
            Finding::LongPulses,
            Finding::Noise,
        ];
        for finding in all {
            for medium in [HEAD, Medium::Network, Medium::Pulse, Medium::Recording] {
                let advice = finding.advice(medium);
                assert!(!advice.contains('\n') && !advice.contains("  "), "{advice}");
            }
        }
    }
}
