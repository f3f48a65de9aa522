//! Packets of the protocol, without their heads.

/// An OK packet: no rows changed, no id made, autocommit.
pub(super) const OK: [u8; 7] = [0, 0, 0, 2, 0, 0, 0];
/// The end of columns or of rows.
pub(super) const EOF: [u8; 5] = [0xfe, 0, 0, 2, 0];

/// `CLIENT_LONG_PASSWORD | CONNECT_WITH_DB | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH | CONNECT_ATTRS`
const CAPABILITIES: u32 = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x0008_0000 | 0x0010_0000;

/// The first packet of a server.
pub(super) fn greeting(connection: u32) -> Vec<u8> {
    let [low_a, low_b, high_a, high_b] = CAPABILITIES.to_le_bytes();
    let mut packet = vec![10];
    packet.extend_from_slice(b"9.7.4-fake\0");
    packet.extend_from_slice(&connection.to_le_bytes());
    packet.extend_from_slice(b"12345678\0");
    packet.extend_from_slice(&[low_a, low_b, 45, 2, 0, high_a, high_b, 21]);
    packet.extend_from_slice(&[0; 10]);
    packet.extend_from_slice(b"123456789012\0");
    packet.extend_from_slice(b"mysql_native_password\0");
    packet
}

/// An error before or after the greeting.
pub(super) fn error(code: u16, message: &str) -> Vec<u8> {
    let [low, high] = code.to_le_bytes();
    [&[0xff, low, high], message.as_bytes()].concat()
}

/// A text column.
pub(super) fn column(name: &str) -> Vec<u8> {
    let mut packet = Vec::new();
    for text in ["def", "", "", "", name, ""] {
        push_text(&mut packet, text.as_bytes());
    }
    // Length of what follows, utf8mb4, width, type VAR_STRING, flags, decimals, filler.
    packet.extend_from_slice(&[12, 45, 0, 0, 1, 0, 0, 253, 0, 0, 0, 0, 0]);
    packet
}

/// A row of text; `None` is NULL.
pub(super) fn row(values: &[Option<&[u8]>]) -> Vec<u8> {
    let mut packet = Vec::new();
    for value in values {
        match value {
            Some(text) => push_text(&mut packet, text),
            None => packet.push(0xfb),
        }
    }
    packet
}

/// Text behind its length: one byte of it, or two behind a mark. Texts of the fake are shorter than 64 KiB.
fn push_text(packet: &mut Vec<u8>, text: &[u8]) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    match u8::try_from(length) {
        Ok(short) if short <= 250 => packet.push(short),
        _ => {
            packet.push(0xfc);
            packet.extend_from_slice(&length.to_le_bytes());
        }
    }
    packet.extend_from_slice(text.get(..usize::from(length)).unwrap_or(text));
}
