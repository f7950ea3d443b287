//! What the application asks of a board, and what it is told by one.
//!
//! A board is a clock, a head, a network, flash, a console and perhaps a display. Each is a trait, so
//! the same application runs on a chip, on an emulated board and in a test with a clock that is turned
//! by hand.

use core::fmt;
use core::future::Future;
use core::net::Ipv4Addr;
use core::time::Duration;

use embassy_futures::select::{Either, select};
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_io_async::{Read, Write};
use embedded_storage_async::nor_flash::NorFlash;
use meter_core::UnixMillis;
use meter_screens::Brightness;

use crate::settings::Authority;

/// All that a board has. Each part is moved into the one task that uses it.
pub trait Board {
    /// The clock that is never set.
    type Time: Time;
    /// Joins a Wi-Fi, or waits for a cable.
    type Radio: Radio;
    /// Opens connections.
    type Network: Network;
    /// A part of the flash: 4 KiB erases, words of 4 bytes.
    type Flash: NorFlash;
    /// The optical head: bytes that an interrupt has collected.
    type Head: Read;
    /// What is typed into the console.
    type Keyboard: Read;
    /// What the console says.
    type Paper: Write;
    /// The display.
    type Screen: Screen;
    /// The rest: watchdog, light, random numbers, memory.
    type Chip: Chip;
}

/// A clock that is never set, and waiting by it.
pub trait Time {
    /// Time since the start.
    fn now(&self) -> Duration;

    /// Waits until it is so late.
    fn until(&self, at: Duration) -> impl Future<Output = ()>;

    /// Waits so long.
    fn pause(&self, span: Duration) -> impl Future<Output = ()> {
        self.until(self.now().saturating_add(span))
    }

    /// Waits for something, but not longer than so long. What is given up is dropped.
    ///
    /// A large future is pinned where it is made before it comes here, or it is copied on the stack.
    fn at_most<F: Future>(
        &self,
        span: Duration,
        future: F,
    ) -> impl Future<Output = Option<F::Output>> {
        let pause = self.pause(span);
        async move {
            match select(future, pause).await {
                Either::First(output) => Some(output),
                Either::Second(()) => None,
            }
        }
    }
}

/// Joins a network.
pub trait Radio {
    /// Joins a Wi-Fi as a host of this name, and gets an address. The caller gives it time.
    fn join(
        &mut self,
        ssid: &str,
        password: &str,
        host_name: &str,
    ) -> impl Future<Output = Result<Joined, JoinError>>;

    /// Waits until the network is lost.
    fn lost(&mut self) -> impl Future<Output = ()>;

    /// Strength of the signal in dBm, while a Wi-Fi is joined.
    fn signal_dbm(&mut self) -> Option<i8>;

    /// Looks for Wi-Fis, and calls `found` for each.
    fn scan(&mut self, found: impl FnMut(Seen<'_>)) -> impl Future<Output = ()>;
}

/// A network that was joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The device's address.
    pub address: Ipv4Addr,
}

/// A Wi-Fi that is in reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Its name.
    pub ssid: &'a str,
    /// Strength of its signal in dBm.
    pub signal_dbm: i8,
    /// Whether it asks for a password.
    pub locked: bool,
}

/// Why a network was not joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinError {
    /// No Wi-Fi of this name is in reach, or no cable is plugged in.
    NotFound,
    /// The password is wrong.
    Password,
    /// It was joined and gives no address.
    NoAddress,
    /// It broke off for a reason that the radio knows by this number.
    Broken(u16),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => {
                f.write_str("is not in reach: check its name, and that it is 2.4 GHz")
            }
            Self::Password => f.write_str("refused the password"),
            Self::NoAddress => f.write_str("gives no address: check its DHCP server"),
            Self::Broken(reason) => write!(f, "broke off (reason {reason})"),
        }
    }
}

/// Opens connections to servers.
pub trait Network {
    /// An open connection. Dropping it closes it.
    type Connection<'n>: Read + Write
    where
        Self: 'n;

    /// Opens a connection. The caller gives it time.
    ///
    /// `now` is the wall clock, for the dates of certificates: it is known when `server` asks for TLS.
    fn connect<'n>(
        &'n self,
        server: &Server<'_>,
        now: UnixMillis,
    ) -> impl Future<Output = Result<Self::Connection<'n>, ConnectError>>;

    /// Asks a time server, `HOST` or `HOST:PORT`, for the time. Says what the time is at the end of the
    /// call. The caller gives it time.
    fn ask_time(&self, server: &str) -> impl Future<Output = Result<UnixMillis, ConnectError>>;
}

