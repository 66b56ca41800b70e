//! The small examples do what their first lines say.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use actix_session::storage::CookieSessionStore;
use actix_web::cookie::Key;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use reqwest::Method;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::web_socket::WebSocket;
use support::{Browser, eventually, example, ports};

/// An example that does not outlive its test.
struct Running(Child, String);

impl Running {
    async fn start(name: &str, arguments: &[&str]) -> Self {
        let address = ports::local(ports::free(1));
        let mut command = Command::new(example(name));
        command.arg(address.to_string()).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command.spawn().unwrap();
        let running = Self(child, format!("http://{address}"));
        eventually(|| async { tokio::net::TcpStream::connect(address).await.is_ok() }).await;
        running
    }

    fn browser(&self) -> Browser {
        Browser::new(&self.1)
    }

    /// Ends it, and returns what it printed.
    fn printed(mut self) -> String {
        self.0.kill().unwrap();
        let mut printed = String::new();
        let mut output = self.0.stdout.take().unwrap();
        output.read_to_string(&mut printed).unwrap();
        printed
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Follows redirects, keeping cookies.
async fn follow(browser: &Browser, path: &str) -> String {
    let mut path = path.to_owned();
    loop {
        let answer = browser.get(&path).await;
        match answer.header("location") {
            Some(next) => path = next.to_owned(),
            None => return answer.is(200).body,
        }
    }
}

#[test]
fn small_examples_are_small() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("own_store.rs") {
            let lines = std::fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines < 80, "{}: {lines}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen}");
}

#[actix_web::test]
async fn the_quick_start_logs_in_and_out() {
    let example = Running::start("quick_start", &[]).await;
    let browser = example.browser();
    browser.get("/").await.is(401);
    browser.post("/login/alice").await.is(200);
    let copy = browser.copy();
    assert_eq!(browser.get("/").await.body, "Hello, alice, in a dark theme");
    browser.post("/logout").await.is(200);
    copy.get("/").await.is(401);
}

#[actix_web::test]
async fn the_example_of_typed_sessions_keeps_a_cart_and_settings() {
    let example = Running::start("typed_session", &[]).await;
    let browser = example.browser();
    assert_eq!(browser.get("/cart").await.body, " (EUR)");
    browser.post("/cart/tea").await.is(200);
    browser.post("/cart/tea").await.is(200);
    assert_eq!(browser.post("/cart/rice").await.body, "3 wares");
    browser.post("/currency/CHF").await.is(200);
    assert_eq!(browser.get("/cart").await.body, "1 rice, 2 tea (CHF)");
}

#[actix_web::test]
async fn the_example_of_flash_messages_shows_each_once_and_escapes_it() {
    let example = Running::start("flash", &[]).await;
    let browser = example.browser();
    let save = async |name: &str| {
        let saved = browser.post_form("/name", &format!("name={name}")).await;
        assert_eq!(saved.is(303).header("location"), Some("/"));
    };
    save("").await;
    let page = browser.get("/").await.body;
    assert!(
        page.contains("flash-error") && page.contains("one letter"),
        "{page}"
    );
    save("%3Cb%3E").await;
    let page = browser.get("/").await.body;
    assert!(
        page.contains("flash-success") && page.contains("&lt;b>"),
        "{page}"
    );
    assert!(
        !page.contains("<b>") && !page.contains("one letter"),
        "{page}"
    );
    let page = browser.get("/").await.body;
    assert!(!page.contains("flash-"), "{page}");
}

#[actix_web::test]
async fn the_example_of_roles_lets_in_whom_it_says() {
    let example = Running::start("roles", &[]).await;
    let stranger = example.browser();
    assert_eq!(stranger.get("/").await.body, "a stranger reads");
    stranger.post("/articles").await.is(401);
    let of = async |role: &str| {
        let browser = example.browser();
        browser.post(&format!("/login/ada/{role}")).await.is(200);
        browser
    };
    let reader = of("reader").await;
    assert_eq!(reader.get("/").await.body, "ada reads");
    reader.post("/articles").await.is(403);
    let editor = of("editor").await;
    assert_eq!(editor.post("/articles").await.body, "written by ada");
    editor.delete("/articles/1").await.is(403);
    let admin = of("admin").await;
    assert_eq!(admin.delete("/articles/1").await.body, "ada removed 1");
}

#[actix_web::test]
async fn the_example_of_devices_lists_names_and_ends_them_and_lets_three_in() {
    let example = Running::start("devices", &[]).await;
    let list = async |browser: &Browser| browser.get("/devices").await.is(200).json();
    let told = |listed: &Value, what: &str| -> Vec<String> {
        let listed = listed.as_array().unwrap().iter();
        let mut told: Vec<_> = listed.map(|it| it[what].as_str().unwrap().into()).collect();
        told.sort();
        told
    };
    let current = async |browser: &Browser| {
        let listed = list(browser).await;
        let mut listed = listed.as_array().unwrap().iter();
        let own = listed.find(|it| it["is_current"] == true).unwrap();
        own["id"].as_str().unwrap().to_owned()
    };
    let [firefox, television, script] = std::array::from_fn(|_| example.browser());
    firefox.get("/devices").await.is(401);
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
    let agent = [("user-agent", agent)];
    let login = firefox.send_with(Method::POST, "/login/ada", &agent).await;
    login.is(200);
    let login = television.post("/login/ada?device=Television").await;
    login.is(200);
    script.post("/login/ada").await.is(200);
    let labels = told(&list(&television).await, "label");
    assert_eq!(labels, ["Firefox on Linux", "Television", "unknown device"]);

    let bob = example.browser();
    bob.post("/login/bob").await.is(200);
    assert_eq!(told(&list(&bob).await, "id").len(), 1);
    let path = format!("/devices/{}", current(&script).await);
    bob.delete(&path).await.is(404);
    bob.delete("/devices/mine").await.is(404);
    television.delete(&path).await.is(200);
    script.get("/devices").await.is(401);

    script.post("/login/ada").await.is(200);
    let before = told(&list(&script).await, "id");
    let fourth = example.browser();
    fourth.post("/login/ada").await.is(200);
    let after = told(&list(&fourth).await, "id");
    assert_eq!((before.len(), after.len()), (3, 3));
    let mut ended = before.iter().filter(|id| !after.contains(id));
    let (ended, by) = (ended.next().unwrap(), current(&fourth).await);
    let line = format!("ada: {ended} made room for {by}\n");
    assert_eq!(example.printed(), line, "one was ended by hand: not told");
}

#[actix_web::test]
async fn the_example_of_tokens_counts_what_carries_one() {
    let example = Running::start("csrf_htmx", &[]).await;
    let browser = example.browser();
    let page = browser.get("/").await.is(200).body;
    browser.post("/count").await.is(403);
    let between = |start: &str, end: &str| {
        let (_, rest) = page.split_once(start).unwrap();
        rest.split_once(end).unwrap().0.to_owned()
    };
    let field = between("name=\"csrf_token\" value=\"", "\"");
    let form = format!("csrf_token={field}");
    let form = browser.post_form("/count", &form).await;
    assert_eq!(form.is(200).body, "1");
    let header = between("{\"x-csrf-token\": \"", "\"");
    let headers = [("x-csrf-token", header.as_str())];
    let htmx = browser.send_with(Method::POST, "/count", &headers).await;
    assert_eq!(htmx.is(200).body, "2");
    let stranger = example.browser();
    stranger.get("/").await.is(200);
    let stolen = stranger.send_with(Method::POST, "/count", &headers).await;
    stolen.is(403);
}

#[actix_web::test]
async fn the_example_of_a_websocket_closes_it_at_the_logout() {
    let example = Running::start("websocket", &[]).await;
    let browser = example.browser();
    browser.post("/login").await.is(303);
    let mut socket = WebSocket::open(&browser).await;
    socket.send("hello").await;
    assert_eq!(socket.next().await, (0x81, b"hello".to_vec()));
    browser.post("/logout").await.is(303);
    assert_eq!(socket.next().await.0, 0x88, "a close frame");
    browser.get("/socket").await.is(401);
}

#[actix_web::test]
async fn the_example_of_oauth_ends_only_the_login_that_this_browser_began() {
    let example = Running::start("oauth", &[]).await;
    let browser = example.browser();
    assert_eq!(follow(&browser, "/login").await, "Hello, alice");

    // Somebody else's callback, and one that comes twice.
    let victim = example.browser();
    let begun = |answer: support::Answer| answer.header("location").unwrap().to_owned();
    let provider = begun(browser.get("/login").await.is(303));
    let callback = begun(browser.get(&provider).await.is(303));
    victim.get(&callback).await.is(400);
    victim.get("/login").await.is(303);
    victim.get(&callback).await.is(400);
    victim.get("/").await.is(401);
    let copy = browser.copy();
    browser.get(&callback).await.is(303);
    browser.get(&callback).await.is(400);
    copy.get(&callback).await.is(400);
}

#[actix_web::test]
async fn the_example_of_a_passkey_takes_each_challenge_once() {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let key = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let example = Running::start("passkey", &[&BASE64.encode(key.public_key())]).await;
    let sign = |challenge: &str| {
        let client = json!({ "type": "webauthn.get", "challenge": challenge }).to_string();
        let message = [b"authenticator".as_slice(), &Sha256::digest(&client)].concat();
        let signature = key.sign(&message);
        json!([
            BASE64.encode(client),
            BASE64.encode("authenticator"),
            BASE64.encode(signature)
        ])
    };
    let browser = example.browser();
    let login = async |browser: &Browser, assertion| {
        browser.send(Method::POST, "/login", Some(assertion)).await
    };
    let challenge = browser.get("/challenge").await.is(200).body;
    let copy = browser.copy();
    let other = example.browser();
    login(&other, sign(&challenge)).await.is(401);
    login(&other, json!(["", "", ""])).await.is(401);
    login(&browser, sign(&challenge)).await.is(200);
    // The same cookie and the same answer of the key, once more.
    login(&copy, sign(&challenge)).await.is(401);
    browser.get("/challenge").await.is(200);
    login(&browser, sign(&challenge)).await.is(401);
}

#[cfg(feature = "migrate-actix-session")]
/// A cookie of the old application, where alice is logged in.
async fn old_cookie(key: &[u8]) -> String {
    async fn login(session: actix_session::Session) -> &'static str {
        session.insert("user_id", "alice").unwrap();
        session.insert("visits", 7).unwrap();
        "welcome"
    }
    let store = CookieSessionStore::default();
    let app = App::new()
        .wrap(actix_session::SessionMiddleware::new(store, Key::from(key)))
        .route("/", web::get().to(login));
    let app = init_service(app).await;
    let response = call_service(&app, TestRequest::get().to_request()).await;
    response
        .response()
        .cookies()
        .next()
        .unwrap()
        .value()
        .to_owned()
}

#[cfg(feature = "migrate-actix-session")]
#[actix_web::test]
async fn the_example_of_moving_in_takes_over_who_is_logged_in() {
    let key = [7; 64];
    let example = Running::start("from_actix_session", &[&BASE64.encode(key)]).await;
    let browser = example.browser();
    browser.set_cookie("id", old_cookie(&key).await);
    let copy = browser.copy();
    let page = browser.get("/").await.is(200);
    assert_eq!(page.body, "Hello, alice, for the 8. time");
    assert_eq!(browser.names(), ["__Host-session"]);
    browser.post("/logout").await.is(200);
    // For some seconds the browser that logged out might still send this.
    copy.get("/").await.is(409);
    browser.post("/login").await.is(200);
    assert_eq!(browser.get("/").await.body, "Hello, alice, for the 1. time");
}
