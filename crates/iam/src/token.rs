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
}
