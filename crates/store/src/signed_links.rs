//! Signs links that grant temporary access to a resource without credentials.

use crate::derived_keys::compute_hmac;
use crate::store::Store;

impl Store {
    /// Returns the signature of a link to `resource`. The link expires at `expires`, a Unix timestamp in seconds.
    #[must_use]
    pub fn sign_link(&self, resource: &str, expires: i64) -> String {
        hex::encode(compute_hmac(&self.keys.links, &[&expires.to_be_bytes(), resource.as_bytes()]))
    }

    /// Returns true if a link with the expiration time `expires` (Unix timestamp in seconds) has expired.
    #[must_use]
    pub fn is_link_expired(&self, expires: i64) -> bool {
        self.clock.unix_seconds() >= expires
    }

    /// Returns the expiration time of a new link, as a Unix timestamp in seconds.
    #[must_use]
    pub fn compute_link_expiry(&self, lifetime: std::time::Duration) -> i64 {
        self.clock.unix_seconds().saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX))
    }
}
