//! Parses JSON request bodies strictly: unknown and repeated fields are rejected.

use std::collections::HashMap;

use secrecy::SecretString;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error};
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Segment};

use crate::error::ApiError;
use crate::field_errors::{
    invalid_field_error, missing_field_error, repeated_field_error, truncate_for_message, unknown_field_error,
};

const MAX_PARSE_ERROR_CHARS: usize = 200;
const NON_STRING_SECRET_MESSAGE: &str = "a secret must be a string";

type RawFields<'a> = HashMap<String, &'a RawValue>;

/// `T` must be a struct with `deny_unknown_fields`.
/// A field with the value `null` is treated as absent.
pub(crate) fn parse_json_body<T: DeserializeOwned>(text: &[u8]) -> Result<T, ApiError> {
    // `T` alone would also accept an array of its fields, and would find an error in a field before a syntax error.
    let fields: RawFields = serde_json::from_slice(text).map_err(|error| malformed_body_error(&error.to_string()))?;
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(text))
        .map_err(|error| convert_parse_error(error.path(), &error.inner().to_string(), &fields))
}

/// Error messages omit the secret.
pub(crate) struct SecretField(pub(crate) SecretString);

impl<'de> Deserialize<'de> for SecretField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text =
            serde_json::from_str::<String>(raw.get()).map_err(|_| D::Error::custom(NON_STRING_SECRET_MESSAGE))?;
        Ok(Self(text.into()))
    }
}

/// Deserialization does not validate the number.
pub(crate) struct MaybeQuotedNumber(pub(crate) String);

impl<'de> Deserialize<'de> for MaybeQuotedNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        if raw.get() == "null" {
            return Err(D::Error::custom("expected a number"));
        }
        let unquoted = raw.get().strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        Ok(Self(unquoted.unwrap_or(raw.get()).to_owned()))
    }
}

fn convert_parse_error(path: &Path, message: &str, fields: &RawFields) -> ApiError {
    let quoted_name = |prefix| message.strip_prefix(prefix)?.split('`').next();
    let mut segments = path.iter();
    let Some(Segment::Map { key }) = segments.next() else {
        if let Some(name) = quoted_name("missing field `") {
            return missing_field_error(name);
        }
        if let Some(name) = quoted_name("duplicate field `") {
            return repeated_field_error(name);
        }
        return malformed_body_error(message);
    };
    let Some(given) = fields.get(key).map(|value| value.get()) else { return malformed_body_error(message) };
    if path.iter().len() == 1 {
        if let Some((_, known)) =
            message.strip_prefix("unknown field `").and_then(|message| message.rsplit_once("`, expected "))
        {
            let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
            return unknown_field_error(key, &known);
        }
        if given == "null" {
            return missing_field_error(key);
        }
    }
    if message.starts_with(NON_STRING_SECRET_MESSAGE) {
        return ApiError::invalid_parameter("parameter-no-text", [("field", truncate_for_message(key))]);
    }
    let given = find_nested_value(given, segments).unwrap_or_default();
    invalid_field_error(&truncate_for_message(&path.to_string()), given)
}

fn find_nested_value<'a, 'p>(text: &'a str, path: impl Iterator<Item = &'p Segment>) -> Option<&'a str> {
    path.into_iter().try_fold(text, |text, segment| {
        let value = match segment {
            Segment::Map { key } => serde_json::from_str::<RawFields>(text).ok()?.remove(key)?,
            Segment::Seq { index } => serde_json::from_str::<Vec<&RawValue>>(text).ok()?.get(*index)?,
            Segment::Enum { .. } | Segment::Unknown => return None,
        };
        Some(value.get())
    })
}

fn malformed_body_error(reason: &str) -> ApiError {
    // serde calls a JSON object a map.
    let reason = reason.replace("expected a map", "expected an object");
    // The parser can quote long text from the body.
    let reason = reason.chars().take(MAX_PARSE_ERROR_CHARS).collect();
    ApiError::invalid_parameter("parameter-body", [("reason", reason)])
}

