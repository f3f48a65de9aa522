//! Authenticates to a server without disclosing the password to an attacker that impersonates the server.
//!
//! A challenge response proves that the client knows the password but does not reveal the password.
//! `mysql_native_password`, `caching_sha2_password` (fast path), `ed25519` and `parsec` are challenge-response plugins.
//!
//! If an authentication plugin requires the password itself, the client sends the password only in these cases:
//!
//! - The connection uses verified TLS.
//! - The connection uses unverified TLS, and either the server address is a loopback address or `get-server-public-key` is enabled.
//! - The connection does not use TLS, and an RSA public key from a local file or `get-server-public-key` encrypts the password.

use clew_model::NodeUrl;
use mysql_common::crypto;
use mysql_common::io::ParseBuf;
use mysql_common::packets::{AuthPlugin, AuthSwitchRequest, HandshakePacket};

use super::error::{Error, ServerError};
use super::packets::PacketStream;
use super::{ERROR_PACKET_HEADER, MAX_HANDSHAKE_PACKET_BYTES, read_file_with_size_limit, serialize_packet_payload};

/// Maximum number of packet exchanges during authentication. The supported plugins require fewer exchanges.
const MAX_AUTH_ROUNDS: usize = 10;
/// Maximum iteration factor of the `parsec` authentication plugin. A factor of 6 means 65,536 iterations.
/// With a larger factor, the `parsec` key derivation would block an async runtime thread for too long.
const MAX_PARSEC_ITERATION_FACTOR: u8 = 6;
const ED25519_NONCE_LEN: usize = 32;
/// Length, in bytes, of the server's challenge for `mysql_native_password`, without the terminating NUL byte.
const NATIVE_PASSWORD_CHALLENGE_LEN: usize = 20;

/// Maximum size of a server's PEM-encoded public key, in bytes. A 16,384-bit RSA key takes 3 KiB.
const MAX_PUBLIC_KEY_BYTES: usize = 4 << 10;

#[derive(Debug, Clone, Copy)]
pub(super) struct ChannelSecurity {
    pub(super) encrypted: bool,
    pub(super) verified: bool,
    pub(super) is_loopback: bool,
}

pub(super) struct AuthExchange<'a> {
    node: &'a NodeUrl,
    password: Option<String>,
    channel: ChannelSecurity,
    pub(super) plugin: AuthPlugin<'static>,
    nonce: Vec<u8>,
}

impl<'a> AuthExchange<'a> {
    pub(super) fn new(
        node: &'a NodeUrl,
        password: Option<String>,
        channel: ChannelSecurity,
        greeting: &HandshakePacket<'_>,
    ) -> Self {
        // The first response always uses a challenge-response plugin, regardless of the server's default plugin.
        let plugin = match greeting.auth_plugin() {
            Some(AuthPlugin::CachingSha2Password) => AuthPlugin::CachingSha2Password,
            _ => AuthPlugin::MysqlNativePassword,
        };
        let mut nonce = greeting.nonce();
        nonce.resize(NATIVE_PASSWORD_CHALLENGE_LEN, 0);
        Self { node, password: password.filter(|password| !password.is_empty()), channel, plugin, nonce }
    }

    /// Returns `None` if the account has no password.
    pub(super) fn compute_challenge_response(&self) -> Option<Vec<u8>> {
        self.plugin
            .gen_data(self.password.as_deref(), &self.nonce)
            .map(|data| serialize_packet_payload(&data.into_owned()))
    }

