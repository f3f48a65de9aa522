//! Strict parser for JSON request bodies. The parser rejects unknown and repeated fields.

use std::collections::HashSet;
use std::fmt;

use secrecy::SecretString;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::ApiError;
use crate::query_string::{truncate_for_message, unknown_field_error};

/// Fields of a JSON request body. A field with the value `null` is treated as absent.
pub(crate) struct JsonBody {
    fields: Vec<(String, Box<RawValue>)>,
}

// The debug output omits the values, which may be secrets.
impl fmt::Debug for JsonBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields.iter().map(|(name, _)| name)).finish()
    }
}

impl JsonBody {
    pub(crate) fn parse(text: &[u8], known: &[&'static str]) -> Result<Self, ApiError> {
        let unreadable = |reason: String| ApiError::invalid_parameter("parameter-body", vec![("reason", reason)]);
        let body: Self = serde_json::from_slice(text).map_err(|error| unreadable(error.to_string()))?;
        let mut seen = HashSet::new();
        for (name, _) in &body.fields {
            if !known.contains(&name.as_str()) {
                return Err(unknown_field_error(name, known));
            }
            if !seen.insert(name) {
                return Err(ApiError::invalid_parameter(
                    "parameter-repeated",
                    vec![("field", truncate_for_message(name))],
                ));
            }
        }
        Ok(body)
    }

    pub(crate) fn get_raw_json(&self, name: &str) -> Option<&str> {
        let value = self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.get());
        value.filter(|value| *value != "null")
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>, ApiError> {
        let Some(value) = self.get_raw_json(name) else { return Ok(None) };
        serde_json::from_str(value).map(Some).map_err(|_| invalid_field_error(name, value))
    }

    /// Error messages omit the value of the field, because the value is secret.
    pub(crate) fn get_secret(&self, name: &'static str) -> Result<Option<SecretString>, ApiError> {
        let Some(value) = self.get_raw_json(name) else { return Ok(None) };
        let text: Result<String, _> = serde_json::from_str(value);
        text.map(|text| Some(text.into()))
            .map_err(|_| ApiError::invalid_parameter("parameter-no-text", vec![("field", name.into())]))
    }

    pub(crate) fn get_required<T: DeserializeOwned>(&self, name: &'static str) -> Result<T, ApiError> {
        self.get(name)?.ok_or_else(|| missing_field_error(name))
    }
}

pub(crate) fn missing_field_error(name: &'static str) -> ApiError {
    ApiError::invalid_parameter("parameter-missing", vec![("field", name.into())])
}

pub(crate) fn check_array_length(name: &'static str, count: usize, min: usize, max: usize) -> Result<(), ApiError> {
    if (min..=max).contains(&count) {
        return Ok(());
    }
    let (min, max) = (min.to_string(), max.to_string());
    let arguments = vec![("field", name.into()), ("count", count.to_string()), ("min", min), ("max", max)];
    Err(ApiError::invalid_parameter("parameter-count", arguments))
}

pub(crate) fn invalid_field_error(name: &'static str, given: &str) -> ApiError {
    ApiError::invalid_parameter("parameter-form", vec![("field", name.into()), ("given", truncate_for_message(given))])
}

impl<'de> Deserialize<'de> for JsonBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct JsonObjectVisitor;

        impl<'de> Visitor<'de> for JsonObjectVisitor {
            type Value = JsonBody;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<JsonBody, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = object.next_entry()? {
                    fields.push(field);
                }
                Ok(JsonBody { fields })
            }
        }

        deserializer.deserialize_map(JsonObjectVisitor)
    }
}

#[cfg(test)]
mod tests {
    use clew_model::Language;

    use super::*;

    fn refused(text: &str) -> String {
        let refusal = JsonBody::parse(text.as_bytes(), &["name", "enabled"]).unwrap_err();
        refusal.build_body(Language::EnUs, "").error_msg
    }

    #[test]
    fn fields_keep_their_values_and_null_is_absent() {
        let body = JsonBody::parse(br#" {"name": "a\u0062", "enabled" : null} "#, &["name", "enabled"]).unwrap();
        assert_eq!(body.get_required::<String>("name").unwrap(), "ab");
        assert_eq!(body.get_raw_json("name"), Some(r#""a\u0062""#));
        assert_eq!((body.get::<bool>("enabled").unwrap(), body.get_raw_json("enabled")), (None, None));
        assert!(body.get::<bool>("name").is_err());
        assert!(body.get_required::<bool>("enabled").is_err());
    }

    #[test]
    fn malformed_bodies_are_refused() {
        for (text, reason) in [
            ("", "EOF"),
            ("[]", "expected an object"),
            ("null", "expected an object"),
            ("{", "EOF"),
            ("{} {}", "trailing characters"),
            (r#"{"nmae":"a"}"#, "Unknown field: nmae. Did you mean name?"),
            (r#"{"Enabled":true}"#, "Did you mean enabled?"),
            (r#"{"colour":"red"}"#, "Unknown field: colour."),
            (r#"{"":1}"#, "Unknown field: ."),
            (r#"{"name":"a","name":"b"}"#, "name is specified more than once."),
        ] {
            let message = refused(text);
            assert!(message.contains(reason), "{text}: {message}");
        }
        assert!(JsonBody::parse(b"{\"name\":\"\xff\"}", &["name"]).is_err());
        let body = JsonBody::parse(br#"{"name":12345678}"#, &["name"]).unwrap();
        let secret = body.get_secret("name").unwrap_err().build_body(Language::EnUs, "").error_msg;
        assert!(secret.contains("name must be a string") && !secret.contains("1234"), "{secret}");
        assert_eq!(format!("{body:?}"), r#"["name"]"#);
        let lone = JsonBody::parse(br#"{"name":"\ud800"}"#, &["name"]);
        assert!(lone.and_then(|body| body.get_required::<String>("name")).is_err());
        let deep = format!("{{\"name\":{}}}", "[".repeat(100_000));
        assert!(JsonBody::parse(deep.as_bytes(), &["name"]).is_err());
    }
}
