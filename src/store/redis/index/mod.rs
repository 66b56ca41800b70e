//! The index of sessions on the servers that have the list.
//!
//! 1. The rows of a subject are one hash, in a slot of its own, so that a cluster spreads subjects. Nothing looks for
//!    hashes but the tool that copies them.
//! 2. An update is one call of a script, `index.lua`. When the server has no memory left, updates that put a row are
//!    refused as a whole.
//! 3. A hash is gone when its last row can be, so there is nothing to sweep.
//! 4. Connections are the index's own. What happens to them says nothing about the list, and loses nothing of it.

mod nodes;
mod rows;

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use redis::{cmd, from_redis_value, pipe};

use self::nodes::Nodes;
use super::link::{Link, Server};
use super::script;
use crate::error::StoreError;
use crate::ids::SubjectKey;
use crate::index::{IndexRows, IndexUpdate, SessionIndex};
use crate::time::UnixMillis;

/// How many keys the server looks at in one step of looking for hashes.
const BATCH: usize = 1000;

pub(super) struct RedisIndex {
    list: String,
    nodes: Nodes,
}

impl RedisIndex {
    /// `patience` is how long an answer may take.
    pub(super) fn new(server: Server, list: String, patience: Duration) -> Self {
        let nodes = Nodes::new(server, patience);
        Self { list, nodes }
    }

    /// Where the rows of a subject are.
    fn key(&self, subject: SubjectKey) -> String {
        key(&self.list, subject)
    }

    /// Whose rows are at `key`.
    fn subject(&self, key: &[u8]) -> Option<SubjectKey> {
        let text = str::from_utf8(key).ok()?;
        let (_, text) = text.rsplit_once('{')?;
        let (text, _) = text.split_once('}')?;
        let subject = text.parse().ok()?;
        (self.key(subject).as_bytes() == key).then_some(subject)
    }

    /// What the keys look like to SCAN, to which `*`, `?`, `[`, `]` and `\` in the list's name would be patterns too.
    fn pattern(&self) -> String {
        let mut list = String::new();
        for c in self.list.chars() {
            if "*?[]\\".contains(c) {
                list.push('\\');
            }
            list.push(c);
        }
        key(&list, '*')
    }

    /// Hands over what is on one server, but the subjects that were `seen` before.
    async fn each_at(
        &self,
        link: &Link,
        seen: &mut HashSet<SubjectKey>,
        receive: &mut (dyn FnMut(SubjectKey, IndexRows) + Send),
    ) -> Result<(), StoreError> {
        let told = |error| link.server().told(&error);
        let odd = |_| link.server().odd();
        let held = link.hold().await?;
        let mut cursor = 0_u64;
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(self.pattern());
            scan.arg("COUNT").arg(BATCH);
            let page = link.say(&held, &scan).await.map_err(told)?;
            let (next, keys): (u64, Vec<Vec<u8>>) = from_redis_value(page).map_err(odd)?;
            let subjects = keys.iter().filter_map(|key| self.subject(key));
            // The server may name one twice.
            let subjects: Vec<_> = subjects.filter(|subject| seen.insert(*subject)).collect();
            let mut hashes = pipe();
            for subject in &subjects {
                hashes.cmd("HGETALL").arg(self.key(*subject));
            }
            let hashes = match subjects.is_empty() {
                true => Vec::new(),
                false => link.say_all(&held, hashes).await.map_err(told)?,
            };
            for (subject, hash) in subjects.into_iter().zip(hashes) {
                let found = rows::rows(from_redis_value(hash).map_err(odd)?);
                // It may have expired just now.
                if found != IndexRows::default() {
                    receive(subject, found);
                }
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }
}

/// What is between the braces decides which node of a cluster has the key. The list's name cannot have braces, so no key
/// is another list's.
fn key(list: &str, subject: impl fmt::Display) -> String {
    format!("sealed-session:{list}:{{{subject}}}:index")
}

#[async_trait]
impl SessionIndex for RedisIndex {
    async fn rows(&self, subject: SubjectKey) -> Result<IndexRows, StoreError> {
        let key = self.key(subject);
        let fields = self.nodes.ask(&key, cmd("HGETALL").arg(&key)).await?;
        let fields = from_redis_value(fields).map_err(|_| self.nodes.home().odd())?;
        Ok(rows::rows(fields))
    }

    async fn update(
        &self,
        subject: SubjectKey,
        update: &IndexUpdate,
    ) -> Result<IndexRows, StoreError> {
        let key = self.key(subject);
        let mut call = script::index_call(&key, update.row.is_some());
        call.arg(rows::arguments(update)?);
        let answer = self.nodes.ask(&key, &call).await?;
        let answer = from_redis_value(answer).map_err(|_| self.nodes.home().odd())?;
        let (is_full, fields) = answer;
        Ok(IndexRows {
            is_full,
            ..rows::rows(fields)
        })
    }

    async fn sweep(&self, _: UnixMillis) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn each(
        &self,
        receive: &mut (dyn FnMut(SubjectKey, IndexRows) + Send),
    ) -> Result<(), StoreError> {
        let mut seen = HashSet::new();
        for link in self.nodes.all().await? {
            self.each_at(&link, &mut seen, receive).await?;
        }
        Ok(())
    }
}

impl fmt::Debug for RedisIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisIndex")
            .field("server", self.nodes.home())
            .field("list", &self.list)
            .finish()
    }
}