/// Where a connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server<'a> {
    /// Name or address, as it must stand in the server's certificate.
    pub host: &'a str,
    /// Port.
    pub port: u16,
    /// How it is secured.
    pub security: Security<'a>,
}

/// How a connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security<'a> {
    /// Not at all: only where the settings allow it in so many words.
    Plain,
    /// By TLS 1.2 or 1.3, the server verified.
    Tls {
        /// A private certificate authority in DER, to be trusted instead of the public ones.
        authority: Option<&'a [u8]>,
    },
}

impl<'a> Security<'a> {
    /// TLS, with a private authority where there is one.
    #[must_use]
    pub fn of(authority: Option<&'a Authority>) -> Self {
        Self::Tls {
            authority: authority.map(Authority::der),
        }
    }
}

/// Why a connection was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// The name of the server is not known to the name server.
    UnknownHost,
    /// The name server does not answer.
    NoNameServer,
    /// Nothing listens there.
    Refused,
    /// The server cannot be reached, or does not answer.
    Unreachable,
    /// The connection was closed before it was of use.
    Closed,
    /// The server's certificate is past its date.
    Expired,
    /// The server's certificate is before its date.
    NotYetValid,
    /// The server's certificate is for another name.
    OtherName,
    /// The server's certificate was not issued by anybody who is trusted.
    UnknownIssuer,
    /// TLS failed otherwise: the library's number.
    Tls(i32),
    /// The answer makes no sense.
    Garbage,
    /// There is not enough memory for it now.
    Memory,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownHost => f.write_str("there is no server of this name: check the address"),
            Self::NoNameServer => f.write_str("the name server does not answer"),
            Self::Refused => f.write_str("nothing listens there: check the port"),
            Self::Unreachable => f.write_str("the server does not answer"),
            Self::Closed => f.write_str("the server closed the connection"),
            Self::Expired => f.write_str("the server's certificate has expired: renew it there"),
            Self::NotYetValid => {
                f.write_str("the server's certificate is not valid yet: check its dates")
            }
            Self::OtherName => f.write_str(
                "the server's certificate is for another name: use the name that stands in it",
            ),
            Self::UnknownIssuer => f.write_str(
                "nobody who is trusted has issued the server's certificate: for one of your own, set `ca_file`",
            ),
            Self::Tls(code) => write!(f, "TLS failed (-{:#06x})", code.unsigned_abs()),
            Self::Garbage => f.write_str("the server answers nonsense"),
            Self::Memory => f.write_str("there is not enough memory for a connection"),
        }
    }
}

/// A display.
pub trait Screen {
    /// What is drawn on.
    type Canvas: DrawTarget<Color = BinaryColor>;

    /// What is drawn on; [`show`](Self::show) makes it visible.
    fn canvas(&mut self) -> &mut Self::Canvas;

    /// Shows what was drawn. A display that does not answer is left alone.
    fn show(&mut self, brightness: Brightness) -> impl Future<Output = ()>;

    /// Waits until the button is pressed; for ever where there is none.
    fn pressed(&mut self) -> impl Future<Output = ()>;
}

/// The rest of the chip.
pub trait Chip {
    /// What the board is called: `esp32c3`.
    const NAME: &'static str;

    /// Feeds the watchdog, which restarts the chip when it is not fed for [`WATCHDOG`].
    fn feed(&mut self);

    /// Switches the light on or off.
    fn light(&mut self, on: bool);

    /// A random number.
    fn random(&mut self) -> u32;

    /// How much memory there is and was used at most.
    fn memory(&self) -> Memory;

    /// Bytes of the meter's line that came when nobody had room for them.
    fn overrun(&self) -> u32;

    /// Why the chip was started, and the last words of the run before, once.
    fn last_words(&mut self) -> (Start, Option<&'static str>);

    /// Starts the chip anew. Does not return on a chip.
    fn restart(&mut self);
}

/// Without being fed for so long, the watchdog restarts the chip.
pub const WATCHDOG: Duration = Duration::from_secs(90);

/// Why a chip was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Power was switched on, or the reset button was pressed.
    Power,
    /// The application asked for it.
    Asked,
    /// The firmware panicked.
    Panic,
    /// The watchdog was not fed.
    Watchdog,
    /// The supply was too weak.
    BrownOut,
}

impl Start {
    /// The name used in the log and in statistics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::Asked => "asked",
            Self::Panic => "panic",
            Self::Watchdog => "watchdog",
            Self::BrownOut => "brown_out",
        }
    }
}

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The heap.
    pub heap: u32,
    /// The most of it that was in use at once.
    pub heap_peak: u32,
    /// What of it is in use now.
    pub heap_used: u32,
    /// The stack.
    pub stack: u32,
    /// The most of it that was in use at once.
    pub stack_peak: u32,
}
