//! The device's connections, for every board: addresses by DHCP, names by DNS, the time by NTP, and TLS
//! that is always verified.
//!
//! A board brings a network device as an `embassy-net` driver, the functions of C that Mbed TLS wants
//! where its chip has none, and a build script that hands `DEP_DEVICE_NETWORK_WRAP` on to the linker
//! (see [`roots`]). Without that last one the board's program does not link.
//!
//! Memory: [`Room`] is 8 KiB and stays. TLS takes up to 43 KB of the heap while a connection is made
//! (35 KB with elliptic curves) and 30 KB while it is open; between connections a remembered session
//! stays, with 2 KB.

#![no_std]
#![forbid(unsafe_op_in_unsafe_fn)]

extern crate alloc;

mod calendar;
mod connection;
mod der;
mod lease;
mod ntp;
mod random;
pub mod roots;
mod secure;
mod wire;

use core::cell::RefCell;
use core::net::Ipv4Addr;

use embassy_net::Stack;
use embassy_net::dns::{DnsQueryType, Error as DnsError};
use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, Instant};
use mbedtls_rs::{Tls, TlsError};
use meter_core::UnixMillis;
use meter_device::board::{ConnectError, Network, Security, Server};

pub use connection::{Broken, Connection};
pub use lease::{configure, lease};
pub use random::Fill;

use random::Random;
use secure::Remembered;
use wire::Wire;

/// How many sockets the stack has room for: one connection, the time, DHCP and DNS.
pub const SOCKETS: usize = 4;

/// A name server that is silent for so long is not there: smoltcp asks again for ten seconds.
const SILENCE: Duration = Duration::from_secs(5);

/// The buffers of the one connection, 8 KiB.
#[derive(Debug)]
pub struct Room {
    incoming: [u8; 4096],
    outgoing: [u8; 4096],
}

impl Room {
    /// Nothing in it yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            incoming: [0; 4096],
            outgoing: [0; 4096],
        }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::new()
    }
}

/// Opens connections, one at a time.
pub struct Net {
    stack: Stack<'static>,
    socket: RefCell<TcpSocket<'static>>,
    tls: Tls<'static>,
    remembered: RefCell<Option<Remembered>>,
    random: Fill,
}

impl Net {
    /// Takes the stack in use. There is one of it: a second is refused.
    ///
    /// `random` fills a buffer with numbers that nobody can guess.
    pub fn new(
        stack: Stack<'static>,
        room: &'static mut Room,
        random: Fill,
    ) -> Result<Self, TlsError> {
        let tls = Tls::new(Random::of(random).ok_or(TlsError::AlreadyCreated)?)?;
        calendar::start();
        Ok(Self {
            stack,
            socket: RefCell::new(TcpSocket::new(
                stack,
                &mut room.incoming,
                &mut room.outgoing,
            )),
            tls,
            remembered: RefCell::new(None),
            random,
        })
    }

    /// The address of a server, which may be given as such.
    async fn address(&self, host: &str) -> Result<Ipv4Addr, ConnectError> {
        if let Ok(address) = host.parse() {
            return Ok(address);
        }
        let config = self.stack.config_v4().ok_or(ConnectError::Unreachable)?;
        if config.dns_servers.is_empty() {
            return Err(ConnectError::NoNameServer);
        }
        let asked = Instant::now();
        match self.stack.dns_query(host, DnsQueryType::A).await {
            Ok(found) => match found.first() {
                Some(&embassy_net::IpAddress::Ipv4(address)) => Ok(address),
                None => Err(ConnectError::UnknownHost),
            },
            Err(DnsError::Failed) if asked.elapsed() > SILENCE => Err(ConnectError::NoNameServer),
            Err(DnsError::Failed | DnsError::InvalidName | DnsError::NameTooLong) => {
                Err(ConnectError::UnknownHost)
            }
        }
    }
}

impl Network for Net {
    type Connection<'n> = Connection<'n>;

    async fn connect<'n>(
        &'n self,
        server: &Server<'_>,
        now: UnixMillis,
    ) -> Result<Connection<'n>, ConnectError> {
        let address = self.address(server.host).await?;
        let socket = self
            .socket
            .try_borrow_mut()
            .map_err(|_| ConnectError::Memory)?;
        let wire = Wire::open(socket, (address, server.port)).await?;
        match server.security {
            Security::Plain => Ok(Connection::plain(wire)),
            Security::Tls { authority } => {
                calendar::set(now);
                let secured =
                    secure::open(&self.tls, &self.remembered, wire, server, authority).await?;
                Ok(Connection::secured(secured))
            }
        }
    }

    async fn ask_time(&self, server: &str) -> Result<UnixMillis, ConnectError> {
        let (host, port) = ntp::host_and_port(server).ok_or(ConnectError::UnknownHost)?;
        let address = self.address(host).await?;
        ntp::ask(self.stack, (address, port), self.random).await
    }
}
