//! The secret half of an access key. The public half is [`clew_model::AccessKeyId`].

use secrecy::SecretString;

use crate::secret::{ALPHANUMERIC, SecretError, characters};

/// Characters of a secret key, as the cloud's own have.
pub const SECRET_LENGTH: usize = 40;

/// A new secret key: 40 letters and digits, 238 bits.
pub fn generate_secret() -> Result<SecretString, SecretError> {
    characters(SECRET_LENGTH, ALPHANUMERIC)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_key_is_40_letters_and_digits() {
        let secret = generate_secret().unwrap();
        assert_eq!(secret.expose_secret().len(), 40);
        assert!(secret.expose_secret().bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }
}
