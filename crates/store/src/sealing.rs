//! Sealing secrets: XChaCha20-Poly1305, bound to the place that each is kept in.

use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::error::StoreError;

/// Bytes of a nonce: so many that random ones never meet.
const NONCE_LENGTH: usize = 24;

/// Where a sealed secret is kept. One that is moved elsewhere cannot be opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) table: &'a str,
    pub(crate) column: &'a str,
    pub(crate) row: &'a str,
}

impl Place<'_> {
    fn bytes(self) -> Vec<u8> {
        [self.table, self.column, self.row].join("\0").into_bytes()
    }

    fn describe(self) -> String {
        format!("{} of {} {}", self.column, self.table, self.row)
    }
}

/// Seals and opens with the master key. Clones share it.
#[derive(Clone)]
pub(crate) struct Sealer {
    cipher: Arc<XChaCha20Poly1305>,
}

impl Sealer {
    pub(crate) fn new(master_key: &Zeroizing<[u8; 32]>) -> Self {
        Self { cipher: Arc::new(XChaCha20Poly1305::new((&**master_key).into())) }
    }

    /// Nonce and ciphertext.
    pub(crate) fn seal(&self, place: Place<'_>, secret: &SecretString) -> Result<Vec<u8>, StoreError> {
        let failed = || StoreError::Seal { what: place.describe() };
        let mut nonce = [0; NONCE_LENGTH];
        getrandom::fill(&mut nonce).map_err(|_| failed())?;
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: &place.bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| failed())?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// What was sealed there.
    pub(crate) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<SecretString, StoreError> {
        let failed = || StoreError::Unseal { what: place.describe() };
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LENGTH>().ok_or_else(failed)?;
        let payload = Payload { msg: sealed, aad: &place.bytes() };
        let opened = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| failed())?;
        String::from_utf8(opened).map(SecretString::from).map_err(|_| failed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_where_it_was_sealed_and_unchanged() {
        let with_seven = Sealer::new(&Zeroizing::new([7; 32]));
        let place = Place { table: "nodes", column: "password", row: "a" };
        let sealed = with_seven.seal(place, &SecretString::from("hunter2")).unwrap();
        assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
        assert_eq!(with_seven.open(place, &sealed).unwrap().expose_secret(), "hunter2");
        assert!(with_seven.open(Place { row: "b", ..place }, &sealed).is_err());
        assert!(Sealer::new(&Zeroizing::new([8; 32])).open(place, &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(with_seven.open(place, &changed).is_err(), "byte {at}");
        }
        assert!(with_seven.open(place, &sealed[..10]).is_err());
    }
}
