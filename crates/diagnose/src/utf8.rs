//! Converts arbitrary bytes to valid UTF-8.

/// Appends bytes as valid UTF-8. Invalid bytes and NUL are escaped as `\xNN`.
pub fn push_bytes_as_text(out: &mut Vec<u8>, bytes: &[u8]) {
    // Nearly all input is valid UTF-8, and validation is faster than a loop over chunks.
    if std::str::from_utf8(bytes).is_ok() {
        push_text_with_escaped_nul(out, bytes);
        return;
    }
    for chunk in bytes.utf8_chunks() {
        push_text_with_escaped_nul(out, chunk.valid().as_bytes());
        for &byte in chunk.invalid() {
            push_hex_escape(out, byte);
        }
    }
}

fn push_text_with_escaped_nul(out: &mut Vec<u8>, mut valid: &[u8]) {
    while let Some(at) = memchr::memchr(0, valid) {
        let (before, rest) = valid.split_at(at);
        out.extend_from_slice(before);
        push_hex_escape(out, 0);
        valid = rest.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(valid);
}

fn push_hex_escape(out: &mut Vec<u8>, byte: u8) {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    out.extend_from_slice(&[b'\\', b'x', digit(byte >> 4), digit(byte & 15)]);
}

pub(crate) fn push_decimal(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Converts bytes to a UTF-8 string. Invalid bytes and NUL are escaped as `\xNN`.
#[must_use]
pub fn bytes_to_text(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    push_bytes_as_text(&mut out, bytes);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn invalid_bytes_are_escaped_and_valid_text_is_preserved() {
        assert_eq!(bytes_to_text("Grüße 会话 🧵".as_bytes()), "Grüße 会话 🧵");
        assert_eq!(bytes_to_text(b"caf\xe9"), r"caf\xe9");
        assert_eq!(bytes_to_text(b"a\0b\0"), r"a\x00b\x00");
        assert_eq!(bytes_to_text(b"\xf0\x9f\xa7"), r"\xf0\x9f\xa7", "truncated character");
        assert_eq!(bytes_to_text(b""), "");
    }

    proptest! {
        #[test]
        fn output_is_always_utf8_without_nul(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = bytes_to_text(&bytes);
            prop_assert!(!text.contains('\0'));
            if std::str::from_utf8(&bytes).is_ok() && !bytes.contains(&0) {
                prop_assert_eq!(text.as_bytes(), bytes);
            }
        }
    }
}
