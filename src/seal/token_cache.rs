//! Tokens that were opened a moment ago, and the records in them.
//!
//! A browser sends the same token with every request until it gets another one. What follows from its text alone is found
//! out once: its form, its tag, its record. The rest is judged on each request as ever.
//!
//! 1. An entry is what [`open`](super::open()) made of a text, a number of cookies, a binding and a key. It does not depend
//!    on the time, the ring, the list or another cookie. A refusal is never kept: only [`Opened`] gets in.
//! 2. Each name of a cookie has a cache of its own. A token is found by its whole text, compared in constant time: otherwise
//!    the time would tell how much of somebody's token was guessed.
//! 3. The end of a token's tag decides its slot. Nobody can choose it for a token that opens. Whoever has many sessions can
//!    fill slots with them, and costs the others a decryption.
//! 4. A token gets in when it comes for the second time, or for the first if it was sealed here. One that comes once leaves
//!    only a mark, and evicts nothing.
//! 5. No request waits: a slot that somebody else uses is passed by, and the token is opened as if it were new.
//! 6. Slots and bytes are bounded. A text of more than 4,096 bytes is never kept. A new ring clears the cache; a request
//!    that began before it may still add an entry, which the next request judges by its own ring. What is not used, or
//!    whose key has retired, goes within two minutes. The text, which is a session to whoever holds it, is erased. The
//!    record is freed like that of any request, which may hold it at that moment.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use constant_time_eq::constant_time_eq;
use zeroize::Zeroizing;

use crate::ids::KeyId;
use crate::record::Record;
use crate::seal::{Opened, Refused};
use crate::time::UnixMillis;

/// About how many bytes the texts and records may take together.
const MOST_BYTES: usize = 2 << 20;
/// A longer text is opened each time.
const LONGEST: usize = 4096;

/// The cached tokens of one name of a cookie.
pub(crate) struct TokenCache {
    slots: Box<[CacheSlot]>,
    bytes: AtomicUsize,
}

/// A newer token takes the place of the one in it. Aligned to a line of the processor's cache, so that neighbours do not
/// slow each other.
#[derive(Default)]
#[repr(align(64))]
struct CacheSlot {
    /// The mark of the token in it. Zero: there is none.
    held: AtomicU64,
    /// The mark of the token that was last opened or sealed.
    last: AtomicU64,
    misses: AtomicU64,
    content: Mutex<SlotContent>,
}

#[derive(Default)]
struct SlotContent {
    token: Option<Box<CachedToken>>,
    /// Whether it was found since the last sweep.
    is_used: bool,
    hits: u64,
}

struct CachedToken {
    text: Zeroizing<Box<[u8]>>,
    chunks: u8,
    opened: Opened,
}

/// What a cached token held when it was opened.
pub(crate) struct Cached(Opened);

impl Cached {
    /// Checks what may have turned out otherwise since then. That its key opens tokens was seen when it was taken.
    pub(crate) fn recheck(self, now: UnixMillis) -> Result<Opened, Refused> {
        self.0.recheck(now)
    }
}

/// How the cache of tokens was used since the sessions started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenCacheStats {
    /// Tokens that were in the cache, and not opened again. Whether their sessions counted is another matter.
    pub hits: u64,
    /// Tokens that were opened because they were not in the cache, or their slot was in use. What does not open is not
    /// counted.
    pub misses: u64,
    /// How many tokens are in the cache now.
    pub entries: usize,
}

impl CachedToken {
    fn is_of(&self, text: &[u8], chunks: u8) -> bool {
        self.chunks == chunks && constant_time_eq(&self.text, text)
    }

    /// A record takes about three quarters of its text, and each role a string of its own.
    fn bytes(&self) -> usize {
        let login = self.opened.record().login.as_ref();
        let roles = login.map_or(0, |login| login.roles.len());
        size_of::<Self>() + 2 * self.text.len() + size_of::<Record>() + roles * ROLE
    }
}

/// What a short string takes: itself, and the least that an allocator gives.
const ROLE: usize = size_of::<String>() + 32;

impl TokenCache {
    /// With so many slots, rounded up to a power of two. With none nothing is cached.
    pub(crate) fn new(slots: usize) -> Self {
        let count = match slots {
            0 => 0,
            _ => slots.next_power_of_two(),
        };
        let slots = std::iter::repeat_with(CacheSlot::default).take(count);
        Self {
            slots: slots.collect(),
            bytes: AtomicUsize::new(0),
        }
    }

