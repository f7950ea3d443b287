//! Why a server is not trusted, for people.

use std::error::Error as StdError;
use std::io;
use std::time::{Duration, SystemTime};

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, OtherError};

use super::IssuedItself;

/// A clock before this (2026-01-01) was never set: it is older than this program.
const EARLIEST_PLAUSIBLE: u64 = 1_767_225_600;
/// A clock after this (2100-01-01) is wrong too.
const LATEST_PLAUSIBLE: u64 = 4_102_444_800;

/// Why a handshake failed, in the words of the person who has to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The certificate has ended.
    #[error("its certificate expired{}: renew it on the server", on(*end))]
    Expired {
        /// When, in seconds since 1970.
        end: Option<u64>,
    },
    /// The certificate has not begun.
    #[error("its certificate is not valid yet{}: check the clocks of both sides", begins(*begin))]
    NotYetValid {
        /// When it begins, in seconds since 1970.
        begin: Option<u64>,
    },
    /// The certificate's time is out because this machine's clock is not set.
    #[error(
        "the clock of this machine is not set (it says {}), so no certificate can be checked: \
         wait for NTP or set the clock (`timedatectl`)", date(*clock)
    )]
    ClockNotSet {
        /// What the clock says, in seconds since 1970.
        clock: u64,
    },
    /// The certificate is somebody else's.
    #[error(
        "its certificate is for {}, not for {expected}: use one of those names in url, or get a \
         certificate for {expected}",
        names(presented)
    )]
    WrongName {
        /// The name in the URL.
        expected: String,
        /// The names in the certificate.
        presented: Vec<String>,
    },
    /// Nobody who is trusted has issued the certificate.
    #[error(
        "its certificate is from an authority that is not trusted here: if it is your own, name \
         its certificate with ca_file; otherwise the server may have forgotten to send the \
         intermediate certificate"
    )]
    UnknownIssuer,
    /// The certificate vouches for itself.
    #[error(
        "its certificate is self-signed: if it is your own server, name that certificate with \
         ca_file"
    )]
    SelfSigned,
    /// An authority's certificate in the place of a server's.
    #[error(
        "it shows the certificate of an authority as its own (self-signed by `openssl req -x509`?): \
         make one for the server, with `-addext basicConstraints=critical,CA:FALSE`"
    )]
    AuthorityAsServer,
    /// An intermediate certificate is none.
    #[error(
        "its certificate was signed by one that may not sign others: get a certificate from a \
         proper authority"
    )]
    SignedByLeaf,
    /// An authority of the right name has another key.
    #[error(
        "its certificate is not signed by the authority that has the name of its signer: that was \
         made anew, so put its new certificate into ca_file"
    )]
    OtherKey,
    /// The other side speaks something else.
    #[error("it does not speak TLS on this port: check the port, or whether it is http://")]
    NotTls,
    /// The other side hung up.
    #[error("it closed the connection during the TLS handshake: check that the port speaks TLS")]
    Closed,
    /// The other side wants a client certificate.
    #[error(
        "it asks for a client certificate: set client_cert and client_key to one that it accepts"
    )]
    ClientCertificate,
    /// No TLS version or cipher in common.
    #[error(
        "it has no TLS version or cipher in common with us (TLS 1.2 and 1.3): update the server"
    )]
    NothingInCommon,
    /// Anything else, in rustls's words.
    #[error("the TLS handshake failed: {0}")]
    Other(String),
}

impl From<&rustls::Error> for Fault {
    fn from(error: &rustls::Error) -> Self {
        use rustls::Error as E;
        match error {
            E::InvalidCertificate(certificate) => Self::from_certificate(certificate),
            E::InvalidMessage(_) | E::InappropriateMessage { .. } => Self::NotTls,
            E::AlertReceived(alert) => Self::from_alert(*alert),
            E::PeerIncompatible(_) => Self::NothingInCommon,
            other => Self::Other(other.to_string()),
        }
    }
}