    pub(super) async fn authenticate(&mut self, packets: &mut PacketStream) -> Result<(), Error> {
        let mut salts = 0;
        for _ in 0..MAX_AUTH_ROUNDS {
            let payload = packets.read_packet(MAX_HANDSHAKE_PACKET_BYTES).await?.payload.to_vec();
            match (payload.first(), &self.plugin) {
                (Some(0x00), _) => return Ok(()),
                (Some(&ERROR_PACKET_HEADER), _) => return Err(Error::Server(ServerError::parse(&payload))),
                (Some(0xfe), _) => self.switch_auth_plugin(packets, &payload).await?,
                (Some(0x01), AuthPlugin::CachingSha2Password) => match payload.get(1) {
                    // The fast path succeeded: an OK packet follows.
                    Some(0x03) => {}
                    Some(0x04) => self.send_password(packets, 0x02).await?,
                    _ => return Err(Error::Protocol("unknown packet in the caching_sha2_password exchange")),
                },
                (Some(_), AuthPlugin::MariadbParsec { .. }) => {
                    let salt = payload.strip_prefix(&[0x01]).unwrap_or(&payload);
                    salts += 1;
                    if salts > 1 || salt.get(1).is_none_or(|factor| *factor > MAX_PARSEC_ITERATION_FACTOR) {
                        return Err(Error::Protocol("the parsec salt requests too many iterations"));
                    }
                    self.plugin.read_add_data(salt).ok_or(Error::Protocol("malformed parsec salt"))?;
                    packets.write_packet(&self.compute_challenge_response().unwrap_or_default()).await?;
                }
                _ => return Err(Error::Protocol("unknown packet during authentication")),
            }
        }
        Err(Error::Protocol("the authentication exchange does not end"))
    }

    async fn switch_auth_plugin(&mut self, packets: &mut PacketStream, payload: &[u8]) -> Result<(), Error> {
        // A packet with the single byte 0xfe requests the plugin of servers before MySQL 4.1.
        if payload.len() == 1 {
            return Err(Error::AuthenticationPlugin("mysql_old_password".to_owned()));
        }
        let request = ParseBuf(payload).parse::<AuthSwitchRequest<'_>>(())?.into_owned();
        self.plugin = request.auth_plugin().into_owned();
        self.nonce = request.plugin_data().to_vec();
        // The parser strips a trailing 0 byte as a terminator. Challenges of these plugins have no terminator.
        if matches!(self.plugin, AuthPlugin::Ed25519 | AuthPlugin::MariadbParsec { .. })
            && self.nonce.len() == ED25519_NONCE_LEN - 1
        {
            self.nonce.push(0);
        }
        match &self.plugin {
            AuthPlugin::MysqlOldPassword => Err(Error::AuthenticationPlugin("mysql_old_password".to_owned())),
            AuthPlugin::MysqlClearPassword => self.send_password(packets, 0).await,
            AuthPlugin::Other(name) if **name == *b"sha256_password" => self.send_password(packets, 0x01).await,
            AuthPlugin::Other(name) => Err(Error::AuthenticationPlugin(String::from_utf8_lossy(name).into_owned())),
            // The salt is in the next packet.
            AuthPlugin::MariadbParsec { .. } => packets.write_packet(&[]).await,
            _ => packets.write_packet(&self.compute_challenge_response().unwrap_or_default()).await,
        }
    }

    /// `key_request` is the protocol byte that requests the server's public key, or 0 if the plugin has no such byte.
    async fn send_password(&self, packets: &mut PacketStream, key_request: u8) -> Result<(), Error> {
        let mut password = self.password.clone().unwrap_or_default().into_bytes();
        password.push(0);
        // An empty password needs no protection.
        if password.len() == 1 {
            return packets.write_packet(&password).await;
        }
        let ChannelSecurity { encrypted, verified, is_loopback } = self.channel;
        if verified || (encrypted && (is_loopback || self.node.get_server_public_key)) {
            return packets.write_packet(&password).await;
        }
        let key = match &self.node.server_public_key {
            _ if encrypted || key_request == 0 => return Err(Error::UnverifiedChannel { encrypted }),
            Some(path) => read_file_with_size_limit(path, MAX_PUBLIC_KEY_BYTES)
                .await
                .map_err(|why| Error::PublicKey(format!("cannot read the public key {}: {why}", path.display())))?,
            None if self.node.get_server_public_key => {
                packets.write_packet(&[key_request]).await?;
                let packet = packets.read_packet(MAX_HANDSHAKE_PACKET_BYTES).await?.payload;
                packet.strip_prefix(&[0x01]).ok_or(Error::Protocol("the server sent no public key"))?.to_vec()
            }
            None => return Err(Error::UnverifiedChannel { encrypted }),
        };
        let nonce = self
            .nonce
            .get(..NATIVE_PASSWORD_CHALLENGE_LEN)
            .ok_or(Error::Protocol("the authentication challenge is too short"))?;
        for (byte, mask) in password.iter_mut().zip(nonce.iter().cycle()) {
            *byte ^= mask;
        }
        packets.write_packet(&encrypt_password(password, key).await?).await
    }
}

