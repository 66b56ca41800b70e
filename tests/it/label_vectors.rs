//! The vectors of rows of an index of sessions: their labels, and what else they say.

use std::sync::Arc;

use sealed_session::SessionsBuilder;
use sealed_session::index::{IndexRow, IndexUpdate, RowState, SessionIndex};
use sealed_session::keys::{Random, RandomError};
use sealed_session::revoke::{Store, SubjectKey};
use sealed_session::settings::DeviceSettings;
use sealed_session::store::Memory;
use sealed_session::time::{Clock, UnixMillis};
use serde_json::{Value, json};

use super::vectors::{Kind, load, of, sessions_with, vectors};

/// A node with an index on a store of its own.
fn indexed(store: &Store) -> impl FnOnce(SessionsBuilder) -> SessionsBuilder {
    let mut devices = DeviceSettings::default();
    devices.index = true;
    let store = store.clone();
    move |builder| builder.store(store).devices(devices)
}

fn index(store: &Store) -> Arc<dyn SessionIndex> {
    store.session_index().unwrap()
}

fn subject(vector: &Value) -> (&str, SubjectKey) {
    let [audience, subject] = ["audience", "subject"].map(|it| vector[it].as_str().unwrap());
    (subject, SubjectKey::new(audience, subject))
}

fn bytes(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap().as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

/// The row of a vector, as its store has it.
fn row(vector: &Value) -> IndexRow {
    let row = &vector["row"];
    let [last_seen, until] =
        ["last_seen", "until"].map(|it| UnixMillis::new(row[it].as_u64().unwrap()));
    let session = row["session"].as_str().unwrap().parse().unwrap();
    let mut made = IndexRow::new(session, RowState::Listed, last_seen, until);
    made.facts = bytes(&row["facts"]);
    made.label = bytes(&row["label"]);
    made
}

#[actix_web::test]
async fn every_row_of_a_vector_is_listed_as_it_says() {
    let (mut labelled, mut bare, mut hidden) = (0, 0, 0);
    for (name, vector) in of(Kind::Listed) {
        let store = Store::from(Memory::new());
        let (sessions, clock) = sessions_with(&vector, indexed(&store)).await;
        let (subject, key) = subject(&vector);
        let row = row(&vector);
        let mut update = IndexUpdate::new(clock.now());
        update.row = Some(row.clone());
        index(&store).update(key, &update).await.unwrap();

        let listed = sessions.list_sessions(subject).await.unwrap();
        let listed: Vec<_> = listed
            .iter()
            .map(|it| {
                json!({
                    "session": it.id.to_string(),
                    "last_seen": it.last_seen_at,
                    "created": it.created_at,
                    "remembered": it.is_remembered,
                    "label": it.label,
                })
            })
            .collect();
        let expected = &vector["expect"];
        let counter = match &expected["label"] {
            _ if expected.is_null() => &mut hidden,
            Value::Null => &mut bare,
            _ => &mut labelled,
        };
        *counter += 1;
        let is_listed = !name.starts_with("no-row-");
        assert_eq!(!expected.is_null(), is_listed, "{name}");
        let has_label = name.starts_with("label-");
        assert_eq!(expected["label"].is_string(), has_label, "{name}");
        let expected = is_listed.then(|| {
            let label = expected["label"].as_str().unwrap_or("unknown device");
            json!({
                "session": row.session.to_string(),
                "last_seen": row.last_seen,
                "created": expected["created"],
                "remembered": expected["remembered"],
                "label": label,
            })
        });
        assert_eq!(listed, Vec::from_iter(expected), "{name}");
    }
    assert!(
        labelled >= 16 && bare >= 4 && hidden >= 47,
        "{labelled} have a label, {bare} have none, {hidden} are not shown"
    );
}

/// The id of the session, and the nonce, that a vector has.
#[derive(Debug)]
struct GivenIds {
    session: Vec<u8>,
    nonce: Vec<u8>,
}

impl Random for GivenIds {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        let given = match bytes.len() {
            16 => &self.session,
            _ => &self.nonce,
        };
        bytes.copy_from_slice(given);
        Ok(())
    }
}

/// The cookie of a session without a login that key 1 sealed.
async fn visit(vector: &Value, at: UnixMillis) -> String {
    let mut earlier = vector.clone();
    earlier["keys"] = json!([{ "published": 1 }]);
    let (sessions, clock) = sessions_with(&earlier, |builder| builder).await;
    clock.set(at);
    let loaded = load(&sessions, &[]);
    loaded.session.insert("seen", "before").unwrap();
    let outcome = sessions.commit(&loaded.session, loaded.ticket).await;
    let (pair, _) = outcome.cookies[0].split_once(';').unwrap();
    pair.to_owned()
}

#[actix_web::test]
async fn the_crate_writes_the_rows_of_the_vectors() {
    for name in [
        "label-of-a-session",
        "label-of-95-bytes",
        "label-in-utf8",
        "label-of-an-audience-in-utf8",
        "label-of-a-remembered-session",
        "label-of-a-session-through-a-retired-key",
    ] {
        let vector = &vectors()[name];
        let expected = row(vector);
        let given = GivenIds {
            session: expected.session.as_bytes().to_vec(),
            nonce: expected.label[4..28].to_vec(),
        };
        let store = Store::from(Memory::new());
        let indexed = indexed(&store);
        let made = |builder: SessionsBuilder| indexed(builder).random(Arc::new(given));
        let (sessions, clock) = sessions_with(vector, made).await;
        let created = UnixMillis::new(vector["expect"]["created"].as_u64().unwrap());
        clock.set(created);
        let before = match name.ends_with("-through-a-retired-key") {
            true => vec![visit(vector, created).await],
            false => Vec::new(),
        };
        let session = load(&sessions, &before).session;
        let (subject, key) = subject(vector);
        let label = vector["expect"]["label"].as_str().unwrap();
        let remembered = vector["expect"]["remembered"].as_bool().unwrap();
        let login = session.authenticate(subject).label(label);
        login.remember(remembered).await.unwrap();
        let rows = index(&store).rows(key).await.unwrap().rows;
        let [written] = &rows[..] else {
            panic!("{name}: {rows:?}");
        };
        assert_eq!(written.session, expected.session, "{name}");
        assert_eq!(written.facts, expected.facts, "{name}");
        assert_eq!(written.label, expected.label, "{name}");
    }
}
