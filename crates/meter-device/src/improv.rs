//! Improv Wi-Fi over a serial line: how a browser sets up Wi-Fi after flashing.
//!
//! | octets | meaning |
//! |---|---|
//! | `IMPROV` 01 | begin, and the version |
//! | type | 01 state, 02 error, 03 request, 04 answer |
//! | length | of the data |
//! | data | of a request: command, length, arguments; of an answer: command, length, texts |
//! | sum | of all octets before it, modulo 256 |
//!
//! Texts are a length and as many octets. The line ends after the sum. Source:
//! <https://www.improv-wifi.com/serial/>.

use heapless::Vec;

/// What every packet begins with.
pub(crate) const HEADER: [u8; 7] = *b"IMPROV\x01";

/// Most octets of data in a packet.
const DATA: usize = 255;

/// Most octets behind the header: type, length, data, sum.
pub(crate) const BODY: usize = 3 + DATA;

const STATE: u8 = 0x01;
const ERROR: u8 = 0x02;
const REQUEST: u8 = 0x03;
const ANSWER: u8 = 0x04;

/// What the browser asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Command {
    /// Join this Wi-Fi, and keep it.
    Wifi = 1,
    /// How far is the set-up?
    State = 2,
    /// What is this device?
    Info = 3,
    /// Which Wi-Fis are in reach?
    Scan = 4,
    /// What is the host name, or a new one.
    HostName = 5,
    /// What is the device called, or a new name.
    DeviceName = 6,
    /// Is there a network, and of which kind?
    Network = 7,
}

/// A request, with its arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Join this Wi-Fi, and keep it. First answered by [`State::Provisioning`]; then by
    /// [`State::Provisioned`] and [`Packet::answer`] with the address of a page or nothing, or by
    /// [`Error::CannotConnect`] and [`State::Ready`].
    Wifi {
        /// Its name.
        ssid: &'a str,
        /// Its password; empty for an open network.
        password: &'a str,
    },
    /// How far is the set-up? Answered by [`Packet::state`], and when provisioned by an answer like
    /// that to [`Request::Wifi`] as well.
    State,
    /// What is this device? Answered by firmware, version, chip and name.
    Info,
    /// Which Wi-Fis are in reach? Answered by [`Packet::network`] for each, and an empty answer.
    Scan,
    /// Answered by the host name, which is set first when there is one; refused by
    /// [`Error::BadHostName`].
    HostName(Option<&'a str>),
    /// Answered by the name of the device, which is set first when there is one.
    DeviceName(Option<&'a str>),
    /// Is there a network? Answered by flags as a decimal number (1 online, 2 Wi-Fi, 4 Ethernet).
    Network,
}

/// Without the password.
impl core::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Wifi { ssid, .. } => write!(f, "Wifi({ssid:?})"),
            Self::HostName(name) => write!(f, "HostName({name:?})"),
            Self::DeviceName(name) => write!(f, "DeviceName({name:?})"),
            other => write!(f, "{:?}", other.command()),
        }
    }
}

/// How far the set-up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// A Wi-Fi can be given.
    Ready = 2,
    /// It tries to join.
    Provisioning = 3,
    /// It has joined.
    Provisioned = 4,
}

/// Why a request was not fulfilled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Error {
    /// Nothing is wrong any more.
    None = 0,
    /// The packet is damaged.
    BadPacket = 1,
    /// The command is not known here.
    UnknownCommand = 2,
    /// The Wi-Fi could not be joined.
    CannotConnect = 3,
    /// This is no host name.
    BadHostName = 5,
    /// Something else.
    Unknown = 0xFF,
}

impl<'a> Request<'a> {
    /// Which command it is: what the answer begins with.
    #[must_use]
    pub const fn command(&self) -> Command {
        match self {
            Self::Wifi { .. } => Command::Wifi,
            Self::State => Command::State,
            Self::Info => Command::Info,
            Self::Scan => Command::Scan,
            Self::HostName(_) => Command::HostName,
            Self::DeviceName(_) => Command::DeviceName,
            Self::Network => Command::Network,
        }
    }

    /// Reads a packet from its type to its sum, whose sum is right.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Error> {
        let [REQUEST, _, command, length, rest @ .., _sum] = body else {
            return Err(Error::BadPacket);
        };
        if rest.len() != usize::from(*length) {
            return Err(Error::BadPacket);
        }
        match command {
            1 => {
                let (ssid, rest) = text(rest)?;
                let (password, rest) = text(rest)?;
                if !rest.is_empty() {
                    return Err(Error::BadPacket);
                }
                Ok(Self::Wifi { ssid, password })
            }
            2 => Ok(Self::State),
            3 => Ok(Self::Info),
            4 => Ok(Self::Scan),
            5 => Ok(Self::HostName(name(rest)?)),
            6 => Ok(Self::DeviceName(name(rest)?)),
            7 => Ok(Self::Network),
            _ => Err(Error::UnknownCommand),
        }
    }
}

/// The sum over the header and these octets.
pub(crate) fn sum(octets: &[u8]) -> u8 {
    HEADER
        .iter()
        .chain(octets)
        .fold(0, |sum: u8, octet| sum.wrapping_add(*octet))
}

fn text(octets: &[u8]) -> Result<(&str, &[u8]), Error> {
    let (length, rest) = octets.split_first().ok_or(Error::BadPacket)?;
    let (text, rest) = rest
        .split_at_checked(usize::from(*length))
        .ok_or(Error::BadPacket)?;
    let text = core::str::from_utf8(text).map_err(|_| Error::BadPacket)?;
    Ok((text, rest))
}

