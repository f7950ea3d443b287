//! As much of DER as it takes to find the name in a certificate.

/// The name of the one that a certificate is for, as it stands in it (RFC 5280, 4.1).
pub fn subject(certificate: &[u8]) -> Option<&[u8]> {
    const VERSION: u8 = 0xa0;
    let (_, certificate, _) = element(certificate)?;
    let (_, body, _) = element(certificate)?;
    let (tag, _, after) = element(body)?;
    // The version is left out in the oldest ones.
    let mut rest = if tag == VERSION { after } else { body };
    // Serial number, algorithm, issuer and validity come first.
    for _ in 0..4 {
        rest = element(rest)?.2;
    }
    let after = element(rest)?.2;
    rest.get(..rest.len() - after.len())
}

/// Tag and contents of the first element, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit));
            (length, rest)
        }
        _ => return None,
    };
    let (contents, after) = rest.split_at_checked(length)?;
    Some((tag, contents, after))
}
