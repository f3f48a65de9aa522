//! Tokens: what `POST /v3/auth/tokens` gives in `X-Subject-Token` and requests carry in `X-Auth-Token` (spec section 3.2).
//!
//! A token is a random string that means nothing by itself. What it stands for is kept under its hash, so that whoever
//! reads the store cannot act as its users.

use secrecy::SecretString;
use sha2::{Digest, Sha256};

use crate::secret::{ALPHANUMERIC, SecretError, characters};

/// Characters of a token; the API takes 36 to 20,000 (spec section 0).
pub const LENGTH: usize = 64;

/// A new token: letters and digits only.
pub fn generate() -> Result<SecretString, SecretError> {
    characters(LENGTH, ALPHANUMERIC)
}

/// The key under which a token is kept. A token has 381 random bits, so a fast hash is enough.
#[must_use]
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// What a page that was signed in with a token proves itself with: whoever has the token can make it, and it tells nothing of the token
/// nor of its [`hash`].
#[must_use]
pub fn csrf(token: &str) -> String {
    hex::encode(Sha256::new().chain_update(b"clew csrf\0").chain_update(token.as_bytes()).finalize())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_token_fits_the_api_and_its_hash_is_its_own() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert!((36..=20_000).contains(&one.expose_secret().len()));
        assert_ne!(hash(one.expose_secret()), hash(other.expose_secret()));
        assert_eq!(hash(one.expose_secret()), hash(one.expose_secret()));
        // SHA-256 of "abc", as FIPS 180-4 prints it.
        assert_eq!(hex::encode(hash("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn what_a_page_proves_itself_with_is_neither_the_token_nor_its_hash() {
        let token = generate().unwrap();
        let csrf = csrf(token.expose_secret());
        assert!(csrf.len() == 64 && csrf != *token.expose_secret() && csrf != hex::encode(hash(token.expose_secret())));
        assert_eq!(csrf, super::csrf(token.expose_secret()));
        assert_ne!(csrf, super::csrf(generate().unwrap().expose_secret()));
    }
}
