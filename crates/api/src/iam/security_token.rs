//! Security tokens for temporary access keys.
//!
//! A temporary access key created from a project-scoped token is limited to the project of the token.
//! A security token's suffix encodes the scope of the temporary access key.
//! Clew compares a hash of the entire token with the stored hash, so it rejects tokens with a modified suffix.

use clew_iam::decision::CredentialScope;
use clew_iam::{SecretError, token};
use secrecy::{ExposeSecret, SecretString};

const DOMAIN_SCOPE_TOKEN_SUFFIX: &str = "domain";

/// Tokens without a suffix, such as those created by `clew key create`, have the same scope as a permanent key.
pub(crate) fn generate_security_token(scope: &CredentialScope) -> Result<SecretString, SecretError> {
    let token = token::generate_token()?;
    let scope = match scope {
        CredentialScope::AccessKey => return Ok(token),
        CredentialScope::Domain => DOMAIN_SCOPE_TOKEN_SUFFIX,
        CredentialScope::Project(id) => id.as_str(),
    };
    Ok(SecretString::from(format!("{}.{scope}", token.expose_secret())))
}

/// Before using the returned scope, check that the hash of the token equals the stored hash.
pub(crate) fn parse_security_token_scope(security_token: &str) -> Option<CredentialScope> {
    match security_token.split_once('.') {
        None => Some(CredentialScope::AccessKey),
        Some((_, DOMAIN_SCOPE_TOKEN_SUFFIX)) => Some(CredentialScope::Domain),
        Some((_, id)) => id.parse().ok().map(CredentialScope::Project),
    }
}

#[cfg(test)]
mod tests {
    use clew_model::ProjectId;

    use super::*;

    #[test]
    fn security_token_encodes_the_scope_of_its_key() {
        for scope in
            [CredentialScope::AccessKey, CredentialScope::Domain, CredentialScope::Project(ProjectId::generate())]
        {
            let token = generate_security_token(&scope).unwrap();
            assert_eq!(super::parse_security_token_scope(token.expose_secret()), Some(scope));
        }
        for invalid in [".", "x.", "x.domains", "domain.", "x.domain.domain", "x.."] {
            assert_eq!(super::parse_security_token_scope(invalid), None, "{invalid:?}");
        }
    }
}
