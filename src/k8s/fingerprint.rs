//! Fingerprints: status and annotations can show *that* a secret changed without helping anyone guess it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use kube::Client;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use super::secrets::{OwnedProblem, OwnedSecret};

/// The Secret, in the operator's namespace, that keeps the key.
pub const KEY_SECRET: &str = "waba-operator-fingerprint-key";

const KEY: &str = "key";

/// Hex digits of a fingerprint: 128 bits.
const LENGTH: usize = 32;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum FingerprintError {
    /// The Secret could not be read or written.
    #[error(transparent)]
    Secret(#[from] OwnedProblem),
    /// The Secret is there, and what it holds is no key.
    #[error(
        "Secret {0}/{KEY_SECRET} does not hold 64 hex digits under {KEY}: restore it, or delete it for a new key \
         (every secret then counts as changed once)"
    )]
    Damaged(String),
}

/// HMAC-SHA256 under a random key of this installation. A plain or salted hash would not do: a PIN has 10⁶ values.
#[derive(Clone)]
pub struct Fingerprinter(Hmac<Sha256>);

impl std::fmt::Debug for Fingerprinter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprinter")
    }
}

impl Fingerprinter {
    /// Loads the key from its Secret, which is created if missing. Only what was read back is used, so that all
    /// operators of an installation use the same key, even if both create it at once.
    ///
    /// # Errors
    /// See [`FingerprintError`].
    pub async fn load(client: &Client, namespace: &str) -> Result<Self, FingerprintError> {
        let mut found = OwnedSecret::read(client, namespace, KEY_SECRET).await?;
        if found.is_none() {
            let mut new = OwnedSecret::new(namespace, KEY_SECRET, None);
            new.set(KEY, &hex::encode(rand::random::<[u8; 32]>()).into());
            match new.save(client).await {
                // Another operator was faster: its key it is.
                Ok(_) | Err(OwnedProblem::Stale(_)) => {}
                Err(problem) => return Err(problem.into()),
            }
            found = OwnedSecret::read(client, namespace, KEY_SECRET).await?;
        }
        found
            .and_then(|secret| secret.get(KEY))
            .and_then(|text| Self::from_hex(&text))
            .ok_or_else(|| FingerprintError::Damaged(namespace.to_owned()))
    }

    fn from_hex(text: &SecretString) -> Option<Self> {
        let mut key = [0; 32];
        hex::decode_to_slice(text.expose_secret().trim(), &mut key).ok()?;
        Self::new(&key)
    }

    /// With a given key, for tests of what uses it; `None` is not a case that occurs with HMAC.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Option<Self> {
        Hmac::new_from_slice(key).ok().map(Self)
    }

    /// The fingerprint of a secret: 32 hex digits. `purpose` separates uses: the same value under another purpose
    /// has another fingerprint.
    #[must_use]
    pub fn of(&self, purpose: &str, secret: &SecretString) -> String {
        let mac = self.0.clone().chain_update(purpose).chain_update([0]).chain_update(secret.expose_secret());
        let mut text = hex::encode(mac.finalize().into_bytes());
        text.truncate(LENGTH);
        text
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_fingerprint_depends_on_key_purpose_and_value() {
        let one = Fingerprinter::new(&[1; 32]).unwrap();
        let other = Fingerprinter::new(&[2; 32]).unwrap();
        let token = one.of("token", &"a".into());
        assert_eq!(token, one.of("token", &"a".into()));
        assert!(token.len() == LENGTH && token.chars().all(|c| c.is_ascii_hexdigit()));
        let others = [one.of("token", &"b".into()), one.of("pin", &"a".into()), other.of("token", &"a".into())];
        assert!(!others.contains(&token));
        assert_ne!(one.of("a", &"bc".into()), one.of("ab", &"c".into()), "purpose and value do not run together");
    }

    /// Fingerprints are kept in status for years: the way they are made must not change by accident. The expected
    /// value is `printf 'token\0a' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0101…01`.
    #[test]
    fn a_fingerprint_is_plain_hmac_sha256() {
        assert_eq!(Fingerprinter::new(&[1; 32]).unwrap().of("token", &"a".into()), "fc19b0e35141bd9c6d78ec2463fcbd9c");
    }

    #[test]
    fn a_damaged_key_is_no_key() {
        for text in ["", "abcd", &"0".repeat(63), &"0".repeat(66), &"x".repeat(64)] {
            assert!(Fingerprinter::from_hex(&text.into()).is_none(), "{text}");
        }
        assert!(Fingerprinter::from_hex(&format!("{}\n", "0".repeat(64)).into()).is_some());
    }
}
