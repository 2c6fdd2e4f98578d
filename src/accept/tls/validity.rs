//! Until when a certificate is valid. Of its DER (X.690) only what leads to that time is read (RFC 5280, section 4.1).

use crate::domain::time::Timestamp;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// The first instant at which the certificate is not valid any more.
pub(super) fn end(certificate: &[u8]) -> Option<Timestamp> {
    let mut certificate = Der(certificate).next(SEQUENCE)?;
    let mut signed = certificate.next(SEQUENCE)?;
    // Certificates of version 1 do not say so.
    let _ = signed.next(VERSION);
    signed.next(INTEGER)?;
    let _algorithm = signed.next(SEQUENCE)?;
    let _issuer = signed.next(SEQUENCE)?;
    let mut validity = signed.next(SEQUENCE)?;
    let _begin = validity.time()?;
    validity.time()
}

/// Elements one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next element, if it has this tag.
    fn next(&mut self, tag: u8) -> Option<Der<'a>> {
        let (&found, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        // A length from 128 on stands in the bytes that follow, whose number is in the first one.
        let (length, rest) = match first {
            0..=127 => (usize::from(first), rest),
            _ => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().try_fold(0_usize, |sum, &byte| Some(sum.checked_mul(256)? + usize::from(byte)))?, rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        if found != tag {
            return None;
        }
        self.0 = rest;
        Some(Der(content))
    }

    fn time(&mut self) -> Option<Timestamp> {
        if let Some(Der(text)) = self.next(UTC_TIME) {
            let text = std::str::from_utf8(text).ok()?;
            let century = if text.get(..2)?.parse::<u8>().ok()? < 50 { "20" } else { "19" };
            return parse(&format!("{century}{text}"));
        }
        parse(std::str::from_utf8(self.next(GENERALIZED_TIME)?.0).ok()?)
    }
}

/// Parses `20261127203000Z`.
fn parse(text: &str) -> Option<Timestamp> {
    let part = |from: usize, to: usize| text.get(from..to);
    let date = format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?);
    Timestamp::parse(&format!("{date}T{}:{}:{}", part(8, 10)?, part(10, 12)?, text.get(12..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};

    #[test]
    fn the_end_of_a_certificate_is_found() {
        let pem = include_str!("../../../tests/cli/certificates/first.crt");
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        assert_eq!(end(&certificate).unwrap().to_string(), "2126-10-30T09:21:34.000Z");
        for cut in 0..certificate.len().min(300) {
            // Nothing is read past the end.
            let _ = end(&certificate[..cut]);
        }
        assert_eq!(end(b"no certificate"), None);
    }

    #[test]
    fn both_forms_of_time_are_read() {
        let element = |tag, text: &str| [&[tag, u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat();
        let time = |tag, text| Der(&element(tag, text)).time().map(|at| at.to_string());
        assert_eq!(time(UTC_TIME, "261127203000Z").as_deref(), Some("2026-11-27T20:30:00.000Z"));
        assert_eq!(time(UTC_TIME, "991231235959Z").as_deref(), Some("1999-12-31T23:59:59.000Z"));
        assert_eq!(time(GENERALIZED_TIME, "20500101000000Z").as_deref(), Some("2050-01-01T00:00:00.000Z"));
        assert_eq!(time(GENERALIZED_TIME, "2050"), None);
        assert_eq!(time(INTEGER, "261127203000Z"), None);
    }
}
