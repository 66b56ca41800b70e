//! The errors, sorted by who must act.
//!
//! | error | whose move |
//! |---|---|
//! | [`Rejected`] | the client's: its cookie is no session. Never an HTTP error, only a reason for the log |
//! | [`ConfigError`] | the developer's or operator's: a setting or key file is wrong |
//! | [`StoreError`] | the operator's: the revocation store cannot be reached or trusted |
//!
//! They are joined here from what the values below say of themselves, such as a
//! [`ParseIdError`].
//!
//! A [`StoreError`] never means "no session" or "not revoked": it means that nobody could find out.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use crate::ids::{KeyId, ParseIdError};
use crate::random::RandomError;
use crate::time::{ParseTimeError, UnixMillis};

/// Why a cookie is no session. The browser does not learn the reason unless the application tells it
/// ([`Session::rejected`](crate::Session::rejected)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// Longer than any token that is sealed here, or shorter than the shortest.
    #[error("the token's length is out of bounds")]
    Length,
    /// Not canonical base64url without padding, or chunks that do not fit together.
    #[error("the token is not in canonical form")]
    Malformed,
    /// A format version that this release does not know.
    #[error("the token's version {0} is not known")]
    Version(u8),
    /// No key of the ring has this id.
    #[error("key {0} is not known")]
    UnknownKey(KeyId),
    /// The key was retired or pruned.
    #[error("key {0} is retired")]
    RetiredKey(KeyId),
    /// The key was revoked, or the session passed through a revoked one.
    #[error("a key of the session was revoked")]
    RevokedKey,
    /// The tag does not verify: changed, forged, or sealed for another cookie or audience.
    #[error("the token is not authentic")]
    NotAuthentic,
    /// Authentic, but not a record that an honest node of this configuration makes.
    #[error("the record is not plausible")]
    Implausible,
    /// Past its absolute end.
    #[error("the session has reached its absolute limit")]
    Expired,
    /// It passed through as many keys as a session can, and another one seals now: nothing could be
    /// written to it any more.
    #[error("the session passed through too many keys to be sealed again")]
    TooManyKeys,
    /// It does not fit into its cookies any more, because a limit was lowered: nothing could be written
    /// to it.
    #[error("the session does not fit into its cookies any more")]
    TooLarge,
    /// Not used for longer than the idle limit.
    #[error("the session was idle for too long")]
    Idle,
    /// The session was logged out, an administrator ended it, or a login beyond
    /// [`DeviceSettings::max_sessions`](crate::settings::DeviceSettings::max_sessions) took its place: these cannot be told
    /// apart.
    #[error("the session was ended")]
    Ended,
    /// A login over this cookie made another session, which the browser holds or is about to.
    #[error("a login over this cookie made another session")]
    Succeeded,
    /// The session was renewed and this is its older cookie.
    #[error("the cookie was superseded by a renewal")]
    Superseded,
    /// The subject was logged out everywhere.
    #[error("all sessions of the subject were ended")]
    SubjectEnded,
    /// A group of sessions that it belongs to was ended.
    #[error("all sessions of a group were ended")]
    GroupEnded,
    /// Everyone was logged out.
    #[error("all sessions were ended")]
    EveryoneEnded,
    /// The request's client looks otherwise than that of the login
    /// ([`ClientBinding::Reject`](crate::settings::ClientBinding::Reject)): a browser was updated, or somebody else has the cookie.
    #[error("the client looks otherwise than at the login")]
    ClientChanged,
    /// Older than the revocation list, which may not know of its end.
    #[error("the session is older than the revocation list")]
    OlderThanList,
}

/// What is wrong with a setting, a key, or a file that holds them.
///
/// Its words name the file and the setting, and say what would be right. `{}` and `{:?}` print the same
/// ones, because the standard library prints what `main` returns with `{:?}`: so a
/// `main` that returns `Result<(), ConfigError>` or `Result<(), Box<dyn Error>>` says
///
/// ```text
/// Error: session.toml: setting `lifetime.idle`: must be longer than zero
/// ```
///
/// It is also an [`io::Error`], for a `main` that returns `std::io::Result<()>`.
#[derive(Clone)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not an RFC 3339 time from 1970 on.
    BadTime(ParseTimeError),
    /// Not an id of 32 hexadecimal digits.
    BadId(ParseIdError),
    /// A secret that an attacker could guess, or that was published. The secret itself is not shown.
    WeakSecret(&'static str),
    /// The keys do not form a ring that can be used.
    Keys(String),
    /// A setting that has no meaning, or contradicts another.
    Setting {
        /// The setting's name as it is written in a configuration file, or the method that sets what
        /// no file can.
        setting: &'static str,
        /// What is wrong with it and what would be right.
        problem: String,
    },
    /// A file that cannot be read or written, or that says something wrong.
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system or the parser said, or which setting in it is wrong: an
        /// [`io::Error`], text, or another `ConfigError`.
        cause: Arc<dyn Error + Send + Sync>,
    },
    /// The revocation store did not come up.
    Store(StoreError),
    /// The operating system gave no random bytes.
    Random(RandomError),
}

impl ConfigError {
    pub(crate) fn setting(setting: &'static str, problem: impl Into<String>) -> Self {
        Self::Setting {
            setting,
            problem: problem.into(),
        }
    }

    pub(crate) fn file(
        path: impl Into<PathBuf>,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::File {
            path: path.into(),
            cause: Arc::from(cause.into()),
        }
    }

    /// The same, of a configuration in a file. Other files, and the store, are named already.
    pub(crate) fn within(self, path: &Path) -> Self {
        match self {
            Self::File { .. } | Self::Store(_) | Self::Random(_) => self,
            wrong => Self::file(path, wrong),
        }
    }

