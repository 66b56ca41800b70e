//! Who may come in.
//!
//! 1. Whoever may not come in is told why, in an order that asks nobody for a password in vain.
//! 2. A guard on a route says no, and the next route answers.
//! 3. Where nobody can say who it is, nobody is taken for a stranger.

use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, Result};
use reqwest::Method;
use sealed_session::Session;
use sealed_session::actix::Require;
use sealed_session::testing::ManualClock;
use support::faulty::{Call, Faulty, Mode};
use support::written::Written;
use support::{Answer, Browser, MINUTE, SECOND, builder, eventually, log, node_at, serve};

/// A browser that follows a link.
pub const LINK: &[(&str, &str)] = &[("sec-fetch-mode", "navigate")];

pub fn login_page() -> Require {
    Require::login().login_page("/sign-in").unwrap()
}

pub fn recent() -> Require {
    let recent = login_page().within(5 * MINUTE);
    recent.reauthentication_page("/confirm").unwrap()
}

pub async fn enter(session: Session, path: web::Path<(String, String)>) -> Result<&'static str> {
    let (user, roles) = path.into_inner();
    session.authenticate(user).roles(roles.split('+')).await?;
    Ok("welcome")
}

async fn again(session: Session) -> Result<&'static str> {
    session.reauthenticate().await?;
    Ok("it is you")
}

/// Behind each of the guards one page that anyone may ask for in any way.
pub fn routes(config: &mut ServiceConfig) {
    let behind = |path: &str, guard: Require| web::resource(path).wrap(guard).to(async || "inside");
    let huge = "x".repeat(1 << 20);
    config
        .configure(support::routes)
        .route("/enter/{user}/{roles}", web::post().to(enter))
        .route("/again", web::post().to(again))
        .service(behind("/account", login_page()))
        .service(behind("/account/{name}", login_page()))
        .service(behind("/plain-login", Require::login()))
        .service(behind(
            "/leave/now",
            login_page().logout_path("/Leave/Now/").unwrap(),
        ))
        .service(behind("/logout", login_page()))
        .service(behind(
            "/german",
            Require::login().login_page("/sign-in?lang=de").unwrap(),
        ))
        .service(behind("/recent", recent()))
        .service(behind(
            "/recent-program",
            Require::login().within(5 * MINUTE),
        ))
        .service(behind(
            "/admin",
            Require::role("admin").login_page("/sign-in").unwrap(),
        ))
        .service(behind("/any", Require::any_role(["admin", "editor"])))
        .service(behind("/any-of-none", Require::any_role::<&str>([])))
        .service(behind("/all", Require::all_roles(["admin", "editor"])))
        .service(behind("/all-of-none", Require::all_roles::<String>([])))
        .service(behind(
            "/huge",
            Require::any_role([huge.clone(), String::new()]),
        ))
        .service(behind(
            "/recent-admin",
            Require::role("admin").within(5 * MINUTE),
        ));
}

pub async fn site() -> (ManualClock, Browser) {
    let (node, browser) = node_at(routes).await;
    (node.clock, browser)
}

pub async fn get(browser: &Browser, path: &str, headers: &[(&str, &str)]) -> Answer {
    browser.send_with(Method::GET, path, headers).await
}

/// Where the answer sends a browser that asked for a page.
#[track_caller]
pub fn redirect(answer: Answer) -> String {
    let answer = answer.is(303);
    // A cache must not send anyone else there.
    assert_eq!(answer.header("vary"), Some("Cookie"), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("private"));
    assert_eq!(answer.body, "");
    answer.header("location").unwrap().to_owned()
}

