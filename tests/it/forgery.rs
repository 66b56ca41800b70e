//! The holder of a key can forge records; some are refused nevertheless.

use sealed_session::settings::CookieSettings;
use sealed_session::time::Clock;
use serde_bytes::ByteBuf;
use support::forge::{Forge, Login, Record};
use support::{HOUR, Node, with};

/// Everything below relies on it: a token that is right in every part does open.
#[actix_web::test]
async fn a_token_made_from_the_formats_description_opens() {
    let node = Node::start().await;
    let now = node.clock.now();
    let mut record = Record::of_alice(now);
    // MessagePack for 5.
    record.entries.insert("five".into(), ByteBuf::from([5]));
    let browser = node.browser().holding(Forge::at(now).seal(&record));
    assert_eq!(browser.get("/me").await.is(200).json()["user"], "alice");
    assert_eq!(browser.get("/entries/five").await.is(200).json(), 5);
}

#[actix_web::test]
async fn a_record_that_no_honest_node_makes_is_refused() {
    let node = Node::start().await;
    let now = node.clock.now();
    let ahead = now.as_millis() + 60_001;
    type Change = fn(&mut Record, u64);
    // Perhaps it is this node's clock that is behind: the browser keeps these.
    let ahead_of_time: [(&str, Change); 6] = [
        ("created in the future", |r, ahead| r.created = ahead),
        ("refreshed in the future", |r, ahead| r.refreshed = ahead),
        ("logged in in the future", |r, ahead| {
            r.login = Some(Login::of("alice", 0, ahead));
        }),
        ("a generation of the future", |r, ahead| {
            r.login = Some(Login::of("alice", ahead, r.created));
        }),
        ("the last generation", |r, _| {
            r.login = Some(Login::of("alice", u64::MAX, r.created));
        }),
        ("everyone's generation of the future", |r, ahead| {
            r.everyone = ahead;
        }),
    ];
    let nonsense: [(&str, Change); 18] = [
        ("nobody's name", |r, _| {
            r.login = Some(Login::of("", 0, r.created));
        }),
        ("longer than any limit", |r, _| {
            r.expires = r.created + 401 * 24 * 3600 * 1000;
        }),
        ("over before it began", |r, _| r.expires = r.created),
        ("a serial above the last", |r, _| r.serial = u32::MAX - 2),
        ("the serial of an end", |r, _| r.serial = u32::MAX - 1),
        ("the serial of a succession", |r, _| r.serial = u32::MAX),
        ("another record version", |r, _| r.version = 2),
        ("another class", |r, _| r.class = 2),
        ("too many keys", |r, _| {
            r.keys = ByteBuf::from((0..17 * 4).collect::<Vec<u8>>());
        }),
        ("a key twice", |r, _| r.keys = ByteBuf::from([1; 8])),
        ("a name too long", |r, _| {
            r.login = Some(Login::of(&"a".repeat(256), 0, r.created));
        }),
        ("too many roles", |r, _| {
            login(r).roles = (10..43).map(|role| role.to_string()).collect();
        }),
        ("a role twice", |r, _| login(r).roles = vec!["a".into(); 2]),
        ("a role without a name", |r, _| {
            login(r).roles = vec![String::new()];
        }),
        ("a role too long", |r, _| {
            login(r).roles = vec!["a".repeat(65)]
        }),
        ("too many groups", |r, _| {
            login(r).groups = (0..9).map(|group| ([group; 16], 0)).collect();
        }),
        ("groups out of order", |r, _| {
            login(r).groups = vec![([2; 16], 0), ([1; 16], 0)];
        }),
        ("a group twice", |r, _| {
            login(r).groups = vec![([1; 16], 0), ([1; 16], 1)];
        }),
    ];
    let kept = ahead_of_time.map(|case| (case, &[][..]));
    let removed = nonsense.map(|case| (case, &["session"][..]));
    for ((what, change), removes) in kept.into_iter().chain(removed) {
        let mut record = Record::of_alice(now);
        change(&mut record, ahead);
        let browser = node.browser().holding(Forge::at(now).seal(&record));
        let answer = browser.get("/me").await;
        assert_eq!(answer.status, 401, "{what}");
        assert_eq!(answer.removed(), removes, "{what}");
    }
}

fn login(record: &mut Record) -> &mut Login {
    record.login.as_mut().unwrap()
}

