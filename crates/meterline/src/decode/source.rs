//! Where `decode` gets its bytes: a file or standard input, binary or hex text.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::hex;
use crate::failure::Failure;

const CHUNK: usize = 64 * 1024;

/// Text that has not shown one control character in so many bytes is hex text.
const ENOUGH_TO_TELL: usize = 4 * 1024;

/// How the bytes are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Encoding {
    /// Look at the first bytes
    #[default]
    Auto,
    /// The bytes as the meter sent them
    Binary,
    /// Hex text: a run of digits, a dump of Tasmota, xxd, hexdump -C, …
    Hex,
}

/// The bytes that the meter sent, in pieces; memory does not grow with the file.
pub struct Source {
    path: PathBuf,
    reader: Box<dyn Read>,
    /// Length of the file, where it has one.
    length: Option<u64>,
    /// Bytes of the file (not of the meter) that were read.
    position: u64,
    encoding: Encoding,
    hex: hex::Reader,
    raw: Vec<u8>,
    filled: usize,
    decoded: Vec<u8>,
    /// How the file begins, as it is written down.
    start: Vec<u8>,
    ended: bool,
}

impl Source {
    /// Opens a file; `-` is standard input.
    pub fn open(path: &Path, encoding: Encoding) -> Result<Self, Failure> {
        let unreadable = |source| Failure::Unreadable {
            path: path.to_owned(),
            source,
        };
        let (reader, length): (Box<dyn Read>, _) = if path == Path::new("-") {
            (Box::new(io::stdin()), None)
        } else {
            let file = File::open(path).map_err(unreadable)?;
            let metadata = file.metadata().map_err(unreadable)?;
            if metadata.is_dir() {
                return Err(unreadable(io::Error::from(io::ErrorKind::IsADirectory)));
            }
            (Box::new(file), metadata.is_file().then_some(metadata.len()))
        };
        Ok(Self {
            path: path.to_owned(),
            reader,
            length,
            position: 0,
            encoding,
            hex: hex::Reader::default(),
            raw: vec![0; CHUNK],
            filled: 0,
            decoded: Vec::new(),
            start: Vec::new(),
            ended: false,
        })
    }

    /// Length of the file in bytes; none for a pipe or a device.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// How many bytes of the file have been read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How the file begins, as it is written down.
    pub fn start(&self) -> &[u8] {
        &self.start
    }

    /// How many lines of a text were not hex.
    pub fn lines_left_out(&self) -> u64 {
        self.hex.lines_left_out()
    }

    /// The next piece of what the meter sent; none at the end.
    pub fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        if self.ended {
            return Ok(None);
        }
        self.fill()?;
        if self.start.is_empty() {
            let seen = self.filled.min(ENOUGH_TO_TELL);
            self.start
                .extend_from_slice(self.raw.get(..seen).unwrap_or_default());
        }
        if self.encoding != Encoding::Hex {
            return Ok((!self.ended).then(|| self.raw.get(..self.filled).unwrap_or_default()));
        }
        self.decoded.clear();
        self.hex.feed(
            self.raw.get(..self.filled).unwrap_or_default(),
            &mut self.decoded,
        );
        if self.ended {
            self.hex.finish(&mut self.decoded);
        }
        Ok(Some(&self.decoded))
    }

    /// Reads what there is, and at the start until the encoding is plain.
    fn fill(&mut self) -> Result<(), Failure> {
        self.filled = 0;
        loop {
            let room = self.raw.get_mut(self.filled..).unwrap_or_default();
            let count = match self.reader.read(room) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    return Err(Failure::Unreadable {
                        path: self.path.clone(),
                        source,
                    });
                }
            };
            self.position += count as u64;
            self.filled += count;
            let at_end = count == 0;
            if self.encoding == Encoding::Auto {
                let seen = self.raw.get(..self.filled).unwrap_or_default();
                match tell(seen, at_end) {
                    Some(encoding) => self.encoding = encoding,
                    None => continue,
                }
            }
            self.ended = at_end && (self.filled == 0 || self.encoding == Encoding::Hex);
            return Ok(());
        }
    }
}

/// Binary or hex text? None while more has to be seen.
fn tell(seen: &[u8], at_end: bool) -> Option<Encoding> {
    let utf16 = seen.starts_with(&[0xff, 0xfe]);
    let control = |byte: &u8| byte.is_ascii_control() && !b"\t\r\n".contains(byte);
    if !utf16 && seen.iter().any(control) {
        Some(Encoding::Binary)
    } else if at_end || seen.len() >= ENOUGH_TO_TELL {
        Some(Encoding::Hex)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Encoding, tell};

    #[test]
    fn an_escape_sequence_is_binary_and_its_hex_is_text() {
        assert_eq!(tell(b"\x1b\x1b\x1b\x1b\x01", false), Some(Encoding::Binary));
        assert_eq!(tell(b"1b1b1b1b01", false), None);
        assert_eq!(tell(b"1b1b1b1b01", true), Some(Encoding::Hex));
        assert_eq!(tell(&[b'7'; 5000], false), Some(Encoding::Hex));
    }
}
