//! Hashes and verifies user passwords with Argon2id. Password hashes are PHC strings.

use std::hint::black_box;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};

use crate::secret::{ALPHANUMERIC_CHARS, SecretError, generate_random_string};

/// Argon2 memory cost in KiB. OWASP's Password Storage Cheat Sheet recommends this value.
pub const PASSWORD_HASH_MEMORY_KIB: u32 = 19 * 1024;
/// Argon2 time cost: number of passes over the memory.
pub const PASSWORD_HASH_ITERATIONS: u32 = 2;
/// Argon2 parallelism: number of lanes.
pub const PASSWORD_HASH_PARALLELISM: u32 = 1;

/// Length of a generated password, in characters.
pub const GENERATED_PASSWORD_LENGTH: usize = 24;

/// Minimum length of a user-chosen password, in characters.
pub const MIN_PASSWORD_LENGTH: usize = 8;
/// Maximum length of a user-chosen password, in characters.
pub const MAX_PASSWORD_LENGTH: usize = 128;

/// Reason why a password is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The password is too short or too long.
    #[error("a password must have {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters")]
    Length,
    /// The password equals the user name and is therefore easy to guess.
    #[error("a password must differ from the user name")]
    UserName,
}

/// Checks that a user-chosen password is 8 to 128 characters long and differs from the user name, ignoring case.
pub fn validate_new_password(password: &SecretString, user_name: &str) -> Result<(), PasswordError> {
    let password = password.expose_secret();
    if !(MIN_PASSWORD_LENGTH..=MAX_PASSWORD_LENGTH).contains(&password.chars().count()) {
        return Err(PasswordError::Length);
    }
    if to_lowercase_chars(password).eq(to_lowercase_chars(user_name)) { Err(PasswordError::UserName) } else { Ok(()) }
}

fn to_lowercase_chars(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

fn create_password_hasher() -> Result<Argon2<'static>, SecretError> {
    let params = Params::new(PASSWORD_HASH_MEMORY_KIB, PASSWORD_HASH_ITERATIONS, PASSWORD_HASH_PARALLELISM, None)
        .map_err(|error| SecretError::Hash(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password with a random salt and returns a PHC string. Each call uses tens of milliseconds of CPU time.
pub fn hash_password(password: &SecretString) -> Result<String, SecretError> {
    let hash: PasswordHash = create_password_hasher()?
        .hash_password(password.expose_secret().as_bytes())
        .map_err(|error| SecretError::Hash(error.to_string()))?;
    Ok(hash.to_string())
}

/// Verifies a password against a PHC string. Returns false if the PHC string is malformed.
#[must_use]
pub fn verify_password(password: &SecretString, hash: &str) -> bool {
    let (Ok(hash), Ok(argon2id)) = (PasswordHash::new(hash), create_password_hasher()) else { return false };
    argon2id.verify_password(password.expose_secret().as_bytes(), &hash).is_ok()
}

/// Hashes the password and discards the hash, which takes as long as [`verify_password`].
/// Clew simulates password verification if the user name in a login request is unknown.
/// A shorter response time for unknown user names would reveal which user names exist.
pub fn simulate_password_verification(password: &SecretString) {
    let mut output = [0_u8; Params::DEFAULT_OUTPUT_LEN];
    if let Ok(argon2id) = create_password_hasher() {
        let hashed =
            argon2id.hash_password_into(password.expose_secret().as_bytes(), b"no such user here", &mut output);
        // Without `black_box`, the compiler may remove the computation because its result is unused.
        let _ = black_box((hashed, output));
    }
}

/// Generates a random password of 24 letters and digits (142 bits of entropy).
pub fn generate_password() -> Result<SecretString, SecretError> {
    generate_random_string(GENERATED_PASSWORD_LENGTH, ALPHANUMERIC_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_matches_only_its_own_hash() {
        let password = generate_password().unwrap();
        let hashed = hash_password(&password).unwrap();
        assert!(verify_password(&password, &hashed));
        assert!(!verify_password(&SecretString::from("another"), &hashed));
        assert!(!verify_password(&SecretString::from(""), &hashed));
        assert_ne!(hash_password(&password).unwrap(), hashed, "each hash has a salt of its own");
    }

    #[test]
    fn password_must_have_a_valid_length_and_differ_from_the_name() {
        let rule = |password: &str, name: &str| validate_new_password(&SecretString::from(password), name);
        assert_eq!(rule("1234567", "ada"), Err(PasswordError::Length));
        assert_eq!(rule("12345678", "ada"), Ok(()));
        assert_eq!(rule(&"ö".repeat(128), "ada"), Ok(()), "characters count, not bytes");
        assert_eq!(rule(&"ö".repeat(129), "ada"), Err(PasswordError::Length));
        assert_eq!(rule("Alexandra", "aLEXANDRA"), Err(PasswordError::UserName));
        assert_eq!(rule("Alexandra1", "alexandra"), Ok(()));
    }

    #[test]
    fn hashes_contain_their_parameters() {
        let hashed = hash_password(&SecretString::from("x")).unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
    }

    #[test]
    fn invalid_hash_matches_no_password() {
        for broken in ["", "plain", "$argon2id$", "$argon2id$v=19$m=19456,t=2,p=1$", "$argon2id$v=19$m=1,t=0,p=0$YQ$YQ"]
        {
            assert!(!verify_password(&SecretString::from("plain"), broken), "{broken:?}");
        }
    }

    #[test]
    fn dummy_verification_computes_a_hash() {
        simulate_password_verification(&SecretString::from("whatever"));
    }
}