#[actix_web::test]
async fn roles_decide_who_comes_in_and_whom_no_redirect_helps() {
    let (_, stranger) = site().await;
    let all = [
        "/admin",
        "/any",
        "/any-of-none",
        "/all",
        "/all-of-none",
        "/huge",
        "/recent-admin",
    ];
    for path in all {
        stranger.get(path).await.is(401);
    }
    let to_sign_in = redirect(get(&stranger, "/admin", LINK).await);
    assert_eq!(to_sign_in, "/sign-in?next=/admin");
    for (roles, inside) in [
        ("user", &["/all-of-none"][..]),
        ("Admin", &["/all-of-none"]),
        ("editor", &["/any", "/all-of-none"]),
        (
            "admin",
            &["/admin", "/any", "/all-of-none", "/recent-admin"],
        ),
        (
            "editor+admin",
            &["/admin", "/any", "/all", "/all-of-none", "/recent-admin"],
        ),
    ] {
        let browser = Browser::new(stranger.url());
        browser.post(&format!("/enter/alice/{roles}")).await.is(200);
        for path in all {
            for headers in [&[][..], LINK] {
                let answer = get(&browser, path, headers).await;
                if inside.contains(&path) {
                    assert_eq!(answer.is(200).body, "inside", "{roles} {path}");
                    continue;
                }
                let answer = answer.is(403);
                assert_eq!(answer.body, "the user may not do this", "{roles} {path}");
                assert_eq!(answer.header("location"), None);
            }
        }
    }
}

#[actix_web::test]
async fn a_login_that_is_too_old_is_confirmed_before_it_goes_on() {
    let (clock, browser) = site().await;
    browser.post("/enter/alice/user").await.is(200);
    clock.advance(5 * MINUTE);
    for path in ["/recent", "/recent-program"] {
        browser.get(path).await.is(200);
    }
    clock.advance(SECOND);
    for (path, headers) in [
        ("/recent", &[][..]),
        ("/recent-program", &[]),
        ("/recent-program", LINK),
    ] {
        let answer = get(&browser, path, headers).await.is(403);
        assert_eq!(
            answer.body,
            "the login is too long ago for this; log in again"
        );
    }
    let to_confirm = redirect(get(&browser, "/recent?a=b", LINK).await);
    assert_eq!(to_confirm, "/confirm?next=/recent%3Fa%3Db");
    let form = browser.send_with(Method::POST, "/recent", LINK).await;
    assert_eq!(redirect(form), "/confirm");
    // Who lacks the role too is not asked for a password in vain.
    let answer = browser.get("/recent-admin").await.is(403);
    assert_eq!(answer.body, "the user may not do this");
    browser.get("/account").await.is(200);
    browser.post("/again").await.is(200);
    for path in ["/recent", "/recent-program"] {
        browser.get(path).await.is(200);
    }
}

/// Two routes of one path, and a third for everyone else.
fn peers(config: &mut ServiceConfig) {
    config
        .configure(routes)
        .route(
            "/",
            web::get()
                .guard(Require::role("admin"))
                .to(async || "admin"),
        )
        .route(
            "/",
            web::get()
                .guard(Require::any_role(["editor", "author"]))
                .to(async || "writer"),
        )
        .route(
            "/",
            web::get()
                .guard(Require::login().within(MINUTE))
                .to(async || "just came"),
        )
        .route("/", web::get().guard(login_page()).to(async || "user"))
        .route("/", web::get().to(async || "anyone"))
        .service(
            web::resource("/only")
                .guard(Require::login())
                .to(async || "inside"),
        )
        .service(
            web::scope("/members")
                .guard(Require::login())
                .route("/area", web::get().to(async || "members")),
        )
        .service(web::scope("/members").route("/area", web::get().to(async || "others")));
}

#[actix_web::test]
async fn a_guard_that_says_no_lets_the_next_route_answer() {
    let (node, stranger) = node_at(peers).await;
    // Its page means nothing there.
    let answer = get(&stranger, "/", LINK).await.is(200);
    assert_eq!(answer.body, "anyone");
    // The guards have looked.
    assert_eq!(answer.header("vary"), Some("Cookie"));
    stranger.get("/only").await.is(404);
    assert_eq!(stranger.get("/members/area").await.is(200).body, "others");
    for (roles, first, later) in [
        ("user", "just came", "user"),
        ("author", "writer", "writer"),
        ("author+admin", "admin", "admin"),
    ] {
        let browser = Browser::new(stranger.url());
        browser.post(&format!("/enter/alice/{roles}")).await.is(200);
        assert_eq!(browser.get("/").await.body, first);
        node.clock.advance(2 * MINUTE);
        assert_eq!(browser.get("/").await.body, later);
        assert_eq!(browser.get("/only").await.body, "inside");
        assert_eq!(browser.get("/members/area").await.body, "members");
        browser.post("/logout").await.is(204);
        assert_eq!(browser.get("/").await.body, "anyone");
    }
}

