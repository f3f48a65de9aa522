//! Signs links that grant temporary access to one resource without credentials.

use crate::derived_keys::hmac_sha256;
use crate::store::Store;

impl Store {
    /// Returns the signature of a link that expires at the Unix timestamp `expires` in seconds.
    #[must_use]
    pub fn sign_link(&self, resource: &str, expires: i64) -> String {
        hex::encode(hmac_sha256(&self.keys.links, &[&expires.to_be_bytes(), resource.as_bytes()]))
    }

    /// Returns true if a link with this expiration time has expired.
    #[must_use]
    pub fn is_link_expired(&self, expires: i64) -> bool {
        self.clock.unix_seconds() >= expires
    }

    /// Returns a new link's expiration time, as a Unix timestamp in seconds.
    #[must_use]
    pub fn compute_link_expiry(&self, lifetime: std::time::Duration) -> i64 {
        self.clock.unix_seconds().saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX))
    }
}
