//! What the outputs have in common that send bodies by HTTP: the address, the secrets in it, the
//! way there, and what the answers mean.
//!
//! | answer | what happens |
//! |---|---|
//! | any 2xx | it is taken |
//! | 301, 302, 307, 308 | followed with method and body, on the same host and never down to http |
//! | 303 | not followed: it asks for a GET |
//! | 408, 425, 429, 5xx, no answer | tried again with growing waits, not before `Retry-After` |
//! | 401, 403, 404, 405, 406, 407, 410, 411, 415, 421, 426, 431 | kept, reported, tried again every `recheck` |
//! | any other 4xx | this body is not wanted |

mod client;
mod endpoint;
mod error;
mod secrets;

pub(super) use client::{Client, Settings, basic_authorization};
pub(super) use endpoint::Endpoint;
pub use endpoint::{BadRedirect, RedactedUrl, UrlError};
pub use error::{Advice, Answer, Error, Obstacle, ProbeError, Refusal};
pub(super) use secrets::Secrets;
