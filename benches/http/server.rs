//! The servers: one route each, with sessions of four kinds.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use actix_session::storage::{CookieSessionStore, RedisSessionStore, SessionStore};
use actix_web::cookie::Key;
use actix_web::{App, HttpServer, dev, web};
use sealed_session::KeyRing;
use sealed_session::actix::SessionMiddleware;

use crate::common::ours::{self, Ended, Ours};
use crate::common::shapes::{self, CSRF, Size};
use crate::handlers;

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

/// A server in a process of its own, and a cookie that it takes.
pub struct Server {
    child: Child,
    pub port: u16,
    pub header: String,
}

impl Server {
    pub fn start(kind: Kind, size: Size, redis: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([WORD, kind.name(), size.name(), redis])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = || lines.next().expect("the server starts").unwrap();
        let port = line().parse().unwrap();
        let header = line();
        let mut server = Self {
            child,
            port,
            header,
        };
        if server.header.is_empty() {
            server.header = server.begin();
        }
        server.check(kind);
        server
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// The Cookie header of a session that the server makes.
    fn begin(&self) -> String {
        let answer = self.get("/begin", "a=b");
        let cookie = answer
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "));
        let (name, value) = shapes::pair(cookie.expect("a cookie"));
        shapes::header(name, value)
    }

    /// It answers with the session's value. Without its cookie it does not, and with a changed one neither.
    fn check(&self, kind: Kind) {
        assert!(self.get("/", &self.header).ends_with(CSRF));
        if kind != Kind::Bare {
            let session = self.header.split("; ").nth(1).unwrap();
            let (_, value) = session.split_once('=').unwrap();
            for cookie in ["a=b", &shapes::tampered(&self.header, value)] {
                let answer = self.get("/", cookie);
                assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
            }
        }
    }

    fn get(&self, path: &str, cookie: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// The process ends when nobody holds its standard input.
impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Says its port and a Cookie header (none if `/begin` makes the session), and serves.
#[actix_web::main]
pub async fn serve(kind: &str, size: &str, redis: &str) {
    std::thread::spawn(|| {
        // Until whoever measures is gone.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let kind = Kind::ALL.into_iter().find(|each| each.name() == kind);
    let size = Size::named(size);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let say = |header: &str| println!("{port}\n{header}");
    let server = match kind.unwrap() {
        Kind::Bare => {
            say(&shapes::header("__Host-session", CSRF));
            let app = || App::new().route("/", web::get().to(handlers::bare));
            let server = HttpServer::new(app).workers(1).listen(listener);
            server.unwrap().run()
        }
        Kind::Ours => {
            let ring = KeyRing::generate().unwrap();
            let sessions = ours::builder(ring).start().await.unwrap();
            let ours = Ours::start(sessions, size, Ended::MANY).await;
            say(&ours.header);
            let app = move || {
                App::new()
                    .wrap(SessionMiddleware::new(&ours.sessions))
                    .route("/", web::get().to(handlers::our_read))
            };
            let server = HttpServer::new(app).workers(1).listen(listener);
            server.unwrap().run()
        }
        Kind::Cookies => {
            say("");
            theirs(CookieSessionStore::default, size, listener)
        }
        Kind::Redis => {
            let store = RedisSessionStore::new(redis).await.unwrap();
            say("");
            theirs(move || store.clone(), size, listener)
        }
    };
    server.await.unwrap();
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
