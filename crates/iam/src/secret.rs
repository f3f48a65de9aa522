//! Generates random strings for passwords, tokens and secret access keys.

use secrecy::SecretString;
use zeroize::Zeroizing;

/// Error returned if generating or hashing a secret fails.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The operating system did not provide random bytes.
    #[error("cannot generate a secret: the operating system provides no random bytes ({0})")]
    Random(#[source] getrandom::Error),
    /// The password could not be hashed, for example because the memory allocation failed.
    #[error("cannot hash a password: {0}")]
    Hash(String),
}

/// These characters need no escaping in URLs, shell commands and configuration files.
pub(crate) const ALPHANUMERIC_CHARS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(crate) fn generate_random_string(count: usize, alphabet: &[u8]) -> Result<SecretString, SecretError> {
    // Rejection sampling: bytes beyond the last multiple of the alphabet's length would favor its first letters.
    let uniform_range = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(count);
    let mut random = Zeroizing::new([0_u8; 64]);
    while text.len() < count {
        getrandom::fill(&mut *random).map_err(SecretError::Random)?;
        let letters = random
            .iter()
            .map(|&byte| usize::from(byte))
            .filter(|&byte| byte < uniform_range)
            .filter_map(|byte| alphabet.get(byte % alphabet.len()))
            .map(|&letter| char::from(letter));
        text.extend(letters.take(count - text.len()));
    }
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn secrets_have_the_requested_length_and_uniform_characters() {
        let text = generate_random_string(200_000, ALPHANUMERIC_CHARS).unwrap();
        let mut counts = [0_u32; 256];
        for byte in text.expose_secret().bytes() {
            counts[usize::from(byte)] += 1;
        }
        assert_eq!(text.expose_secret().len(), 200_000);
        assert_eq!(
            counts.iter().sum::<u32>(),
            ALPHANUMERIC_CHARS.iter().map(|&letter| counts[usize::from(letter)]).sum::<u32>()
        );
        for &letter in ALPHANUMERIC_CHARS {
            // The expected count is 3,226 (standard deviation 56). `byte % 62` would draw the first eight 3,906 times.
            let count = counts[usize::from(letter)];
            assert!((2_850..3_600).contains(&count), "{} came {count} times", char::from(letter));
        }
    }

    #[test]
    fn secrets_are_unique() {
        let two = [
            generate_random_string(40, ALPHANUMERIC_CHARS).unwrap(),
            generate_random_string(40, ALPHANUMERIC_CHARS).unwrap(),
        ];
        assert_ne!(two[0].expose_secret(), two[1].expose_secret());
    }
}
