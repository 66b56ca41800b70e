//! The crate `actix-web-flash-messages` on sealed sessions.
//!
//! 1. Its messages are those of [`Session::flash`]: what one way pushes, the other shows. They are taken when they are
//!    read, not by the next response whatever it is.
//! 2. Its framework panics where a store fails. So what cannot be stored is a warning in the log, and is lost.

use actix_web::HttpRequest;
use actix_web::dev::ResponseHead;
use actix_web_flash_messages::storage::{FlashMessageStore, LoadError, StoreError};
use actix_web_flash_messages::{FlashMessage, Level};

use crate::actix::SessionExt;
use crate::session::{FlashKind, Session};

/// The store of `actix-web-flash-messages` in a sealed session.
///
/// Its framework has to be inside the [`SessionMiddleware`](crate::SessionMiddleware): wrapped before it. Messages of the
/// level "debug" come back as "info". Of more than 16 that wait the oldest are dropped.
///
/// ```
/// use actix_web::{App, HttpResponse, web};
/// use actix_web_flash_messages::{FlashMessage, FlashMessagesFramework, IncomingFlashMessages};
/// use sealed_session::{SessionMiddleware, Sessions, actix::SealedMessageStore};
///
/// async fn save() -> HttpResponse {
///     FlashMessage::success("Saved.").send();
///     HttpResponse::SeeOther().insert_header(("location", "/")).finish()
/// }
///
/// async fn home(messages: IncomingFlashMessages) -> String {
///     messages.iter().map(|message| message.content()).collect()
/// }
///
/// # fn app(sessions: &Sessions) {
/// let framework = FlashMessagesFramework::builder(SealedMessageStore).build();
/// let app = App::new()
///     .wrap(framework)
///     .wrap(SessionMiddleware::new(sessions))
///     .route("/", web::get().to(home))
///     .route("/save", web::post().to(save));
/// # drop(app); }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct SealedMessageStore;

impl FlashMessageStore for SealedMessageStore {
    fn load(&self, request: &HttpRequest) -> Result<Vec<FlashMessage>, LoadError> {
        let session = request.get_session();
        let session = session.map_err(|error| LoadError::GenericError(error.into()))?;
        let messages = session.flash().messages().into_iter();
        Ok(messages
            .map(|message| FlashMessage::new(message.text, level(message.kind)))
            .collect())
    }

    fn store(
        &self,
        messages: &[FlashMessage],
        request: HttpRequest,
        _: &mut ResponseHead,
    ) -> Result<(), StoreError> {
        if messages.is_empty() {
            return Ok(());
        }
        match request.get_session() {
            Ok(session) => messages.iter().for_each(|message| push(&session, message)),
            Err(error) => tracing::warn!(%error, "flash messages were lost"),
        }
        Ok(())
    }
}

fn push(session: &Session, message: &FlashMessage) {
    let pushed = session
        .flash()
        .push(kind(message.level()), message.content());
    if let Err(error) = pushed {
        tracing::warn!(%error, "a flash message was lost");
    }
}

fn level(kind: FlashKind) -> Level {
    match kind {
        FlashKind::Success => Level::Success,
        FlashKind::Info => Level::Info,
        FlashKind::Warning => Level::Warning,
        FlashKind::Error => Level::Error,
    }
}

fn kind(level: Level) -> FlashKind {
    match level {
        Level::Debug | Level::Info => FlashKind::Info,
        Level::Success => FlashKind::Success,
        Level::Warning => FlashKind::Warning,
        Level::Error => FlashKind::Error,
    }
}
