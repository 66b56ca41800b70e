//! Tokens that were opened a moment ago, and the records in them.
//!
//! A browser sends the same token with every request until it gets another one. What follows from its text alone is found
//! out once: its form, its tag, its record. The rest is judged on each request as ever.
//!
//! 1. Kept is what [`open`](super::open) made of text, number of cookies, binding and key, and nothing that depends on the
//!    time, the ring, the list or another cookie. A refusal is never kept.
//! 2. One of these belongs to one cookie of one application. A token is found by its whole text, compared in constant time:
//!    else the time would tell how much of somebody's token was guessed.
//! 3. A token's place follows from the end of its tag, which nobody can choose for a token that opens. Only such a one gets
//!    in. Whoever has many sessions can fill places with them, and costs the others a decryption.
//! 4. A token is remembered at its second coming, or at its first if it was sealed here. Of those that come once a mark is
//!    left, and they drive nobody out.
//! 5. Nobody waits: a place that somebody else looks at is passed by, and the token is opened as if it were new.
//! 6. Places and bytes are bounded. All of it goes when the ring changes, but for what a request adds that began before;
//!    and within two minutes what is not used. The text, which is a session to whoever holds it, is erased. The record is
//!    freed like that of any request, which may hold it at that moment.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use constant_time_eq::constant_time_eq;
use zeroize::Zeroizing;

use crate::ids::KeyId;
use crate::record::Record;

/// How many texts and records there may be together, in bytes, about.
const MOST_BYTES: usize = 2 << 20;
/// A longer text is opened each time.
const LONGEST: usize = 4096;

/// The tokens of one cookie that are remembered.
pub(crate) struct RememberedTokens {
    places: Box<[TokenPlace]>,
    bytes: AtomicUsize,
}

/// Where tokens are remembered whose marks lead here: the last one stays. A line of the processor's cache, so that
/// neighbours do not slow each other.
#[derive(Default)]
#[repr(align(64))]
struct TokenPlace {
    /// Of the token that is remembered. Zero: none is.
    held: AtomicU64,
    /// Of the token that was last opened or sealed.
    last: AtomicU64,
    misses: AtomicU64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    token: Option<Box<KeptToken>>,
    /// Whether it was found since it was last swept.
    is_used: bool,
    hits: u64,
}

struct KeptToken {
    text: Zeroizing<Box<[u8]>>,
    chunks: u8,
    found: FoundToken,
}

/// What a token turned out to hold.
#[derive(Clone)]
pub(super) struct FoundToken {
    pub(super) key: KeyId,
    pub(super) record: Arc<Record>,
    /// Bytes of the record as it was sealed.
    pub(super) length: usize,
}

/// How remembered tokens are used, since the sessions started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenUse {
    /// Tokens that were remembered, and not opened again.
    pub hits: u64,
    /// Tokens that were not remembered, and were opened.
    pub misses: u64,
    /// How many are remembered now.
    pub entries: usize,
}

impl KeptToken {
    fn is_of(&self, text: &[u8], chunks: u8) -> bool {
        self.chunks == chunks && constant_time_eq(&self.text, text)
    }

    /// The record takes what its text takes, less a quarter.
    fn bytes(&self) -> usize {
        2 * self.text.len() + size_of::<Record>()
    }
}

impl RememberedTokens {
    /// So many places, rounded up to a power of two. With none nothing is remembered.
    pub(crate) fn new(places: usize) -> Self {
        let count = match places {
            0 => 0,
            _ => places.next_power_of_two(),
        };
        let places = std::iter::repeat_with(TokenPlace::default).take(count);
        Self {
            places: places.collect(),
            bytes: AtomicUsize::new(0),
        }
    }

