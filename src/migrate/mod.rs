//! Moving in from actix-session without logging anyone out.
//!
//! An application that kept its sessions in cookies (actix-session's `CookieSessionStore`) names the old
//! cookie, its key and a date. Until then whoever comes with the old cookie alone finds the session in the new
//! one.
//!
//! ```
//! # #[actix_web::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use sealed_session::testing::{ManualClock, published_secret};
//! # use sealed_session::{store::Memory, KeyRing};
//! # use std::sync::Arc;
//! use sealed_session::Sessions;
//! use sealed_session::migrate::ActixSessionCookie;
//!
//! # let clock = Arc::new(ManualClock::new("2027-01-04T12:00:00Z".parse()?));
//! # let key = [7; 64];
//! // The key that `SessionMiddleware::new(CookieSessionStore::default(), key)` had: `key.master()`.
//! let old = ActixSessionCookie::new("id", &key, "2027-01-18T00:00:00Z".parse()?)?
//!     // Who is logged in: here as actix-identity kept it.
//!     .subject(|old| old.get("actix_identity.user_id"));
//! # let builder = Sessions::builder("shop/test").keys(KeyRing::single(published_secret(1)))
//! #     .store(Memory::new()).clock(clock);
//! // `builder` is from `Sessions::builder`, or `SessionConfig::from_file(..)?.builder()?`.
//! let sessions = builder.migrate(old).start().await?;
//! # drop(sessions);
//! # Ok(()) }
//! ```
//!
//! # What happens
//!
//! 1. **Ours wins.** The old cookie becomes a session only where the request carries no cookie of ours that is,
//!    was or may be one. Beside one of ours it ends when that does.
//! 2. A response whose handler looked at the session carries the new cookie and the removal of the old. So does
//!    every other response that sets or removes the session: whoever logs out keeps neither. Where several
//!    requests come with the old cookie at the same time, the new cookie of the response that arrives last
//!    counts.
//! 3. The entries are those from before, for [`Session::get`](crate::Session::get) by the same types. What
//!    cannot be kept (nested too deep, or too large beside the others) is left out, with a warning that names
//!    the entry. Integers of more than 64 bits and the numeric keys of maps do not read back as such.
//! 4. Where [`subject`](ActixSessionCookie::subject) names the user, the session is that user's login, of which
//!    nobody knows how long ago it was: [`authenticated_at`](crate::Session::authenticated_at) says 1970.
//!    Otherwise it is anonymous.
//! 5. The limits of a session begin when it is taken over.
//!
//! # What the old cookie is worth
//!
//! actix-session's cookies do not expire on the server and cannot be revoked: a copy is good for as long as the
//! key is. Here a copy is good until the date at the most, and less where it can be told:
//!
//! 1. A session that was taken over has an id that follows from the old cookie. So a logout, a renewal or a
//!    login over it ends the old cookie too, and all copies. The exception is an anonymous signed cookie: those
//!    with equal entries are equal, and so they share nothing. Devices of one user whose signed
//!    cookies are equal are one session. The end of an anonymous session is one of as many as the list keeps of
//!    these, which anyone can have: an application that logs in by an entry names the user.
//! 2. It counts as begun before anything that the revocation list knows. Whoever logged out everywhere, or was
//!    logged out with everyone, is not logged in again by an old cookie. On a key file that logs everyone out
//!    (`sealed-session keys everyone`) no old cookie counts.
//! 3. The list remembers that for the longest lifetime of a session, so the date is not further away than that.
//!    If the list is lost meanwhile, as one in memory is by a restart, old cookies of those who had logged out
//!    count again: end the migration then.
//! 4. Whoever has the old key makes old cookies for any user, until the date. After it nothing reads the key.
//!
//! Whether an old cookie counts cannot be said while a store that nodes share may lack what it lost, which is
//! so for half a minute after its list began: whoever looks at its session is answered with 503 until then.
//!
//! Set the date close, and take the setting out when it has passed. Nodes that still run actix-session do not
//! know the new cookie: bring the new release to all of them at once.
//!
//! **Keep the date.** The revocation list forgets a logout after the longest lifetime, so the date must not be later
//! than that after the first start with it; one that is put off later would let users in who logged out before.
//! And actix-session seals anew with each write: a logout ends the old cookie that the browser holds, not one from
//! before that somebody copied. `logout_all` ends those of a user, and nothing ends anonymous ones until the date.

mod json;
mod old;

pub(crate) use json::Json;
pub(crate) use old::OldSession;
pub use old::{ActixSessionCookie, OldEntries};
