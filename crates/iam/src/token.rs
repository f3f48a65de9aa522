//! API authentication tokens (TaurusDB API spec, section 3.2), and security tokens of temporary access keys.
//!
//! `POST /v3/auth/tokens` returns a token in the `X-Subject-Token` header.
//! Clients send the token in the `X-Auth-Token` header.
//! A token is a random string and, unlike a JWT, contains no data.
//! Clew stores only token hashes, so read access to Clew's database is not sufficient to impersonate a user.
//!
//! A temporary access key created with a project-scoped token is restricted to the token's project.
//! A security token's suffix encodes the scope of the temporary access key.
//! Clew rejects a security token with a modified suffix, because Clew stores a hash of the entire token.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::decision::CredentialScope;
use crate::secret::{ALPHANUMERIC_CHARS, SecretError, generate_random_string};

/// Token length in characters. The API allows 36 to 20,000 characters (TaurusDB API spec, section 0).
pub const TOKEN_LENGTH: usize = 64;

/// Generates a random token of letters and digits.
pub fn generate_token() -> Result<SecretString, SecretError> {
    generate_random_string(TOKEN_LENGTH, ALPHANUMERIC_CHARS)
}

/// Returns the SHA-256 hash of a token. Clew stores this hash instead of the token.
/// A fast hash is sufficient, because a token has 381 bits of entropy.
#[must_use]
pub fn hash_token(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Derives the CSRF token of a web login session from the session's authentication token.
///
/// Scripts on the page can read the CSRF token but cannot derive the authentication token or its hash.
#[must_use]
pub fn derive_csrf_token(token: &str) -> String {
    hex::encode(Sha256::new().chain_update(b"clew csrf\0").chain_update(token.as_bytes()).finalize())
}

const DOMAIN_SCOPE_TOKEN_SUFFIX: &str = "domain";

/// Generates the security token of a temporary access key. The suffix of the token encodes the scope of the key.
///
/// A token without a suffix, for example from `clew key create`, has the same scope as a permanent access key.
pub fn generate_security_token(scope: &CredentialScope) -> Result<SecretString, SecretError> {
    let token = generate_token()?;
    let scope = match scope {
        CredentialScope::AccessKey => return Ok(token),
        CredentialScope::Domain => DOMAIN_SCOPE_TOKEN_SUFFIX,
        CredentialScope::Project(id) => id.as_str(),
    };
    Ok(SecretString::from(format!("{}.{scope}", token.expose_secret())))
}

/// Parses the scope from a security token. Returns `None` if the suffix of the token is invalid.
///
/// Callers must compare the hash of the token with the stored hash before they use the returned scope.
#[must_use]
pub fn parse_security_token_scope(security_token: &str) -> Option<CredentialScope> {
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
    fn token_length_is_valid_and_hashes_are_unique() {
        let (one, other) = (generate_token().unwrap(), generate_token().unwrap());
        assert!((36..=20_000).contains(&one.expose_secret().len()));
        assert_ne!(hash_token(one.expose_secret()), hash_token(other.expose_secret()));
        assert_eq!(hash_token(one.expose_secret()), hash_token(one.expose_secret()));
        // SHA-256 of "abc", as given in FIPS 180-4.
        assert_eq!(hex::encode(hash_token("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn csrf_token_differs_from_the_token_and_its_hash() {
        let token = generate_token().unwrap();
        let csrf = derive_csrf_token(token.expose_secret());
        assert!(
            csrf.len() == 64
                && csrf != *token.expose_secret()
                && csrf != hex::encode(hash_token(token.expose_secret()))
        );
        assert_eq!(csrf, super::derive_csrf_token(token.expose_secret()));
        assert_ne!(csrf, super::derive_csrf_token(generate_token().unwrap().expose_secret()));
    }

    #[test]
    fn security_token_encodes_the_scope_of_its_key() {
        for scope in
            [CredentialScope::AccessKey, CredentialScope::Domain, CredentialScope::Project(ProjectId::generate())]
        {
            let token = generate_security_token(&scope).unwrap();
            assert_eq!(parse_security_token_scope(token.expose_secret()), Some(scope));
        }
        for invalid in [".", "x.", "x.domains", "domain.", "x.domain.domain", "x.."] {
            assert_eq!(parse_security_token_scope(invalid), None, "{invalid:?}");
        }
    }
}
