//! An audit log: one line for each thing that happens to a session, with the target `audit`.
//!
//! 1. Who, which session, and what: no cookie and no key. Names are quoted, so a line stays one line.
//! 2. Anyone can send cookies that are refused, as often as they like. So those lines are for `RUST_LOG=audit=debug`.

use sealed_session::session::{LogoutOutcome, SessionEvent};
use tracing::field::{debug, display};

/// Is told by the sessions, in the task of the request.
pub fn observe(event: &SessionEvent<'_>) {
    match *event {
        SessionEvent::LoggedIn {
            session,
            subject,
            replaced,
            ..
        } => {
            let replaced = replaced.map(display);
            tracing::info!(target: "audit", %session, ?subject, replaced, "logged in");
        }
        SessionEvent::Replaced {
            session,
            subject,
            by,
            ..
        } => {
            let subject = subject.map(debug);
            tracing::info!(target: "audit", %session, subject, %by, "replaced");
        }
        SessionEvent::LoggedOut {
            session,
            subject,
            scope,
            by_application,
            outcome,
            ..
        } => {
            let (session, subject) = (session.map(display), subject.map(debug));
            let outcome = match outcome {
                LogoutOutcome::Stored => "stored",
                LogoutOutcome::HereOnly(_) => "here only",
                _ => "unknown",
            };
            tracing::info!(target: "audit", session, subject, ?scope, by_application, outcome, "logged out");
        }
        SessionEvent::Rejected {
            reason,
            session,
            subject,
            ..
        } => {
            let (session, subject) = (session.map(display), subject.map(debug));
            tracing::debug!(target: "audit", session, subject, %reason, "refused");
        }
        SessionEvent::Renewed {
            session, subject, ..
        } => {
            let subject = subject.map(debug);
            tracing::info!(target: "audit", %session, subject, "renewed");
        }
        _ => tracing::info!(target: "audit", ?event, "something else"),
    }
}
