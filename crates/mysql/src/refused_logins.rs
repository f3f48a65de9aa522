//! Logins that servers refused a moment ago.
//!
//! Requests that are made at the same time wait for the same permit of a node. After a refused login they would repeat it one after another, until
//! the server locks the account. They share the failure instead.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clew_model::{Failure, NodeUrl};
use secrecy::{ExposeSecret, SecretString};

/// Time after a refused login in which it is not repeated. Callers that keep a back-off know of the refusal by then.
const SHARED: Duration = Duration::from_secs(1);

/// By the address of the node.
static REFUSED: LazyLock<Mutex<HashMap<String, RefusedLogin>>> = LazyLock::new(Mutex::default);

#[derive(Debug)]
struct RefusedLogin {
    at: Instant,
    /// Without the password.
    node: String,
    password: Option<SecretString>,
    failure: Failure,
}

impl RefusedLogin {
    fn is_of(&self, node: &NodeUrl) -> bool {
        let [refused, password] = [&self.password, &node.password]
            .map(|password| password.as_ref().map(|text| text.expose_secret().to_owned()));
        self.node == node.to_string() && refused == password
    }
}

/// Records that the server refused this login.
pub(crate) fn record(node: &NodeUrl, failure: &Failure) {
    let (url, password) = (node.to_string(), node.password.clone());
    let refused = RefusedLogin { at: Instant::now(), node: url, password, failure: failure.clone() };
    let mut all = lock();
    all.retain(|_, refused| refused.at.elapsed() < SHARED);
    all.insert(node.address(), refused);
}

/// The failure of the same login, where the server refused it after `requested`, or less than a second before.
pub(crate) fn failure_of(node: &NodeUrl, requested: Instant) -> Option<Failure> {
    let all = lock();
    let refused = all.get(&node.address()).filter(|refused| requested <= refused.at + SHARED)?;
    refused.is_of(node).then(|| refused.failure.clone())
}

fn lock() -> MutexGuard<'static, HashMap<String, RefusedLogin>> {
    REFUSED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use clew_model::FailureKind;

    use super::*;

    #[test]
    fn refused_login_is_shared_for_a_moment_with_the_same_credentials() {
        let node = |text: &str| text.parse::<NodeUrl>().unwrap();
        let refused = node("mysql://clew:old@refused.test:1/?tls=off");
        let failure = Failure::new(FailureKind::AccessDenied, "error 1045");
        let before = Instant::now();
        record(&refused, &failure);
        assert_eq!(failure_of(&refused, before), Some(failure.clone()));
        assert_eq!(failure_of(&refused, Instant::now() + SHARED), None, "later");
        for other in [
            "mysql://clew:new@refused.test:1/?tls=off",
            "mysql://other:old@refused.test:1/?tls=off",
            "mysql://clew:old@refused.test:1/?tls=required",
            "mysql://clew:old@other.test:1/?tls=off",
        ] {
            assert_eq!(failure_of(&node(other), before), None, "{other}");
        }
    }
}
