//! What a server answers: its head sorted, its body thrown away.
//!
//! A server is believed as far as it can do no harm. However long or broken its answer is, so much is
//! read and no more.

use core::time::Duration;

use edge_http::BodyType;
use edge_http::io::{Body, Error};
use embedded_io_async::{ErrorType, Read};

use super::date;
use crate::stream::Buffered;
use crate::verdict::{Fault, Verdict};

/// How much of one answer is read, its head and 1xx answers in front of it included.
const LONGEST: usize = 16 * 1024;
/// How many headers are looked at. Servers behind a chain of proxies send some twenty.
const HEADERS: usize = 48;

/// Reads at most [`LONGEST`] bytes and notes whether the other side has ended it.
pub(super) struct Bounded<C> {
    from: Buffered<C>,
    left: usize,
    ended: bool,
}

impl<C> Bounded<C> {
    pub(super) const fn new(from: Buffered<C>) -> Self {
        Self {
            from,
            left: LONGEST,
            ended: false,
        }
    }

    /// Whether something came behind the answer, or nothing can come any more.
    pub(super) const fn has_more(&self) -> bool {
        self.ended || self.from.has_more()
    }
}

impl<C: ErrorType> ErrorType for Bounded<C> {
    type Error = C::Error;
}

impl<C: Read> Read for Bounded<C> {
    /// Tells the end of the connection where the bound is.
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Self::Error> {
        let count = into.len().min(self.left);
        let read = match into.get_mut(..count) {
            Some(room) if count > 0 => self.from.read(room).await?,
            _ => 0,
        };
        self.left -= read;
        self.ended |= read == 0;
        Ok(read)
    }
}

/// Where the body of an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// With the last chunk and its trailers.
    Chunked,
    /// With the connection, or nobody knows where: it is not read.
    Unknown,
}

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) verdict: Verdict,
    pub(super) framing: Framing,
    /// Whether the server leaves the connection open behind the body.
    pub(super) keep: bool,
}

impl Head {
    /// Reads a head. Those of 1xx, which may come in front of it, are passed over.
    pub(super) async fn receive<C: Read>(
        stream: &mut Bounded<C>,
        buffer: &mut [u8],
    ) -> Result<Self, Fault> {
        loop {
            let mut answer = edge_http::ResponseHeaders::<HEADERS>::new();
            answer
                .receive(&mut *buffer, &mut *stream, true)
                .await
                .map_err(|error| fault(&error))?;
            match answer.code {
                // 101 switches to a protocol that was not asked for.
                101 => return Err(Fault::Garbage),
                100..=199 => {}
                200..=999 => return Ok(Self::new(&answer)),
                _ => return Err(Fault::Garbage),
            }
        }
    }

    fn new(answer: &edge_http::ResponseHeaders<'_, HEADERS>) -> Self {
        let header = |name| answer.headers.get(name);
        let closes = listed(answer, "Connection").any(|word| word.eq_ignore_ascii_case("close"));
        Self {
            verdict: verdict(answer.code, header("Retry-After"), header("Date")),
            framing: framing(answer),
            keep: answer.http11 && !closes,
        }
    }
}

/// The words of a header that is a list, however often it stands there.
fn listed<'h>(
    answer: &'h edge_http::ResponseHeaders<'_, HEADERS>,
    name: &'static str,
) -> impl Iterator<Item = &'h str> {
    answer
        .headers
        .iter()
        .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
        .flat_map(|(_, value)| value.split(','))
        .map(str::trim)
}

/// RFC 9112, section 6.3. `edge-http` could tell it too, but panics on a length that is no number.
fn framing(answer: &edge_http::ResponseHeaders<'_, HEADERS>) -> Framing {
    if matches!(answer.code, 204 | 304) {
        return Framing::Length(0);
    }
    let mut codings = listed(answer, "Transfer-Encoding");
    let mut lengths = listed(answer, "Content-Length");
    match (codings.next(), lengths.next()) {
        (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => {
            // Nothing may stand behind it.
            codings
                .next()
                .map_or(Framing::Chunked, |_| Framing::Unknown)
        }
        (None, Some(length)) if lengths.all(|other| other == length) => {
            let digits = length.bytes().all(|byte| byte.is_ascii_digit());
            let length = length.parse().ok().filter(|_| digits);
            length.map_or(Framing::Unknown, Framing::Length)
        }
        // Both at once is how requests are smuggled; neither means until the end.
        _ => Framing::Unknown,
    }
}

/// What a status means for the readings. The host sorts them in the same way.
fn verdict(status: u16, retry_after: Option<&str>, date: Option<&str>) -> Verdict {
    match status {
        200..=299 => Verdict::Delivered,
        408 | 425 | 429 | 500.. => Verdict::Later {
            status,
            after: retry_after.and_then(|text| pause(text.trim(), date)),
        },
        401 | 403..=407 | 410 | 411 | 415 | 421 | 426 | 431 => Verdict::Check { status },
        400..=499 => Verdict::Refused { status },
        _ => Verdict::Check { status },
    }
}

/// Seconds, or a date by the server's own clock where it tells that.
fn pause(retry_after: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = retry_after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (until, now) = (date::parse(retry_after)?, date::parse(date?.trim())?);
    Some(Duration::from_secs(u64::try_from(until - now).unwrap_or(0)))
}

/// Reads a body and throws it away. Whether the end of it was reached.
pub(super) async fn read_body<C: Read>(stream: &mut Bounded<C>, framing: Framing) -> bool {
    let kind = match framing {
        Framing::Length(0) => return true,
        Framing::Length(length) if length > LONGEST as u64 => return false,
        Framing::Length(length) => BodyType::ContentLen(length),
        Framing::Chunked => BodyType::Chunked,
        Framing::Unknown => return false,
    };
    // Room for one byte, so that it takes none of what stands behind the body.
    let mut ahead = [0; 1];
    let mut body = Body::new(kind, &mut ahead, 0, &mut *stream);
    let mut sink = [0; 64];
    loop {
        match body.read(&mut sink).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    // An end of the connection between two chunks passes for the end of the body there.
    body.is_complete() && !stream.ended
}

fn fault<E>(error: &Error<E>) -> Fault {
    match error {
        Error::ConnectionClosed | Error::IncompleteHeaders | Error::Io(_) => Fault::Closed,
        _ => Fault::Garbage,
    }
}
