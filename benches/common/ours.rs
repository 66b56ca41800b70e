//! What is measured of this crate, by its own means: a Cookie header in, a value out; a changed session
//! in, Set-Cookie out. No web framework.

use std::iter;

use sealed_session::store::Memory;
use sealed_session::{
    KeyRing, Login, Sessions, SessionsBuilder,
    adapter::{Incoming, Loaded},
    revoke::SessionId,
};

use super::shapes::{self, CHANGED, CSRF, READ, Size, USER};

pub const AUDIENCE: &str = "shop/production";

/// The logouts that the node knows of. With none the check would cost less than anybody's does: whose
/// sessions were ended is looked up only after the first of them.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    pub sessions: u128,
    pub subjects: u32,
}

impl Ended {
    /// Where others have been ended already.
    pub const NONE: Self = Self {
        sessions: 0,
        subjects: 0,
    };

    /// Those of an application with some use.
    pub const MANY: Self = Self {
        sessions: 10_000,
        subjects: 1_000,
    };
}

/// Sessions of one application, and a cookie of one of them.
#[derive(Clone)]
pub struct Ours {
    pub sessions: Sessions,
    /// A Cookie header.
    pub header: String,
    /// The session's value in it.
    pub value: String,
}

/// Settings as most applications have them, with a list of revocations in memory.
pub fn builder(ring: KeyRing) -> SessionsBuilder {
    Sessions::builder(AUDIENCE).keys(ring).store(Memory::new())
}

/// Ends sessions of others, so that there is a list of them.
pub async fn end_others(sessions: &Sessions, ended: Ended) {
    for number in 0..ended.sessions {
        // Spread as random ids are: the list takes them as they come.
        let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let id = SessionId::from_bytes(id.to_be_bytes());
        sessions.end_session(id).await.unwrap();
    }
    for number in 0..ended.subjects {
        let subject = format!("someone-else-{number}");
        sessions.end_subject(&subject).await.unwrap();
    }
}

/// The Set-Cookie of a new session of this size.
pub async fn log_in(sessions: &Sessions, subject: &str, groups: &[&str], size: Size) -> String {
    let Loaded {
        session, ticket, ..
    } = sessions.load(Incoming::new(iter::empty())).unwrap();
    let login = session.authenticate(subject);
    let in_group = |login: Login, name: &&str| login.group("org", *name);
    groups.iter().fold(login, in_group).await.unwrap();
    for (name, value) in size.entries() {
        session.insert(name, value).unwrap();
    }
    let mut outcome = sessions.commit(&session, ticket).await;
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.cookies.len(), 1, "it fits into one cookie");
    outcome.cookies.remove(0)
}

/// The read path: the header's bytes to a session that counts, and one value of it.
pub fn read(sessions: &Sessions, header: &str) -> Option<String> {
    load(sessions, header).session.get(READ).unwrap()
}

fn load(sessions: &Sessions, header: &str) -> Loaded {
    let lines = iter::once(header.as_bytes());
    sessions.load(Incoming::new(lines)).unwrap()
}

impl Ours {
    /// Logs a user in whose session is of this size, and looks that it reads and writes.
    pub async fn start(sessions: Sessions, size: Size, ended: Ended) -> Self {
        Self::start_in(&[], sessions, size, ended).await
    }

    /// The same, of a user of these organisations.
    pub async fn start_in(groups: &[&str], sessions: Sessions, size: Size, ended: Ended) -> Self {
        end_others(&sessions, ended).await;
        let cookie = log_in(&sessions, USER, groups, size).await;
        let (name, value) = shapes::pair(&cookie);
        let ours = Self {
            header: shapes::header(name, value),
            value: value.to_owned(),
            sessions,
        };
        ours.check().await;
        ours
    }

    /// What is measured gives the value back, and not for any other cookie.
    async fn check(&self) {
        assert_eq!(self.read().as_deref(), Some(CSRF));
        let tampered = Self {
            header: shapes::tampered(&self.header, &self.value),
            ..self.clone()
        };
        assert_eq!(tampered.read(), None);
        let cookie = self.write(self.changed()).await;
        let (name, value) = shapes::pair(&cookie);
        assert_eq!(value.len(), self.value.len());
        let written = Self {
            header: shapes::header(name, value),
            ..self.clone()
        };
        assert_eq!(written.read().as_deref(), Some(CHANGED));
    }

    /// The same session under other tokens, which this node has neither sealed nor opened: another one with the same keys
    /// sealed them.
    pub async fn new_to(&self, other: &Sessions) -> Self {
        let there = Self {
            sessions: other.clone(),
            ..self.clone()
        };
        let cookie = there.write(there.changed_to(CSRF)).await;
        let (name, value) = shapes::pair(&cookie);
        Self {
            header: shapes::header(name, value),
            value: value.to_owned(),
            sessions: self.sessions.clone(),
        }
    }

    pub fn read(&self) -> Option<String> {
        read(&self.sessions, &self.header)
    }

    /// A session that was loaded and changed.
    pub fn changed(&self) -> Loaded {
        self.changed_to(CHANGED)
    }

    fn changed_to(&self, value: &str) -> Loaded {
        let loaded = load(&self.sessions, &self.header);
        loaded.session.insert(READ, value).unwrap();
        loaded
    }

    /// The write path: a changed session to its Set-Cookie.
    pub async fn write(&self, changed: Loaded) -> String {
        let Loaded {
            session, ticket, ..
        } = changed;
        let mut outcome = self.sessions.commit(&session, ticket).await;
        outcome.cookies.pop().unwrap()
    }
}
