//! Hex text, as people post it: bytes out of lines.
//!
//! One reader for all of these, because nobody wants to say which one they have:
//!
//! | written by | a line |
//! |---|---|
//! | Tasmota `sensor53 d1` | `: 77 07 01 00 01 08 00 ff`, with or without a time before it |
//! | libsml-testing and others | one upper-case run, `1B1B1B1B01010101…`, wrapped or not |
//! | `ESPHome` uart debug | `[D][uart_debug:114]: <<< 1B:1B:1B:1B:01:01` |
//! | `xxd` | `00000000: 1b1b 1b1b 0101 0101  ........` |
//! | `hexdump -C` | `00000000  1b 1b 1b 1b 01 01 01 01  \|........\|` |
//! | source code | `0x1b, 0x1b, 0x1b, 0x1b,` |
//!
//! A line with anything else on it is not hex text; it is left out and counted.

/// A line longer than this is taken in pieces, so that memory stays bounded.
const LONGEST_LINE: usize = 16 * 1024;

/// Turns text that comes in pieces of any size into bytes.
#[derive(Debug, Default)]
pub struct Reader {
    line: Vec<u8>,
    /// The first piece of an overlong line has been taken: what follows has no prefix.
    continued: bool,
    /// The first digit of a byte whose second one stands on the next line of a wrapped run.
    half: Option<u8>,
    /// The last line was one of `hexdump -C`, which ends with an offset alone on its line.
    dumped: bool,
    lines_left_out: u64,
}

impl Reader {
    /// Takes the next piece of text and appends the bytes that are complete to `out`.
    pub fn feed(&mut self, text: &[u8], out: &mut Vec<u8>) {
        for &byte in text {
            match byte {
                b'\n' | b'\r' => self.end_line(out),
                // UTF-16, as some Windows shells redirect it, is ASCII with zeros between.
                0 => {}
                _ => self.line.push(byte),
            }
            if self.line.len() >= LONGEST_LINE {
                self.take_piece(out);
            }
        }
    }

