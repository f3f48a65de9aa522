//! Authentication with a rogue server: the requests by which a server can obtain a recoverable password.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::RogueMode;
use super::recording::Recording;
use super::rsa_key::PUBLIC_KEY;
use crate::fake_server::packets;
use crate::protocol::{read_packet, write_packet};

/// Packet type of additional authentication data.
const MORE_DATA: u8 = 1;
/// Request of `caching_sha2_password` for the password itself.
const FULL_AUTHENTICATION: u8 = 4;
/// Client requests for the server's RSA key, of `caching_sha2_password` and of `sha256_password`.
const KEY_REQUESTS: [&[u8]; 2] = [&[2], &[1]];

/// Returns the authentication plugin in the greeting.
pub(super) fn default_plugin(mode: &RogueMode) -> &'static str {
    match mode {
        RogueMode::FullAuthentication => "caching_sha2_password",
        _ => "mysql_native_password",
    }
}

/// Continues after the client's handshake response and authenticates the client.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    mut sequence: u8,
    mode: &RogueMode,
    recording: &Recording,
) -> io::Result<()> {
    let request = match mode {
        RogueMode::FullAuthentication => Some(vec![MORE_DATA, FULL_AUTHENTICATION]),
        RogueMode::ClearPassword => Some(switch_to("mysql_clear_password")),
        RogueMode::OldPassword => Some(switch_to("mysql_old_password")),
        RogueMode::Sha256Password => Some(switch_to("sha256_password")),
        _ => None,
    };
    if let Some(request) = request {
        sequence = exchange(stream, sequence, &request, recording).await?;
    }
    write_packet(stream, sequence.wrapping_add(1), &packets::OK).await?;
    stream.flush().await
}

/// Sends a request and receives the response. Sends the RSA key first if the client requests it.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    sequence: u8,
    request: &[u8],
    recording: &Recording,
) -> io::Result<u8> {
    write_packet(stream, sequence.wrapping_add(1), request).await?;
    stream.flush().await?;
    let (mut sequence, mut response) = read_packet(stream).await?;
    recording.received(response.clone());
    if KEY_REQUESTS.contains(&response.as_slice()) {
        let key = [&[MORE_DATA], PUBLIC_KEY.as_bytes()].concat();
        write_packet(stream, sequence.wrapping_add(1), &key).await?;
        stream.flush().await?;
        (sequence, response) = read_packet(stream).await?;
        recording.received(response);
    }
    Ok(sequence)
}

fn switch_to(plugin: &str) -> Vec<u8> {
    [&[0xfe], plugin.as_bytes(), &[0], packets::NONCE.as_slice(), &[0]].concat()
}
