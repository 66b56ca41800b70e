//! What is derived from a secret.
//!
//! 1. HKDF-SHA256 (RFC 5869): salt [`SALT`], input the 32 bytes of the secret, info one of the
//!    labels below.
//! 2. One label for each purpose. A further purpose gets a label here, and never shares bytes with another.
//! 3. Salt and labels are part of the token's format. They are published, and never change.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::secret::Secret;
use crate::ids::KeyId;

/// The salt of every derivation.
pub(crate) const SALT: &[u8] = b"sealed-session/v1";
/// The label of the key's id, 16 bytes.
pub(crate) const KEY_ID: &[u8] = b"key id";
/// The label of the key that the cipher uses, 32 bytes.
pub(crate) const CIPHER: &[u8] = b"xchacha20poly1305";
/// The label of the key that authenticates activity cookies, 32 bytes.
pub(crate) const ACTIVITY: &[u8] = b"activity";
/// The label of the key that authenticates tokens against cross-site requests, 32 bytes.
pub(crate) const CSRF: &[u8] = b"csrf token";
/// The label of the key that seals the names of sessions, 32 bytes.
pub(crate) const LABEL: &[u8] = b"session label";

impl Secret {
    /// The public name of the key that this secret makes.
    ///
    /// The first 16 bytes of HKDF-SHA256 with the salt `sealed-session/v1` and the info `key id`.
    pub fn key_id(&self) -> KeyId {
        KeyId::from_bytes(*self.derive::<16>(KEY_ID))
    }

    pub(super) fn derive<const N: usize>(&self, label: &[u8]) -> Zeroizing<[u8; N]> {
        // The one way in which HKDF can fail: more output than 255 hashes.
        const { assert!(N <= 255 * 32) };
        let mut output = Zeroizing::new([0; N]);
        match Hkdf::<Sha256>::new(Some(SALT), &self.0).expand(label, output.as_mut_slice()) {
            Ok(()) => output,
            Err(_) => unreachable!("the length was checked when this was compiled"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Key;
    use crate::time::UnixMillis;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Computed with Python's `hmac` and `hashlib`, from the definition in RFC 5869.
    #[test]
    fn an_independent_implementation_agrees() {
        let secret = Secret::unchecked(crate::keys::weak::published_bytes(1));
        let key = Key::new(&secret, UnixMillis::EPOCH, None);
        assert_eq!(
            secret.key_id().to_string(),
            "6789e288cc54f87cd3139249a9e9b6ae"
        );
        assert_eq!(
            hex(&*key.cipher_key),
            "fe4c900c98039ec49ce1228afd10e7c4aa6d39dee05ac8df0b6204a0bd03d6b9"
        );
        assert_eq!(
            hex(&*key.activity_key),
            "3f41c0b23473f7dcb2aeba50c35d89590aabc8b506ff7a74fb22c57f1185d6c3"
        );
        assert_eq!(
            hex(&*key.csrf_key),
            "957be751579fb8b38082cda3c2fd73a182a44e0701eb13b5cc0fcff8764363e9"
        );
        assert_eq!(
            hex(&*key.label_key),
            "d45e361a7e01fea0da906b54858231a771bfe8420f580ec49291aad954dd0c1c"
        );
    }
}
