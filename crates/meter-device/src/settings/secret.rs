//! What is stored and used, and never shown.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use heapless::String;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

/// What stands in the place of a secret where people look.
pub const MASK: &str = "***";

/// A text that is never shown.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret<const N: usize>(String<N>);

impl<const N: usize> Secret<N> {
    /// A secret of at most `N` bytes; `None` for a longer one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        String::try_from(text).ok().map(Self)
    }

    /// The secret itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to keep secret.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// A certificate authority in DER; base64 in JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct Authority(Box<[u8]>);

/// Why octets are no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadAuthority {
    /// It is longer than [`Authority::BYTES`].
    TooLong,
    /// It does not begin like one in DER, or has another length than its first octets say.
    NotDer,
}

impl fmt::Display for BadAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(
                f,
                "the certificate is longer than {} bytes: use an authority with an EC key",
                Authority::BYTES
            ),
            Self::NotDer => f.write_str("this is no certificate in DER"),
        }
    }
}

impl core::error::Error for BadAuthority {}

impl Authority {
    /// Longest certificate, in octets.
    pub const BYTES: usize = 2048;

    /// A certificate in DER. Only its outermost shape is looked at.
    pub fn new(der: &[u8]) -> Result<Self, BadAuthority> {
        let inner = match der {
            // A SEQUENCE with its length in one octet, or in the one or two that follow.
            [0x30, short @ 0..=0x7F, inner @ ..] if inner.len() == usize::from(*short) => inner,
            [0x30, 0x81, length, inner @ ..] if inner.len() == usize::from(*length) => inner,
            [0x30, 0x82, high, low, inner @ ..]
                if inner.len() == usize::from(u16::from_be_bytes([*high, *low])) =>
            {
                inner
            }
            _ => return Err(BadAuthority::NotDer),
        };
        // Within it stands the part that is signed, a SEQUENCE as well.
        if inner.first() != Some(&0x30) {
            return Err(BadAuthority::NotDer);
        }
        if der.len() > Self::BYTES {
            return Err(BadAuthority::TooLong);
        }
        Ok(Self(der.into()))
    }

    /// The octets.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl<'de> Deserialize<'de> for Authority {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Base64)
    }
}

struct Base64;

impl Visitor<'_> for Base64 {
    type Value = Authority;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a certificate in DER, written in base64")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Authority, E> {
        // base64 wants room for its estimate, which may be two octets more than there are.
        let mut der = vec![0; Authority::BYTES + 2];
        let length = STANDARD
            .decode_slice(text, &mut der)
            .map_err(|_| E::custom("this is no base64, or too long"))?;
        let der = der.get(..length).unwrap_or_default();
        Authority::new(der).map_err(E::custom)
    }
}
