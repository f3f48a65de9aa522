//! Derives a separate key for each purpose from the master key.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::master_key::MasterKey;

/// Name of the setting that stores the master key id. The setting is created by the first key rotation.
pub(crate) const MASTER_KEY_ID_SETTING: &str = "master_key_id";

/// Keys derived from the master key.
pub(crate) struct DerivedKeys {
    /// Key for the MACs in the audit log.
    pub(crate) audit: MasterKey,
    /// Key for hashing the user names and access key ids that are stored with authentication failures.
    /// User names are hashed because users sometimes enter their password in the user name field.
    pub(crate) failures: MasterKey,
    /// Key for signing links that grant access without credentials.
    pub(crate) links: MasterKey,
    /// Key for deriving the marker that identifies Clew's sessions.
    /// Other users of the monitored servers can see the session marker.
    pub(crate) sessions: MasterKey,
    /// Identifier of the master key. It does not reveal the key itself.
    pub(crate) id: [u8; 32],
}

impl DerivedKeys {
    pub(crate) fn new(master_key: &MasterKey) -> Self {
        let derive = |purpose: &[u8]| Zeroizing::new(hmac_sha256(master_key, &[purpose]));
        Self {
            audit: derive(b"clew audit chain v1"),
            failures: derive(b"clew failure subjects v1"),
            links: derive(b"clew download links v1"),
            sessions: derive(b"clew session token v1"),
            id: *derive(b"clew master key id v1"),
        }
    }

    /// Returns true if the stored key id belongs to this master key, or if no key id is stored yet.
    pub(crate) fn matches_key_id(&self, id: Option<&[u8]>) -> bool {
        id.is_none_or(|id| id == self.id)
    }
}

/// Computes the HMAC-SHA256 of the concatenated `parts`.
pub(crate) fn hmac_sha256(key: &MasterKey, parts: &[&[u8]]) -> [u8; 32] {
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
        // RFC 4231 has no test vector for 32-byte keys.
        // This test vector was computed with `openssl dgst -sha256 -mac HMAC`.
        let key = Zeroizing::new([0x0b; 32]);
        let expected = "198a607eb44bfbc69903a0f1cf2bbdc5ba0aa3f3d9ae3c1c7a3b1696a0b68cf7";
        assert_eq!(hex::encode(hmac_sha256(&key, &[b"Hi ", b"There"])), expected);
        let keys = DerivedKeys::new(&key);
        assert_ne!(*keys.audit, *keys.failures);
        assert_ne!(*keys.audit, *key);
        assert!(*keys.links != *keys.audit && *keys.links != *keys.failures && *keys.links != *key);
    }
}
