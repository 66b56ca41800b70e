//! An application with the real actix-session 0.11.

use std::collections::BTreeMap;

use actix_session::config::CookieContentSecurity;
use actix_session::storage::CookieSessionStore;
use actix_session::{Session, SessionMiddleware};
use actix_web::cookie::Key;
use actix_web::{App, HttpResponse, Result, web};
use sealed_session::migrate::ActixSessionCookie;
use sealed_session::time::UnixMillis;
use serde_json::Value;

use super::typed::Typed;
use support::{Browser, Node, serve_app};

/// The old application's key.
pub fn key(number: u8) -> [u8; 64] {
    std::array::from_fn(|index| number ^ index as u8)
}

/// How the old application kept its cookie.
#[derive(Clone)]
pub struct Old {
    pub name: &'static str,
    pub content: CookieContentSecurity,
    pub key: [u8; 64],
}

pub const CONTENTS: [CookieContentSecurity; 2] = [
    CookieContentSecurity::Private,
    CookieContentSecurity::Signed,
];

impl Old {
    pub fn new(content: CookieContentSecurity) -> Self {
        Self {
            name: "id",
            content,
            key: key(1),
        }
    }

    /// As the new application is told, by a user id in the entries.
    pub fn cookie(&self, until: UnixMillis) -> ActixSessionCookie {
        let old = ActixSessionCookie::new(self.name, &self.key, until).unwrap();
        let old = old.subject(|old| old.get("user_id"));
        match self.content {
            CookieContentSecurity::Private => old,
            CookieContentSecurity::Signed => old.signed(),
        }
    }

    /// A browser that the old application has given a cookie, at the new one.
    pub async fn browser(&self, node: &Node, entries: Value) -> Browser {
        let browser = Browser::new(&self.serve());
        browser
            .send(reqwest::Method::POST, "/", Some(entries))
            .await
            .is(200);
        assert_eq!(browser.names(), [self.name]);
        browser.at(node)
    }

    /// The same, with a value of every shape.
    pub async fn browser_with_types(&self, node: &Node) -> Browser {
        let browser = Browser::new(&self.serve());
        browser.post("/typed").await.is(200);
        browser.at(node)
    }

    fn serve(&self) -> String {
        let Self { name, content, key } = self.clone();
        let (url, _) = serve_app!(1, {
            let key = Key::from(&key);
            let middleware = SessionMiddleware::builder(CookieSessionStore::default(), key)
                .cookie_name(name.to_owned())
                .cookie_secure(false)
                .cookie_content_security(content)
                .build();
            App::new()
                .wrap(middleware)
                .route("/", web::post().to(insert))
                .route("/typed", web::post().to(insert_types))
        });
        url
    }
}

async fn insert(
    session: Session,
    entries: web::Json<BTreeMap<String, Value>>,
) -> Result<HttpResponse> {
    for (name, value) in entries.into_inner() {
        session.insert(name, value)?;
    }
    Ok(HttpResponse::Ok().finish())
}

async fn insert_types(session: Session) -> Result<HttpResponse> {
    session.insert("user_id", "alice")?;
    let typed = Typed::default();
    session.insert("text", &typed.text)?;
    session.insert("large", typed.large)?;
    session.insert("negative", typed.negative)?;
    session.insert("fraction", typed.fraction)?;
    session.insert("absent", &typed.absent)?;
    session.insert("address", typed.address)?;
    session.insert("choice", &typed.choice)?;
    session.insert("all", &typed)?;
    Ok(HttpResponse::Ok().finish())
}
