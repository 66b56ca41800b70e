//! Hearing of the end of a session, for what stays open: a WebSocket, a stream of events.
//!
//! 1. The session is judged again and again by the rules that every request is judged by, whenever something has
//!    changed that can end it, and once a second. Where nobody waits nothing of this happens.
//! 2. What counts is the session and not its cookie. A renewal makes another cookie for the same session; a login
//!    over it makes another session.
//! 3. Nobody tells an open stream that the session was used elsewhere: the browser keeps that in the activity cookie. So
//!    the idle limit counts only where it is asked for, and from then on.
//! 4. A known end comes before the doubt whether this node can know.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::error::Rejected;
use crate::ids::KeyId;
use crate::record::Record;
use crate::session::Session;
use crate::session::service::Service;
use crate::time::UnixMillis;

/// Why a session is over for what stayed open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndReason {
    /// It ended: what [`Session::rejected`] says to a request with its cookie. [`Rejected::Superseded`] says that
    /// [`Session::logout_others`] ended all older cookies of this session, and this stream was opened with one.
    #[error("{0}")]
    Over(Rejected),
    /// This node cannot say any more whether the session counts, because its revocation list is older than
    /// `max_staleness` and the policy is [`WhenStale::Reject`](crate::revoke::WhenStale::Reject); or because the store
    /// lost data, or the clock was set back. A request is answered with 503 then. The session may go on: close with
    /// "try again later".
    #[error("the revocation list cannot be trusted at the moment")]
    Unknown,
    /// There was none when it was asked for.
    #[error("there was no session")]
    NoSession,
}

/// Resolves when a session is over; made by [`Session::ended`]. Holds neither the request nor its response.
#[must_use = "nothing is waited for until this is awaited"]
pub struct SessionEnd(EndStage);

enum EndStage {
    Waiting(Pin<Box<dyn Future<Output = EndReason> + Send + Sync>>),
    Resolved(EndReason),
}

/// What of a session is judged while something is open.
struct OpenSession {
    service: Arc<Service>,
    record: Arc<Record>,
    /// The key that sealed its cookie.
    key: Option<KeyId>,
    opened: UnixMillis,
    /// Whether the idle limit counts, from `opened` on.
    minds_idleness: bool,
}

/// # Hearing of the end
impl Session {
    /// Waits for the end of the session, in what stays open after its request. Resolves
    ///
    /// 1. when it is revoked, here or on another node: by a logout, as one of all sessions of its user, of a group or of
    ///    everyone, by a login over it, by the revocation of a key that had sealed it by then; here within a tenth of a second, elsewhere as soon
    ///    as that node hears of it;
    /// 2. at its absolute end, within a second;
    /// 3. when this node cannot say any more whether the session counts ([`EndReason::Unknown`]);
    /// 4. at the idle limit only with [`ended_or_idle`](Self::ended_or_idle).
    ///
    /// A renewal does not end it. Without a session it resolves at once, with what [`rejected`](Self::rejected) says or
    /// [`EndReason::NoSession`]: a page that is open to visitors waits only where there is a session.
    ///
    /// Meant is the session as it is at the call: after a login, or a first write, in the same request the new one.
    /// If the response then cannot carry that session, nobody has it, and this waits for its absolute end.
    ///
    /// Costs nothing until it is called, and then a look into the list in memory once a second, or up to ten times when
    /// many sessions end. The store is not asked. Needs a tokio runtime with its timer, as actix-web has it. Once it has
    /// resolved it stays so.
    ///
    /// A WebSocket that closes at the logout, with `actix-ws`:
    ///
    #[cfg_attr(feature = "actix", doc = "```no_run")]
    #[cfg_attr(not(feature = "actix"), doc = "```ignore")]
    /// use actix_web::{Error, HttpRequest, HttpResponse, rt, web};
    /// use sealed_session::actix::Authenticated;
    ///
    /// async fn chat(request: HttpRequest, body: web::Payload, user: Authenticated) -> Result<HttpResponse, Error> {
    ///     let (response, mut socket, mut messages) = actix_ws::handle(&request, body)?;
    ///     let mut ended = user.session().ended();
    ///     rt::spawn(async move {
    ///         loop {
    ///             tokio::select! {
    ///                 reason = &mut ended => {
    ///                     let code = actix_ws::CloseCode::Policy;
    ///                     let description = Some(reason.to_string());
    ///                     let _ = socket.close(Some(actix_ws::CloseReason { code, description })).await;
    ///                     return;
    ///                 }
    ///                 message = messages.recv() => match message {
    ///                     Some(Ok(actix_ws::Message::Text(text))) => {
    ///                         if socket.text(text).await.is_err() {
    ///                             return;
    ///                         }
    ///                     }
    ///                     _ => return,
    ///                 },
    ///             }
    ///         }
    ///     });
    ///     Ok(response)
    /// }
    /// ```
    ///
    /// Server-sent events that say whether to go to the login page or to come back. After a login over the session, a
    /// [`reauthenticate`](Session::reauthenticate) too, the browser has another one, and its page opens the stream anew:
    ///
    #[cfg_attr(feature = "actix", doc = "```no_run")]
    #[cfg_attr(not(feature = "actix"), doc = "```ignore")]
    /// use actix_web::{Error, HttpResponse, web::Bytes};
    /// use futures_util::{FutureExt, Stream, StreamExt, stream};
    /// use sealed_session::actix::Authenticated;
    /// use sealed_session::session::{EndReason, Rejected};
    ///
    /// # fn news() -> impl Stream<Item = Bytes> + 'static { stream::pending() }
    /// async fn events(user: Authenticated) -> HttpResponse {
    ///     let ended = user.session().ended().shared();
    ///     let last = ended.clone().map(|reason| {
    ///         Bytes::from_static(match reason {
    ///             EndReason::Over(Rejected::Succeeded) | EndReason::Unknown => b"event: retry\ndata:\n\n",
    ///             _ => b"event: logout\ndata:\n\n",
    ///         })
    ///     });
    ///     let events = news().take_until(ended).chain(last.into_stream()).map(Ok::<_, Error>);
    ///     HttpResponse::Ok().content_type("text/event-stream").streaming(events)
    /// }
    /// ```
    ///
    pub fn ended(&self) -> SessionEnd {
        self.end(false)
    }

