//! Tokens made by hand, with a key that everybody knows: what somebody who holds a key could send.
//!
//! Written from the format's description, apart from the library, so that the two check each other.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sealed_session::testing::published_secret;
use sealed_session::{revoke::SubjectKey, time::UnixMillis};
use serde::Serialize;
use serde_bytes::ByteBuf;

/// The record inside a token, field by field.
#[derive(Clone, Serialize)]
pub struct Record {
    pub version: u8,
    pub id: [u8; 16],
    pub serial: u32,
    pub login: Option<Login>,
    pub everyone: u64,
    pub created: u64,
    pub refreshed: u64,
    pub expires: u64,
    pub class: u8,
    pub keys: ByteBuf,
    pub entries: BTreeMap<String, ByteBuf>,
}

/// What a record says of a login.
#[derive(Clone, Serialize)]
pub struct Login {
    pub subject: String,
    pub key: [u8; 16],
    pub generation: u64,
    pub at: u64,
    pub roles: Vec<String>,
    /// Of each its key and generation.
    pub groups: Vec<([u8; 16], u64)>,
    pub fingerprint: Option<[u8; 16]>,
}

impl Login {
    /// A login to the application that most tests are.
    pub fn of(subject: &str, generation: u64, at: u64) -> Self {
        Self {
            subject: subject.into(),
            key: *SubjectKey::new("test", subject).as_bytes(),
            generation,
            at,
            roles: Vec::new(),
            groups: Vec::new(),
            fingerprint: None,
        }
    }
}

impl Record {
    /// What an honest node makes when alice logs in.
    pub fn of_alice(now: UnixMillis) -> Self {
        let now = now.as_millis();
        Self {
            version: 1,
            id: [7; 16],
            serial: 0,
            login: Some(Login::of("alice", 0, now)),
            everyone: 0,
            created: now,
            refreshed: now,
            expires: now + 24 * 3600 * 1000,
            class: 0,
            keys: ByteBuf::new(),
            entries: BTreeMap::new(),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        postcard::to_allocvec(self).unwrap()
    }
}

/// Everything of a token but its record.
#[derive(Clone)]
pub struct Forge {
    pub secret: u8,
    pub version: u8,
    pub minute: u32,
    pub cookie: String,
    pub audience: String,
    pub chunks: u8,
}

impl Forge {
    /// As the nodes of most tests seal at `now`.
    pub fn at(now: UnixMillis) -> Self {
        Self {
            secret: 1,
            version: 1,
            minute: u32::try_from(now.as_secs() / 60).unwrap(),
            cookie: "session".into(),
            audience: "test".into(),
            chunks: 1,
        }
    }

    pub fn seal(&self, record: &Record) -> String {
        self.seal_bytes(&record.encode())
    }

    /// Length, content, zeros; then sealed.
    pub fn seal_bytes(&self, record: &[u8]) -> String {
        let mut padded = u32::try_from(record.len()).unwrap().to_be_bytes().to_vec();
        padded.extend_from_slice(record);
        padded.resize(padded.len().next_multiple_of(32), 0);
        self.seal_padded(padded)
    }

    pub fn seal_padded(&self, mut text: Vec<u8>) -> String {
        let secret = published_secret(self.secret);
        let (id, key) = derived(self.secret);
        assert_eq!(secret.key_id().as_bytes(), &id);
        let mut token = vec![self.version];
        token.extend_from_slice(&id);
        token.extend_from_slice(&self.minute.to_be_bytes());
        let data = associated_data(&token, &self.cookie, &self.audience, self.chunks);
        let nonce = [9; 24];
        let tag = XChaCha20Poly1305::new(&key.into())
            .encrypt_inout_detached(&XNonce::from(nonce), &data, text.as_mut_slice().into())
            .unwrap();
        token.extend_from_slice(&nonce);
        token.extend_from_slice(&text);
        token.extend_from_slice(&tag);
        BASE64.encode(token)
    }
}

fn associated_data(head: &[u8], cookie: &str, audience: &str, chunks: u8) -> Vec<u8> {
    let fields = [
        b"sealed-session".as_slice(),
        &head[..1],
        &head[1..17],
        &head[17..21],
        cookie.as_bytes(),
        audience.as_bytes(),
        &[chunks],
    ];
    let mut data = Vec::new();
    for field in fields {
        data.extend_from_slice(&u32::try_from(field.len()).unwrap().to_be_bytes());
        data.extend_from_slice(field);
    }
    data
}

/// The id and the cipher key of a published secret.
fn derived(number: u8) -> ([u8; 16], [u8; 32]) {
    let secret = BASE64.decode(published_secret(number).to_text().as_bytes());
    let secret = secret.unwrap();
    let hkdf = hkdf::Hkdf::<sha2::Sha256>::new(Some(b"sealed-session/v1"), &secret);
    let (mut id, mut key) = ([0; 16], [0; 32]);
    hkdf.expand(b"key id", &mut id).unwrap();
    hkdf.expand(b"xchacha20poly1305", &mut key).unwrap();
    (id, key)
}
