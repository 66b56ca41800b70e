//! Sealing and opening: the only place where the cipher is used.
//!
//! 1. [`open`] is the only maker of an [`Opened`]: whoever holds one knows that its record is
//!    authentic and plausible. It does not say that the session still counts.
//! 2. [`seal`] takes only what the [`Judge`] has cleared. A room above appoints it, once, and the compiler sees
//!    to that ([`Appointed`]).
//! 3. The key id in the token picks one key. There is no trial of others.
//! 4. When a session was last used stands in a cookie of its own, which [`activity`] makes and reads.
//! 5. [`csrf`] makes and checks the tokens against cross-site requests.
//! 6. [`TokenCache`] keeps what was opened a moment ago, and takes nothing else.
//! 7. [`label`] seals what a session is called, for a store that must not know.

pub(crate) mod activity;
mod binding;
mod cipher;
pub(crate) mod csrf;
pub(crate) mod label;
mod mac;
mod names;
mod open;
mod refusal;
mod sealing;
pub(crate) mod token_cache;

pub(crate) use binding::{Binding, check_audience};
pub(crate) use open::{Opened, open};
pub(crate) use refusal::{Refusal, Refused, Standing};
pub(crate) use sealing::{Appointed, Cleared, Judge, SealError, Sealed, seal};
pub(crate) use token_cache::TokenCache;
