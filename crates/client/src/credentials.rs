//! Client credentials.

use clew_model::AccessKeyId;
use secrecy::SecretString;

/// Client credentials: an access key for signing each request, or a password for requesting a token.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Access key.
    AccessKey {
        /// Access key id.
        id: AccessKeyId,
        /// Secret key.
        secret: SecretString,
        /// Security token of a temporary access key.
        security_token: Option<SecretString>,
    },
    /// A user's password.
    Password {
        /// Name of the user's domain.
        domain: String,
        /// Name of the user.
        user: String,
        /// Password.
        password: SecretString,
    },
}

impl Credentials {
    /// Creates credentials from a permanent access key.
    #[must_use]
    pub fn access_key(id: AccessKeyId, secret: SecretString) -> Self {
        Self::AccessKey { id, secret, security_token: None }
    }

    /// Creates credentials from a user's domain, name and password.
    #[must_use]
    pub fn password(domain: impl Into<String>, user: impl Into<String>, password: SecretString) -> Self {
        Self::Password { domain: domain.into(), user: user.into(), password }
    }
}