impl Fault {
    fn from_certificate(error: &CertificateError) -> Self {
        use CertificateError as C;
        match error {
            C::ExpiredContext { time, not_after } => unless_clock(*time, || Self::Expired {
                end: Some(not_after.as_secs()),
            }),
            C::NotValidYetContext { time, not_before } => {
                unless_clock(*time, || Self::NotYetValid {
                    begin: Some(not_before.as_secs()),
                })
            }
            C::Expired => unless_clock(UnixTime::now(), || Self::Expired { end: None }),
            C::NotValidYet => unless_clock(UnixTime::now(), || Self::NotYetValid { begin: None }),
            C::NotValidForNameContext {
                expected,
                presented,
            } => Self::WrongName {
                expected: expected.to_str().into_owned(),
                presented: presented.iter().map(|name| plain_name(name)).collect(),
            },
            C::UnknownIssuer => Self::UnknownIssuer,
            C::BadSignature => Self::OtherKey,
            C::Other(OtherError(inner)) if inner.is::<IssuedItself>() => Self::SelfSigned,
            // webpki's own cases are not rustls's; their names are all that can be seen.
            C::Other(other) => match other.to_string().as_str() {
                "CaUsedAsEndEntity" => Self::AuthorityAsServer,
                "EndEntityUsedAsCa" => Self::SignedByLeaf,
                words => Self::Other(words.to_owned()),
            },
            other => Self::Other(other.to_string()),
        }
    }

    fn from_alert(alert: AlertDescription) -> Self {
        use AlertDescription as A;
        match alert {
            A::CertificateRequired
            | A::BadCertificate
            | A::UnknownCA
            | A::CertificateUnknown
            | A::CertificateExpired
            | A::AccessDenied => Self::ClientCertificate,
            A::ProtocolVersion | A::InsufficientSecurity => Self::NothingInCommon,
            other => Self::Other(format!("the server says {other:?}")),
        }
    }

    /// Finds the TLS fault behind an error, however deep it is wrapped.
    #[must_use]
    pub fn behind(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(tls) = error.downcast_ref::<rustls::Error>() {
                return Some(Self::from(tls));
            }
            // An io::Error's `source` skips the error that it carries.
            next = match error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
            {
                Some(carried) => Some(carried),
                None => error.source(),
            };
        }
        None
    }
}

fn unless_clock(now: UnixTime, fault: impl FnOnce() -> Fault) -> Fault {
    let clock = now.as_secs();
    if (EARLIEST_PLAUSIBLE..LATEST_PLAUSIBLE).contains(&clock) {
        fault()
    } else {
        Fault::ClockNotSet { clock }
    }
}

/// `DnsName("a.example")` as webpki writes it, without the wrapping.
fn plain_name(name: &str) -> String {
    let inner = name
        .split_once('(')
        .map_or(name, |(_, rest)| rest.trim_end_matches(')'));
    inner.trim_matches('"').to_owned()
}

fn names(presented: &[String]) -> String {
    match presented {
        [] => "no name at all".to_owned(),
        some => some.join(", "),
    }
}

fn on(time: Option<u64>) -> String {
    time.map(|time| format!(" on {}", date(time)))
        .unwrap_or_default()
}

fn begins(time: Option<u64>) -> String {
    time.map(|time| format!(" (it begins on {})", date(time)))
        .unwrap_or_default()
}

fn date(time: u64) -> String {
    // httpdate ends with the year 9999.
    let time = Duration::from_secs(time.min(253_402_300_799));
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn says(error: CertificateError) -> String {
        Fault::from(&rustls::Error::InvalidCertificate(error)).to_string()
    }

    #[test]
    fn a_clock_that_was_never_set_is_the_cause_of_both() {
        let unset = time(12);
        let far = time(LATEST_PLAUSIBLE + 1);
        for said in [
            says(CertificateError::NotValidYetContext {
                time: unset,
                not_before: time(1_700_000_000),
            }),
            says(CertificateError::ExpiredContext {
                time: far,
                not_after: time(1_800_000_000),
            }),
        ] {
            assert!(
                said.contains("the clock of this machine is not set"),
                "{said}"
            );
            assert!(said.contains("1970") || said.contains("2100"), "{said}");
        }
    }

    #[test]
    fn a_clock_that_is_set_is_not() {
        let now = time(1_800_000_000);
        let said = says(CertificateError::ExpiredContext {
            time: now,
            not_after: time(1_790_000_000),
        });
        assert_eq!(
            said,
            "its certificate expired on Mon, 21 Sep 2026 14:13:20 GMT: renew it on the server"
        );
    }

    #[test]
    fn a_date_beyond_all_calendars_does_not_panic() {
        assert!(date(u64::MAX).contains("9999"));
    }

    #[test]
    fn an_authority_that_was_made_anew_is_named() {
        let said = says(CertificateError::BadSignature);
        assert!(said.contains("made anew"), "{said}");
    }

    #[test]
    fn is_found_behind_other_errors() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::other(tls));
        assert_eq!(Fault::behind(&wrapped), Some(Fault::UnknownIssuer));
        assert_eq!(Fault::behind(&io::Error::other("else")), None);
    }
}
