//! The processor, gripped from outside by QEMU's stub for debuggers: the way to break a program that has
//! no fault to offer.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use crate::Result;

/// A connection to the stub. While it is open, the processor stands still.
pub(crate) struct Debugger(UnixStream);

impl Debugger {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self(stream)
    }

    /// Sends a packet of GDB's remote protocol.
    fn send(&mut self, packet: &str) -> Result {
        let sum = packet.bytes().fold(0, u8::wrapping_add);
        Ok(write!(self.0, "${packet}#{sum:02x}")?)
    }

    fn receive(&mut self) -> Result<String> {
        let mut answer = Vec::new();
        let mut octet = [0];
        // `+`, `$`, the answer, `#` and its sum of two digits.
        while octet != *b"#" {
            self.0.read_exact(&mut octet)?;
            answer.push(octet[0]);
        }
        self.0.read_exact(&mut [0; 2])?;
        self.0.write_all(b"+")?;
        let answer = String::from_utf8_lossy(&answer);
        let answer = answer.trim_start_matches(['+', '$']).trim_end_matches('#');
        Ok(answer.to_owned())
    }

    fn order(&mut self, packet: &str) -> Result {
        self.send(packet)?;
        loop {
            let answer = self.receive()?;
            match answer.as_bytes() {
                b"OK" => return Ok(()),
                // It says that the processor stands still.
                [b'S' | b'T', ..] => {}
                _ => return Err(format!("{packet}: the stub says {answer:?}").into()),
            }
        }
    }

    /// Writes words of 32 bits into the memory.
    pub(crate) fn write(&mut self, address: u32, words: &[u32]) -> Result {
        let hex: String = words.iter().copied().map(hex).collect();
        self.order(&format!("M{address:x},{:x}:{hex}", 4 * words.len()))
    }

    /// Lets the processor go on at an address.
    pub(crate) fn go_on_at(mut self, address: u32) -> Result {
        self.send(&format!("c{address:x}"))?;
        // It is answered when the processor stands still again, but acknowledged at once.
        let mut octet = [0];
        while octet != *b"+" {
            self.0.read_exact(&mut octet)?;
        }
        Ok(())
    }
}

/// A word as it lies in memory.
fn hex(word: u32) -> String {
    format!("{:08x}", word.swap_bytes())
}
