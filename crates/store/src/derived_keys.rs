//! Keys that are made from the master key, one for each purpose, so that none can be used for another.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::master_key::MasterKey;

/// The derived keys.
pub(crate) struct DerivedKeys {
    /// Links the rows of the audit.
    pub(crate) audit: MasterKey,
    /// Hides who failed to sign in: people type passwords where a name belongs.
    pub(crate) failures: MasterKey,
    /// Signs links that work without credentials.
    pub(crate) links: MasterKey,
    /// Identifies sessions of this installation on watched servers, which show it.
    pub(crate) sessions: MasterKey,
    /// Tells the master key from others, and nothing of it.
    pub(crate) id: [u8; 32],
}

impl DerivedKeys {
    pub(crate) fn new(master_key: &MasterKey) -> Self {
        let derive = |purpose: &[u8]| Zeroizing::new(authenticate(master_key, &[purpose]));
        Self {
            audit: derive(b"clew audit chain v1"),
            failures: derive(b"clew failure subjects v1"),
            links: derive(b"clew download links v1"),
            sessions: derive(b"clew session token v1"),
            id: *derive(b"clew master key id v1"),
        }
    }

    /// Whether the master key is still the one that is named; nothing is named where it was never rotated.
    pub(crate) fn is(&self, id: Option<&[u8]>) -> bool {
        id.is_none_or(|id| id == self.id)
    }
}

/// HMAC-SHA256 of the parts, one after the other.
pub(crate) fn authenticate(key: &MasterKey, parts: &[&[u8]]) -> [u8; 32] {
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
    fn authentication_is_hmac_sha256_and_the_keys_differ() {
        // RFC 4231 has no case with a key of 32 bytes; this is of `openssl dgst -sha256 -mac HMAC`.
        let key = Zeroizing::new([0x0b; 32]);
        let expected = "198a607eb44bfbc69903a0f1cf2bbdc5ba0aa3f3d9ae3c1c7a3b1696a0b68cf7";
        assert_eq!(hex::encode(authenticate(&key, &[b"Hi ", b"There"])), expected);
        let keys = DerivedKeys::new(&key);
        assert_ne!(*keys.audit, *keys.failures);
        assert_ne!(*keys.audit, *key);
        assert!(*keys.links != *keys.audit && *keys.links != *keys.failures && *keys.links != *key);
    }
}