    /// What the token holds, if it is remembered.
    #[inline]
    pub(super) fn find(&self, text: &[u8], chunks: u8) -> Option<FoundToken> {
        let (mark, place) = self.place(text)?;
        if place.held.load(Ordering::Relaxed) == mark
            && let Some(mut kept) = place.try_lock()
            && let Some(token) = &kept.token
            && token.is_of(text, chunks)
        {
            let found = token.found.clone();
            kept.is_used = true;
            kept.hits = kept.hits.wrapping_add(1);
            return Some(found);
        }
        place.misses.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// A token was sealed that ends so: it will come. If it is of several parts, so short an end that it holds less than
    /// a mark goes unnoticed: the token is then remembered at its second coming.
    pub(crate) fn expect(&self, text: &[u8]) {
        if let Some((mark, place)) = self.place(text) {
            place.last.store(mark, Ordering::Relaxed);
        }
    }

    /// Remembers a token that was opened, if it was sealed or opened here before.
    pub(super) fn remember(&self, text: &[u8], chunks: u8, found: FoundToken) {
        let Some((mark, place)) = self.place(text) else {
            return;
        };
        let has_come = place.last.swap(mark, Ordering::Relaxed) == mark;
        // It is there where somebody looked at the place when it was sought.
        let is_held = place.held.load(Ordering::Relaxed) == mark;
        if !has_come || is_held || text.len() > LONGEST {
            return;
        }
        let token = Box::new(KeptToken {
            text: Zeroizing::new(text.into()),
            chunks,
            found,
        });
        self.replace(place, mark, token);
    }

    /// Puts a token into a place, unless somebody looks at the place or there is no room for it: then the one from before
    /// stays.
    fn replace(&self, place: &TokenPlace, mark: u64, token: Box<KeptToken>) {
        let Some(mut kept) = place.try_lock() else {
            return;
        };
        let freed = kept.token.as_ref().map_or(0, |token| token.bytes());
        let needed = token.bytes();
        let held = self.bytes.fetch_add(needed, Ordering::Relaxed);
        if held.saturating_add(needed).saturating_sub(freed) > MOST_BYTES {
            self.bytes.fetch_sub(needed, Ordering::Relaxed);
            return;
        }
        self.bytes.fetch_sub(freed, Ordering::Relaxed);
        place.held.store(mark, Ordering::Relaxed);
        kept.is_used = true;
        let before = kept.token.replace(token);
        // Erased when nobody is kept from the place any more.
        drop(kept);
        drop(before);
    }

    /// Forgets all of it.
    pub(crate) fn clear(&self) {
        self.drop_where(|_| true);
    }

    /// Forgets what was not found since the last time.
    pub(crate) fn sweep(&self) {
        self.drop_where(|kept| !std::mem::replace(&mut kept.is_used, false));
    }

    fn drop_where(&self, goes: impl Fn(&mut Kept) -> bool) {
        for place in &self.places {
            // Nobody holds it for longer than a comparison takes.
            let mut kept = place.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.token.is_some() && goes(&mut kept) {
                let token = kept.token.take();
                place.held.store(0, Ordering::Relaxed);
                let freed = token.as_ref().map_or(0, |token| token.bytes());
                self.bytes.fetch_sub(freed, Ordering::Relaxed);
                drop(kept);
                drop(token);
            }
        }
    }

    /// How often it was of use since it was made.
    pub(crate) fn usage(&self) -> TokenUse {
        let mut usage = TokenUse::default();
        for place in &self.places {
            let misses = place.misses.load(Ordering::Relaxed);
            usage.misses = usage.misses.wrapping_add(misses);
            let kept = place.kept.lock().unwrap_or_else(PoisonError::into_inner);
            usage.hits = usage.hits.wrapping_add(kept.hits);
            usage.entries += usize::from(kept.token.is_some());
        }
        usage
    }

    /// The token's mark, eight characters of its tag, and the place that it leads to.
    #[inline]
    fn place(&self, text: &[u8]) -> Option<(u64, &TokenPlace)> {
        // The last two may have bits that mean nothing.
        let (_, end) = text.split_last_chunk::<10>()?;
        let (tag, _) = end.split_first_chunk::<8>()?;
        let mark = u64::from_le_bytes(*tag);
        // A character has six random bits of eight, so they are spread first.
        let spread = mark.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let last = self.places.len().checked_sub(1)?;
        let number = usize::try_from(spread).unwrap_or_default() & last;
        Some((mark, self.places.get(number)?))
    }
}

impl TokenPlace {
    /// `None` when somebody else looks at it.
    #[inline]
    fn try_lock(&self) -> Option<MutexGuard<'_, Kept>> {
        match self.kept.try_lock() {
            Ok(kept) => Some(kept),
            Err(TryLockError::Poisoned(kept)) => Some(PoisonError::into_inner(kept)),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// How much there is, and nothing of what it is.
impl fmt::Debug for RememberedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes.load(Ordering::Relaxed);
        write!(f, "RememberedTokens({bytes} bytes)")
    }
}

#[cfg(test)]
mod tests;
