//! Encrypts secrets with XChaCha20-Poly1305, an authenticated cipher.
//! The associated data binds each secret to its table, column and row.

use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::error::StoreError;

/// With a nonce length of 24 bytes, collisions between random nonces are practically impossible.
const NONCE_LEN: usize = 24;

/// Decryption fails if the secret was moved to another table, column or row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AssociatedData<'a> {
    pub(crate) table: &'a str,
    pub(crate) column: &'a str,
    pub(crate) row: &'a str,
}

impl AssociatedData<'_> {
    fn to_bytes(self) -> Vec<u8> {
        [self.table, self.column, self.row].join("\0").into_bytes()
    }

    fn describe_secret_location(self) -> String {
        format!("{} of {} {}", self.column, self.table, self.row)
    }
}

#[derive(Clone)]
pub(crate) struct Sealer {
    cipher: Arc<XChaCha20Poly1305>,
}

impl Sealer {
    pub(crate) fn new(master_key: &Zeroizing<[u8; 32]>) -> Self {
        Self { cipher: Arc::new(XChaCha20Poly1305::new((&**master_key).into())) }
    }

    /// Returns the nonce followed by the ciphertext.
    pub(crate) fn seal(&self, aad: AssociatedData<'_>, secret: &SecretString) -> Result<Vec<u8>, StoreError> {
        let failed = || StoreError::Seal(aad.describe_secret_location());
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| failed())?;
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: &aad.to_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| failed())?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub(crate) fn unseal(&self, aad: AssociatedData<'_>, sealed: &[u8]) -> Result<SecretString, StoreError> {
        let failed = || StoreError::Unseal(aad.describe_secret_location());
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(failed)?;
        let payload = Payload { msg: sealed, aad: &aad.to_bytes() };
        let secret = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| failed())?;
        String::from_utf8(secret).map(SecretString::from).map_err(|_| failed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_or_moved_secret_is_not_unsealed() {
        let first_sealer = Sealer::new(&Zeroizing::new([7; 32]));
        let aad = AssociatedData { table: "nodes", column: "password", row: "a" };
        let sealed = first_sealer.seal(aad, &SecretString::from("hunter2")).unwrap();
        assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
        assert_eq!(first_sealer.unseal(aad, &sealed).unwrap().expose_secret(), "hunter2");
        assert!(first_sealer.unseal(AssociatedData { row: "b", ..aad }, &sealed).is_err());
        assert!(Sealer::new(&Zeroizing::new([8; 32])).unseal(aad, &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(first_sealer.unseal(aad, &changed).is_err(), "byte {at}");
        }
        assert!(first_sealer.unseal(aad, &sealed[..10]).is_err());
    }
}
