//! How the client proves who it is.

use std::fmt;

use clew_model::AccessKeyId;
use secrecy::SecretString;

/// Either an access key, with which each request is signed, or a password, for which a token is fetched.
#[derive(Clone)]
pub enum Credentials {
    /// An access key.
    AccessKey {
        /// Its public half.
        id: AccessKeyId,
        /// Its secret half.
        secret: SecretString,
        /// Comes with temporary keys.
        security_token: Option<SecretString>,
    },
    /// A user's password.
    Password {
        /// Name of the domain that the user belongs to.
        domain: String,
        /// Name of the user.
        user: String,
        /// The password.
        password: SecretString,
    },
}

impl Credentials {
    /// A permanent access key.
    #[must_use]
    pub fn access_key(id: AccessKeyId, secret: SecretString) -> Self {
        Self::AccessKey { id, secret, security_token: None }
    }

    /// A user's password.
    #[must_use]
    pub fn password(domain: impl Into<String>, user: impl Into<String>, password: SecretString) -> Self {
        Self::Password { domain: domain.into(), user: user.into(), password }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessKey { id, .. } => write!(f, "AccessKey({id}, …)"),
            Self::Password { domain, user, .. } => write!(f, "Password({domain}/{user}, …)"),
        }
    }
}
