//! Encodes the payloads of MySQL packets and sends result sets.

use std::io;

use tokio::io::AsyncWrite;

use crate::mysql_packets::write_packet;

/// OK packet with zero affected rows and no insert id. The only status flag is `SERVER_STATUS_AUTOCOMMIT`.
pub(crate) const OK_PACKET: [u8; 7] = [0, 0, 0, 2, 0, 0, 0];
pub(crate) const EOF_PACKET: [u8; 5] = [0xfe, 0, 0, 2, 0];

// LONG_PASSWORD | CONNECT_WITH_DB | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH | CONNECT_ATTRS
const SERVER_CAPABILITY_FLAGS: u32 = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x0008_0000 | 0x0010_0000;
pub(crate) const GREETING_NONCE: [u8; 20] = *b"12345678123456789012";

pub(super) fn encode_fake_server_greeting(connection: u32) -> Vec<u8> {
    encode_greeting("9.7.4-fake", connection, 0, "mysql_native_password")
}

pub(crate) fn encode_greeting(version: &str, connection: u32, further_capabilities: u32, plugin: &str) -> Vec<u8> {
    let [low_a, low_b, high_a, high_b] = (SERVER_CAPABILITY_FLAGS | further_capabilities).to_le_bytes();
    let (first, second) = GREETING_NONCE.split_at(8);
    let mut packet = vec![10];
    packet.extend_from_slice(version.as_bytes());
    packet.push(0);
    packet.extend_from_slice(&connection.to_le_bytes());
    packet.extend_from_slice(first);
    packet.extend_from_slice(&[0, low_a, low_b, 45, 2, 0, high_a, high_b, 21]);
    packet.extend_from_slice(&[0; 10]);
    packet.extend_from_slice(second);
    packet.push(0);
    packet.extend_from_slice(plugin.as_bytes());
    packet.push(0);
    packet
}

/// The packet contains no SQLSTATE.
pub(crate) fn encode_error_packet(code: u16, message: &str) -> Vec<u8> {
    let [low, high] = code.to_le_bytes();
    [&[0xff, low, high], message.as_bytes()].concat()
}

pub(crate) fn encode_column_definition(name: &str) -> Vec<u8> {
    let mut packet = Vec::new();
    for text in ["def", "", "", "", name, ""] {
        push_length_encoded_string(&mut packet, text.as_bytes());
    }
    // Length of the remaining fields, utf8mb4, width, type VAR_STRING, flags, decimals, filler.
    packet.extend_from_slice(&[12, 45, 0, 0, 1, 0, 0, 253, 0, 0, 0, 0, 0]);
    packet
}

pub(crate) fn encode_row(values: &[Option<&[u8]>]) -> Vec<u8> {
    let mut packet = Vec::new();
    for value in values {
        match value {
            Some(text) => push_length_encoded_string(&mut packet, text),
            None => packet.push(0xfb),
        }
    }
    packet
}

/// The string must be shorter than 64 KiB.
fn push_length_encoded_string(packet: &mut Vec<u8>, text: &[u8]) {
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

/// Returns the sequence number of the next packet.
pub(crate) async fn send_column_definitions(stream: &mut (impl AsyncWrite + Unpin), columns: usize) -> io::Result<u8> {
    write_packet(stream, 1, &[u8::try_from(columns).map_err(io::Error::other)?]).await?;
    let mut sequence = 2;
    for column in 0..columns {
        write_packet(stream, sequence, &encode_column_definition(&format!("c{column}"))).await?;
        sequence = sequence.wrapping_add(1);
    }
    write_packet(stream, sequence, &EOF_PACKET).await?;
    Ok(sequence.wrapping_add(1))
}

pub(crate) async fn send_result_set(
    stream: &mut (impl AsyncWrite + Unpin),
    columns: usize,
    rows: impl Iterator<Item = Vec<u8>>,
) -> io::Result<()> {
    let mut sequence = send_column_definitions(stream, columns).await?;
    for row in rows {
        write_packet(stream, sequence, &row).await?;
        sequence = sequence.wrapping_add(1);
    }
    write_packet(stream, sequence, &EOF_PACKET).await
}
