//! A token in a field of a form.
//!
//! 1. It is found in the first 64 KiB. What is not a form, is malformed or has it later is refused.
//! 2. The handler gets the body as it came, and while it comes.

use std::time::Duration;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Result};
use futures_util::StreamExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::gate::gate;
use support::raw::Reply;
use support::{Answer, Browser, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::csrf_tokens::{self, taken};

const FORM: &str = "application/x-www-form-urlencoded";
const PARTS: &str = "multipart/form-data; boundary=b0undary";
const KIB: usize = 1024;

fn routes(config: &mut ServiceConfig) {
    config
        .configure(csrf_tokens::routes)
        .route("/digest", web::post().to(digest))
        .route("/form", web::post().to(form))
        .route("/gated/{name}", web::post().to(gated));
}

/// What came, to its last byte.
async fn digest(body: web::Payload) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(summed(body).await?))
}

/// The same, and tells when it began.
async fn gated(name: web::Path<String>, body: web::Payload) -> Result<HttpResponse> {
    gate(&name).pass().await;
    Ok(HttpResponse::Ok().json(summed(body).await?))
}

async fn form(form: web::Form<Vec<(String, String)>>) -> HttpResponse {
    HttpResponse::Ok().json(form.into_inner())
}

async fn summed(mut body: web::Payload) -> Result<Value> {
    let (mut hash, mut length) = (Sha256::new(), 0);
    while let Some(piece) = body.next().await {
        let piece = piece?;
        length += piece.len();
        hash.update(&piece);
    }
    Ok(told(hash, length))
}

fn told(hash: Sha256, length: usize) -> Value {
    json!([length, format!("{:x?}", hash.finalize())])
}

fn sum(body: &[u8]) -> Value {
    let mut hash = Sha256::new();
    hash.update(body);
    told(hash, body.len())
}

/// A browser at the routes above, and a token for it.
async fn browser() -> (Browser, String) {
    let (sessions, _) = csrf_tokens::started(|builder| builder).await;
    let browser = Browser::new(&serve(&sessions, routes).0);
    let token = taken(&browser).await;
    (browser, token)
}

fn part(name: &str, value: &str) -> String {
    let head = format!("Content-Disposition: form-data; name=\"{name}\"");
    format!("--b0undary\r\n{head}\r\n\r\n{value}\r\n")
}

/// Bytes of every kind.
fn file(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251) as u8).collect()
}

/// A multipart body.
fn parts(before: &str, file_length: usize, after: &str) -> Vec<u8> {
    let head = "--b0undary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\
                Content-Type: application/octet-stream\r\n\r\n";
    let end = format!("\r\n{after}--b0undary--\r\n");
    [
        before.as_bytes(),
        head.as_bytes(),
        &file(file_length),
        end.as_bytes(),
    ]
    .concat()
}

async fn post(browser: &Browser, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    let body = body.into();
    let answer = browser
        .post_body("/digest", content_type, body.clone(), &[])
        .await;
    if answer.status == 200 {
        assert_eq!(answer.json(), sum(&body), "byte for byte");
    }
    answer
}

#[actix_web::test]
async fn a_field_of_a_form_will_do_and_the_handler_gets_all_of_it() {
    let (browser, token) = browser().await;
    let filler = "x".repeat(60 * KIB);
    for (content_type, body, status) in [
        (FORM, format!("csrf_token={token}"), 200),
        (FORM, format!("a=1&csrf_token={token}&b=%C3%BC"), 200),
        (FORM, format!("a={filler}&csrf_token={token}"), 200),
        (
            "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
            format!("csrf_token={token}"),
            200,
        ),
        (PARTS, part("csrf_token", &token) + "--b0undary--", 200),
        (
            PARTS,
            part("a", "1") + &part("csrf_token", &token) + "--b0undary--",
            200,
        ),
        // A wrong one first, one of another name, one in another kind of body.
        (FORM, format!("csrf_token=&csrf_token={token}"), 403),
        (
            FORM,
            format!("csrf_token2={token}&xcsrf_token={token}"),
            403,
        ),
        (FORM, format!("CSRF_TOKEN={token}"), 403),
        (PARTS, part("csrf_token", &token[1..]) + "--b0undary--", 403),
        (PARTS, part("csrf-token", &token) + "--b0undary--", 403),
        (
            "application/json",
            format!("{{\"csrf_token\": \"{token}\"}}"),
            403,
        ),
        ("text/plain", format!("csrf_token={token}"), 403),
    ] {
        let answer = post(&browser, content_type, body.clone()).await;
        assert_eq!(answer.status, status, "{body}");
    }
    // The header decides where there is one.
    let body = format!("csrf_token={token}");
    for (header, status) in [("x", 403), ("", 403), (token.as_str(), 200)] {
        let header = [("x-csrf-token", header)];
        let answer = browser
            .post_body("/digest", FORM, body.clone(), &header)
            .await;
        answer.is(status);
    }
    let header = [("x-csrf-token", token.as_str())];
    let answer = browser.post_body("/digest", FORM, "csrf_token=x", &header);
    answer.await.is(200);
    // With an extractor.
    let answer = browser
        .post_body("/form", FORM, format!("csrf_token={token}&a=b+c"), &[])
        .await;
    assert_eq!(
        answer.is(200).json(),
        json!([["csrf_token", token], ["a", "b c"]])
    );
}

