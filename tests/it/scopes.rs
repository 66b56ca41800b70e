//! Several sessions in one application, guards, and the mistakes that are easy to make.

use actix_web::guard::fn_guard;
use actix_web::{App, HttpRequest, HttpResponse, Result, web};
use sealed_session::Session;
use sealed_session::actix::{Authenticated, SessionExt, SessionMiddleware};
use sealed_session::testing::ManualClock;
use serde_json::{Value, json};
use support::{Browser, cookie, eventually, memory, serve, serve_app, started, started_on};

/// Who is logged in to the nearest session, and to those of two names.
async fn who(request: HttpRequest, nearest: Session) -> Result<web::Json<Value>> {
    let named = |name| {
        let session = request.session_named(name);
        session.map(|session| session.subject()).ok().flatten()
    };
    Ok(web::Json(json!({
        "nearest": nearest.subject(),
        "session": named("session"),
        "admin": named("admin"),
    })))
}

async fn login(session: Session, user: web::Path<String>) -> Result<&'static str> {
    session.authenticate(user.into_inner()).await?;
    Ok("welcome")
}

/// An application with a session, and a scope of it with another.
macro_rules! two_levels {
    ($app:expr, $scope:expr) => {{
        let (app, scope) = ($app.clone(), $scope.clone());
        serve_app!(
            1,
            App::new()
                .wrap(SessionMiddleware::new(&app))
                .route("/who", web::get().to(who))
                .route("/login/{user}", web::post().to(login))
                .service(
                    web::scope("/admin")
                        .wrap(SessionMiddleware::new(&scope))
                        .route("/who", web::get().to(who))
                        .route("/login/{user}", web::post().to(login))
                        .route(
                            "/me",
                            web::get()
                                .to(async |user: Authenticated| { user.subject().to_owned() })
                        )
                )
        )
    }};
}

#[actix_web::test]
async fn a_scope_has_a_session_of_its_own_beside_the_applications() {
    let app = started("app", cookie("session", "/")).await;
    let admin = started("app", cookie("admin", "/admin")).await;
    let (url, _server) = two_levels!(app, admin);
    let browser = Browser::new(&url);
    let login = browser.post("/login/alice").await.is(200);
    assert!(login.set_cookies()[0].contains("Path=/"));
    browser.get("/admin/me").await.is(401);
    let login = browser.post("/admin/login/root").await.is(200);
    assert!(login.set_cookies()[0].starts_with("admin="));
    assert!(login.set_cookies()[0].contains("Path=/admin"));
    assert_eq!(
        browser.get("/admin/who").await.is(200).json(),
        json!({"nearest": "root", "session": "alice", "admin": "root"})
    );
    assert_eq!(
        browser.get("/who").await.is(200).json(),
        json!({"nearest": "alice", "session": "alice", "admin": null})
    );
    // One ends, the other stays.
    admin.end_subject("root").await.unwrap();
    browser.get("/admin/me").await.is(401);
    let who = browser.get("/who").await.is(200).json();
    assert_eq!(who["nearest"], "alice");
}

/// Both cookies have one name, so the browser sends both to the scope. Their audiences differ: a user
/// of the application is nobody in the scope.
#[actix_web::test]
async fn two_sessions_with_one_name_and_two_audiences_are_not_mistaken_for_each_other() {
    let app = started("app", cookie("session", "/")).await;
    let admin = started("admin", cookie("session", "/admin")).await;
    let (url, _server) = two_levels!(app, admin);
    let browser = Browser::new(&url);
    browser.post("/login/alice").await.is(200);
    let users = browser.session().unwrap();
    browser.copy().get("/admin/me").await.is(401);
    let root = Browser::new(&url);
    root.post("/admin/login/root").await.is(200);
    let roots = root.session().unwrap();
    assert_eq!(root.get("/admin/me").await.is(200).body, "root");
    assert_eq!(
        root.get("/who").await.is(200).json()["nearest"],
        json!(null)
    );
    // As a browser sends them: the longer path first.
    let both = format!("session={roots}; session={users}");
    let answer = browser.send_raw(reqwest::Method::GET, "/admin/who", None, Some(both.into()));
    let answer = answer.await.is(200);
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    assert_eq!(
        answer.json(),
        json!({"nearest": "root", "session": "root", "admin": null})
    );
}

/// Nodes of two applications on one store, which holds subjects by a hash over the audience too.
#[actix_web::test]
async fn applications_that_share_a_store_do_not_meet() {
    let clock = ManualClock::default();
    let store = memory(&clock);
    let start = async |audience: &str| {
        let settings = cookie("session", "/");
        started_on(clock.clone(), store.clone(), audience, settings).await
    };
    let (shop, forum) = (start("shop").await, start("forum").await);
    let other_shop_node = start("shop").await;
    let (shop_url, _shop) = serve(&shop, support::routes);
    let (forum_url, _forum) = serve(&forum, support::routes);
    let (customer, member) = (Browser::new(&shop_url), Browser::new(&forum_url));
    let log_in = async || {
        customer.post("/login/alice").await.is(200);
        member.post("/login/alice").await.is(200);
    };
    log_in().await;
    // The keys are the same, and yet neither takes the other's cookies.
    let swapped = [
        Browser::new(&shop_url).holding(member.session().unwrap()),
        Browser::new(&forum_url).holding(customer.session().unwrap()),
    ];
    for browser in swapped {
        browser.get("/me").await.removes();
    }

    shop.end_subject("alice").await.unwrap();
    customer.copy().get("/me").await.leaves_alone();
    member.get("/me").await.is(200);
    log_in().await;
    member.post("/logout-all").await.is(204);
    customer.get("/me").await.is(200);
    log_in().await;
    other_shop_node.end_subject("alice").await.unwrap();
    eventually(|| async { customer.copy().get("/me").await.status == 401 }).await;
    member.get("/me").await.is(200);

    // Everyone is everyone whose revocations the store keeps.
    log_in().await;
    shop.end_everyone().await.unwrap();
    customer.get("/me").await.leaves_alone();
    eventually(|| async { member.copy().get("/me").await.status == 401 }).await;
}

#[actix_web::test]
async fn the_same_middleware_twice_is_one() {
    let sessions = started("app", cookie("session", "/")).await;
    let (url, _server) = two_levels!(sessions, sessions);
    let browser = Browser::new(&url);
    let login = browser.post("/admin/login/alice").await.is(200);
    assert_eq!(login.set_cookies().len(), 1, "{login:?}");
    for path in ["/who", "/admin/who"] {
        assert_eq!(browser.get(path).await.is(200).json()["nearest"], "alice");
    }
}

#[actix_web::test]
async fn a_guard_sees_the_session() {
    let sessions = started("app", cookie("session", "/")).await;
    let (url, _server) = serve_app!(
        1,
        App::new()
            .wrap(SessionMiddleware::new(&sessions))
            .service(
                web::resource("/home")
                    .guard(fn_guard(|context| {
                        let session = context.get_session();
                        session.is_ok_and(|session| session.is_authenticated())
                            && context.session_named("other").is_err()
                    }))
                    .to(async || "home")
            )
            .route("/login/{user}", web::post().to(login))
            .default_service(web::to(
                async || HttpResponse::Unauthorized().body("stranger")
            ))
    );
    let browser = Browser::new(&url);
    let answer = browser.get("/home").await.is(401);
    // The guard has looked, so the answer depends on the cookie.
    assert_eq!(answer.header("vary"), Some("Cookie"));
    assert_eq!(answer.header("cache-control"), Some("private"));
    browser.post("/login/alice").await.is(200);
    assert_eq!(browser.get("/home").await.is(200).body, "home");
}
