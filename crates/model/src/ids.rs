//! Identifiers used in the API. Each kind of identifier has its own Rust type.
//!
//! Sections 0 and 1.2 of the API spec define the id formats:
//! - instance id: 32 hexadecimal digits followed by `in07`
//! - node id: 32 hexadecimal digits followed by `no07`
//! - request id of a collection task: `realtime_session-<UUIDv4>-<4 hex>`
//!
//! Ids are cheap to clone, because all clones of an id share one heap allocation.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Error returned for a string that is not a valid id of the expected type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not {expected}")]
pub struct ApiIdParseError {
    /// Invalid id, truncated to 80 characters.
    pub given: String,
    /// Expected format.
    pub expected: &'static str,
}

impl ApiIdParseError {
    fn new(given: &str, expected: &'static str) -> Self {
        Self { given: given.chars().take(80).collect(), expected }
    }
}

fn is_lowercase_hex_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn is_hex_id_with_suffix(text: &str, suffix: &str) -> bool {
    text.strip_suffix(suffix).is_some_and(|hex| hex.len() == 32 && hex.bytes().all(is_lowercase_hex_digit))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $valid:expr $(, $generate:expr)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            $(
                /// Generates a new unique id.
                #[must_use]
                pub fn generate() -> Self {
                    let generate: fn() -> String = $generate;
                    Self(generate().into())
                }
            )?

            /// Returns the id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ApiIdParseError;

            fn from_str(text: &str) -> Result<Self, ApiIdParseError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.into())) } else { Err(ApiIdParseError::new(text, $expected)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = ApiIdParseError;

            fn try_from(text: String) -> Result<Self, ApiIdParseError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn generate_hex_uuid() -> String {
    Uuid::new_v4().simple().to_string()
}

fn is_iam_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

id!(
    /// Id of an instance: `<32 hex>in07`.
    InstanceId, "an instance id: 32 hexadecimal digits, then in07",
    |text| is_hex_id_with_suffix(text, "in07"), || format!("{}in07", generate_hex_uuid())
);
id!(
    /// Id of a node: `<32 hex>no07`.
    NodeId, "a node id: 32 hexadecimal digits, then no07",
    |text| is_hex_id_with_suffix(text, "no07"), || format!("{}no07", generate_hex_uuid())
);
id!(
    /// Id of a project: 32 letters and digits.
    ProjectId, "a project id: 32 letters and digits", is_iam_id, generate_hex_uuid
);
id!(
    /// Id of a domain: 32 letters and digits. A domain is an account that contains projects and users.
    DomainId, "a domain id: 32 letters and digits", is_iam_id, generate_hex_uuid
);
id!(
    /// Id of a user in a domain: 32 letters and digits.
    UserId, "a user id: 32 letters and digits", is_iam_id, generate_hex_uuid
);
id!(
    /// Id of a user group in a domain: 32 letters and digits.
    GroupId, "a group id: 32 letters and digits", is_iam_id, generate_hex_uuid
);
id!(
    /// Id of a policy in a domain: 32 letters and digits.
    PolicyId, "a policy id: 32 letters and digits", is_iam_id, generate_hex_uuid
);
id!(
    /// Id of an access key: 8 to 64 letters and digits. Generated ids have 20 uppercase letters and digits.
    AccessKeyId, "an access key id: 8 to 64 letters and digits",
    |text| (8..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric()),
    || generate_hex_uuid().to_ascii_uppercase().chars().take(20).collect()
);
id!(
    /// Request id of a collection task: `realtime_session-<UUIDv4>-<4 hex>`, 58 characters in total.
    RequestId, "a request id in the format realtime_session-<UUID>-<4 hexadecimal digits>",
    is_request_id, || {
        let tail = generate_hex_uuid();
        format!("realtime_session-{}-{}", Uuid::new_v4(), tail.get(..4).unwrap_or("0000"))
    }
);
id!(
    /// Name of a network zone: 1 to 64 letters, digits, dots, dashes and underscores.
    /// Only workers in a node's zone read data from that node.
    NetworkZone, "the name of a zone: 1 to 64 letters, digits, dots, dashes and underscores",
    |text| (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
);

fn is_request_id(text: &str) -> bool {
    let Some((uuid, tail)) = text.strip_prefix("realtime_session-").and_then(|rest| rest.rsplit_once('-')) else {
        return false;
    };
    let dashed = uuid.len() == 36
        && uuid
            .bytes()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { is_lowercase_hex_digit(byte) });
    dashed && tail.len() == 4 && tail.bytes().all(is_lowercase_hex_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_of_the_api_documentation_are_valid() {
        for id in [
            "realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9",
            "realtime_session-300d998f-9b07-40b5-957f-f69dfa2e22f4-225b",
        ] {
            assert_eq!(id.parse::<RequestId>().unwrap().as_str(), id);
        }
    }

    #[test]
    fn generated_ids_are_valid_and_unique() {
        assert_ne!(RequestId::generate(), RequestId::generate());
        assert!(RequestId::generate().as_str().parse::<RequestId>().is_ok());
        assert!(NodeId::generate().as_str().parse::<NodeId>().is_ok());
        assert!(InstanceId::generate().as_str().parse::<InstanceId>().is_ok());
        assert_eq!(AccessKeyId::generate().as_str().len(), 20);
    }

    #[test]
    fn path_traversal_in_a_request_id_is_rejected() {
        for text in [
            "",
            "..",
            "realtime_session-../../../../etc/passwd-98e9",
            "realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9/../x",
            "realtime_session-0627A175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9",
            "realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e",
            "realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9\0",
            "realtime_session-éééééééééééééééééé-98e9",
        ] {
            assert!(text.parse::<RequestId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn node_id_is_not_an_instance_id() {
        let node = NodeId::generate();
        assert!(node.as_str().parse::<InstanceId>().is_err());
    }

    #[test]
    fn invalid_zone_names_are_rejected() {
        assert_eq!("eu-west_1.a".parse::<NetworkZone>().unwrap().as_str(), "eu-west_1.a");
        for wrong in ["", "a b", "a,b", "ä", &"x".repeat(65)] {
            assert!(wrong.parse::<NetworkZone>().is_err(), "{wrong}");
        }
    }
}
