//! Looking into a token, for operators.

use std::collections::BTreeMap;

use crate::error::Rejected;
use crate::ids::{Generation, KeyId, Serial, SessionId, SubjectKey};
use crate::keys::KeyRing;
use crate::seal::{self, Binding};
use crate::session::Value;
use crate::sessions::candidates::FoundCookies;
use crate::time::{Class, UnixMillis};

/// What a session cookie says. It does not say whether the session was revoked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Inspected {
    /// The key that sealed it.
    pub key: KeyId,
    /// The session.
    pub session: SessionId,
    /// Which of the session's cookies it is.
    pub serial: Serial,
    /// Who is logged in, if anyone is.
    pub login: Option<InspectedLogin>,
    /// Everyone's generation when the session began.
    pub everyone: Generation,
    /// When the session began.
    pub created: UnixMillis,
    /// When it was last sealed.
    pub refreshed: UnixMillis,
    /// When it ends at the latest, by the limit under which it began.
    pub expires: UnixMillis,
    /// The class of its lifetime.
    pub class: Class,
    /// How many other keys it passed through.
    pub earlier_keys: usize,
    /// The application's entries.
    pub entries: BTreeMap<String, Value>,
}

/// What a session cookie says of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InspectedLogin {
    /// Who is logged in.
    pub subject: String,
    /// The subject's key in the revocation list.
    pub key: SubjectKey,
    /// The subject's generation at the login.
    pub generation: Generation,
    /// When the login was.
    pub at: UnixMillis,
    /// What the subject may do.
    pub roles: Vec<String>,
    /// The groups that the session belongs to, each with its generation at the login.
    pub groups: Vec<(SubjectKey, Generation)>,
    /// What the client looked like at the login.
    pub fingerprint: Option<[u8; 16]>,
}

/// Opens a cookie at the time `now` without judging whether its session counts. A record that no honest node makes
/// is an error.
///
/// `text` is the cookie's value, or a Cookie header's, which may hold several parts of a large session.
/// `cookie` is the cookie's name and `audience` that of the [`Sessions`](crate::Sessions): a token opens
/// under its own only.
///
/// # Errors
/// Why the cookie does not open.
pub fn token(
    text: &str,
    cookie: &str,
    audience: &str,
    keys: &KeyRing,
    now: UnixMillis,
) -> Result<Inspected, Rejected> {
    let text = text.trim();
    let bare = format!("{cookie}={text}");
    // A token has no equals sign, a header has at least one.
    let header = if text.contains('=') { text } else { &bare };
    let found = FoundCookies::scan(std::iter::once(header.as_bytes()), cookie);
    let (chunks, token) = found
        .candidates()
        .next()
        .flatten()
        .ok_or(Rejected::Malformed)?;
    let binding = Binding::new(cookie, audience);
    let opened = seal::open(&token, chunks, keys, &binding, now);
    let opened = opened.map_err(|refused| refused.refusal.reason)?;
    let record = opened.record();
    // As the rules judge, which need a list.
    if record.keys.iter().any(|key| keys.is_revoked(key)) {
        return Err(Rejected::RevokedKey);
    }
    Ok(Inspected {
        key: opened.key(),
        session: record.id,
        serial: record.serial,
        login: record.login.as_ref().map(|login| InspectedLogin {
            subject: login.subject.to_string(),
            key: login.key,
            generation: login.generation,
            at: login.at,
            roles: login.roles.clone(),
            groups: login
                .groups
                .iter()
                .map(|group| (group.key, group.generation))
                .collect(),
            fingerprint: login.fingerprint,
        }),
        everyone: record.everyone,
        created: record.created,
        refreshed: record.refreshed,
        expires: record.expires,
        class: record.class,
        earlier_keys: record.keys.iter().count(),
        entries: record
            .entries
            .iter()
            .map(|(name, bytes)| (name.to_owned(), Value::new(name, bytes.to_vec())))
            .collect(),
    })
}
