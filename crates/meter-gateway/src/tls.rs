//! TLS for what leaves this machine: always verified, and errors that say why.
//!
//! Without a `ca_file` the authorities of the system are trusted. With one,
//! **only** the authorities in that file are: somebody who names a private
//! authority does not want two hundred public ones to speak for the same host.

mod fault;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};

pub use fault::Fault;

/// What is wrong with the certificate files on this machine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {what} {}: {source}; {}", path.display(), reading_advice(source))]
    Unreadable {
        /// The key in the configuration.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file has nothing of the kind in it.
    #[error(
        "{what} {} holds no {wanted} in PEM form: it must have a line `-----BEGIN {label}-----`",
        path.display()
    )]
    Empty {
        /// The key in the configuration.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
        /// The label of the PEM section.
        label: &'static str,
    },
    /// A file is no well-formed PEM, or its content is damaged.
    #[error("{what} {} is damaged ({reason}): write the file again", path.display())]
    Damaged {
        /// The key in the configuration.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// Key and certificate do not belong together.
    #[error(
        "client_key {} does not belong to client_cert {} ({reason}): take the key that the \
         certificate was made with", key.display(), certificate.display()
    )]
    KeyMismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
        /// What rustls says.
        reason: String,
    },
    /// The system trusts nobody.
    #[error(
        "this system has no certificate authorities{reason}: install them (Debian: `apt install \
         ca-certificates`) or name the server's own authority with ca_file"
    )]
    NoSystemRoots {
        /// What the loader says, with a leading space, or nothing.
        reason: String,
    },
    /// The set-up is refused by rustls itself.
    #[error("cannot set up TLS: {0}")]
    Setup(#[from] rustls::Error),
}

fn reading_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "let the user that runs meterline read it",
        _ => "check the file",
    }
}

/// The files that a configuration names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files<'a> {
    /// The authorities to trust instead of the system's.
    pub ca_file: Option<&'a Path>,
    /// A client's certificate chain and its key.
    pub client: Option<(&'a Path, &'a Path)>,
}

/// Builds the TLS side of a client.
pub fn client_config(files: Files<'_>) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = match files.ca_file {
        Some(path) => Arc::new(roots_from(path)?),
        None => system_roots()?,
    };
    let inner = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let verifier = Arc::new(Explaining {
        inner,
        provider: Arc::clone(&provider),
    });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match files.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates("client_cert", certificate)?;
            builder
                .with_client_auth_cert(chain, private_key(key)?)
                .map_err(|error| Error::KeyMismatch {
                    key: key.to_owned(),
                    certificate: certificate.to_owned(),
                    reason: error.to_string(),
                })?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // One server per configuration: there is nothing else to resume.
    config.resumption = Resumption::in_memory_sessions(2);
    Ok(Arc::new(config))
}

/// The certificates in a PEM file, in DER, for somebody else who trusts them.
pub fn authorities(path: &Path) -> Result<Vec<Vec<u8>>, Error> {
    let certificates = certificates("ca_file", path)?;
    Ok(certificates.iter().map(|der| der.to_vec()).collect())
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bytes = read(what, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| damaged(what, path, &error))?;
    if found.is_empty() {
        let path = path.to_owned();
        return Err(Error::Empty {
            what,
            path,
            wanted: "certificate",
            label: "CERTIFICATE",
        });
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    use rustls::pki_types::pem::Error as Pem;
    let what = "client_key";
    PrivateKeyDer::from_pem_slice(&read(what, path)?).map_err(|error| match error {
        Pem::NoItemsFound => Error::Empty {
            what,
            path: path.to_owned(),
            wanted: "unencrypted private key",
            label: "PRIVATE KEY",
        },
        other => damaged(what, path, &other),
    })
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Unreadable {
        what,
        path: path.to_owned(),
        source,
    })
}

fn damaged(what: &'static str, path: &Path, reason: &dyn fmt::Display) -> Error {
    Error::Damaged {
        what,
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

fn roots_from(path: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca_file", path)? {
        roots
            .add(certificate)
            .map_err(|error| damaged("ca_file", path, &error))?;
    }
    Ok(roots)
}

/// The system's authorities, loaded when the first output needs them and
/// shared by all; freed with the last, so that a reload sees new ones.
fn system_roots() -> Result<Arc<RootCertStore>, Error> {
    static SHARED: Mutex<Weak<RootCertStore>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(roots) = shared.upgrade() {
        return Ok(roots);
    }
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems carry single certificates that webpki does not take; the rest is good.
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        let reason = loaded
            .errors
            .first()
            .map(|error| format!(" ({error})"))
            .unwrap_or_default();
        return Err(Error::NoSystemRoots { reason });
    }
    let roots = Arc::new(roots);
    *shared = Arc::downgrade(&roots);
    Ok(roots)
}

/// Decides exactly as webpki does, and only tells two cases apart that webpki
/// reports as one: an unknown issuer, and a certificate that issued itself.
#[derive(Debug)]
struct Explaining {
    inner: Arc<WebPkiServerVerifier>,
    provider: Arc<CryptoProvider>,
}

/// Marks a certificate that is signed with its own key.
#[derive(Debug, thiserror::Error)]
#[error("the certificate is signed by itself")]
struct IssuedItself;

impl Explaining {
    /// Whether the certificate verifies once it is trusted itself.
    fn issued_itself(
        &self,
        leaf: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> bool {
        let mut roots = RootCertStore::empty();
        if roots.add(leaf.clone().into_owned()).is_err() {
            return false;
        }
        let provider = Arc::clone(&self.provider);
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        verifier.is_ok_and(|verifier| {
            let result = verifier.verify_server_cert(leaf, &[], name, &[], now);
            !matches!(
                result,
                Err(rustls::Error::InvalidCertificate(
                    CertificateError::UnknownIssuer | CertificateError::BadSignature
                ))
            )
        })
    }
}

impl ServerCertVerifier for Explaining {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let result = self
            .inner
            .verify_server_cert(leaf, intermediates, name, ocsp_response, now);
        match result {
            Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))
                if self.issued_itself(leaf, name, now) =>
            {
                let marked = OtherError(Arc::new(IssuedItself));
                Err(rustls::Error::InvalidCertificate(CertificateError::Other(
                    marked,
                )))
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
