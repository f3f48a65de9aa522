//! Links that work without credentials, for a while: whoever has one may fetch what it names, and nothing else.

use crate::derived_keys::authenticate;
use crate::store::Store;

impl Store {
    /// What makes a link to `what` good until `expires`, in seconds since 1970 (UTC). It is a secret until then.
    #[must_use]
    pub fn link_signature(&self, what: &str, expires: i64) -> String {
        hex::encode(authenticate(&self.keys.links, &[&expires.to_be_bytes(), what.as_bytes()]))
    }

    /// Whether the time of a link that is good until `expires` is over.
    #[must_use]
    pub fn link_has_expired(&self, expires: i64) -> bool {
        self.clock.seconds() >= expires
    }

    /// The moment after which a link of now is no longer good, in seconds since 1970 (UTC).
    #[must_use]
    pub fn link_expiry(&self, life: std::time::Duration) -> i64 {
        self.clock.seconds().saturating_add(i64::try_from(life.as_secs()).unwrap_or(i64::MAX))
    }
}
