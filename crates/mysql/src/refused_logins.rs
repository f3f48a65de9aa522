//! If a server refuses Clew's login, concurrent requests for the same node fail without another login attempt.
//!
//! The number of connections per node is limited, so concurrent requests for a node may have to wait.
//! If every waiting request retried a refused login, the server could lock Clew's account.
//! After a refused login, waiting requests with the same URL and password fail with the same error instead of logging in.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use clew_model::{Failure, NodeUrl};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};

/// For one second after a refused login, requests with the same URL and password fail with the same error without a login.
/// A TTL of one second is sufficient, because a stored login backoff prevents later login attempts.
const REFUSED_LOGIN_TTL: Duration = Duration::from_secs(1);

/// Maps each node address to the most recent login that the node refused.
#[derive(Debug, Default)]
pub(crate) struct RefusedLogins(Mutex<HashMap<String, RefusedLogin>>);

#[derive(Debug)]
struct RefusedLogin {
    at: Instant,
    /// URL without the password.
    node: String,
    password: Option<SecretString>,
    failure: Failure,
}

impl RefusedLogin {
    fn matches_node_login(&self, node: &NodeUrl) -> bool {
        let [refused, password] = [&self.password, &node.password]
            .map(|password| password.as_ref().map(|text| text.expose_secret().to_owned()));
        self.node == node.to_string() && refused == password
    }
}

impl RefusedLogins {
    pub(crate) fn record_refused_login(&self, node: &NodeUrl, failure: &Failure) {
        let (url, password) = (node.to_string(), node.password.clone());
        let refused = RefusedLogin { at: Instant::now(), node: url, password, failure: failure.clone() };
        let mut all = self.0.lock();
        all.retain(|_, refused| refused.at.elapsed() < REFUSED_LOGIN_TTL);
        all.insert(node.address(), refused);
    }

    /// Returns the cached failure if the server recently refused a login with the URL and password of `node`.
    /// Ignores logins that the server refused more than 1 s before `requested`, the time of the current request.
    pub(crate) fn find_recent_login_failure(&self, node: &NodeUrl, requested: Instant) -> Option<Failure> {
        let all = self.0.lock();
        let refused = all.get(&node.address()).filter(|refused| requested <= refused.at + REFUSED_LOGIN_TTL)?;
        refused.matches_node_login(node).then(|| refused.failure.clone())
    }
}

#[cfg(test)]
mod tests {
    use clew_model::FailureKind;

    use super::*;

    #[test]
    fn refused_login_is_shared_for_a_second_with_the_same_credentials() {
        let node = |text: &str| text.parse::<NodeUrl>().unwrap();
        let refused = node("mysql://clew:old@refused.test:1/?tls=off");
        let failure = Failure::new(FailureKind::AccessDenied, "error 1045");
        let (logins, before) = (RefusedLogins::default(), Instant::now());
        logins.record_refused_login(&refused, &failure);
        assert_eq!(logins.find_recent_login_failure(&refused, before), Some(failure.clone()));
        assert_eq!(logins.find_recent_login_failure(&refused, Instant::now() + REFUSED_LOGIN_TTL), None, "later");
        for other in [
            "mysql://clew:new@refused.test:1/?tls=off",
            "mysql://other:old@refused.test:1/?tls=off",
            "mysql://clew:old@refused.test:1/?tls=required",
            "mysql://clew:old@other.test:1/?tls=off",
        ] {
            assert_eq!(logins.find_recent_login_failure(&node(other), before), None, "{other}");
        }
    }
}