    /// What the token holds, if it is cached and its key `opens` tokens now.
    #[inline]
    pub(crate) fn get(
        &self,
        text: &[u8],
        chunks: u8,
        opens: impl FnOnce(&KeyId) -> bool,
    ) -> Option<Cached> {
        let (mark, slot) = self.slot(text)?;
        if slot.held.load(Ordering::Relaxed) != mark {
            return None;
        }
        let mut content = slot.try_lock()?;
        let token = content.token.as_ref()?;
        if !token.is_of(text, chunks) || !opens(&token.opened.key()) {
            return None;
        }
        let opened = token.opened.clone();
        content.is_used = true;
        content.hits = content.hits.wrapping_add(1);
        Some(Cached(opened))
    }

    /// A token was sealed that ends so. It comes with the next request, as a rule.
    pub(crate) fn announce(&self, text: &[u8]) {
        if let Some((mark, slot)) = self.slot(text) {
            slot.last.store(mark, Ordering::Relaxed);
        }
    }

    /// Keeps a token that was opened, if it was sealed or opened here before.
    pub(crate) fn insert(&self, text: &[u8], chunks: u8, opened: &Opened) {
        let Some((mark, slot)) = self.slot(text) else {
            return;
        };
        slot.misses.fetch_add(1, Ordering::Relaxed);
        let has_come = slot.last.swap(mark, Ordering::Relaxed) == mark;
        // It may be cached already: then the slot was in use when it was looked for.
        let is_held = slot.held.load(Ordering::Relaxed) == mark;
        if !has_come || is_held || text.len() > LONGEST {
            return;
        }
        let token = Box::new(CachedToken {
            text: Zeroizing::new(text.into()),
            chunks,
            opened: opened.clone(),
        });
        self.replace(slot, mark, token);
    }

    /// Puts a token into a slot, unless somebody uses the slot or there is no room for it: then the one from before stays.
    fn replace(&self, slot: &CacheSlot, mark: u64, token: Box<CachedToken>) {
        let Some(mut content) = slot.try_lock() else {
            return;
        };
        let freed = content.token.as_ref().map_or(0, |token| token.bytes());
        let needed = token.bytes();
        let held = self.bytes.fetch_add(needed, Ordering::Relaxed);
        if held.saturating_add(needed).saturating_sub(freed) > MOST_BYTES {
            self.bytes.fetch_sub(needed, Ordering::Relaxed);
            return;
        }
        self.bytes.fetch_sub(freed, Ordering::Relaxed);
        slot.held.store(mark, Ordering::Relaxed);
        content.is_used = true;
        let before = content.token.replace(token);
        // Erased when nobody is kept from the slot any more.
        drop(content);
        drop(before);
    }

    /// Drops all of it.
    pub(crate) fn clear(&self) {
        self.drop_where(|_| true);
    }

    /// Drops what was not found since the last time.
    pub(crate) fn sweep(&self) {
        self.drop_where(|content| !std::mem::replace(&mut content.is_used, false));
    }

    fn drop_where(&self, goes: impl Fn(&mut SlotContent) -> bool) {
        for slot in &self.slots {
            let mut content = slot.lock();
            if content.token.is_some() && goes(&mut content) {
                let token = content.token.take();
                slot.held.store(0, Ordering::Relaxed);
                let freed = token.as_ref().map_or(0, |token| token.bytes());
                self.bytes.fetch_sub(freed, Ordering::Relaxed);
                drop(content);
                drop(token);
            }
        }
    }

    pub(crate) fn stats(&self) -> TokenCacheStats {
        let mut stats = TokenCacheStats::default();
        for slot in &self.slots {
            let misses = slot.misses.load(Ordering::Relaxed);
            stats.misses = stats.misses.wrapping_add(misses);
            let content = slot.lock();
            stats.hits = stats.hits.wrapping_add(content.hits);
            stats.entries += usize::from(content.token.is_some());
        }
        stats
    }

    /// The token's mark, eight characters of its tag, and the slot that it leads to.
    #[inline]
    fn slot(&self, text: &[u8]) -> Option<(u64, &CacheSlot)> {
        // The last two may have bits that mean nothing.
        let (_, end) = text.split_last_chunk::<10>()?;
        let (tag, _) = end.split_first_chunk::<8>()?;
        let mark = u64::from_le_bytes(*tag);
        // A character has six random bits of eight, so they are spread first.
        let spread = mark.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let last = self.slots.len().checked_sub(1)?;
        let number = usize::try_from(spread).unwrap_or_default() & last;
        Some((mark, self.slots.get(number)?))
    }
}

impl CacheSlot {
    /// `None` when somebody else uses it.
    #[inline]
    fn try_lock(&self) -> Option<MutexGuard<'_, SlotContent>> {
        match self.content.try_lock() {
            Ok(content) => Some(content),
            Err(TryLockError::Poisoned(content)) => Some(content.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// For those who can wait. Nobody holds it for longer than a comparison and a look into the ring take.
    fn lock(&self) -> MutexGuard<'_, SlotContent> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
