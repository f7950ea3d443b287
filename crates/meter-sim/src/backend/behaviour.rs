//! How the backend behaves: what it answers, whom it refuses, how it fails.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

/// Decides on one reading of a POST (an element of its array, or the whole
/// body if it is no array); the answer, if any, is given instead of a 200.
pub type Refusal = Arc<dyn Fn(&Value) -> Option<Answer> + Send + Sync>;

/// The whole behaviour, replaced at once by
/// [`Backend::set_behaviour`](super::Backend::set_behaviour).
#[derive(Clone, Default)]
pub struct Behaviour {
    /// What happens to the connections that are opened from now on.
    pub connection: Connection,
    /// One step for each of the next requests; after them, `then`.
    pub script: VecDeque<Step>,
    /// What happens to every request once the script is through.
    pub then: Step,
    /// Readings that are refused, whatever the script says about success.
    pub refuse: Option<Refusal>,
    /// Bodies longer than this are answered 413.
    pub limit: Option<usize>,
}

impl Behaviour {
    /// Accepts everything.
    #[must_use]
    pub fn accept() -> Self {
        Self::default()
    }

    /// Gives `answer` to every request.
    #[must_use]
    pub fn always(answer: Answer) -> Self {
        Self {
            then: Step::Answer(answer),
            ..Self::default()
        }
    }

    /// Goes through `steps`, one for each request, and accepts everything after.
    #[must_use]
    pub fn first(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            script: steps.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Refuses each reading for which `refuse` has an answer.
    #[must_use]
    pub fn refusing(refuse: impl Fn(&Value) -> Option<Answer> + Send + Sync + 'static) -> Self {
        Self {
            refuse: Some(Arc::new(refuse)),
            ..Self::default()
        }
    }

    /// Treats new connections as `connection` says.
    #[must_use]
    pub fn connecting(connection: Connection) -> Self {
        Self {
            connection,
            ..Self::default()
        }
    }

    pub(super) fn next_step(&mut self) -> Step {
        self.script.pop_front().unwrap_or_else(|| self.then.clone())
    }
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour")
            .field("connection", &self.connection)
            .field("script", &self.script)
            .field("then", &self.then)
            .field("refuse", &self.refuse.is_some())
            .field("limit", &self.limit)
            .finish()
    }
}

/// What happens to a connection before the first request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connection {
    /// It is served.
    #[default]
    Serve,
    /// It is accepted and closed at once.
    Close,
    /// It is accepted and reset (RST).
    Reset,
    /// It is accepted; nothing is ever said.
    Stall,
    /// Plain text where the client expects TLS.
    GarbageForTls,
    /// TLS as it should be, then bytes that are no HTTP.
    GarbageForHttp,
}

/// What happens to one request, after its body has been read.
#[derive(Clone, Debug, Default)]
pub enum Step {
    /// 200 without a body.
    #[default]
    Accept,
    /// This answer.
    Answer(Answer),
    /// The answer, late.
    Late(Duration, Answer),
    /// No answer ever; the connection stays open.
    Stall,
    /// The connection is closed without an answer.
    Close,
    /// The connection is reset (RST) without an answer.
    Reset,
    /// A 200 whose body ends in the middle of a chunk.
    CutAnswer,
}

/// An HTTP answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// The text of the answer.
    pub body: String,
    /// How the text travels.
    pub encoding: Encoding,
}

/// How an answer's body travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// With a length.
    #[default]
    Plain,
    /// In chunks of a few bytes.
    Chunked,
    /// Compressed, with `Content-Encoding: gzip`.
    Gzip,
    /// In chunks that never end; the text is repeated for ever.
    Endless,
}

impl Answer {
    /// An answer of this status without a body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
            encoding: Encoding::Plain,
        }
    }

    /// The same with a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same with its body in another encoding.
    #[must_use]
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// A redirect of this status to `location`.
    #[must_use]
    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        Self::status(status).header("Location", location)
    }

    /// `self` for each of the next `n` requests.
    pub fn times(self, n: usize) -> impl Iterator<Item = Step> {
        std::iter::repeat_n(Step::Answer(self), n)
    }
}
