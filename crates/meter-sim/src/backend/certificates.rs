//! Certificates made on the spot: one authority per backend, and leaves with
//! every fault that a real server has shown.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate as Signed, CertificateParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;

use super::{Config, StartError};

/// What the backend shows in the TLS handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Certificate {
    /// Signed by the backend's authority, for the backend's host names.
    #[default]
    Good,
    /// Ended on 2021-01-01.
    Expired,
    /// Begins on 2090-01-01.
    NotYetValid,
    /// Good, but for `elsewhere.example`.
    WrongName,
    /// Signed with its own key and trusted by nobody.
    SelfSigned,
    /// Signed with its own key and marked as an authority, which is what
    /// `openssl req -x509` makes unless told otherwise.
    SelfSignedAuthority,
    /// Signed by an authority other than the one of [`Backend::ca_pem`](super::Backend::ca_pem).
    UnknownAuthority,
    /// Signed by a leaf of the right authority, which is no authority itself.
    SignedByLeaf,
}

/// A certificate and its key, both as PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate_pem: String,
    /// The PKCS#8 key.
    pub key_pem: String,
}

/// A certificate authority that lives as long as its backend.
pub(super) struct Authority {
    certificate: Signed,
    issuer: Issuer<'static, KeyPair>,
}

/// Certificates in the order in which they are sent, with the leaf's key.
struct Chain {
    certificates: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Authority {
    pub(super) fn new(name: &str) -> Result<Self, StartError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            certificate,
            issuer: Issuer::new(params, key),
        })
    }

    pub(super) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// A client certificate that this authority's servers accept.
    pub(super) fn client(&self) -> Result<Identity, StartError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params
            .distinguished_name
            .push(DnType::CommonName, "meterline");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Identity {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    /// A good certificate for another server of these names.
    pub(super) fn identity_for(&self, names: &[&str]) -> Result<Identity, StartError> {
        let key = KeyPair::generate()?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Identity {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    /// The TLS side of a backend that shows `certificate`.
    pub(super) fn server_of(
        &self,
        config: &Config,
        certificate: Certificate,
    ) -> Result<rustls::ServerConfig, StartError> {
        let names = ["localhost", "127.0.0.1", &config.host].map(str::to_owned);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = if config.client_certificate_required {
            let mut roots = RootCertStore::empty();
            roots.add(self.certificate.der().clone())?;
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let chain = self.chain(certificate, &names)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(chain.key.serialize_der()));
        let mut tls = builder.with_single_cert(chain.certificates, key)?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(tls)
    }

    fn chain(&self, certificate: Certificate, names: &[String]) -> Result<Chain, StartError> {
        let key = KeyPair::generate()?;
        let names = match certificate {
            Certificate::WrongName => vec!["elsewhere.example".to_owned()],
            _ => names.to_vec(),
        };
        let mut params = CertificateParams::new(names)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "simulated backend");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        match certificate {
            Certificate::Expired => {
                params.not_before = date_time_ymd(2020, 1, 1);
                params.not_after = date_time_ymd(2021, 1, 1);
            }
            Certificate::NotYetValid => params.not_before = date_time_ymd(2090, 1, 1),
            Certificate::SelfSignedAuthority => {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            }
            _ => {}
        }
        match certificate {
            Certificate::SelfSigned | Certificate::SelfSignedAuthority => {
                let leaf = params.self_signed(&key)?;
                Ok(Chain {
                    certificates: vec![leaf.der().clone()],
                    key,
                })
            }
            Certificate::UnknownAuthority => {
                let stranger = Self::new("somebody else's authority")?;
                stranger.sign(&params, key)
            }
            Certificate::SignedByLeaf => self.sign_by_leaf(&params, key),
            _ => self.sign(&params, key),
        }
    }

    fn sign(&self, params: &CertificateParams, key: KeyPair) -> Result<Chain, StartError> {
        let leaf = params.signed_by(&key, &self.issuer)?;
        Ok(Chain {
            certificates: vec![leaf.der().clone()],
            key,
        })
    }

    fn sign_by_leaf(&self, params: &CertificateParams, key: KeyPair) -> Result<Chain, StartError> {
        let between_key = KeyPair::generate()?;
        let mut between = CertificateParams::new(vec!["leaf.example".to_owned()])?;
        between
            .distinguished_name
            .push(DnType::CommonName, "a leaf that signs");
        let between_signed = between.signed_by(&between_key, &self.issuer)?;
        let leaf = params.signed_by(&key, &Issuer::new(between, between_key))?;
        Ok(Chain {
            certificates: vec![leaf.der().clone(), between_signed.der().clone()],
            key,
        })
    }
}
