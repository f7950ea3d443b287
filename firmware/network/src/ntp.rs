//! The time from an NTP server.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use embassy_net::Stack;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_time::{Duration, Instant};
use meter_core::UnixMillis;
use meter_device::board::ConnectError;
use sntpc::{Error, NtpContext, NtpTimestampGenerator, get_time};
use sntpc_net_embassy::UdpSocketWrapper;

use crate::random::Fill;

const PORT: u16 = 123;
/// A message without extensions has 48 bytes; an answer may have some.
const MESSAGE: usize = 128;

/// 2026-01-01, in seconds since 1970: what the clock is taken for before it is set. NTP tells the time
/// in 136 years' turns, and the turn nearest to this is meant.
const TURN: u64 = 1_767_225_600;

/// Parts `HOST` or `HOST:PORT`.
pub fn host_and_port(server: &str) -> Option<(&str, u16)> {
    match server.rsplit_once(':') {
        None => Some((server, PORT)),
        Some((host, port)) => Some((host, port.parse().ok()?)),
    }
}

/// Asks once, and says what the time is when the answer is there.
pub async fn ask(
    stack: Stack<'_>,
    (address, port): (Ipv4Addr, u16),
    random: Fill,
) -> Result<UnixMillis, ConnectError> {
    let mut places = [[PacketMetadata::EMPTY; 2]; 2];
    let mut buffers = [[0; MESSAGE]; 2];
    let ([incoming_places, outgoing_places], [incoming, outgoing]) = (&mut places, &mut buffers);
    let mut socket = UdpSocket::new(stack, incoming_places, incoming, outgoing_places, outgoing);
    socket.bind(0).map_err(|_| ConnectError::Unreachable)?;
    let clock = Clock::new(random);
    let server = SocketAddr::new(IpAddr::V4(address), port);
    let told = get_time(
        server,
        &UdpSocketWrapper::new(socket),
        NtpContext::new(clock),
    )
    .await;
    let told = told.map_err(|error| match error {
        Error::Network | Error::AddressResolve => ConnectError::Unreachable,
        // The kiss of death, a server that is not synchronised itself, and answers to other questions.
        _ => ConnectError::Garbage,
    })?;
    let offset = i128::from(told.offset());
    let micros = i128::from(clock.now().as_micros()) + offset;
    i64::try_from(micros.div_euclid(1000))
        .map(UnixMillis)
        .map_err(|_| ConnectError::Garbage)
}

/// A clock that is wrong by an amount that nobody else knows: a forged answer would have to repeat it.
#[derive(Clone, Copy)]
struct Clock {
    ahead: Duration,
    now: Duration,
}

impl Clock {
    fn new(random: Fill) -> Self {
        let mut unknown = [0; 4];
        random(&mut unknown);
        let micros = u64::from(u32::from_le_bytes(unknown));
        Self {
            ahead: Duration::from_secs(TURN) + Duration::from_micros(micros),
            now: Duration::MIN,
        }
    }

    fn now(&self) -> Duration {
        Duration::from_ticks(Instant::now().as_ticks()) + self.ahead
    }
}

impl NtpTimestampGenerator for Clock {
    fn init(&mut self) {
        self.now = self.now();
    }

    fn timestamp_sec(&self) -> u64 {
        self.now.as_secs()
    }

    fn timestamp_subsec_micros(&self) -> u32 {
        u32::try_from(self.now.as_micros() % 1_000_000).unwrap_or(0)
    }
}
