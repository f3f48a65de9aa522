//! Detects recoverable passwords in the packets that a rogue server receives from a client.

use super::rsa_key;
use crate::fake_server::packets::GREETING_NONCE;

/// Insecure password encoding used by a client, from which the rogue server can recover the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeakedPasswordEncoding {
    /// The client sent the password in plain text.
    Clear,
    /// The client encrypted the password with the RSA key of the rogue server.
    Rsa,
    /// The client obfuscated the password by XORing it with the nonce from the greeting packet.
    Xor,
    /// The client sent the weak 8-byte scramble of the plugin `mysql_old_password`.
    OldPassword,
}

pub(super) fn find_password_leak(packets: &[Vec<u8>], password: &str) -> Option<LeakedPasswordEncoding> {
    let masked: Vec<u8> = password.bytes().zip(GREETING_NONCE.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    let old = scramble_with_old_password_algorithm(password);
    packets.iter().find_map(|packet| {
        let contains = |bytes: &[u8]| !bytes.is_empty() && packet.windows(bytes.len()).any(|part| part == bytes);
        let decrypted = rsa_key::decrypt_oaep_block(packet).is_some_and(|message| message.starts_with(&masked));
        [
            (contains(password.as_bytes()), LeakedPasswordEncoding::Clear),
            (decrypted, LeakedPasswordEncoding::Rsa),
            (contains(&masked), LeakedPasswordEncoding::Xor),
            (packet.starts_with(&old), LeakedPasswordEncoding::OldPassword),
        ]
        .into_iter()
        .find_map(|(found, leak)| found.then_some(leak))
    })
}

/// Password scramble of MySQL 3.23 and 4.0, which uses only the first 8 bytes of the nonce.
fn scramble_with_old_password_algorithm(password: &str) -> Vec<u8> {
    const OLD_PASSWORD_SEED_MODULUS: u32 = 0x3fff_ffff;
    let (message, pass) =
        (hash_with_old_password_algorithm(&GREETING_NONCE[..8]), hash_with_old_password_algorithm(password.as_bytes()));
    let (mut seed1, mut seed2) =
        ((message.0 ^ pass.0) % OLD_PASSWORD_SEED_MODULUS, (message.1 ^ pass.1) % OLD_PASSWORD_SEED_MODULUS);
    let mut next = || {
        seed1 = u32::try_from((u64::from(seed1) * 3 + u64::from(seed2)) % u64::from(OLD_PASSWORD_SEED_MODULUS))
            .unwrap_or_default();
        seed2 = u32::try_from((u64::from(seed1) + u64::from(seed2) + 33) % u64::from(OLD_PASSWORD_SEED_MODULUS))
            .unwrap_or_default();
        f64::from(seed1) / f64::from(OLD_PASSWORD_SEED_MODULUS) * 31.0
    };
    let scrambled: Vec<u8> = (0..8).map(|_| truncate_to_byte(next()) + 64).collect();
    let extra = truncate_to_byte(next());
    scrambled.into_iter().map(|byte| byte ^ extra).collect()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to below 31")]
fn truncate_to_byte(number: f64) -> u8 {
    number as u8
}

fn hash_with_old_password_algorithm(text: &[u8]) -> (u32, u32) {
    let (mut first, mut second, mut add) = (1_345_345_333_u32, 0x1234_5671_u32, 7_u32);
    for byte in text.iter().filter(|byte| !matches!(byte, b' ' | b'\t')) {
        let byte = u32::from(*byte);
        first ^= (first & 63).wrapping_add(add).wrapping_mul(byte).wrapping_add(first << 8);
        second = second.wrapping_add((second << 8) ^ first);
        add = add.wrapping_add(byte);
    }
    (first & 0x7fff_ffff, second & 0x7fff_ffff)
}