#[actix_web::test]
async fn malformed_forms_are_refused_or_left_to_the_handler() {
    let (browser, token) = browser().await;
    for (content_type, body) in [
        (FORM, String::new()),
        (FORM, "%".into()),
        (FORM, "&&&==".into()),
        (FORM, format!("csrf_token=%zz{token}")),
        (FORM, format!("csrf_token={}%", &token[..47])),
        (FORM, format!("csrf%5Ftoken={token}")),
        (FORM, format!("csrf_token\0={token}")),
        (PARTS, String::new()),
        (PARTS, "--b0undary".into()),
        (PARTS, part("csrf_token", &token).trim_end().into()),
        (PARTS, part("csrf_token", &token).replace("\r\n", "\n")),
        ("", format!("csrf_token={token}")),
        ("\"", format!("csrf_token={token}")),
    ] {
        post(&browser, content_type, body).await.is(403);
    }
    // Beside a good token that is the handler's affair: a bad percent sign, and no boundary.
    post(&browser, FORM, format!("a=%zz&%&csrf_token={token}&b=%"))
        .await
        .is(200);
    post(&browser, "multipart/form-data", part("csrf_token", &token))
        .await
        .is(200);
    // No body at all.
    browser.post("/digest").await.is(403);
    // What is encoded is not decoded, and reaches the handler as it is.
    let (body, encoded) = (file(1000), ("content-encoding", "gzip"));
    let headers = [encoded, ("x-csrf-token", token.as_str())];
    let refused = browser.post_body("/digest", FORM, body.clone(), &headers[..1]);
    refused.await.is(403);
    let taken = browser.post_body("/digest", FORM, body.clone(), &headers);
    assert_eq!(taken.await.is(200).json(), sum(&body));
}

/// Sends a request piece by piece.
struct Slow {
    stream: TcpStream,
}

impl Slow {
    async fn begin(browser: &Browser, path: &str, content_type: &str, length: usize) -> Self {
        let address = browser.url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let cookies = browser.header().unwrap_or_default();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nCookie: {cookies}\r\n\
             Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        Self { stream }
    }

    /// `false` where the server has closed already.
    async fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    async fn answer(mut self) -> Reply {
        let mut bytes = Vec::new();
        let read = self.stream.read_to_end(&mut bytes);
        let read = tokio::time::timeout(Duration::from_secs(20), read).await;
        // A reset after the answer is as good as a close.
        let _ = read.expect("the server neither answers nor closes");
        Reply { bytes }
    }
}

/// Waits until the handler runs.
async fn entered(name: &str) {
    let at = gate(name);
    let entered = tokio::time::timeout(Duration::from_secs(20), at.entered()).await;
    entered.expect("the handler does not run");
}

#[actix_web::test]
async fn a_slow_upload_of_5_mb_whose_token_comes_first_reaches_the_handler_while_it_comes() {
    let (browser, token) = browser().await;
    let before = part("csrf_token", &token);
    let body = parts(&before, 5_000_000, "");
    let mut slow = Slow::begin(&browser, "/gated/upload", PARTS, body.len()).await;
    let (first, rest) = body.split_at(before.len() + 10);
    for byte in first {
        assert!(slow.send(&[*byte]).await);
    }
    // The handler runs although nearly all is still to come.
    entered("upload").await;
    gate("upload").open();
    for piece in rest.chunks(100_000) {
        assert!(slow.send(piece).await);
    }
    let reply = slow.answer().await;
    assert_eq!(reply.status(), 200);
    let answer: Value = serde_json::from_str(&reply.body()).unwrap();
    assert_eq!(answer, sum(&body));
}

#[actix_web::test]
async fn a_token_behind_64_kib_is_refused_with_a_word_about_it() {
    let (browser, token) = browser().await;
    let last = part("csrf_token", &token);
    for (length, status) in [(60 * KIB, 200), (70 * KIB, 403), (5_000_000, 403)] {
        let body = parts("", length, &last);
        let mut slow = Slow::begin(&browser, "/digest", PARTS, body.len()).await;
        // It is answered from the first 64 KiB alone.
        let sent = if status == 403 { 66 * KIB } else { body.len() };
        assert!(slow.send(&body[..sent]).await);
        let reply = slow.answer().await;
        assert_eq!(reply.status(), status, "{length}");
        assert_eq!(reply.body().contains("64 KiB: put it first"), status == 403);
    }
    let body = [b"a=".to_vec(), vec![b'x'; 10_000_000]].concat();
    let mut slow = Slow::begin(&browser, "/digest", FORM, body.len()).await;
    assert!(slow.send(&body[..66 * KIB]).await);
    assert_eq!(slow.answer().await.status(), 403);
}

/// It could not have a right one, so nobody waits for its body.
#[actix_web::test]
async fn a_form_without_a_session_is_refused_before_its_body_comes() {
    let (browser, _) = browser().await;
    let stranger = Browser::new(browser.url());
    let slow = Slow::begin(&stranger, "/digest", FORM, 1000).await;
    assert_eq!(slow.answer().await.status(), 403);
}

#[actix_web::test]
async fn an_upload_that_breaks_off_is_an_error_to_the_handler() {
    let (browser, token) = browser().await;
    let body = parts(&part("csrf_token", &token), 100_000, "");
    let mut slow = Slow::begin(&browser, "/gated/broken", PARTS, body.len()).await;
    assert!(slow.send(&body[..50_000]).await);
    entered("broken").await;
    slow.stream.shutdown().await.unwrap();
    gate("broken").open();
    // Not the digest of a part.
    assert_ne!(slow.answer().await.status(), 200);
}

#[actix_web::test]
async fn a_client_that_waits_for_100_continue_is_told_so() {
    let (browser, token) = browser().await;
    let body = format!("csrf_token={token}");
    let head = format!("{FORM}\r\nExpect: 100-continue");
    let mut slow = Slow::begin(&browser, "/digest", &head, body.len()).await;
    let mut interim = [0; 25];
    slow.stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert!(slow.send(body.as_bytes()).await);
    assert_eq!(slow.answer().await.status(), 200);
}