#[cfg(test)]
mod tests {
    use clew_model::Language;
    use secrecy::ExposeSecret;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        name: String,
        enabled: Option<bool>,
        secret: Option<SecretField>,
        number: Option<MaybeQuotedNumber>,
        tags: Option<Vec<Tag>>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Tag {
        #[allow(dead_code, reason = "the tests check only its errors")]
        key: String,
    }

    fn parse(text: &str) -> Result<Body, String> {
        parse_json_body(text.as_bytes()).map_err(|error| error.build_body(Language::EnUs, "").error_msg)
    }

    #[test]
    fn fields_keep_their_values_and_null_is_absent() {
        let body =
            parse(r#" {"name": "a\u0062", "enabled" : null, "secret": "x", "number": "7", "tags": null} "#).unwrap();
        assert_eq!((body.name.as_str(), body.enabled, body.tags.is_none()), ("ab", None, true));
        assert_eq!((body.secret.unwrap().0.expose_secret(), body.number.unwrap().0.as_str()), ("x", "7"));
        let body = parse(r#"{"name":"","secret":null,"number":1.50}"#).unwrap();
        assert_eq!((body.secret.is_none(), body.number.unwrap().0.as_str()), (true, "1.50"));
        assert!(parse(r#"{"name":"","number":null}"#).unwrap().number.is_none());
    }

    #[test]
    fn malformed_bodies_are_refused() {
        let deep = format!("{{\"name\":{}}}", "[".repeat(100_000));
        for (text, reason) in [
            ("", "EOF"),
            ("[]", "invalid type: sequence, expected an object"),
            (r#"["a"]"#, "invalid type: sequence, expected an object"),
            ("null", "expected an object"),
            ("{", "EOF"),
            ("{} {}", "trailing characters"),
            (r#"{"nmae":"a"}"#, "Unknown field: nmae. Did you mean name?"),
            (r#"{"nmae":null}"#, "Did you mean name?"),
            (r#"{"Enabled":true}"#, "Did you mean enabled?"),
            (r#"{"color":"red"}"#, "Unknown field: color."),
            (r#"{"a`, expected `b":"red"}"#, "Unknown field: a`, expected `b."),
            (r#"{"":1}"#, "Unknown field: ."),
            (r#"{"name":"a","name":"b"}"#, "name is specified more than once."),
            ("{}", "name is missing."),
            (r#"{"name":null}"#, "name is missing."),
            (r#"{"name":7}"#, r#"Invalid value for name: "7"."#),
            (r#"{"name":7"#, "EOF"),
            (r#"{"name":"\ud800"}"#, "Invalid value for name"),
            (r#"{"name":"a","tags":[{"key":"a"},{}]}"#, r#"Invalid value for tags[1]: "{}"."#),
            (r#"{"name":"a","tags":[{"key":1.0}]}"#, r#"Invalid value for tags[0].key: "1.0"."#),
            (r#"{"name":"a","tags":[{"key":"a","kye":2}]}"#, r#"Invalid value for tags[0].kye: "2"."#),
            (r#"{"name":"a","secret":12345678}"#, "secret must be a string."),
            (r#"{"name":"a","secret":"\ud800"}"#, "secret must be a string."),
            (&deep, "Cannot read the request body"),
        ] {
            let message = parse(text).err().unwrap();
            assert!(message.contains(reason) && !message.contains("1234"), "{text}: {message}");
        }
        assert!(parse_json_body::<Body>(b"{\"name\":\"\xff\"}").is_err());
    }

    #[test]
    fn missing_secret_is_named_in_the_error() {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Credentials {
            #[allow(dead_code, reason = "the test checks only its errors")]
            password: SecretField,
        }

        for text in ["{}", r#"{"password":null}"#] {
            let error = parse_json_body::<Credentials>(text.as_bytes()).err().unwrap();
            assert!(error.build_body(Language::EnUs, "").error_msg.contains("password is missing"), "{text}");
        }
    }
}
