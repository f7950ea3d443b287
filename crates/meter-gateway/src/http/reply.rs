use std::io::Read as _;
use std::time::{Duration, SystemTime};

use http::header::{self, HeaderMap, HeaderName};
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::Fault;

/// How long the rest of an answer may take once its status is known.
const REST: Duration = Duration::from_secs(5);
/// How much text is unpacked.
const LONGEST_TEXT: u64 = 16 * 1024;

/// An answer, as far as it was wanted.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    /// May be only its beginning: see `end`.
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
}

/// How the body of an answer ended.
#[derive(Debug)]
pub(crate) enum End {
    /// It came whole, so that the connection can be used again.
    Whole,
    /// There is more than is wanted.
    TooLong,
    /// It broke off.
    Cut(Fault),
}

impl Reply {
    /// Reads an answer. Its status is known already, and no fault of its body takes that back.
    pub(super) async fn read(response: Response<Incoming>, longest: usize) -> Self {
        let (parts, incoming) = response.into_parts();
        let mut body = Vec::new();
        let end = timeout(REST, read_body(incoming, &mut body, longest))
            .await
            .unwrap_or(End::Cut(Fault::TimedOut { limit: REST }));
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
            end,
        }
    }

    fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Where a redirect leads.
    pub(crate) fn location(&self) -> Option<&str> {
        self.header(header::LOCATION)
    }

    /// Whether it is a page for people.
    pub(crate) fn is_page(&self) -> bool {
        self.header(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.starts_with("text/html"))
    }

    /// Seconds, or a date by the server's own clock if it tells it.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let wanted = self.header(header::RETRY_AFTER)?.trim();
        if let Ok(seconds) = wanted.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let until = httpdate::parse_http_date(wanted).ok()?;
        let date = self
            .header(header::DATE)
            .and_then(|date| httpdate::parse_http_date(date).ok());
        Some(
            until
                .duration_since(date.unwrap_or_else(SystemTime::now))
                .unwrap_or_default(),
        )
    }

    /// The body as text, unpacked where `Accept-Encoding: gzip` was taken up.
    pub(crate) fn text(&self) -> String {
        let compressed = self
            .header(header::CONTENT_ENCODING)
            .is_some_and(|how| how.contains("gzip"));
        if !compressed {
            return String::from_utf8_lossy(&self.body).into_owned();
        }
        let mut text = Vec::new();
        let decoder = flate2::read::GzDecoder::new(self.body.as_slice());
        // What could be unpacked before a fault is better than nothing.
        let _ = decoder.take(LONGEST_TEXT).read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}

async fn read_body(mut incoming: Incoming, body: &mut Vec<u8>, longest: usize) -> End {
    while let Some(frame) = incoming.frame().await {
        match frame {
            Ok(frame) => body.extend(frame.into_data().unwrap_or_default()),
            Err(error) => return End::Cut(error.into()),
        }
        if body.len() > longest {
            return End::TooLong;
        }
    }
    End::Whole
}
