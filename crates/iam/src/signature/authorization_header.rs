//! Parser for the `Authorization` header of a signed request.

use clew_model::AccessKeyId;

use super::{SIGNATURE_ALGORITHM, SignatureError};

/// Parsed `Authorization` header: `SDK-HMAC-SHA256 Access=…, SignedHeaders=a;b;c, Signature=…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationHeader {
    /// Id of the access key used to sign the request.
    pub access_key: AccessKeyId,
    /// Lowercase names of the signed headers, in the order in which the `Authorization` header lists them.
    pub signed_headers: Vec<String>,
    signature: [u8; 32],
}

impl AuthorizationHeader {
    /// Parses an `Authorization` header, in which each part occurs exactly once and in any order.
    pub fn parse(header: &str) -> Result<Self, SignatureError> {
        let parts = header.trim().strip_prefix(SIGNATURE_ALGORITHM).ok_or(SignatureError::Algorithm)?;
        if !parts.starts_with(' ') {
            return Err(SignatureError::Algorithm);
        }
        let (mut access, mut signed, mut signature) = (None, None, None);
        for part in parts.split(',') {
            let (name, value) = part.trim().split_once('=').ok_or(SignatureError::Malformed("parts"))?;
            let slot = match name {
                "Access" => &mut access,
                "SignedHeaders" => &mut signed,
                "Signature" => &mut signature,
                _ => return Err(SignatureError::Malformed("parts")),
            };
            if slot.replace(value).is_some() {
                return Err(SignatureError::Malformed("parts"));
            }
        }
        Ok(Self {
            access_key: access.and_then(|id| id.parse().ok()).ok_or(SignatureError::Malformed("Access"))?,
            signed_headers: signed
                .and_then(parse_signed_header_names)
                .ok_or(SignatureError::Malformed("SignedHeaders"))?,
            signature: signature.and_then(parse_hex_signature).ok_or(SignatureError::Malformed("Signature"))?,
        })
    }

    pub(super) fn signature(&self) -> &[u8; 32] {
        &self.signature
    }
}

fn parse_signed_header_names(list: &str) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for name in list.split(';') {
        let name = name.to_ascii_lowercase();
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !is_name || names.contains(&name) {
            return None;
        }
        names.push(name);
    }
    Some(names)
}

fn parse_hex_signature(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}
