//! Generates secret access keys. The corresponding public ids have the type [`clew_model::AccessKeyId`].

use secrecy::SecretString;

use crate::secret::{ALPHANUMERIC_CHARS, SecretError, generate_random_string};

/// Length of a secret access key in characters, as in Huawei Cloud.
pub const SECRET_KEY_LENGTH: usize = 40;

/// Generates a random secret access key of 40 letters and digits (238 bits of entropy).
pub fn generate_secret_key() -> Result<SecretString, SecretError> {
    generate_random_string(SECRET_KEY_LENGTH, ALPHANUMERIC_CHARS)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn secret_key_has_40_letters_and_digits() {
        let secret = generate_secret_key().unwrap();
        assert_eq!(secret.expose_secret().len(), 40);
        assert!(secret.expose_secret().bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }
}