/// Encrypts the password with the server's public key on a blocking thread.
/// Catches the panic that the key parser of `mysql_common` raises for a malformed public key.
async fn encrypt_password(password: Vec<u8>, key: Vec<u8>) -> Result<Vec<u8>, Error> {
    if key.len() > MAX_PUBLIC_KEY_BYTES {
        return Err(Error::PublicKey(format!("the public key is longer than {MAX_PUBLIC_KEY_BYTES} bytes")));
    }
    let encryption =
        tokio::task::spawn_blocking(move || std::panic::catch_unwind(|| crypto::encrypt(&password, &key)).ok());
    let encrypted = encryption.await.ok().flatten();
    encrypted.ok_or_else(|| Error::PublicKey("the public key is not an RSA key in PEM form".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mysql_common::constants::{CapabilityFlags, StatusFlags};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const PASSWORD: &str = "correct-horse-battery";

    async fn full_authentication(parameters: &str, channel: ChannelSecurity) -> (Result<(), Error>, Vec<u8>) {
        let node: NodeUrl = format!("mysql://clew:{PASSWORD}@db.test/{parameters}").parse().unwrap();
        let greeting = HandshakePacket::new(
            10,
            b"9.7.0".as_slice(),
            1,
            *b"abcdefgh",
            Some(b"ijklmnopqrst\0".as_slice()),
            CapabilityFlags::CLIENT_PLUGIN_AUTH,
            45,
            StatusFlags::empty(),
            Some(b"caching_sha2_password".as_slice()),
        );
        let (client, mut server) = duplex(1 << 16);
        let mut packets = PacketStream::new(Box::new(client), u64::MAX);
        server.write_all(b"\x02\0\0\0\x01\x04\x07\0\0\x02\0\0\0\x02\0\0\0").await.unwrap();
        let mut exchange = AuthExchange::new(&node, Some(PASSWORD.to_owned()), channel, &greeting);
        let completed = exchange.authenticate(&mut packets).await;
        drop(packets);
        let mut sent = Vec::new();
        server.read_to_end(&mut sent).await.unwrap();
        (completed, sent)
    }

    #[tokio::test]
    async fn malformed_public_key_is_an_error() {
        for key in [
            Vec::new(),
            b"no key".to_vec(),
            b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_vec(),
            vec![b'x'; 5000],
        ] {
            assert!(matches!(encrypt_password(b"secret".to_vec(), key).await, Err(Error::PublicKey(_))));
        }
        assert!(read_file_with_size_limit(Path::new("/dev/zero"), MAX_PUBLIC_KEY_BYTES).await.is_err());
    }

    #[tokio::test]
    async fn plain_password_requires_verified_tls_or_operator_consent() {
        let plain = ChannelSecurity { encrypted: false, verified: false, is_loopback: false };
        let tls = ChannelSecurity { encrypted: true, ..plain };
        for (parameters, channel, is_sent) in [
            ("", plain, false),
            ("", ChannelSecurity { is_loopback: true, ..plain }, false),
            ("", tls, false),
            ("", ChannelSecurity { is_loopback: true, ..tls }, true),
            ("", ChannelSecurity { verified: true, ..tls }, true),
            ("?get-server-public-key=on", tls, true),
            ("?server-public-key=/nowhere/key.pem", tls, false),
        ] {
            let (completed, sent) = full_authentication(parameters, channel).await;
            let clear = sent.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes());
            assert_eq!(clear, is_sent, "{parameters} {channel:?}");
            assert_eq!(completed.is_ok(), is_sent, "{parameters} {channel:?}: {completed:?}");
            if !is_sent {
                assert!(sent.is_empty(), "{parameters} {channel:?}: {sent:?}");
            }
        }
    }
}
