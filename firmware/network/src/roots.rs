//! The public roots: all that Mozilla trusts, in flash.
//!
//! Mbed TLS takes the roots as a list of parsed certificates, and 118 of them would fill the heap. So
//! its verification is led through this file by the linker's `--wrap`: of the public roots only those
//! are parsed that have issued a certificate of the chain that the server sent, each a kilobyte or two
//! for the length of the verification. What is trusted stays a part of the public roots, and everything
//! is verified by Mbed TLS itself.
//!
//! Where a board forgets to tell its linker, its program does not link.

use core::ffi::{c_char, c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::null;

use mbedtls_rs::sys::{
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets, mbedtls_ssl_config, mbedtls_x509_crl,
    mbedtls_x509_crt, mbedtls_x509_crt_free, mbedtls_x509_crt_init,
    mbedtls_x509_crt_parse_der_nocopy, mbedtls_x509_crt_profile, mbedtls_x509_crt_restart_ctx,
};
use mbedtls_rs::{Certificate, SessionError};
use rustls_pki_types::CertificateDer;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use crate::der;

/// So many roots are tried for one server: more than ever issue one chain.
const MOST: usize = 4;

/// The certificates in DER, by issuer found in a linear search: 118 names take no time beside one
/// signature.
static ROOTS: &[CertificateDer<'static>] = TLS_SERVER_ROOT_CERTS;

/// One of the roots, which stands for all of them.
pub(crate) fn any() -> Result<Certificate<'static>, SessionError> {
    Certificate::new_no_copy(ROOTS.first().map_or(&[], |root| root))
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
    let all = ROOTS.first().map_or(null(), |root| root.as_ptr());
    if !core::ptr::eq(first.raw.p, all) {
        return verify(trusted);
    }
    let roots = issuers(chain);
    if roots.is_empty() {
        // It has one root, which has not issued these.
        return verify(trusted);
    }
    let mut list = MaybeUninit::uninit();
    let list = list.as_mut_ptr();
    // SAFETY: it is made, filled, used and freed here; the roots are in flash and stay.
    unsafe {
        mbedtls_x509_crt_init(list);
        for root in roots {
            let parsed = mbedtls_x509_crt_parse_der_nocopy(list, root.as_ptr(), root.len());
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
fn issuers(chain: &mbedtls_x509_crt) -> heapless::Vec<&'static [u8], MOST> {
    let mut found = heapless::Vec::new();
    let mut next = Some(chain);
    while let Some(certificate) = next {
        let name = &certificate.issuer_raw;
        #[expect(unsafe_code, reason = "a buffer of C")]
        // SAFETY: it is a part of the parsed certificate.
        let name = unsafe { core::slice::from_raw_parts(name.p, name.len) };
        for root in ROOTS.iter().filter(|root| der::subject(root) == Some(name)) {
            if !found.contains(&&**root) && found.push(&**root).is_err() {
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