fn nested(config: &mut ServiceConfig) {
    let keys = web::resource("/keys")
        .wrap(Require::role("root").within(MINUTE))
        .to(async || "keys");
    let admin = web::scope("/admin")
        .wrap(Require::role("admin"))
        .route("/users", web::get().to(async || "users"))
        .service(keys);
    let shop = web::scope("/shop")
        .wrap(login_page())
        .route("/cart", web::get().to(async || "cart"))
        .service(admin);
    config
        .route("/enter/{user}/{roles}", web::post().to(enter))
        .service(shop);
}

#[actix_web::test]
async fn of_guards_inside_one_another_each_has_to_let_in() {
    let (_node, stranger) = node_at(nested).await;
    for path in ["/shop/cart", "/shop/admin/users", "/shop/admin/keys"] {
        let location = redirect(get(&stranger, path, LINK).await);
        assert_eq!(location, format!("/sign-in?next={path}"));
        stranger.get(path).await.is(401);
    }
    for (roles, answers) in [
        ("user", [200, 403, 403]),
        ("admin", [200, 200, 403]),
        ("root", [200, 403, 403]),
        ("root+admin", [200, 200, 200]),
    ] {
        let browser = Browser::new(stranger.url());
        browser.post(&format!("/enter/alice/{roles}")).await.is(200);
        for (path, status) in ["cart", "admin/users", "admin/keys"].iter().zip(answers) {
            browser.get(&format!("/shop/{path}")).await.is(status);
        }
    }
}

#[actix_web::test]
async fn guards_take_nobody_for_a_stranger_while_the_list_cannot_be_trusted() {
    let clock = ManualClock::default();
    let store = Faulty::new(log(&clock));
    let sessions = builder(&clock, store.clone()).start().await.unwrap();
    let (url, _server) = serve(&sessions, peers);
    let browser = Browser::new(&url);
    browser.post("/enter/alice/admin").await.is(200);
    store.set_call(Call::Follow, Mode::Hanging);
    eventually(|| async { store.waiting() >= 1 }).await;
    clock.advance(11 * SECOND);
    for path in [
        "/account",
        "/admin",
        "/recent",
        "/recent-program",
        "/",
        "/only",
        "/members/area",
    ] {
        for headers in [&[][..], LINK] {
            let answer = get(&browser, path, headers).await.is(503);
            assert_eq!(answer.header("retry-after"), Some("2"), "{path}");
            assert_eq!(answer.header("location"), None);
            assert!(answer.set_cookies().is_empty());
        }
    }
    browser.get("/plain").await.is(200);
    // Without a cookie there is nothing to judge.
    let stranger = Browser::new(&url);
    assert_eq!(stranger.get("/").await.is(200).body, "anyone");
    redirect(get(&stranger, "/account", LINK).await);
}

#[actix_web::test]
async fn a_guard_without_the_session_middleware_is_the_developers_error() {
    let written = Written::default();
    let _listening = written.listen();
    let app = init_service(App::new().configure(peers)).await;
    for headers in [None, LINK.first()] {
        let ask = |path| {
            let request = TestRequest::get().uri(path);
            let request = headers.map_or(request, |_| {
                TestRequest::get().uri(path).insert_header(LINK[0])
            });
            request.to_request()
        };
        for path in ["/account", "/admin", "/recent"] {
            let answer = call_service(&app, ask(path)).await;
            assert_eq!(answer.status(), 500);
            assert!(!answer.headers().contains_key("location"));
        }
        // A guard has no answer of its own.
        assert_eq!(call_service(&app, ask("/only")).await.status(), 404);
        assert_eq!(call_service(&app, ask("/")).await.status(), 200);
    }
    let told = written.lines("a guard has no SessionMiddleware around it");
    assert_eq!(told.len(), 1, "once: anyone can ask");
    assert!(told[0].contains("ERROR"), "{told:?}");
}
