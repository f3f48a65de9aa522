//! Derives a separate key for each purpose from the master key.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::master_key::MasterKey;

/// The first master key rotation creates the setting.
pub(crate) const MASTER_KEY_ID_SETTING: &str = "master_key_id";

pub(crate) struct DerivedKeys {
    pub(crate) audit: MasterKey,
    /// Key for hashing the user names and access key ids of failed authentication attempts.
    pub(crate) failures: MasterKey,
    pub(crate) links: MasterKey,
    /// Users of a monitored server can see the installation marker, but cannot compute the master key from the marker.
    pub(crate) installation_marker: MasterKey,
    /// The master key cannot be derived from its id.
    pub(crate) master_key_id: [u8; 32],
}

impl DerivedKeys {
    pub(crate) fn new(master_key: &MasterKey) -> Self {
        let derive = |purpose: &[u8]| Zeroizing::new(compute_hmac(master_key, &[purpose]));
        Self {
            audit: derive(b"clew audit chain v1"),
            failures: derive(b"clew failure subjects v1"),
            links: derive(b"clew download links v1"),
            installation_marker: derive(b"clew session token v1"),
            master_key_id: *derive(b"clew master key id v1"),
        }
    }

    /// `id` is absent before the first master key rotation.
    pub(crate) fn ensure_key_id_matches(&self, id: Option<&[u8]>) -> Result<(), StoreError> {
        if id.is_none_or(|id| id == self.master_key_id) { Ok(()) } else { Err(StoreError::MasterKeyRotated) }
    }
}

pub(crate) fn compute_hmac(key: &MasterKey, parts: &[&[u8]]) -> [u8; 32] {
    let mut block = Zeroizing::new([0; 64]);
    for (to, from) in block.iter_mut().zip(key.iter()) {
        *to = *from;
    }
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_distinct_and_hmac_matches_openssl() {
        // RFC 4231 has no test vector with a 32-byte key.
        // The expected value was computed with `openssl dgst -sha256 -mac HMAC`.
        let key = Zeroizing::new([0x0b; 32]);
        let expected = "198a607eb44bfbc69903a0f1cf2bbdc5ba0aa3f3d9ae3c1c7a3b1696a0b68cf7";
        assert_eq!(hex::encode(compute_hmac(&key, &[b"Hi ", b"There"])), expected);
        let keys = DerivedKeys::new(&key);
        assert_ne!(*keys.audit, *keys.failures);
        assert_ne!(*keys.audit, *key);
        assert!(*keys.links != *keys.audit && *keys.links != *keys.failures && *keys.links != *key);
    }
}
