//! Network zones. Only workers in a node's zone read data from that node.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Zone name: 1 to 64 letters, digits, dots, dashes and underscores.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NetworkZone(String);

/// Error returned for a string that is not a valid zone name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not the name of a zone: 1 to 64 letters, digits, dots, dashes and underscores")]
pub struct NetworkZoneParseError {
    given: String,
}

impl NetworkZone {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NetworkZone {
    type Err = NetworkZoneParseError;

    fn from_str(text: &str) -> Result<Self, NetworkZoneParseError> {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if (1..=64).contains(&text.len()) && text.bytes().all(valid) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NetworkZoneParseError { given: text.chars().take(80).collect() })
        }
    }
}

impl TryFrom<String> for NetworkZone {
    type Error = NetworkZoneParseError;

    fn try_from(text: String) -> Result<Self, NetworkZoneParseError> {
        text.parse()
    }
}

impl From<NetworkZone> for String {
    fn from(zone: NetworkZone) -> Self {
        zone.0
    }
}

impl fmt::Display for NetworkZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_zone_names_are_rejected() {
        assert_eq!("eu-west_1.a".parse::<NetworkZone>().unwrap().as_str(), "eu-west_1.a");
        for wrong in ["", "a b", "a,b", "ä", &"x".repeat(65)] {
            assert!(wrong.parse::<NetworkZone>().is_err(), "{wrong}");
        }
    }
}