fn name(octets: &[u8]) -> Result<Option<&str>, Error> {
    let name = core::str::from_utf8(octets).map_err(|_| Error::BadPacket)?;
    Ok(Some(name).filter(|name| !name.is_empty()))
}

/// A packet to the browser. Write it in one piece and at the beginning of a line: browsers look for it
/// nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet(Vec<u8, { HEADER.len() + BODY + 1 }>);

impl Packet {
    /// Tells how far the set-up is.
    #[must_use]
    pub fn state(state: State) -> Self {
        Self::new(STATE, &[state as u8])
    }

    /// Tells what is wrong.
    #[must_use]
    pub fn error(error: Error) -> Self {
        Self::new(ERROR, &[error as u8])
    }

    /// Answers a command with texts. A text for which there is no room is left out with all that
    /// follow.
    #[must_use]
    pub fn answer(command: Command, texts: &[&str]) -> Self {
        let mut data: Vec<u8, DATA> = Vec::new();
        // There is room for both.
        let _ = data.extend_from_slice(&[command as u8, 0]);
        for text in texts {
            let Ok(length) = u8::try_from(text.len()) else {
                break;
            };
            if data.len() + 1 + text.len() > DATA {
                break;
            }
            let _ = data.push(length);
            let _ = data.extend_from_slice(text.as_bytes());
        }
        let length = u8::try_from(data.len().saturating_sub(2)).unwrap_or_default();
        if let Some(place) = data.get_mut(1) {
            *place = length;
        }
        Self::new(ANSWER, &data)
    }

    /// One of the Wi-Fis that a scan has found. After the last one comes an answer without texts.
    #[must_use]
    pub fn network(ssid: &str, signal_dbm: i8, locked: bool) -> Self {
        use core::fmt::Write;
        let mut signal: heapless::String<4> = heapless::String::new();
        // No number of its type is longer.
        let _ = write!(signal, "{signal_dbm}");
        let locked = if locked { "YES" } else { "NO" };
        Self::answer(Command::Scan, &[ssid, &signal, locked])
    }

    fn new(kind: u8, data: &[u8]) -> Self {
        let mut octets = Vec::new();
        let length = u8::try_from(data.len()).unwrap_or_default();
        // The type has room for the longest packet.
        let _ = octets.extend_from_slice(&HEADER);
        let _ = octets.extend_from_slice(&[kind, length]);
        let _ = octets.extend_from_slice(data);
        let checked = octets.get(HEADER.len()..).map_or(0, sum);
        let _ = octets.extend_from_slice(&[checked, b'\n']);
        Self(octets)
    }

    /// The octets, with the end of the line.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn answers_octet_by_octet() {
        for (packet, octets) in [
            (
                Packet::state(State::Ready),
                &b"IMPROV\x01\x01\x01\x02\xe2\n"[..],
            ),
            (
                Packet::error(Error::BadPacket),
                b"IMPROV\x01\x02\x01\x01\xe2\n",
            ),
            (
                Packet::answer(Command::Info, &["ab", ""]),
                b"IMPROV\x01\x04\x06\x03\x04\x02ab\x00\xb4\n",
            ),
            (
                Packet::network("Haus", -61, true),
                b"IMPROV\x01\x04\x0f\x04\x0d\x04Haus\x03-61\x03YES\x22\n",
            ),
            (
                Packet::answer(Command::Scan, &[]),
                b"IMPROV\x01\x04\x02\x04\x00\xe8\n",
            ),
        ] {
            assert_eq!(packet.octets(), octets);
        }
    }

    #[test]
    fn an_answer_that_is_too_long_ends_earlier() {
        let long = "x".repeat(250);
        let packet = Packet::answer(Command::Info, &[&long, "yyyy", "z"]);
        assert_eq!(packet, Packet::answer(Command::Info, &[&long]));
        let longer = "x".repeat(300);
        assert_eq!(
            Packet::answer(Command::Info, &[&longer]),
            Packet::answer(Command::Info, &[])
        );
    }

    #[test]
    fn requests_octet_by_octet() {
        for (body, request) in [
            (&b"\x03\x02\x02\x00?"[..], Ok(Request::State)),
            (b"\x03\x02\x03\x00?", Ok(Request::Info)),
            (b"\x03\x02\x04\x00?", Ok(Request::Scan)),
            (b"\x03\x02\x05\x00?", Ok(Request::HostName(None))),
            (b"\x03\x05\x05\x03abc?", Ok(Request::HostName(Some("abc")))),
            (
                b"\x03\x05\x06\x03abc?",
                Ok(Request::DeviceName(Some("abc"))),
            ),
            (b"\x03\x02\x07\x00?", Ok(Request::Network)),
            (
                b"\x03\x08\x01\x06\x02ab\x02cd?",
                Ok(Request::Wifi {
                    ssid: "ab",
                    password: "cd",
                }),
            ),
            (b"\x03\x02\x09\x00?", Err(Error::UnknownCommand)),
            (b"\x03\x02\x02\x01?", Err(Error::BadPacket)),
            (b"\x03\x00?", Err(Error::BadPacket)),
            (b"\x01\x01\x02?", Err(Error::BadPacket)),
            (b"\x03\x05\x01\x03\x09ab?", Err(Error::BadPacket)),
            (b"\x03\x04\x05\x02\xff\xfe?", Err(Error::BadPacket)),
        ] {
            assert_eq!(Request::parse(body), request, "{body:02x?}");
        }
    }

    #[test]
    fn the_password_is_not_printed() {
        let request = Request::Wifi {
            ssid: "ab",
            password: "hunter2",
        };
        assert_eq!(std::format!("{request:?}"), "Wifi(\"ab\")");
    }
}
