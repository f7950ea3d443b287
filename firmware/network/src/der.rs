//! As much of DER as it takes to make a root of a name and a key.

use alloc::vec::Vec;

const SEQUENCE: u8 = 0x30;

/// Version 3, and the serial number 1.
const HEAD: &[u8] = &[0xa0, 3, 2, 1, 2, 2, 1, 1];

/// ecdsa-with-SHA256 (RFC 5758, 3.2). The signature of a root is not looked at.
const ALGORITHM: &[u8] = &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];

/// From 1970 to 9999: how long a root is trusted is up to the firmware that has it.
const VALIDITY: &[u8] = b"\x30\x20\x17\x0d700101000000Z\x18\x0f99991231235959Z";

/// It may issue certificates: basicConstraints, critical (RFC 5280, 4.2.1.9).
const EXTENSIONS: &[u8] = &[
    0xa3, 0x13, 0x30, 0x11, 0x30, 0x0f, 6, 3, 0x55, 0x1d, 0x13, 1, 1, 0xff, 4, 5, 0x30, 3, 1, 1,
    0xff,
];

/// A signature of one octet.
const SIGNATURE: &[u8] = &[3, 2, 0, 0];

/// The certificate of a root with this name and this key, both without the tag and length of their
/// sequences (RFC 5280, 4.1).
pub fn authority(name: &[u8], key: &[u8]) -> Vec<u8> {
    let (name, key) = (sequence(&[name]), sequence(&[key]));
    let signed = sequence(&[HEAD, ALGORITHM, &name, VALIDITY, &name, &key, EXTENSIONS]);
    sequence(&[&signed, ALGORITHM, SIGNATURE])
}

/// What is in a sequence.
pub fn contents(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [SEQUENCE, length @ 0..=0x7f, rest @ ..] if rest.len() == usize::from(*length) => {
            Some(rest)
        }
        [SEQUENCE, 0x81, length, rest @ ..] if rest.len() == usize::from(*length) => Some(rest),
        [SEQUENCE, 0x82, high, low, rest @ ..]
            if rest.len() == usize::from(u16::from_be_bytes([*high, *low])) =>
        {
            Some(rest)
        }
        _ => None,
    }
}

/// A sequence of parts, which together have less than 64 KiB.
fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut bytes = Vec::with_capacity(length + 4);
    let [.., high, low] = length.to_be_bytes();
    match (high, low) {
        (0, 0..=0x7f) => bytes.extend([SEQUENCE, low]),
        (0, _) => bytes.extend([SEQUENCE, 0x81, low]),
        _ => bytes.extend([SEQUENCE, 0x82, high, low]),
    }
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}
