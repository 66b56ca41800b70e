//! Tokens against cross-site requests, for applications that must have them.
//!
//! 1. A token is bound to the session's id. So it ends with its session, and with a login, which gives another id.
//! 2. It is bound to something, so where there is no session one begins: an empty one that nobody is logged in to.
//! 3. Each is masked anew. Two of one session are different texts, and both are good, as often as they are sent.
//! 4. Nothing is stored. [`seal`](crate::seal) makes them and looks at them.

use std::fmt;
use std::sync::Arc;

use crate::csrf::TokenNames;
use crate::random;
use crate::seal::csrf;
use crate::session::Session;
use crate::session::error::CsrfTokenError;

/// A token against cross-site requests, for a form or a script of a page: made by [`Session::csrf_token`], or as an
/// argument of a handler.
///
/// Whoever takes one where there is no session begins one that nobody is logged in to: the token has to be bound to
/// something. The response then sets the session's cookie. It depends on the session in any case (`Vary: Cookie`,
/// `private`).
///
/// With [`CsrfMode::Token`](crate::settings::CsrfMode::Token) whatever could change something needs a token, a login as well.
/// With the other modes tokens are made and not demanded. A login ends those from before it: a page that was open then
/// has to be loaded again, and a handler that logs in takes its token afterwards.
///
/// # Forms
///
/// A hidden field, the first of the form. In a form with files it must not come behind them: it is looked for in the
/// first 64 KiB.
///
/// ```
/// use sealed_session::CsrfToken;
///
/// fn page(token: &CsrfToken) -> String {
///     let field = token.as_hidden_field();
///     format!(r#"<form method="post" action="/transfer">{field}<input name="amount"></form>"#)
/// }
/// ```
///
/// # htmx
///
/// Either all requests from below an element carry the header:
///
/// ```
/// use sealed_session::CsrfToken;
///
/// fn body(token: &CsrfToken) -> String {
///     let name = token.header_name();
///     format!(r#"<body hx-headers='{{"{name}": "{token}"}}'>"#)
/// }
/// ```
///
/// Or the page's head has the token ([`as_meta_tag`](Self::as_meta_tag)), and a script adds it to what htmx sends, in the
/// header that [`header_name`](Self::header_name) says:
///
/// ```html
/// <meta name="csrf-token" content="...">
/// <script>
///   document.addEventListener("htmx:configRequest", (event) => {
///     event.detail.headers["x-csrf-token"] = document.querySelector("meta[name=csrf-token]").content;
///   });
/// </script>
/// ```
///
/// # Programs
///
/// They ask for it, keep the cookie, and send both:
///
/// ```
/// # #[cfg(feature = "actix")]
/// # mod routes {
/// use actix_web::HttpResponse;
/// use sealed_session::CsrfToken;
/// use std::collections::BTreeMap;
///
/// async fn csrf(token: CsrfToken) -> HttpResponse {
///     HttpResponse::Ok().json(BTreeMap::from([
///         ("token", token.token()),
///         ("header", token.header_name()),
///         ("field", token.field_name()),
///     ]))
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct CsrfToken {
    text: String,
    names: Arc<TokenNames>,
}

impl Session {
    /// A token against cross-site requests for this session, under a mask of its own. Begins a session where there is
    /// none.
    ///
    /// # Errors
    /// When there is no session and none can begin now, the generator fails, or no key is active.
    pub fn csrf_token(&self) -> Result<CsrfToken, CsrfTokenError> {
        let service = self.service();
        let session = self.look(|state| state.bind(service))?;
        let ring = service.keys.load();
        let key = ring.sealing(service.now());
        let mask = random::bytes(&*service.random)?;
        let text = key.and_then(|key| csrf::write(key, &service.binding, &session, mask));
        Ok(CsrfToken {
            text: text.ok_or(CsrfTokenError::NoActiveKey)?,
            names: Arc::clone(&service.csrf.names),
        })
    }

    /// Whether this is a token of the session, under any key that still opens: for a handler that finds it elsewhere
    /// than in a header or a form, with another mode than `token`.
    ///
    /// ```
    /// use sealed_session::Session;
    ///
    /// fn may_change(session: &Session, body: &serde_json::Value) -> bool {
    ///     body["csrf"].as_str().is_some_and(|token| session.is_csrf_token(token))
    /// }
    /// ```
    pub fn is_csrf_token(&self, token: &str) -> bool {
        self.look(|_| ());
        self.check_csrf_token(token.as_bytes()).is_ok()
    }

    /// The same with a reason, for the log. The response does not come to depend on the session.
    pub(crate) fn check_csrf_token(&self, token: &[u8]) -> Result<(), &'static str> {
        let service = self.service();
        let session = self.with(|state| state.record().map(|record| record.id));
        let session = session.ok_or("there is no session")?;
        let ring = service.keys.load();
        csrf::check(token, &ring, &service.binding, &session, service.now())
    }
}

impl CsrfToken {
    /// The token: 48 characters of base64url, which need no escaping anywhere.
    pub fn token(&self) -> &str {
        &self.text
    }

    /// The header that carries it (`csrf.header`), in lower case.
    pub fn header_name(&self) -> &str {
        &self.names.header
    }

    /// The field of a form that carries it (`csrf.field`).
    pub fn field_name(&self) -> &str {
        &self.names.field
    }

    /// A hidden field for a form.
    pub fn as_hidden_field(&self) -> String {
        self.as_hidden_field_named(self.field_name())
    }

    /// A hidden field of this name, which is escaped: for a handler that looks at it itself
    /// ([`Session::is_csrf_token`]).
    pub fn as_hidden_field_named(&self, name: &str) -> String {
        let (name, token) = (escaped(name), escaped(&self.text));
        format!(r#"<input type="hidden" name="{name}" value="{token}">"#)
    }

    /// A meta tag for the head of a page, for scripts: `<meta name="csrf-token" content="...">`.
    pub fn as_meta_tag(&self) -> String {
        let token = escaped(&self.text);
        format!(r#"<meta name="csrf-token" content="{token}">"#)
    }
}

/// The token itself.
impl fmt::Display for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// Shows no token: with the session's cookie it could be used.
redacted!(CsrfToken);

/// For an attribute between quotes of either kind, and for the text of an element.
fn escaped(text: &str) -> String {
    // The first one first, because it stands in the others.
    [
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("\"", "&quot;"),
        ("'", "&#39;"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (c, by)| text.replace(c, by))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, field: &str) -> CsrfToken {
        CsrfToken {
            text: "-abc_".to_owned(),
            names: Arc::new(TokenNames {
                header: header.to_owned(),
                field: field.to_owned(),
            }),
        }
    }

    #[test]
    fn what_stands_in_a_page_is_escaped() {
        let token = token("x-t", "t");
        let field = |name: &str| format!(r#"<input type="hidden" name="{name}" value="-abc_">"#);
        assert_eq!(token.as_hidden_field(), field("t"));
        let named = token.as_hidden_field_named("a\"><script>'&amp;");
        assert_eq!(named, field("a&quot;&gt;&lt;script&gt;&#39;&amp;amp;"));
        assert_eq!(
            token.as_meta_tag(),
            r#"<meta name="csrf-token" content="-abc_">"#
        );
        assert_eq!(token.to_string(), token.token());
        assert!(!format!("{token:?}").contains("abc"));
    }
}
