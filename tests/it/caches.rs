//! Headers for caches, and responses that carry nothing of the session.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, VARY};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Error, HttpResponse, Result, web};
use sealed_session::Session;
use sealed_session::actix::{SessionExt, SessionMiddleware};
use sealed_session::testing::ManualClock;
use serde_json::json;
use support::{Browser, MINUTE, Node, SECOND, builder, cookie, memory, serve, serve_app, started};

use super::site::{alice_at, done, handler, target};

#[actix_web::test]
async fn no_targeted_cache_control_stands_beside_a_set_cookie() {
    let t = target().await;
    let answer = Browser::new(&t.url).get("/cdn").await.is(200);
    assert_eq!(answer.set_cookies().len(), 1);
    assert_eq!(answer.header("cdn-cache-control"), None, "{answer:?}");
}

#[actix_web::test]
async fn peeking_leaves_no_trace() {
    let node = Node::start().await;
    let browser = alice_at(&node).await;
    browser.put("/entries/a", json!(1)).await.is(204);
    let routes = |config: &mut web::ServiceConfig| {
        config.route("/peek", web::get().to(peek));
    };
    let (url, _server) = serve(&node.sessions, routes);
    node.clock.advance(10 * MINUTE);
    let peeking = Browser::new(&url);
    peeking.set_cookie("session", browser.session().unwrap());
    let answer = peeking.get("/peek").await.is(200);
    assert_eq!(answer.json(), json!(["alice", 1]));
    for header in ["set-cookie", "vary", "cache-control"] {
        assert_eq!(answer.header(header), None, "{answer:?}");
    }
}

async fn peek(request: actix_web::HttpRequest) -> Result<HttpResponse> {
    let peek = request.peek_session()?;
    Ok(HttpResponse::Ok().json((peek.subject(), peek.get::<u8>("a")?)))
}

#[actix_web::test]
async fn a_session_that_nobody_wrote_to_costs_the_response_nothing() {
    let browser = handler!(async |session: Session| {
        session.clear();
        session.remove("a");
        session.renew();
        let inserted = session.insert("a", 1);
        session.remove("a");
        inserted.map(|()| done()).map_err(actix_web::Error::from)
    });
    let answer = browser.post("/do").await.is(204);
    assert!(answer.set_cookies().is_empty(), "new and empty: {answer:?}");
    let answer = browser.get("/plain").await.is(200);
    for header in ["set-cookie", "vary", "cache-control"] {
        assert_eq!(answer.header(header), None);
    }
}

/// A middleware for an access log that names the user.
async fn access_log(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let peeks = request.path().ends_with("peek");
    let user = if peeks {
        request.peek_session().unwrap().subject()
    } else {
        request.get_session().unwrap().subject()
    };
    assert_eq!(user.as_deref(), Some("alice"));
    next.call(request).await
}

#[actix_web::test]
async fn an_asset_stays_as_cacheable_as_it_was_beside_a_log_that_peeks() {
    let clock = ManualClock::default();
    let sessions = builder(&clock, memory(&clock)).start().await.unwrap();
    let asset = || async {
        HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "max-age=600, immutable"))
            .body("body { }")
    };
    let (url, _server) = serve_app!(
        1,
        App::new()
            .service(
                web::scope("/assets")
                    .wrap(from_fn(access_log))
                    .route("/{by}", web::get().to(asset))
            )
            .wrap(SessionMiddleware::new(&sessions))
            .configure(support::routes)
    );
    let browser = Browser::new(&url);
    browser.post("/login/alice").await.is(200);
    clock.advance(600 * SECOND);
    let peeked = browser.get("/assets/peek").await.is(200);
    assert_eq!(
        peeked.header("cache-control"),
        Some("max-age=600, immutable")
    );
    assert_eq!(peeked.header("vary"), None);
    assert!(peeked.set_cookies().is_empty(), "{peeked:?}");
    // Whoever looks makes the response depend on the session.
    let looked = browser.get("/assets/look").await.is(200);
    assert_eq!(looked.header("vary"), Some("Cookie"));
}

fn cached(config: &mut web::ServiceConfig) {
    async fn respond(session: Session, query: web::Query<Vec<(String, String)>>) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        for (name, value) in query.iter() {
            match name.as_str() {
                "cache" => response.append_header((CACHE_CONTROL, value.as_str())),
                "vary" => response.append_header((VARY, value.as_str())),
                _ => &mut response,
            };
            match value.as_str() {
                "read" => drop(session.get::<u32>("a")),
                "write" => session.insert("a", 1).unwrap(),
                "remove" => drop(session.remove("a")),
                "take" => drop(session.remove_as::<String>("a")),
                _ => {}
            }
        }
        response.finish()
    }
    config.route("/", web::get().to(respond));
}

#[actix_web::test]
async fn caches_are_told_what_depends_on_the_session() {
    let sessions = started("app", cookie("session", "/")).await;
    let (url, _server) = serve(&sessions, cached);
    let headers = async |query: &str, name: &str| {
        let answer = Browser::new(&url).get(&format!("/?{query}")).await.is(200);
        let values = answer.headers.get_all(name).iter();
        let values: Vec<_> = values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect();
        values.join(" | ")
    };
    for (query, cache, vary) in [
        ("", "", ""),
        ("cache=public", "public", ""),
        ("vary=Accept", "", "Accept"),
        ("do=read", "private", "Cookie"),
        ("do=read&cache=public", "public", "Cookie"),
        ("do=read&cache=no-cache", "no-cache | private", "Cookie"),
        ("do=read&cache=max-age=60", "max-age=60 | private", "Cookie"),
        ("do=read&cache=s-maxage=60", "s-maxage=60", "Cookie"),
        ("do=read&vary=Accept", "private", "Accept | Cookie"),
        ("do=read&vary=Accept, cookie", "private", "Accept, cookie"),
        ("do=read&vary=*", "private", "*"),
        ("do=remove", "private", "Cookie"),
        ("do=take", "private", "Cookie"),
        ("do=write", "no-store", "Cookie"),
        ("do=write&cache=public", "no-store", "Cookie"),
        (
            "do=write&cache=public&cache=max-age=60",
            "no-store",
            "Cookie",
        ),
        ("do=write&vary=Accept", "no-store", "Accept | Cookie"),
    ] {
        assert_eq!(headers(query, "cache-control").await, cache, "{query}");
        assert_eq!(headers(query, "vary").await, vary, "{query}");
    }
}

#[actix_web::test]
async fn a_removal_is_not_stored_by_caches_either() {
    let sessions = started("app", cookie("session", "/")).await;
    let (url, _server) = serve(&sessions, cached);
    let answer = Browser::new(&url)
        .holding("junk")
        .get("/?cache=public&do=read")
        .await;
    assert!(answer.removes_cookie());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("vary"), Some("Cookie"));
}

#[actix_web::test]
async fn lost_update_reading_sends_nothing_back() {
    let node = Node::start().await;
    let browser = node.browser();
    browser.put("/entries/a", json!(1)).await.is(204);
    let reader = browser.copy();
    browser.put("/entries/a", json!(2)).await.is(204);
    for path in ["/entries/a", "/entries/b", "/plain", "/me", "/nowhere"] {
        assert!(reader.get(path).await.set_cookies().is_empty(), "{path}");
    }
}
