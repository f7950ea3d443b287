//! TLS over a TCP connection: 1.2 or 1.3, the server always verified, sessions resumed.

use core::cell::RefCell;

use embassy_time::{Duration, Instant};
use embedded_io_async::ErrorKind;
use heapless::{CString, String};
use mbedtls_rs::{
    Certificate, ClientSessionConfig, SavedSession, Session, SessionConfig, SessionError, Tls, X509,
};
use meter_device::board::{ConnectError, Server};

use crate::connection::Broken;
use crate::roots;
use crate::wire::Wire;

/// What `tls_verification_details` says of a certificate, as in Mbed TLS's `x509.h`.
const EXPIRED: u32 = 0x1;
const OTHER_NAME: u32 = 0x4;
const NOT_TRUSTED: u32 = 0x8;
const NOT_YET_VALID: u32 = 0x200;
/// No certificate was looked at.
const NOT_VERIFIED: u32 = u32::MAX;

/// For so long a session stands for a verified certificate, which may expire meanwhile.
const TRUST: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest name of a server.
const NAME: usize = 128;

/// A session that the next connection to the same server may go on with.
pub struct Remembered {
    peer: Peer,
    verified: Instant,
    session: SavedSession,
}

/// Who a session was made with, and on whose word.
#[derive(PartialEq, Eq)]
struct Peer {
    host: String<NAME>,
    port: u16,
    /// Length and checksum of the private authority: after a change of the settings the server is
    /// verified anew.
    authority: Option<(usize, u32)>,
}

impl Peer {
    fn new(server: &Server<'_>, authority: Option<&[u8]>) -> Result<Self, ConnectError> {
        const CHECKSUM: crc::Crc<u32, crc::NoTable> =
            crc::Crc::<u32, crc::NoTable>::new(&crc::CRC_32_ISCSI);
        Ok(Self {
            host: String::try_from(server.host).map_err(|_| ConnectError::UnknownHost)?,
            port: server.port,
            authority: authority.map(|der| (der.len(), CHECKSUM.checksum(der))),
        })
    }
}

/// A TLS connection. Dropping it remembers its session, if it was of use.
pub struct Secured<'n> {
    session: Session<'n, Wire<'n>>,
    remembered: &'n RefCell<Option<Remembered>>,
    /// Not before this its certificate was verified.
    verified: Instant,
    /// Taken when it is remembered; nobody wants a session that broke.
    peer: Option<Peer>,
}

/// Makes a connection secure.
pub async fn open<'n>(
    tls: &'n Tls<'static>,
    remembered: &'n RefCell<Option<Remembered>>,
    wire: Wire<'n>,
    server: &Server<'_>,
    authority: Option<&[u8]>,
) -> Result<Secured<'n>, ConnectError> {
    let trusted = match authority {
        Some(der) => Certificate::new(X509::DER(der)).map_err(|error| fault(error.code()))?,
        None => roots::any().map_err(|error| fault(error.code()))?,
    };
    let config = SessionConfig::Client(ClientSessionConfig {
        ca_chain: Some(trusted),
        ..ClientSessionConfig::new()
    });
    let peer = Peer::new(server, authority)?;
    let mut name = CString::<{ NAME + 1 }>::new();
    name.extend_from_bytes(server.host.as_bytes())
        .map_err(|_| ConnectError::UnknownHost)?;
    let mut session =
        Session::new(tls.reference(), wire, &config).map_err(|error| refusal(error, 0))?;
    session
        .set_server_name(name.as_c_str())
        .map_err(|error| refusal(error, 0))?;

    // If it is refused, the next connection starts afresh.
    let earlier = remembered
        .take()
        .filter(|earlier| earlier.peer == peer && earlier.verified.elapsed() < TRUST);
    let verified = earlier
        .as_ref()
        .map_or_else(Instant::now, |earlier| earlier.verified);
    let made = match &earlier {
        Some(earlier) => session.connect_with_session(&earlier.session).await,
        None => session.connect().await,
    };
    match made {
        Ok(()) => Ok(Secured {
            session,
            remembered,
            verified,
            peer: Some(peer),
        }),
        Err(error) => Err(refusal(error, session.tls_verification_details())),
    }
}

/// Why a server was not trusted; the issuer first, for without it nothing else in a certificate counts.
fn refusal(error: SessionError, details: u32) -> ConnectError {
    if details != NOT_VERIFIED && details != 0 {
        let reasons = [
            (NOT_TRUSTED, ConnectError::UnknownIssuer),
            (EXPIRED, ConnectError::Expired),
            (NOT_YET_VALID, ConnectError::NotYetValid),
            (OTHER_NAME, ConnectError::OtherName),
        ];
        if let Some((_, reason)) = reasons.iter().find(|(bit, _)| details & bit != 0) {
            return *reason;
        }
    }
    match error {
        SessionError::MbedTls(error) => fault(error.code()),
        SessionError::Io(ErrorKind::OutOfMemory) => ConnectError::Memory,
        SessionError::Io(_) => ConnectError::Closed,
    }
}

/// A number of Mbed TLS: the sum of a module's, in steps of 0x80, and a detail.
fn fault(code: i32) -> ConnectError {
    const NO_MEMORY_OF_A_MODULE: [u32; 6] = [0x7f00, 0x2880, 0x3f80, 0x4d80, 0x5180, 0x6180];
    const NO_MEMORY_IN_DETAIL: [u32; 2] = [0x10, 0x6a];
    const CLOSED: [u32; 2] = [0x7280, 0x7880];
    let number = code.unsigned_abs();
    let (module, detail) = (number & !0x7f, number & 0x7f);
    if NO_MEMORY_OF_A_MODULE.contains(&module) || NO_MEMORY_IN_DETAIL.contains(&detail) {
        ConnectError::Memory
    } else if CLOSED.contains(&module) {
        ConnectError::Closed
    } else {
        ConnectError::Tls(code)
    }
}

impl Secured<'_> {
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Broken> {
        let read = self.session.read(buffer).await;
        self.note(read)
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let written = self.session.write(bytes).await;
        self.note(written)
    }

    pub async fn flush(&mut self) -> Result<(), Broken> {
        let flushed = self.session.flush().await;
        self.note(flushed)
    }

    /// A session that broke is not remembered.
    fn note<T>(&mut self, done: Result<T, SessionError>) -> Result<T, Broken> {
        done.map_err(|error| {
            self.peer = None;
            match error {
                SessionError::MbedTls(error) => Broken::Tls(error.code()),
                SessionError::Io(_) => Broken::Lost,
            }
        })
    }
}

impl Drop for Secured<'_> {
    fn drop(&mut self) {
        // With TLS 1.3 the ticket comes after the handshake, with the first answer: now it is there.
        if let Some(peer) = self.peer.take()
            && let Ok(session) = self.session.save()
            && let Ok(mut place) = self.remembered.try_borrow_mut()
        {
            *place = Some(Remembered {
                peer,
                verified: self.verified,
                session,
            });
        }
    }
}
