//! The application's secret, and the MAC that keeps outsiders from forging the inside.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// Bytes of a MAC: HMAC-SHA-256 cut to 128 bits (RFC 2104, section 5).
pub const MAC_LENGTH: usize = 16;

/// Key of the MAC on records that only the runtime may write. Never printed.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// A secret of any length; instances of one application share it.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The MAC of some parts, each with its length so that they cannot be shifted.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; MAC_LENGTH] {
        let mut cut = [0; MAC_LENGTH];
        // HMAC takes keys of every length, so this cannot fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return cut;
        };
        for part in parts {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            mac.update(&length.to_be_bytes());
            mac.update(part);
        }
        cut.copy_from_slice(&mac.finalize().into_bytes()[..MAC_LENGTH]);
        cut
    }

    /// Whether a MAC belongs to the parts; takes the same time wherever it differs.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        self.mac(parts).ct_eq(mac).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_belongs_to_its_parts_and_key_alone() {
        let secret = Secret::new(*b"one");
        let mac = secret.mac(&[b"ab", b"c"]);
        assert!(secret.verify(&[b"ab", b"c"], &mac));
        assert!(!secret.verify(&[b"a", b"bc"], &mac));
        assert!(!secret.verify(&[b"ab", b"c"], &mac[..15]));
        assert!(!Secret::new(*b"two").verify(&[b"ab", b"c"], &mac));
    }
}
