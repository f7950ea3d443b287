//! The public roots: all that Mozilla trusts, in flash.
//!
//! Of a root a name and a key are trusted; the rest of its certificate, its own signature above all, says
//! nothing. So only names and keys are kept, in half of the room. Mbed TLS takes roots as a list of
//! parsed certificates, and more than a hundred would fill the heap. So its verification is led through
//! this file by the linker's `--wrap`: of the public roots only those that have issued a certificate of
//! the chain that the server sent are put into a certificate again and parsed, each a kilobyte or two
//! for the length of the verification. What is trusted stays a part of the public roots, and everything
//! is verified by Mbed TLS itself.
//!
//! Roots that are trusted for some names only are left out: Mbed TLS does not know such a constraint.
//!
//! Where a board forgets to tell its linker, its program does not link.

use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_void};
use core::mem::MaybeUninit;

use mbedtls_rs::sys::MbedtlsError;
use mbedtls_rs::sys::{
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets, mbedtls_ssl_config, mbedtls_x509_crl,
    mbedtls_x509_crt, mbedtls_x509_crt_free, mbedtls_x509_crt_init, mbedtls_x509_crt_parse_der,
    mbedtls_x509_crt_profile, mbedtls_x509_crt_restart_ctx,
};
use mbedtls_rs::{Certificate, X509};
use rustls_pki_types::TrustAnchor;
use webpki_roots::TLS_SERVER_ROOTS;

use crate::der;

/// So many roots are tried for one server: more than ever issue one chain.
const MOST: usize = 4;

/// The name of a root that has issued nothing: CN=nobody.
const NOBODY: &[u8] = b"\x31\x0f\x30\x0d\x06\x03\x55\x04\x03\x0c\x06nobody";

/// A root that stands for all of them.
fn stand_in() -> Option<Vec<u8>> {
    let key = &TLS_SERVER_ROOTS.first()?.subject_public_key_info;
    Some(der::authority(NOBODY, key))
}

/// What is to be given to Mbed TLS for "the public roots".
pub(crate) fn any() -> Result<Certificate<'static>, MbedtlsError> {
    Certificate::new(X509::DER(&stand_in().unwrap_or_default()))
}

/// What Mbed TLS calls for each certificate that it has verified.
type Look =
    Option<unsafe extern "C" fn(*mut c_void, *mut mbedtls_x509_crt, c_int, *mut u32) -> c_int>;

#[expect(unsafe_code, reason = "functions of C")]
unsafe extern "C" {
    fn __real_mbedtls_x509_crt_verify_restartable(
        chain: *mut mbedtls_x509_crt,
        trusted: *mut mbedtls_x509_crt,
        revoked: *mut mbedtls_x509_crl,
        profile: *const mbedtls_x509_crt_profile,
        name: *const c_char,
        flags: *mut u32,
        look: Look,
        look_with: *mut c_void,
        restart: *mut mbedtls_x509_crt_restart_ctx,
    ) -> c_int;

    fn __real_mbedtls_ssl_config_defaults(
        config: *mut mbedtls_ssl_config,
        endpoint: c_int,
        transport: c_int,
        preset: c_int,
    ) -> c_int;
}

/// Verifies a chain, where the list of roots may be the one that stands for all.
#[expect(unsafe_code, reason = "called by C in place of its own function")]
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_mbedtls_x509_crt_verify_restartable(
    chain: *mut mbedtls_x509_crt,
    trusted: *mut mbedtls_x509_crt,
    revoked: *mut mbedtls_x509_crl,
    profile: *const mbedtls_x509_crt_profile,
    name: *const c_char,
    flags: *mut u32,
    look: Look,
    look_with: *mut c_void,
    restart: *mut mbedtls_x509_crt_restart_ctx,
) -> c_int {
    let verify = |trusted| {
        // SAFETY: the arguments are Mbed TLS's own, but for the list, which lives long enough.
        unsafe {
            __real_mbedtls_x509_crt_verify_restartable(
                chain, trusted, revoked, profile, name, flags, look, look_with, restart,
            )
        }
    };
    // SAFETY: Mbed TLS hands over parsed certificates, or null.
    let (chain, first) = unsafe { (chain.as_ref(), trusted.as_ref()) };
    let (Some(chain), Some(first)) = (chain, first) else {
        return verify(trusted);
    };
    #[expect(unsafe_code, reason = "a buffer of C")]
    // SAFETY: it is the whole of a parsed certificate.
    let given = unsafe { core::slice::from_raw_parts(first.raw.p, first.raw.len) };
    if stand_in().as_deref() != Some(given) {
        return verify(trusted);
    }
    let roots = issuers(chain);
    if roots.is_empty() {
        // It has the root that has issued nothing.
        return verify(trusted);
    }
    let mut list = MaybeUninit::uninit();
    let list = list.as_mut_ptr();
    // SAFETY: it is made, filled with copies, used and freed here.
    unsafe {
        mbedtls_x509_crt_init(list);
        for root in roots {
            let certificate = der::authority(&root.subject, &root.subject_public_key_info);
            let parsed = mbedtls_x509_crt_parse_der(list, certificate.as_ptr(), certificate.len());
            if parsed != 0 {
                mbedtls_x509_crt_free(list);
                *flags = u32::MAX;
                return parsed;
            }
        }
        let verified = verify(list);
        mbedtls_x509_crt_free(list);
        verified
    }
}

/// The roots that issued a certificate of this chain.
fn issuers(chain: &mbedtls_x509_crt) -> heapless::Vec<&'static TrustAnchor<'static>, MOST> {
    let mut found = heapless::Vec::<&TrustAnchor<'static>, MOST>::new();
    let mut next = Some(chain);
    while let Some(certificate) = next {
        let name = &certificate.issuer_raw;
        #[expect(unsafe_code, reason = "a buffer of C")]
        // SAFETY: it is a part of the parsed certificate.
        let name = unsafe { core::slice::from_raw_parts(name.p, name.len) };
        // A linear search: some hundred names take no time beside one signature.
        for root in TLS_SERVER_ROOTS {
            let issued = root.name_constraints.is_none()
                && der::contents(name).is_some_and(|name| name == &*root.subject);
            let known = found
                .iter()
                .any(|known| core::ptr::eq::<TrustAnchor<'_>>(*known, root));
            if issued && !known && found.push(root).is_err() {
                return found;
            }
        }
        #[expect(unsafe_code, reason = "a list of C")]
        // SAFETY: the list ends with null, and nobody changes it now.
        let following = unsafe { certificate.next.as_ref() };
        next = following;
    }
    found
}

/// Settings of TLS as Mbed TLS has them, and the tickets of TLS 1.3 taken: it throws them away
/// otherwise, and no session could be resumed.
#[expect(
    unsafe_code,
    reason = "called by C's users in place of its own function"
)]
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_mbedtls_ssl_config_defaults(
    config: *mut mbedtls_ssl_config,
    endpoint: c_int,
    transport: c_int,
    preset: c_int,
) -> c_int {
    // SAFETY: the arguments are the caller's own, and the settings are made by the first of both.
    unsafe {
        let made = __real_mbedtls_ssl_config_defaults(config, endpoint, transport, preset);
        if made == 0 {
            mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(config, 1);
        }
        made
    }
}
