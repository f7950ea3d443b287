//! Sends readings by HTTP/1.1, over a connection that is open already and stays open.

mod answer;
mod date;

use core::fmt;
use core::pin::pin;
use core::time::Duration;

use embedded_io_async::{Read, Write};
use meter_core::Stamped;

use crate::board::Time;
use crate::format::{Count, Fill, Format};
use crate::settings::{self, Secret};
use crate::stream::Buffered;
use crate::url::{Url, UrlError};
use crate::verdict::{Fault, Verdict};

/// How long the rest of an answer may take once its status is known. What the status says stands in any
/// case; only the connection is given up.
const REST: Duration = Duration::from_secs(5);

/// Where and how readings are posted.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The address.
    pub url: Url<'a>,
    /// What a body looks like.
    pub format: Format,
    /// The value of the header `Authorization`, one line of ASCII.
    pub authorization: Option<&'a str>,
    /// The value of the header `User-Agent`, one line of ASCII.
    pub agent: &'a str,
    /// The value of the header `Meterline-Event`: an entry of the [ring](crate::ring) that the server
    /// has not heard of, one line of ASCII.
    pub event: Option<&'a str>,
}

/// What became of a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// What the server says to the readings.
    pub verdict: Verdict,
    /// Whether the connection can be used again.
    pub reusable: bool,
}

impl<'a> Target<'a> {
    /// As it is set; settings that were accepted fit.
    pub fn new(settings: &'a settings::Rest, agent: &'a str) -> Result<Self, UrlError> {
        Ok(Self {
            url: settings.url()?,
            format: settings.format,
            authorization: settings.authorization.as_ref().map(Secret::expose),
            agent,
            event: None,
        })
    }

    /// How many of the readings, from the first on, [`post`] can send at once with a buffer of so many
    /// bytes. 0 when the first one alone is too long.
    #[must_use]
    pub fn fitting(&self, readings: &[Stamped<'_>], buffer: usize) -> usize {
        let mut head = Count(0);
        // Counting cannot fail. No body is longer than the buffer, nor has a longer Content-Length.
        let _ = self.write_head(buffer, &mut head);
        self.format.fitting(readings, buffer.saturating_sub(head.0))
    }

    fn write_head(&self, length: usize, out: &mut impl fmt::Write) -> fmt::Result {
        write!(
            out,
            "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n",
            self.url.path(),
            self.url.authority(),
            self.agent,
        )?;
        if let Some(authorization) = self.authorization {
            write!(out, "Authorization: {authorization}\r\n")?;
        }
        if let Some(event) = self.event {
            write!(out, "Meterline-Event: {event}\r\n")?;
        }
        out.write_str("\r\n")
    }

    /// Head and body in one, so that they leave in as few packets and TLS records as may be.
    fn request<'b>(
        &self,
        readings: &[Stamped<'_>],
        buffer: &'b mut [u8],
    ) -> Result<&'b [u8], Fault> {
        let mut fill = Fill::new(buffer);
        self.write_head(self.format.length(readings), &mut fill)
            .and_then(|()| self.format.write(readings, &mut fill))
            .map_err(|_| Fault::TooLong)?;
        Ok(fill.finish())
    }
}

/// Posts readings, as many as [`Target::fitting`] says at most, and reads the answer.
///
/// The buffer holds the request first and then the head of the answer, so it takes at least 1 KiB. An
/// answer is bounded in its length but not in its time: that is the caller's part. A future that was
/// dropped leaves the connection in the middle of something, so it is of no more use either.
pub async fn post<C: Read + Write>(
    connection: &mut C,
    time: &impl Time,
    target: &Target<'_>,
    readings: &[Stamped<'_>],
    buffer: &mut [u8],
) -> Result<Posted, Fault> {
    let request = target.request(readings, buffer)?;
    connection
        .write_all(request)
        .await
        .map_err(|_| Fault::Closed)?;
    connection.flush().await.map_err(|_| Fault::Closed)?;

    let mut stream = answer::Bounded::new(Buffered::new(connection));
    let head = answer::Head::receive(&mut stream, buffer).await?;
    let whole = time
        .at_most(REST, pin!(answer::read_body(&mut stream, head.framing)))
        .await
        .unwrap_or(false);
    Ok(Posted {
        verdict: head.verdict,
        reusable: head.keep && whole && !stream.has_more(),
    })
}
