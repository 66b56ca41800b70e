//! docs/FORMAT.md is complete and true.
//!
//! 1. Every vector is named beside the rule that it shows, and every vector that is named exists.
//! 2. The token that is worked through is that of its vector, and each value on the way is computed anew here, from
//!    the document's own inputs and with nothing of the crate.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands between single backticks, outside of fenced blocks.
fn code(text: &str) -> BTreeSet<&str> {
    let parts = text.split("```").step_by(2);
    parts
        .flat_map(|part| part.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn every_vector_is_described_and_every_described_vector_exists() {
    let files = fs::read_dir(Path::new(ROOT).join("tests/data/v1")).unwrap();
    let vectors: BTreeSet<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .map(|name| name.trim_end_matches(".json").to_owned())
        .collect();
    let is_vector = |span: &&str| {
        let rest = [
            "opens-",
            "rejects-",
            "activity-",
            "no-activity-",
            "csrf-",
            "no-csrf-",
            "label-",
            "no-label-",
            "no-row-",
        ]
        .into_iter()
        .find_map(|kind| span.strip_prefix(kind));
        rest.is_some_and(|rest| rest.starts_with(char::is_alphanumeric))
    };
    let text = read("docs/FORMAT.md");
    let described: BTreeSet<String> = code(&text)
        .into_iter()
        .filter(is_vector)
        .map(str::to_owned)
        .collect();
    let missing: Vec<_> = vectors.difference(&described).collect();
    assert!(
        missing.is_empty(),
        "the document does not mention {missing:?}"
    );
    let absent: Vec<_> = described.difference(&vectors).collect();
    assert!(
        absent.is_empty(),
        "the document mentions {absent:?}, which do not exist"
    );
}

/// The chapter with the token.
fn worked_through() -> String {
    let text = read("docs/FORMAT.md");
    let (_, rest) = text
        .split_once("\n## 13. One token, worked through\n")
        .unwrap();
    rest.split_once("\n## ").unwrap().0.to_owned()
}

/// The values of its fenced blocks, by what stands before them. Those that go on in further lines are joined.
fn values(chapter: &str) -> BTreeMap<String, String> {
    let mut values = BTreeMap::<String, String>::new();
    for block in chapter.split("```").skip(1).step_by(2) {
        let mut name = "";
        for line in block.lines().skip(1) {
            let (before, value) = line.split_at(18);
            if !before.trim().is_empty() {
                name = before.trim();
            }
            // The associated data repeat names of the key's block.
            let name = match block.contains("00000010 ") {
                true => format!("associated {name}"),
                false => name.to_owned(),
            };
            values.entry(name).or_default().push_str(value.trim());
        }
    }
    values
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(|it| !it.is_whitespace()).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// A field after its length, which takes so many bytes.
fn with_length(size: usize, field: &[u8]) -> Vec<u8> {
    let length = (field.len() as u64).to_be_bytes();
    [&length[8 - size..], field].concat()
}

fn vector() -> serde_json::Value {
    serde_json::from_str(&read("tests/data/v1/opens-login.json")).unwrap()
}

#[test]
fn the_token_that_is_worked_through_is_that_of_its_vector() {
    let values = values(&worked_through());
    let value = |name: &str| values.get(name).unwrap_or_else(|| panic!("no {name}"));
    let raw = |name: &str| bytes(value(name));

    // The key.
    let text = value("secret text").trim_matches('"');
    assert_eq!(value("secret"), &hex(Sha256::digest(text)));
    assert_eq!(raw("salt"), b"sealed-session/v1");
    let (extracted, keys) = Hkdf::<Sha256>::extract(Some(&raw("salt")), &raw("secret"));
    assert_eq!(value("extracted"), &hex(extracted));
    for (name, info, length) in [
        ("key id", "key id", 16),
        ("cipher key", "xchacha20poly1305", 32),
        ("activity key", "activity", 32),
    ] {
        let mut derived = vec![0; length];
        keys.expand(info.as_bytes(), &mut derived).unwrap();
        assert_eq!(value(name), &hex(derived), "{name}");
    }

    // The subject's key.
    let hashed = [with_length(8, b"vectors"), with_length(8, b"alice")].concat();
    assert_eq!(value("hashed"), &hex(&hashed));
    assert_eq!(value("hash"), &hex(Sha256::digest(&hashed)));
    assert_eq!(value("subject's key"), &value("hash")[..32]);

    // The plaintext.
    let record = raw("record");
    let mut plaintext = with_length(4, &record);
    assert_eq!(value("length"), &hex(&plaintext[..4]));
    plaintext.resize(plaintext.len().next_multiple_of(32), 0);
    assert_eq!(value("padding"), &hex(&plaintext[4 + record.len()..]));

    // The associated data.
    let vector = vector();
    let said = |name: &str| vector[name].as_str().unwrap().as_bytes().to_vec();
    let minutes = u32::try_from(1_795_248_000_000_u64 / 60_000).unwrap();
    let fields = [
        ("label", b"sealed-session".to_vec()),
        ("version", vec![1]),
        ("key id", raw("key id")),
        ("sealed at", minutes.to_be_bytes().to_vec()),
        ("cookie", said("cookie")),
        ("audience", said("audience")),
        ("parts", vec![1]),
    ];
    let fields = fields.map(|(name, field)| {
        let field = with_length(4, &field);
        assert_eq!(raw(&format!("associated {name}")), field, "{name}");
        field
    });
    let associated = fields.concat();

    // The cipher, as one and as its two halves.
    let nonce = raw("nonce");
    let mut sealed = plaintext.clone();
    let cipher = XChaCha20Poly1305::new_from_slice(&raw("cipher key")).unwrap();
    let whole = XNonce::try_from(&nonce[..]).unwrap();
    let tag = cipher
        .encrypt_inout_detached(&whole, &associated, sealed.as_mut_slice().into())
        .unwrap();
    assert_eq!(value("ciphertext"), &hex(&sealed));
    assert_eq!(value("tag"), &hex(tag));
    assert_eq!(raw("short nonce"), [&[0; 4], &nonce[16..]].concat());
    let short = Nonce::try_from(&raw("short nonce")[..]).unwrap();
    let mut opened = sealed.clone();
    ChaCha20Poly1305::new_from_slice(&raw("subkey"))
        .unwrap()
        .decrypt_inout_detached(&short, &associated, opened.as_mut_slice().into(), &tag)
        .unwrap();
    assert_eq!(opened, plaintext);

    // The token.
    let token = [
        &[1][..],
        &raw("key id"),
        &minutes.to_be_bytes(),
        &nonce,
        &sealed,
        &tag,
    ]
    .concat();
    assert_eq!(value("token"), &hex(&token));
    assert_eq!(value("text"), &BASE64.encode(&token));
    assert_eq!(
        value("text"),
        vector["cookies"]["session"].as_str().unwrap()
    );
    assert_eq!((token.len(), value("text").len()), (189, 252));
}

/// A number of a record: seven bits a byte, the lowest first.
fn number(bytes: &[u8]) -> u64 {
    let digits = bytes.iter().rev();
    digits.fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f))
}

#[test]
fn the_record_that_is_worked_through_says_what_its_vector_says() {
    let chapter = worked_through();
    let (_, rest) = chapter
        .split_once("| offset | bytes | field | reads as |")
        .unwrap();
    let rows = rest
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let vector = vector();
    let opens = &vector["expect"]["opens"];
    let mut record = Vec::new();
    let mut entry = String::new();
    let mut compared = 0;
    for row in rows {
        let cells: Vec<_> = row.split('|').skip(1).map(str::trim).collect();
        let [offset, field, name, reads] = cells[..4] else {
            panic!("{row}")
        };
        let field = bytes(field.trim_matches('`'));
        assert_eq!(offset, record.len().to_string(), "{row}");
        let expected = match name {
            "session id" => &opens["session"],
            "serial" | "created" | "refreshed" | "expires" => &opens[name],
            "subject" | "generation" => &opens["login"][name],
            "subject's key" => &opens["login"]["key"],
            "authenticated" => &opens["login"]["at"],
            "everyone's generation" => &opens["everyone"],
            "value" => &opens["entries"][entry.as_str()],
            _ => &serde_json::Value::Null,
        };
        match expected {
            serde_json::Value::Number(expected) => {
                assert_eq!(expected.as_u64(), Some(number(&field)), "{row}");
                assert_eq!(reads, expected.to_string(), "{row}");
                compared += 1;
            }
            serde_json::Value::String(expected) if name == "subject" => {
                assert_eq!(field, expected.as_bytes(), "{row}");
                assert_eq!(reads, format!("\"{expected}\""), "{row}");
                compared += 1;
            }
            serde_json::Value::String(expected) => {
                assert_eq!(&hex(&field), expected, "{row}");
                compared += 1;
            }
            _ if name == "name" => entry = String::from_utf8(field.clone()).unwrap(),
            _ => {}
        }
        record.extend(field);
    }
    assert_eq!(compared, 12);
    assert_eq!(&hex(&record), &values(&chapter)["record"]);
    assert!(chapter.contains(&format!("has {} bytes", record.len())));
}