    /// As [`ended`](Self::ended), and resolves at the idle limit too, counted from this call: no use of the session after
    /// it counts, because a stream cannot see what the browser's other requests do. So whatever is open longer than the
    /// limit is closed, and its page opens it anew by a request, which is a use.
    pub fn ended_or_idle(&self) -> SessionEnd {
        self.end(true)
    }

    fn end(&self, minds_idleness: bool) -> SessionEnd {
        let service = Arc::clone(&self.shared.service);
        let opened = service.now();
        let open = self.look(|state| {
            let record = Arc::clone(state.record()?);
            // What is not sealed yet will be by the key that seals now.
            let sealing = || service.keys.load().sealing(opened).map(|key| key.id());
            let key = state.key().or_else(sealing);
            Some((record, key))
        });
        SessionEnd(match open {
            Some((record, key)) => {
                let open = OpenSession {
                    service,
                    record,
                    key,
                    opened,
                    minds_idleness,
                };
                EndStage::Waiting(Box::pin(open.over()))
            }
            None => {
                let rejected = self.rejected();
                EndStage::Resolved(rejected.map_or(EndReason::NoSession, EndReason::Over))
            }
        })
    }
}

impl Future for SessionEnd {
    type Output = EndReason;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<EndReason> {
        let this = self.get_mut();
        loop {
            this.0 = match &mut this.0 {
                EndStage::Waiting(waiting) => {
                    EndStage::Resolved(ready!(waiting.as_mut().poll(context)))
                }
                EndStage::Resolved(reason) => return Poll::Ready(*reason),
            };
        }
    }
}

impl OpenSession {
    async fn over(self) -> EndReason {
        let bell = self.service.node.list().bell();
        bell.until(|| self.judge()).await
    }

    /// Why it is over, if it is.
    fn judge(&self) -> Option<EndReason> {
        let (service, record) = (&*self.service, &*self.record);
        let now = service.now();
        let last_use = match self.minds_idleness {
            true => self.opened,
            false => now,
        };
        let judged = service.rules(now).check_open(record, self.key, last_use);
        let reason = judged.map_err(|refusal| refusal.reason);
        let is_older = reason == Err(Rejected::OlderThanList);
        match reason {
            Err(reason) if !is_older => Some(EndReason::Over(reason)),
            _ if service.cannot_judge(record.began(), is_older, now) => Some(EndReason::Unknown),
            reason => reason.err().map(EndReason::Over),
        }
    }
}

// Shows nothing of the session.
redacted!(SessionEnd);
