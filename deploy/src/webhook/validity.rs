//! The time in which a certificate is good, and what there is to say about it.

use anyhow::Result;

/// Time before the end of a certificate from which somebody should look why there is no next
/// one. Whoever renews begins much earlier: our Job 90 days, cert-manager a third of the validity.
const MAX_WARNING_SECONDS: i64 = 7 * 24 * 3600;

/// The same for short validities, as a part of them.
const WARNING_PART: i64 = 5;

/// The validity of a certificate, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    not_before: i64,
    pub(super) not_after: i64,
}

/// How a certificate stands at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    NotYet,
    Good,
    EndsSoon,
    Over,
}

impl Validity {
    /// Reads it from a certificate (RFC 5280, 4.1).
    pub(super) fn of(certificate: &[u8]) -> Result<Self> {
        let parsed = yasna::parse_der(certificate, |reader| {
            reader.read_sequence(|reader| {
                let validity = reader.next().read_sequence(|reader| {
                    // version, serialNumber, signature, issuer
                    reader.read_optional(|reader| reader.read_tagged(yasna::Tag::context(0), any))?;
                    for _ in 0..3 {
                        reader.next().read_der()?;
                    }
                    let validity = reader.next().read_sequence(|reader| {
                        Ok(Self { not_before: time(reader.next())?, not_after: time(reader.next())? })
                    })?;
                    skip(reader)?;
                    Ok(validity)
                })?;
                skip(reader)?;
                Ok(validity)
            })
        });
        parsed.map_err(|error| anyhow::anyhow!("the certificate cannot be read: {error}"))
    }

    /// Returns how the certificate stands, at a time in seconds since 1970.
    pub(super) fn standing(self, now: i64) -> Standing {
        let warning =
            (self.not_after.saturating_sub(self.not_before) / WARNING_PART).min(MAX_WARNING_SECONDS);
        if now < self.not_before {
            Standing::NotYet
        } else if now >= self.not_after {
            Standing::Over
        } else if now >= self.not_after - warning {
            Standing::EndsSoon
        } else {
            Standing::Good
        }
    }
}

/// Reads a time in either of its forms.
fn time(reader: yasna::BERReader<'_, '_>) -> yasna::ASN1Result<i64> {
    match reader.lookahead_tag()? {
        yasna::tags::TAG_UTCTIME => reader.read_utctime().map(|time| time.datetime().unix_timestamp()),
        _ => reader.read_generalized_time().map(|time| time.datetime().unix_timestamp()),
    }
}

/// Reads a value of any kind.
fn any(reader: yasna::BERReader<'_, '_>) -> yasna::ASN1Result<Vec<u8>> {
    reader.read_der()
}

/// Skips what is left of a sequence.
fn skip(reader: &mut yasna::BERReaderSeq<'_, '_>) -> yasna::ASN1Result<()> {
    while reader.read_optional(any)?.is_some() {}
    Ok(())
}

/// The last thing that was recorded about the certificate.
#[derive(Debug, Default)]
pub(super) struct Recorded(Option<(Validity, Standing)>);

impl Recorded {
    /// Returns the standing if it is another one than the last time, or another certificate's.
    pub(super) fn news(&mut self, validity: Validity, now: i64) -> Option<Standing> {
        let found = Some((validity, validity.standing(now)));
        let is_news = self.0 != found;
        self.0 = found;
        found.filter(|_| is_news).map(|(_, standing)| standing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::certificate::issue::issue;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    fn issued(not_before: i64, not_after: i64) -> Validity {
        let issued = issue(&["a".to_owned()], not_before, not_after).expect("issued");
        Validity::of(&CertificateDer::from_pem_slice(issued.certificate.as_bytes()).expect("PEM"))
            .expect("read")
    }

    #[test]
    fn both_forms_of_the_time_are_read() {
        // After 2049 it has four digits of a year.
        for (not_before, not_after) in
            [(1_800_000_000, 1_900_000_000), (1_800_000_000, 4_000_000_000), (3_900_000_000, 4_000_000_000)]
        {
            assert_eq!(issued(not_before, not_after), Validity { not_before, not_after });
        }
        assert!(Validity::of(b"").is_err());
        assert!(Validity::of(&[0x30, 0x80, 0x30, 0x03]).is_err());
    }

    #[test]
    fn the_end_is_announced_in_time() {
        const DAY: i64 = 24 * 3600;
        let year = Validity { not_before: 1000, not_after: 1000 + 365 * DAY };
        for (now, standing) in [
            (999, Standing::NotYet),
            (1000, Standing::Good),
            // Where our Job makes the next one.
            (1000 + 275 * DAY, Standing::Good),
            (1000 + 358 * DAY - 1, Standing::Good),
            (1000 + 358 * DAY, Standing::EndsSoon),
            (1000 + 365 * DAY - 1, Standing::EndsSoon),
            (1000 + 365 * DAY, Standing::Over),
            (i64::MAX, Standing::Over),
        ] {
            assert_eq!(year.standing(now), standing, "{now}");
        }
        let hour = Validity { not_before: 0, not_after: 3600 };
        // Where cert-manager makes the next one.
        assert_eq!(hour.standing(2400), Standing::Good);
        assert_eq!(hour.standing(2880), Standing::EndsSoon);
        let none = Validity { not_before: 10, not_after: 5 };
        assert_eq!((none.standing(7), none.standing(10)), (Standing::NotYet, Standing::Over));
    }

    #[test]
    fn each_standing_is_news_once() {
        let (first, second) =
            (Validity { not_before: 0, not_after: 100 }, Validity { not_before: 0, not_after: 1000 });
        let mut recorded = Recorded::default();
        assert_eq!(recorded.news(first, 10), Some(Standing::Good));
        assert_eq!(recorded.news(first, 11), None);
        assert_eq!(recorded.news(first, 90), Some(Standing::EndsSoon));
        assert_eq!(recorded.news(first, 100), Some(Standing::Over));
        assert_eq!(recorded.news(first, 200), None);
        assert_eq!(recorded.news(second, 200), Some(Standing::Good));
    }
}