    /// The text has ended, perhaps without a line end.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.end_line(out);
    }

    /// How many lines were not hex text.
    pub fn lines_left_out(&self) -> u64 {
        self.lines_left_out
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.line);
        let continued = std::mem::take(&mut self.continued);
        let was_dump = std::mem::replace(&mut self.dumped, line.ends_with(b"|"));
        if !(was_dump && is_offset(&line)) {
            self.take(
                if continued {
                    &line
                } else {
                    without_prefix(&line)
                },
                out,
            );
        }
        self.line = line;
        self.line.clear();
    }

    /// Takes the whole bytes at the front of a line that is too long to hold.
    fn take_piece(&mut self, out: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.line);
        let even = line.len() - line.len() % 2;
        let cut = line
            .iter()
            .rposition(|byte| !byte.is_ascii_hexdigit())
            .map_or(even, |at| at + 1);
        let piece = line.get(..cut).unwrap_or_default();
        let continued = std::mem::replace(&mut self.continued, true);
        self.take(
            if continued {
                piece
            } else {
                without_prefix(piece)
            },
            out,
        );
        self.line
            .extend_from_slice(line.get(cut..).unwrap_or_default());
    }

    fn take(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let before = out.len();
        let words = || {
            text.split(|byte| !byte.is_ascii_alphanumeric())
                .filter(|word| !word.is_empty())
        };
        // Half a byte is only believed between lines that are nothing but one run of digits.
        let run = words().count() == 1;
        if !run {
            self.half = None;
        }
        for word in words() {
            if !self.take_word(digits(word), run, out) {
                out.truncate(before);
                self.half = None;
                self.lines_left_out += 1;
                return;
            }
        }
    }

    fn take_word(&mut self, word: &[u8], run: bool, out: &mut Vec<u8>) -> bool {
        if let ([digit], false) = (word, run) {
            return nibble(*digit).map(|value| out.push(value)).is_some();
        }
        for &digit in word {
            let Some(value) = nibble(digit) else {
                return false;
            };
            match self.half.take() {
                Some(high) => out.push(high << 4 | value),
                None => self.half = Some(value),
            }
        }
        run || self.half.take().is_none()
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The digits of `0x1b` and `x1b` (what is left of `\x1b`).
fn digits(word: &[u8]) -> &[u8] {
    match word {
        [b'0', b'x' | b'X', rest @ ..] | [b'x', rest @ ..] => rest,
        _ => word,
    }
}

fn is_offset(line: &[u8]) -> bool {
    line.len() >= 7 && line.iter().all(u8::is_ascii_hexdigit)
}

/// Drops what a tool writes before and after the bytes of a line.
fn without_prefix(line: &[u8]) -> &[u8] {
    let line = line
        .strip_prefix(b"\xef\xbb\xbf")
        .or(line.strip_prefix(b"\xff\xfe"))
        .unwrap_or(line);
    if let Some(at) = find(line, b"<<< ").or_else(|| find(line, b">>> ")) {
        return after(line, at + 4);
    }
    let offset = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let rest = after(line, offset);
    if offset >= 8 && rest.starts_with(b": ") {
        let bytes = after(rest, 2);
        return before(bytes, find(bytes, b"  "));
    }
    if offset >= 7 && rest.starts_with(b"  ") && line.ends_with(b"|") {
        return before(rest, rest.iter().position(|&byte| byte == b'|'));
    }
    match line.windows(2).rposition(|pair| pair == b": ") {
        Some(at) => after(line, at + 2),
        None => line,
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

fn after(line: &[u8], at: usize) -> &[u8] {
    line.get(at..).unwrap_or_default()
}

fn before(line: &[u8], at: Option<usize>) -> &[u8] {
    at.and_then(|at| line.get(..at)).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::Reader;

    fn read(text: &str) -> (Vec<u8>, u64) {
        let whole = {
            let (mut reader, mut out) = (Reader::default(), Vec::new());
            reader.feed(text.as_bytes(), &mut out);
            reader.finish(&mut out);
            (out, reader.lines_left_out())
        };
        // Text in single bytes gives the same.
        let (mut reader, mut out) = (Reader::default(), Vec::new());
        for byte in text.as_bytes() {
            reader.feed(&[*byte], &mut out);
        }
        reader.finish(&mut out);
        assert_eq!((&out, reader.lines_left_out()), (&whole.0, whole.1));
        whole
    }

    const START: [u8; 8] = [0x1b, 0x1b, 0x1b, 0x1b, 1, 1, 1, 1];

    #[test]
    fn every_usual_form_is_read() {
        for text in [
            "1B1B1B1B01010101",
            "1B1B1B1B01010101\n",
            "1b 1b 1b 1b 01 01 01 01",
            "1b1b1b1b\r\n01010101\r\n",
            ": 1b 1b 1b 1b \n: 01 01 01 01 \n",
            "15:32:11.123 : 1b 1b 1b 1b\n15:32:11.223 : 01 01 01 01",
            "15:32:11 RSL: SML: 1b 1b 1b 1b 01 01 01 01",
            "[12:00:00][D][uart_debug:114]: <<< 1B:1B:1B:1B:01:01:01:01",
            "00000000: 1b1b 1b1b 0101 0101                      ........",
            "00000000  1b 1b 1b 1b 01 01 01 01                           |........|\n00000008\n",
            "0x1b, 0x1b, 0x1B, 0x1b, 0x01, 0x1, 0x01, 0x01,",
            r"\x1b\x1b\x1b\x1b\x01\x01\x01\x01",
            "\u{feff}1B1B1B1B01010101",
        ] {
            assert_eq!(read(text).0, START, "{text:?}");
        }
    }

    #[test]
    fn a_run_may_be_wrapped_in_the_middle_of_a_byte() {
        assert_eq!(read("1b1b1\nb1b01010\n101\n").0, START);
    }

    #[test]
    fn a_line_of_prose_is_left_out_and_counted() {
        assert_eq!(
            read("my meter sends this:\n1b1b1b1b\nand then\n01010101\n"),
            (START.to_vec(), 2)
        );
    }

    #[test]
    fn a_run_longer_than_a_line_may_be_is_read_whole() {
        let text = "1b".repeat(100_001);
        assert_eq!(read(&text).0, vec![0x1b; 100_001]);
        let text = format!(": {}", "1b ".repeat(100_001));
        assert_eq!(read(&text).0, vec![0x1b; 100_001]);
    }

    #[test]
    fn text_as_utf16_is_read() {
        let text: Vec<u8> = "\u{feff}1b1b1b1b 01010101\r\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let (mut reader, mut out) = (Reader::default(), Vec::new());
        reader.feed(&text, &mut out);
        reader.finish(&mut out);
        assert_eq!(out, START);
    }
}