    fn io_kind(&self) -> io::ErrorKind {
        match self {
            Self::File { cause, .. } => match cause.downcast_ref::<io::Error>() {
                Some(error) => error.kind(),
                None => io::ErrorKind::InvalidInput,
            },
            Self::Store(StoreError::Missing(_)) => io::ErrorKind::NotFound,
            Self::Store(StoreError::InUse(_)) => io::ErrorKind::ResourceBusy,
            Self::Store(StoreError::Damaged { .. }) => io::ErrorKind::InvalidData,
            Self::Store(_) | Self::Random(_) => io::ErrorKind::Other,
            _ => io::ErrorKind::InvalidInput,
        }
    }
}

/// All of it in one line, the causes included: that is where a log or a terminal shows it.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadTime(error) => write!(f, "{error}"),
            Self::BadId(error) => write!(f, "{error}"),
            Self::WeakSecret(weakness) => write!(f, "refused a secret: {weakness}"),
            Self::Keys(problem) => write!(f, "key ring: {problem}"),
            Self::Setting { setting, problem } => write!(f, "setting `{setting}`: {problem}"),
            Self::File { path, cause } => write!(f, "{}: {cause}", path.display()),
            Self::Store(error) => write!(f, "revocation store: {error}"),
            Self::Random(error) => error.fmt(f),
        }
    }
}

/// The words of `Display`. Fields and variants would tell a user of the application nothing.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Equal are errors that say the same.
impl PartialEq for ConfigError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for ConfigError {}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::File { cause, .. } => Some(&**cause),
            Self::Store(error) => Some(error),
            Self::Random(error) => Some(error),
            Self::BadTime(error) => Some(error),
            Self::BadId(error) => Some(error),
            Self::WeakSecret(_) | Self::Keys(_) | Self::Setting { .. } => None,
        }
    }
}

impl From<StoreError> for ConfigError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ParseTimeError> for ConfigError {
    fn from(error: ParseTimeError) -> Self {
        Self::BadTime(error)
    }
}

impl From<ParseIdError> for ConfigError {
    fn from(error: ParseIdError) -> Self {
        Self::BadId(error)
    }
}

impl From<RandomError> for ConfigError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

/// For a `main` that returns `std::io::Result<()>`, as actix-web's examples do. The words are kept.
impl From<ConfigError> for io::Error {
    fn from(error: ConfigError) -> Self {
        Self::new(error.io_kind(), error)
    }
}

/// The revocation store could not find out, or may not have told the others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No answer, or an answer that says "not now". Trying again may help.
    #[error("the revocation store is not available: {0}")]
    Unavailable(String),
    /// The store's file does not exist. Creating it is an explicit act, because a new list knows of no
    /// session that was ended before.
    #[error("{} does not exist; a new list logs everyone out, so it is made only when told to \
         (`revocation.create = true`)", .0.display())]
    Missing(PathBuf),
    /// What is stored is not what was written. No list is made of it, and no entry is changed or dropped.
    /// The engine may have tried to recover the file: who wants to examine it as it was works on a copy.
    #[error("{}{problem}", at(path))]
    Damaged {
        /// The store's file, if it is one and is known; else `problem` says which store.
        path: Option<PathBuf>,
        /// What was found.
        problem: String,
    },
    /// There is no list of this name that a node has used. The name may be misspelt, or the server has
    /// lost the list and no node has noticed yet.
    #[error(
        "{server} has no list called {list:?} that a node has used, or the server has lost the list; its name \
         is the audience, unless `revocation.list` says otherwise"
    )]
    Unused {
        /// The list's name.
        list: String,
        /// Host and port.
        server: String,
    },
    /// Another process holds the store.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The store's clock cannot be right, or is further from this node's than the tolerated skew.
    #[error("clocks disagree: {0}")]
    Clock(String),
    /// The server cannot be used for the list as it is set up, or the list on it is not one that this
    /// release can read. Trying again does not help.
    #[error("the server cannot be used: {0}")]
    Unsuitable(String),
    /// The store has it, but fewer replicas than wanted acknowledged that they do too. It may be lost
    /// with the store, so it is told again.
    #[error("{acknowledged} of {wanted} replicas acknowledged in time")]
    NotReplicated {
        /// How many were to acknowledge.
        wanted: usize,
        /// How many did.
        acknowledged: usize,
    },
    /// Another server answers than the one that was known. Nothing was done.
    #[error("another server has taken the revocation store's place")]
    Replaced,
    /// A generation at the top of its range. Does not happen to an honest counter.
    #[error("the generation cannot be raised further")]
    Exhausted,
    /// The sessions were closed, or the store was.
    #[error("the revocation store is closed")]
    Closed,
    /// A random id could not be drawn.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// The file, in front of what is wrong with it.
fn at(path: &Option<PathBuf>) -> String {
    path.as_ref()
        .map_or_else(String::new, |path| format!("{}: ", path.display()))
}

impl StoreError {
    pub(crate) fn unavailable(problem: impl fmt::Display) -> Self {
        Self::Unavailable(problem.to_string())
    }

    /// Anonymous sessions are to be refused that begin until `since`, further ahead of the clock than is tolerated.
    pub(crate) fn since_ahead(since: UnixMillis, now: UnixMillis) -> Self {
        Self::Clock(format!(
            "anonymous sessions are to be refused that begin until {since}, and it is {now}"
        ))
    }

    /// The clocks of two machines, further apart than `skew`.
    pub(crate) fn clocks(ours: UnixMillis, theirs: UnixMillis, skew: Duration) -> Self {
        Self::Clock(format!(
            "this node says {ours}, the store says {theirs}; {} s are tolerated",
            skew.as_secs()
        ))
    }
}
