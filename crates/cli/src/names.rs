//! What names and descriptions may be.

/// Most characters of a description (spec section 4.3).
const DESCRIPTION_LENGTH: usize = 1000;

/// Names stand in URLs, shells and policies: letters, digits, dash, underscore and dot.
pub(crate) fn parse(name: &str) -> Result<String, String> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(valid) && !is_path(name) {
        Ok(name.to_owned())
    } else {
        Err("1 to 64 letters, digits, dashes, underscores and dots".to_owned())
    }
}

/// Name of a policy (spec section 4.3).
pub(crate) fn parse_policy(name: &str) -> Result<String, String> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=.@-".contains(&byte);
    if (1..=128).contains(&name.len()) && name.bytes().all(valid) && !is_path(name) {
        Ok(name.to_owned())
    } else {
        Err("1 to 128 letters, digits and any of _+=.@-".to_owned())
    }
}

/// In the path of a URL these would mean another path.
fn is_path(name: &str) -> bool {
    matches!(name, "." | "..")
}

/// A line of text.
pub(crate) fn parse_description(text: &str) -> Result<String, String> {
    if text.chars().count() <= DESCRIPTION_LENGTH && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(format!("one line of at most {DESCRIPTION_LENGTH} characters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_length_and_an_alphabet() {
        for good in ["a", "ada.l-1_x", &"a".repeat(64)] {
            assert_eq!(parse(good).as_deref(), Ok(good));
        }
        for bad in ["", "a b", "it's", "ä", "a@b", ".", "..", &"a".repeat(65)] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        assert!(parse_policy("a+b=c@d").is_ok() && parse_policy(&"a".repeat(128)).is_ok());
        assert!(parse_policy("TaurusDB FullAccess").is_err() && parse_policy(&"a".repeat(129)).is_err());
    }

    #[test]
    fn a_description_is_a_line() {
        assert!(parse_description("").is_ok() && parse_description(&"ü".repeat(1000)).is_ok());
        assert!(parse_description("a\nb").is_err() && parse_description(&"a".repeat(1001)).is_err());
    }
}
