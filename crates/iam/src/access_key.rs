//! Secret access keys. The public half is [`clew_model::AccessKeyId`].

use secrecy::SecretString;

use crate::secret::{ALPHANUMERIC, SecretError, random_characters};

/// Length of a secret key, in characters. The cloud's keys have the same length.
pub const SECRET_LENGTH: usize = 40;

/// Generates a secret key of 40 letters and digits, which has 238 bits of entropy.
pub fn generate_secret() -> Result<SecretString, SecretError> {
    random_characters(SECRET_LENGTH, ALPHANUMERIC)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn secret_key_has_40_letters_and_digits() {
        let secret = generate_secret().unwrap();
        assert_eq!(secret.expose_secret().len(), 40);
        assert!(secret.expose_secret().bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }
}
