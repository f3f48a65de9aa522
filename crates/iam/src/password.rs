//! User passwords: Argon2id hashes, stored as PHC strings.

use std::hint::black_box;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};

use crate::secret::{ALPHANUMERIC, SecretError, random_characters};

/// Memory of one hash, in KiB: 19 MiB, the first recommendation of the OWASP password storage cheat sheet.
pub const MEMORY_KIB: u32 = 19 * 1024;
/// Number of passes over the memory.
pub const PASSES: u32 = 2;
/// Number of parallel lanes.
pub const LANES: u32 = 1;

/// Length of a generated password, in characters.
pub const GENERATED_LENGTH: usize = 24;

/// Minimum length of a user-chosen password, in characters.
pub const MIN_LENGTH: usize = 8;
/// Maximum length of a user-chosen password, in characters.
pub const MAX_LENGTH: usize = 128;

/// Reason for rejecting a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The password is too short or too long.
    #[error("a password has {MIN_LENGTH} to {MAX_LENGTH} characters")]
    Length,
    /// The password equals the user name, which an attacker would try first.
    #[error("a password cannot be the name of its user")]
    UserName,
}

/// Checks a user-chosen password: 8 to 128 characters, and different from the user name, ignoring case.
pub fn check_rules(password: &SecretString, user_name: &str) -> Result<(), PasswordError> {
    let password = password.expose_secret();
    if !(MIN_LENGTH..=MAX_LENGTH).contains(&password.chars().count()) {
        return Err(PasswordError::Length);
    }
    if lowercase_chars(password).eq(lowercase_chars(user_name)) { Err(PasswordError::UserName) } else { Ok(()) }
}

fn lowercase_chars(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

fn argon2id_hasher() -> Result<Argon2<'static>, SecretError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| SecretError::Hash(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password with a random salt, and returns the PHC string. Takes tens of milliseconds on one core.
pub fn hash(password: &SecretString) -> Result<String, SecretError> {
    let hash: PasswordHash = argon2id_hasher()?
        .hash_password(password.expose_secret().as_bytes())
        .map_err(|error| SecretError::Hash(error.to_string()))?;
    Ok(hash.to_string())
}

/// Verifies a password against a PHC string. An invalid PHC string matches no password.
#[must_use]
pub fn verify(password: &SecretString, hash: &str) -> bool {
    let (Ok(hash), Ok(argon2id)) = (PasswordHash::new(hash), argon2id_hasher()) else { return false };
    argon2id.verify_password(password.expose_secret().as_bytes(), &hash).is_ok()
}

/// Takes as long as [`verify`], for logins of unknown users.
/// Otherwise the response time would reveal which users exist.
pub fn dummy_verify(password: &SecretString) {
    let mut output = [0_u8; Params::DEFAULT_OUTPUT_LEN];
    if let Ok(argon2id) = argon2id_hasher() {
        let hashed =
            argon2id.hash_password_into(password.expose_secret().as_bytes(), b"no such user here", &mut output);
        // The result is unused; without `black_box` the compiler may remove the computation.
        let _ = black_box((hashed, output));
    }
}

/// Generates a password of 24 letters and digits, which has 142 bits of entropy.
pub fn generate() -> Result<SecretString, SecretError> {
    random_characters(GENERATED_LENGTH, ALPHANUMERIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_matches_only_its_own_hash() {
        let password = generate().unwrap();
        let hashed = hash(&password).unwrap();
        assert!(verify(&password, &hashed));
        assert!(!verify(&SecretString::from("another"), &hashed));
        assert!(!verify(&SecretString::from(""), &hashed));
        assert_ne!(hash(&password).unwrap(), hashed, "each hash has a salt of its own");
    }

    #[test]
    fn password_must_have_a_valid_length_and_differ_from_the_name() {
        let rule = |password: &str, name: &str| check_rules(&SecretString::from(password), name);
        assert_eq!(rule("1234567", "ada"), Err(PasswordError::Length));
        assert_eq!(rule("12345678", "ada"), Ok(()));
        assert_eq!(rule(&"ö".repeat(128), "ada"), Ok(()), "characters count, not bytes");
        assert_eq!(rule(&"ö".repeat(129), "ada"), Err(PasswordError::Length));
        assert_eq!(rule("Alexandra", "aLEXANDRA"), Err(PasswordError::UserName));
        assert_eq!(rule("Alexandra1", "alexandra"), Ok(()));
    }

    #[test]
    fn hashes_contain_their_parameters() {
        let hashed = hash(&SecretString::from("x")).unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
    }

    #[test]
    fn invalid_hash_matches_no_password() {
        for broken in ["", "plain", "$argon2id$", "$argon2id$v=19$m=19456,t=2,p=1$", "$argon2id$v=19$m=1,t=0,p=0$YQ$YQ"]
        {
            assert!(!verify(&SecretString::from("plain"), broken), "{broken:?}");
        }
    }

    #[test]
    fn dummy_verification_computes_a_hash() {
        dummy_verify(&SecretString::from("whatever"));
    }
}
