//! Reading and writing a session's entries.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::record::{Entries, Record};
use crate::session::Session;
use crate::session::before_login;
use crate::session::error::{SessionGetError, SessionInsertError, SessionUpdateError};
use crate::session::value::{self, Value};

/// # Entries
impl Session {
    /// Reads an entry; `None` if there is none of this name.
    ///
    /// # Errors
    /// When the entry was written as another type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, SessionGetError> {
        // Decoded outside of the lock: that is the application's code.
        let record = self.look(|state| state.record().cloned());
        Self::read(record.as_deref(), key)
    }

    /// Reads an entry, and discards one that cannot be read as `T`: an entry that an earlier release of the
    /// application wrote as another type would stay for as long as the session. The log then names the
    /// entry, and not its value.
    ///
    /// `None` if there is none of this name, or none any more. Where the session cannot be written the entry
    /// stays, and still reads as `None`.
    pub fn get_or_discard<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let record = self.look(|state| state.record().cloned())?;
        let bytes = record.entries.get(value::settable(key).ok()?)?;
        match value::decoded(key, bytes) {
            Ok(value) => Some(value),
            Err(SessionGetError { key, problem }) => {
                let discarded = self.with(|state| {
                    let is_same = state.entries().and_then(|it| it.get(&key)) == Some(bytes);
                    let discards = is_same && state.writable().is_ok();
                    if discards {
                        state.change(|entries| before_login::remove(entries, &key));
                    }
                    discards
                });
                if discarded {
                    tracing::warn!(entry = ?key, %problem, "discarding a session entry of another type");
                }
                None
            }
        }
    }

    /// Whether there is an entry of this name.
    pub fn contains_key(&self, key: &str) -> bool {
        self.look(|state| state.entries()?.get(key).map(drop))
            .is_some()
    }

    /// Whether the entry is from before the login: the visitor had stored it, or whoever put an anonymous session into
    /// this browser, and nothing has been written there since. `false` if there is none of this name, and without a
    /// login.
    ///
    /// A cart may be taken as it is. What decides something, such as an address to deliver to or the page to go to, is
    /// shown to the user first, or [dropped](crate::settings::LoginSettings::anonymous_entries) by a setting.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = sealed_session::testing::session().await;
    /// session.insert("cart", ["tea"])?;
    /// session.authenticate("alice").await?;
    /// assert!(session.is_from_before_login("cart"));
    /// session.insert("cart", ["tea", "cups"])?;
    /// assert!(!session.is_from_before_login("cart"));
    /// # Ok(()) }
    /// ```
    pub fn is_from_before_login(&self, key: &str) -> bool {
        let is_it = |record: &Record| {
            before_login::names(&record.entries)
                .iter()
                .any(|it| it == key)
        };
        self.record(is_it).unwrap_or(false)
    }

    /// All entries that the application has set, by name.
    pub fn entries(&self) -> BTreeMap<String, Value> {
        self.look(|state| {
            let entries = state.entries().into_iter().flat_map(Entries::iter);
            entries
                .filter(|(name, _)| !value::is_reserved(name))
                .map(|(name, bytes)| (name.to_owned(), Value::new(name, bytes.to_vec())))
                .collect()
        })
    }

    /// Sets an entry. The session is sealed into its cookie when the response is ready.
    ///
    /// `T`'s `Deserialize` has to read what its [`Serialize`] writes, in serde's human-readable form.
    /// Where a crate turns on serde_json's feature `arbitrary_precision`, a number inside a
    /// `serde_json::Value` is not: it becomes a map that reads back as a `serde_json::Value` alone. Nor do
    /// `i128` and `u128` pass through `#[serde(flatten)]`, `tag` and `untagged`: serde itself has no room for them.
    ///
    /// # Errors
    /// When the value cannot be serialized, is nested more than 128 levels deep
    /// ([`SessionInsertError::TooDeep`]), or its name begins with U+0000, as those of the library's own entries
    /// do ([`SessionInsertError::ReservedName`]); when the session would not fit into its cookies
    /// ([`SessionInsertError::TooLarge`]) or cannot be written now. It is as before then.
    pub fn insert<T: Serialize>(
        &self,
        key: impl Into<String>,
        value: T,
    ) -> Result<(), SessionInsertError> {
        let key = key.into();
        let bytes = value::encoded(&key, &value)?;
        self.with(|state| state.insert(self.service(), &key, &bytes))
    }

    /// Replaces an entry by what `updater` makes of it. Does nothing if there is none of this name.
    ///
    /// # Errors
    /// As [`get`](Self::get) and [`insert`](Self::insert).
    pub fn update<T, F>(&self, key: impl Into<String>, updater: F) -> Result<(), SessionUpdateError>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce(T) -> T,
    {
        let key = value::settable(key.into())?;
        if let Some(old) = self.get(&key)? {
            self.insert(key, updater(old))?;
        }
        Ok(())
    }

    /// Replaces an entry by what `updater` makes of it, or sets it to `default` if there is none.
    ///
    /// # Errors
    /// As [`get`](Self::get) and [`insert`](Self::insert).
    pub fn update_or<T, F>(
        &self,
        key: &str,
        default: T,
        updater: F,
    ) -> Result<(), SessionUpdateError>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce(T) -> T,
    {
        let key = value::settable(key)?;
        let new = match self.get(key)? {
            Some(old) => updater(old),
            None => default,
        };
        Ok(self.insert(key, new)?)
    }

    /// Removes an entry and returns it.
    ///
    /// Where the session cannot be written ([`NotWritable`](crate::session::NotWritable)) nothing is removed, and the
    /// response becomes that error.
    pub fn remove(&self, key: &str) -> Option<Value> {
        self.look(|state| {
            state.entries()?.get(value::settable(key).ok()?)?;
            let bytes = state.change(|entries| before_login::remove(entries, key))?;
            Some(Value::new(key, bytes))
        })
    }

    /// Removes an entry and reads it as `T`.
    pub fn remove_as<T: DeserializeOwned>(&self, key: &str) -> Option<Result<T, SessionGetError>> {
        self.remove(key).map(|value| value.decode())
    }

    /// Removes all entries that the application has set. The session itself, its login and its messages stay. Refused as
    /// [`remove`](Self::remove).
    pub fn clear(&self) {
        self.with(|state| {
            if state.record().is_some() {
                state.change(before_login::clear);
            }
        });
    }

    pub(super) fn read<T: DeserializeOwned>(
        record: Option<&Record>,
        key: &str,
    ) -> Result<Option<T>, SessionGetError> {
        let bytes = record.and_then(|record| record.entries.get(key));
        bytes.map(|bytes| value::decoded(key, bytes)).transpose()
    }
}
