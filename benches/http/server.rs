//! The servers: one route each, with sessions of four kinds.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

use actix_session::storage::{CookieSessionStore, RedisSessionStore, SessionStore};
use actix_web::cookie::Key;
use actix_web::{App, HttpServer, Result, dev, web};
use sealed_session::KeyRing;
use sealed_session::actix::SessionMiddleware;

use crate::common::ours::{self, Ended};
use crate::common::shapes::{self, CSRF, Size, USER};
use crate::{handlers, processor};

/// What the binary is called with to be a server.
pub const WORD: &str = "serve";

/// Whose sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bare,
    Ours,
    Cookies,
    Redis,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Bare, Self::Ours, Self::Cookies, Self::Redis];

    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare route",
            Self::Ours => "sealed-session",
            Self::Cookies => "actix-session, cookies",
            Self::Redis => "actix-session, Redis",
        }
    }
}

/// A server in a process of its own.
pub struct Server {
    child: Child,
    pub port: u16,
}

impl Server {
    pub fn start(kind: Kind, size: Size, redis: &str) -> Self {
        let mut child = processor::on(processor::SERVER, &processor::own())
            .args([WORD, kind.name(), size.name(), redis])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let port = line.trim_end().parse().expect("the server starts");
        Self { child, port }
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Cookie headers of so many sessions that the server makes. It answers with a value of each of them, and not without
    /// the cookie or with a changed one.
    pub fn begin(&self, sessions: usize) -> Vec<String> {
        let mut stream = BufReader::new(self.connect());
        let mut begin = || {
            let request = b"GET /begin HTTP/1.1\r\nHost: a\r\n\r\n";
            stream.get_mut().write_all(request).unwrap();
            let mut header = None;
            let mut line = String::new();
            // The body is empty.
            while line != "\r\n" {
                line.clear();
                assert_ne!(stream.read_line(&mut line).unwrap(), 0);
                if let Some(cookie) = line.strip_prefix("set-cookie: ") {
                    let (name, value) = shapes::pair(cookie);
                    header = Some(shapes::header(name, value));
                }
            }
            header.expect("a cookie")
        };
        let headers: Vec<String> = (0..sessions).map(|_| begin()).collect();
        let (first, last) = headers.first().zip(headers.last()).unwrap();
        for header in [first, last] {
            self.check(header);
        }
        headers
    }

    fn check(&self, header: &str) {
        assert!(self.get("/", header).ends_with(CSRF));
        let session = header.split("; ").nth(1).unwrap();
        let (_, value) = session.split_once('=').unwrap();
        for cookie in ["a=b", &shapes::tampered(header, value)] {
            let answer = self.get("/", cookie);
            assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        }
    }

    fn get(&self, path: &str, cookie: &str) -> String {
        let mut stream = self.connect();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).unwrap()
    }
}

/// The process ends when nobody holds its standard input.
impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Says its port, and serves: `/` answers with a value of the session, `/begin` makes one.
#[actix_web::main]
pub async fn serve(kind: &str, size: &str, redis: &str) {
    processor::end_with_input();
    let kind = Kind::ALL.into_iter().find(|each| each.name() == kind);
    let size = Size::named(size);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    println!("{port}");
    let server = match kind.unwrap() {
        Kind::Bare => {
            let app = || App::new().route("/", web::get().to(handlers::bare));
            let server = HttpServer::new(app).workers(1).listen(listener);
            server.unwrap().run()
        }
        Kind::Ours => {
            let ring = KeyRing::generate().unwrap();
            let sessions = ours::builder(ring).start().await.unwrap();
            ours::end_others(&sessions, Ended::MANY).await;
            let app = move || {
                let begin = move |session| our_begin(session, size);
                App::new()
                    .wrap(SessionMiddleware::new(&sessions))
                    .route("/", web::get().to(handlers::our_read))
                    .route("/begin", web::get().to(begin))
            };
            let server = HttpServer::new(app).workers(1).listen(listener);
            server.unwrap().run()
        }
        Kind::Cookies => theirs(CookieSessionStore::default, size, listener),
        Kind::Redis => {
            let store = RedisSessionStore::new(redis).await.unwrap();
            theirs(move || store.clone(), size, listener)
        }
    };
    server.await.unwrap();
}

/// Makes the session, as the other's handler does.
async fn our_begin(session: sealed_session::Session, size: Size) -> Result<String> {
    session.authenticate(USER).await?;
    for (name, value) in size.entries() {
        session.insert(name, value)?;
    }
    Ok(String::new())
}

/// actix-session, wherever it keeps what is in a session.
fn theirs<S: SessionStore + 'static>(
    store: impl Fn() -> S + Clone + Send + 'static,
    size: Size,
    listener: TcpListener,
) -> dev::Server {
    let key = Key::generate();
    let app = move || {
        let begin = move |session| handlers::their_begin(session, size);
        App::new()
            .wrap(handlers::their_middleware(store(), key.clone()))
            .route("/", web::get().to(handlers::their_read))
            // Last: routes are tried in this order, and only the first is measured.
            .route("/begin", web::get().to(begin))
    };
    let server = HttpServer::new(app).workers(1).listen(listener);
    server.unwrap().run()
}