#[actix_web::test]
async fn a_login_with_all_that_it_can_carry_opens() {
    let node = Node::with(|builder| {
        builder.cookie(with(CookieSettings::plain_http(), |cookie| {
            cookie.max_bytes = 4096;
        }))
    })
    .await;
    let now = node.clock.now();
    let mut record = Record::of_alice(now);
    *login(&mut record) = Login {
        roles: (10..42).map(|role| role.to_string().repeat(32)).collect(),
        groups: (0..8).map(|group| ([group; 16], now.as_millis())).collect(),
        fingerprint: Some([9; 16]),
        ..Login::of(&"a".repeat(255), 0, now.as_millis())
    };
    let browser = node.browser().holding(Forge::at(now).seal(&record));
    browser.get("/me").await.is(200);
}

/// Who ends a user's sessions ends those with the user's key. With another one they would live on.
#[actix_web::test]
async fn a_session_with_another_subjects_key_is_refused() {
    let node = Node::start().await;
    let now = node.clock.now();
    let forged = |key_of: &str| {
        let mut record = Record::of_alice(now);
        record.login = Some(Login {
            subject: "alice".into(),
            ..Login::of(key_of, 0, now.as_millis())
        });
        node.browser().holding(Forge::at(now).seal(&record))
    };
    // The second time her own is known to fit.
    for _ in 0..2 {
        for other in ["bob", "Alice", ""] {
            let answer = forged(other).get("/me").await;
            assert_eq!(answer.status, 401, "{other}");
            assert_eq!(answer.removed(), ["session"], "{other}");
        }
        forged("alice").get("/me").await.is(200);
    }
    node.sessions.end_subject("alice").await.unwrap();
    forged("alice").get("/me").await.is(401);
}

#[actix_web::test]
async fn a_plaintext_in_another_form_is_refused() {
    let node = Node::start().await;
    let now = node.clock.now();
    let forge = Forge::at(now);
    let record = Record::of_alice(now).encode();
    let mut padded = (record.len() as u32).to_be_bytes().to_vec();
    padded.extend_from_slice(&record);
    padded.resize(padded.len().next_multiple_of(32), 0);

    let mut longer = record.clone();
    longer.push(0);
    let mut dirty = padded.clone();
    *dirty.last_mut().unwrap() = 1;
    let mut wide = padded.clone();
    wide.resize(padded.len() + 32, 0);
    let mut announced = padded.clone();
    announced[..4].copy_from_slice(&u32::MAX.to_be_bytes());
    // A table of entries that announces more than there is.
    let mut hungry = record.clone();
    hungry.pop();
    hungry.extend([0xff, 0xff, 0xff, 0xff, 0x0f]);
    for (what, token) in [
        ("bytes are left over", forge.seal_bytes(&longer)),
        (
            "a byte is missing",
            forge.seal_bytes(&record[..record.len() - 1]),
        ),
        ("nothing", forge.seal_bytes(&[])),
        ("padding that is not zero", forge.seal_padded(dirty)),
        ("padding of a block too many", forge.seal_padded(wide)),
        ("a length beyond the end", forge.seal_padded(announced)),
        ("entries beyond the end", forge.seal_bytes(&hungry)),
        ("no padding", forge.seal_padded(record)),
    ] {
        let answer = node.browser().holding(token).get("/me").await;
        assert_eq!(answer.status, 401, "{what}");
        assert_eq!(answer.removed(), ["session"], "{what}");
    }
}

#[actix_web::test]
async fn a_forged_record_is_bound_to_what_its_token_says() {
    let node = Node::start().await;
    let now = node.clock.now();
    let record = Record::of_alice(now);
    let changes: [fn(&mut Forge); 3] = [
        |forge| forge.cookie = "session2".into(),
        |forge| forge.audience = "test2".into(),
        |forge| forge.chunks = 2,
    ];
    for change in changes {
        let mut forge = Forge::at(now);
        change(&mut forge);
        node.browser()
            .holding(forge.seal(&record))
            .get("/me")
            .await
            .removes();
    }
}

/// Whoever holds a key can forge a session. It lives no longer than the honest ones.
#[actix_web::test]
async fn a_forged_session_does_not_outlive_todays_limits() {
    let node = Node::start().await;
    let now = node.clock.now();
    let mut record = Record::of_alice(now);
    record.expires = record.created + 400 * 24 * 3600 * 1000;
    let browser = node.browser().holding(Forge::at(now).seal(&record));
    for _ in 0..47 {
        browser.get("/me").await.is(200);
        node.clock.advance(HOUR / 2);
    }
    node.clock.advance(HOUR / 2);
    browser.get("/me").await.is(401);
}
