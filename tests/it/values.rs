//! What an application puts into a session comes out of it, or was refused when it went in.

use std::net::IpAddr;

use actix_web::{HttpResponse, ResponseError, Result, web};
use sealed_session::adapter::Incoming;
use sealed_session::testing::ManualClock;
use sealed_session::{
    Session, SessionInsertError, SessionUpdateError, session::LoginError, time::Clock,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_bytes::ByteBuf;
use serde_json::{Value as Json, json};
use support::forge::{Forge, Record};
use support::written::Written;
use support::{Browser, Node, builder, memory, serve};

/// A browser of a server that sets in one request, at `/set`, and reads in the next, at `/get`.
macro_rules! set_then_get {
    ($set:expr, $get:expr) => {{
        let clock = ManualClock::default();
        let sessions = builder(&clock, memory(&clock)).start().await.unwrap();
        let (url, _server) = serve(&sessions, |config| {
            config
                .configure(support::routes)
                .route("/set", web::post().to($set))
                .route("/get", web::post().to($get));
        });
        let browser = Browser::new(&url);
        browser.post("/set").await.is(204);
        browser.post("/get").await.is(204);
        browser
    }};
}

fn done() -> Result<HttpResponse> {
    Ok(HttpResponse::NoContent().finish())
}

/// As the crate `uuid` has it: text where a person reads it, else 16 bytes.
#[derive(PartialEq, Debug)]
struct Uuid([u8; 16]);

const UUID: Uuid = Uuid(*b"sixteen letters!");
const TEXT: &str = "7369787465656e206c65747465727321";

impl Serialize for Uuid {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        if to.is_human_readable() {
            to.collect_str(&format_args!("{:032x}", u128::from_be_bytes(self.0)))
        } else {
            to.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Uuid {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        if from.is_human_readable() {
            let number = u128::from_str_radix(&String::deserialize(from)?, 16);
            Ok(Self(number.map_err(de::Error::custom)?.to_be_bytes()))
        } else {
            let bytes = ByteBuf::deserialize(from)?.into_vec();
            Ok(Self(bytes.try_into().map_err(|_| de::Error::custom(""))?))
        }
    }
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
#[serde(tag = "k")]
enum Tagged {
    Ip { ip: IpAddr, id: Uuid },
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
#[serde(untagged)]
enum Untagged {
    Ip { ip: IpAddr, id: Uuid },
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Flat {
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Inner {
    ip: IpAddr,
    id: Uuid,
}

fn ip() -> IpAddr {
    "2001:db8::1".parse().unwrap()
}

#[actix_web::test]
async fn types_with_two_forms_come_back_from_tagged_untagged_and_flattened_types() {
    set_then_get!(
        async |session: Session| {
            session.insert("tagged", Tagged::Ip { ip: ip(), id: UUID })?;
            session.insert("untagged", Untagged::Ip { ip: ip(), id: UUID })?;
            let inner = Inner { ip: ip(), id: UUID };
            session.insert("flat", Flat { inner })?;
            done()
        },
        async |session: Session| {
            let tagged = Tagged::Ip { ip: ip(), id: UUID };
            assert_eq!(session.get("tagged")?, Some(tagged));
            let untagged = Untagged::Ip { ip: ip(), id: UUID };
            assert_eq!(session.get("untagged")?, Some(untagged));
            let inner = Inner { ip: ip(), id: UUID };
            assert_eq!(session.get("flat")?, Some(Flat { inner }));
            done()
        }
    );
}

#[actix_web::test]
async fn what_has_a_text_reads_as_that_text_and_bytes_are_no_text() {
    set_then_get!(
        async |session: Session| {
            session.insert("id", UUID)?;
            session.insert("bytes", ByteBuf::from(UUID.0))?;
            session.insert("text", "sixteen letters!")?;
            done()
        },
        async |session: Session| {
            assert_eq!(session.get("id")?, Some(UUID));
            assert_eq!(session.get("id")?, Some(json!(TEXT)));
            assert_eq!(session.get::<String>("id")?.as_deref(), Some(TEXT));
            session.get::<String>("bytes").unwrap_err();
            session.get::<ByteBuf>("text").unwrap_err();
            assert_eq!(session.get("bytes")?, Some(ByteBuf::from(UUID.0)));
            done()
        }
    );
}

fn nested(levels: usize) -> Json {
    (1..levels).fold(json!([]), |inner, _| json!([inner]))
}

#[derive(Serialize, Deserialize)]
enum Chain {
    End,
    Next(Box<Chain>),
}

#[actix_web::test]
async fn a_value_is_nested_up_to_128_levels_and_refused_beyond() {
    set_then_get!(
        async |session: Session| {
            session.insert("deep", nested(128))?;
            let too_deep = || SessionInsertError::TooDeep { key: "d".into() };
            assert_eq!(session.insert("d", nested(129)), Err(too_deep()));
            let chain = (0..129).fold(Chain::End, |chain, _| Chain::Next(Box::new(chain)));
            assert_eq!(session.insert("d", &chain), Err(too_deep()));
            let error = session.update_or("d", nested(129), |it| it).unwrap_err();
            assert_eq!(error, SessionUpdateError::Insert(too_deep()));
            let login = session.authenticate("alice").entry("d", nested(129));
            let error = login.await.unwrap_err();
            assert_eq!(error, LoginError::Insert(too_deep()));
            assert_eq!(error.status_code(), 500);
            assert!(!session.contains_key("d"));
            done()
        },
        async |session: Session| {
            assert_eq!(session.get("deep")?, Some(nested(128)));
            done()
        }
    );
}

/// Nobody honest seals one. It must not end the process either.
#[actix_web::test]
async fn a_deeper_value_in_a_record_is_an_error_to_whoever_reads_it() {
    let node = Node::start().await;
    let now = node.clock.now();
    let chain = b"\x81\xa4Next".repeat(400);
    for value in [vec![0x91; 2_000], vec![0x81; 2_000], chain] {
        let mut record = Record::of_alice(now);
        record.entries.insert("deep".into(), ByteBuf::from(value));
        let browser = node.browser().holding(Forge::at(now).seal(&record));
        browser.get("/me").await.is(200);
        browser.get("/entries/deep").await.is(500);
    }
}

#[actix_web::test]
async fn an_entry_whose_type_has_changed_can_be_discarded_and_the_log_names_it() {
    let clock = ManualClock::default();
    let sessions = builder(&clock, memory(&clock)).start().await.unwrap();
    let written = Written::default();
    let _listening = written.listen();

    let session = sessions
        .load(Incoming::new(std::iter::empty()))
        .unwrap()
        .session;
    session.insert("cart", "4111 1111").unwrap();
    session.insert("other", 1).unwrap();
    let append = |cart: Vec<u8>| [cart, vec![3]].concat();
    // For ever, and over a login.
    session.update_or("cart", vec![1], append).unwrap_err();
    session.authenticate("alice").await.unwrap();
    session.get::<Vec<u8>>("cart").unwrap_err();

    assert_eq!(session.get_or_discard::<Vec<u8>>("cart"), None);
    let log = written.text();
    let line = log.lines().find(|line| line.contains("discarding"));
    let line = line.unwrap();
    assert!(line.contains("WARN") && line.contains("cart"), "{line}");
    assert!(!log.contains("4111"), "{log}");

    assert!(!session.contains_key("cart"));
    session.update_or("cart", vec![1], append).unwrap();
    session.update_or("cart", vec![1], append).unwrap();
    assert_eq!(session.get_or_discard("cart"), Some(vec![1u8, 3]));
    assert_eq!(session.get_or_discard("other"), Some(1));
    assert_eq!(session.get_or_discard::<u8>("none"), None);
    session.authenticate("alice").await.unwrap();
    assert_eq!(session.get_or_discard("cart"), Some(vec![1u8, 3]));
}

/// A cookie from before a renewal only reads.
#[actix_web::test]
async fn discarding_where_nothing_can_be_written_is_no_error() {
    let clock = ManualClock::default();
    let sessions = builder(&clock, memory(&clock)).start().await.unwrap();
    let (url, _server) = serve(&sessions, |config| {
        config.configure(support::routes).route(
            "/discard",
            web::post().to(async |session: Session| {
                assert_eq!(session.get_or_discard::<Vec<u8>>("cart"), None);
                done()
            }),
        );
    });
    let browser = Browser::new(&url);
    browser.put("/entries/cart", json!("text")).await.is(204);
    let older = browser.copy();
    browser.post("/renew").await.is(200);
    older.post("/discard").await.is(204);
    assert_eq!(browser.get("/entries/cart").await.is(200).json(), "text");
    browser.post("/discard").await.is(204);
    browser.get("/entries/cart").await.is(404);
}

#[actix_web::test]
async fn names_that_begin_with_nul_are_the_librarys_own() {
    set_then_get!(
        async |session: Session| {
            let key = "\0flash";
            let reserved = || SessionInsertError::ReservedName { key: key.into() };
            assert_eq!(session.insert(key, 1), Err(reserved()));
            let errors = [
                session.update(key, |it: u8| it),
                session.update_or(key, 1, |it: u8| it),
            ];
            for error in errors {
                assert_eq!(error, Err(SessionUpdateError::Insert(reserved())));
            }
            let login = session.authenticate("alice").entry(key, 1).await;
            assert_eq!(login, Err(LoginError::Insert(reserved())));
            session.insert("a\0", 1)?;
            done()
        },
        async |session: Session| {
            assert!(!session.is_authenticated());
            assert_eq!(session.entries().keys().collect::<Vec<_>>(), ["a\0"]);
            done()
        }
    );
}

#[actix_web::test]
async fn the_librarys_own_entries_are_not_listed_and_stay_when_all_are_cleared() {
    let clock = ManualClock::default();
    let sessions = builder(&clock, memory(&clock)).start().await.unwrap();
    let mut record = Record::of_alice(clock.now());
    for name in ["\0flash", "theme"] {
        record.entries.insert(name.into(), ByteBuf::from([1]));
    }
    let header = format!("session={}", Forge::at(clock.now()).seal(&record));
    let lines = std::iter::once(header.as_bytes());
    let session = sessions.load(Incoming::new(lines)).unwrap().session;
    assert_eq!(session.entries().keys().collect::<Vec<_>>(), ["theme"]);
    assert!(session.contains_key("\0flash"));
    session.clear();
    assert!(session.contains_key("\0flash") && !session.contains_key("theme"));
}
