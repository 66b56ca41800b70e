//! How the source is built: which room stands on which floor, who may name whom, and what may exist once.
//!
//! 1. Every file of `src` is read, as text. Test code is left out: what stands under `#[cfg(test)]`, and the
//!    files that are declared so.
//! 2. An import is followed through re-exports to the file that defines what is named, so a facade hides nothing.
//! 3. A room names rooms of lower floors, and those beside it that [`BESIDE`] lists.
//! 4. No files name each other in a circle, across rooms or inside one. A re-export names nobody.
//! 5. No two types share a name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::documents;
use crate::house::{BINARY, House, is_word};

/// The rooms, from the ground up.
const FLOORS: &[&[&str]] = &[
    // Values.
    &["ids", "lock", "next_path", "random", "redacted", "time"],
    // Errors, and what reports them.
    &["error", "file", "observe"],
    // What a cookie says, how it is laid out, keys.
    &["record", "wire", "keys", "csrf", "client"],
    &["seal", "revoke", "index"],
    &["session"],
    // The engine.
    &["cookie", "config", "migrate", "sessions"],
    // The edges.
    &[
        "replicate",
        "store",
        "start",
        "key_files",
        "actix",
        "testing",
    ],
];

/// Which rooms name others of their floor.
const BESIDE: &[(&str, &str)] = &[
    ("file", "error"),
    ("observe", "error"),
    ("record", "wire"),
    ("revoke", "index"),
    ("config", "cookie"),
    ("sessions", "cookie"),
    ("sessions", "migrate"),
    ("start", "store"),
    ("store", "replicate"),
    ("testing", "store"),
];

fn floor(room: &str) -> usize {
    let floor = FLOORS.iter().position(|rooms| rooms.contains(&room));
    floor.unwrap_or_else(|| panic!("{room} is on no floor"))
}

#[test]
fn every_file_is_in_the_house() {
    let house = House::read();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeSet::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                files.insert(path.strip_prefix(&root).unwrap().display().to_string());
            }
        }
    }
    let read: BTreeSet<_> = house.sources.iter().map(|it| it.path.clone()).collect();
    assert!(read.len() > 100, "the source was found");
    // What is declared under `#[cfg(test)]` is called so, or stands below what is.
    for file in files.difference(&read) {
        let is_test = ["tests", "model/", "sample"]
            .iter()
            .any(|word| file.contains(word));
        assert!(is_test, "{file} is read by nobody");
    }
    for source in house.sources.iter().filter(|it| !it.is_binary) {
        if source.path != "lib.rs" {
            floor(source.room());
        }
    }
}

/// CONTRIBUTING.md draws the floors from the top down. The command line is a crate of its own.
#[test]
fn the_map_of_the_house_shows_these_floors() {
    let map = documents::read("CONTRIBUTING.md");
    let drawn = (0..FLOORS.len()).rev().map(|number| {
        let row = format!("| {number} ");
        let row = map.lines().find(|line| line.starts_with(&row)).unwrap();
        let rooms = row.split('|').nth(2).unwrap();
        documents::code(rooms)
            .iter()
            .map(|room| {
                room.trim_end_matches(".rs")
                    .trim_end_matches('/')
                    .to_owned()
            })
            .filter(|room| room != "bin")
            .collect::<BTreeSet<_>>()
    });
    let built = FLOORS.iter().rev();
    let built = built.map(|rooms| rooms.iter().map(|&room| room.to_owned()).collect());
    assert_eq!(drawn.collect::<Vec<_>>(), built.collect::<Vec<_>>());
}

#[test]
fn imports_point_down_only() {
    let house = House::read();
    let mut beside = BTreeSet::new();
    for (file, source) in house.sources.iter().enumerate() {
        if source.is_binary || source.path == "lib.rs" {
            continue;
        }
        for (other, path) in house.neighbours(file, true) {
            let (ours, theirs) = (source.room(), house.sources[other].room());
            assert!(!theirs.is_empty(), "{} names {path} of lib.rs", source.path);
            if ours == theirs || floor(theirs) < floor(ours) {
                continue;
            }
            let other = &house.sources[other].path;
            assert!(
                BESIDE.contains(&(ours, theirs)),
                "{} names {path}, which is in {other}",
                source.path
            );
            beside.insert((ours, theirs));
        }
    }
    let listed: BTreeSet<_> = BESIDE.iter().copied().collect();
    assert_eq!(beside, listed, "no more are listed than there are");
}

/// The command line has the public interface, and nothing else.
#[test]
fn the_command_line_names_the_library_by_its_public_name() {
    let house = House::read();
    let binary = house.sources.iter().filter(|it| it.is_binary);
    assert!(binary.clone().all(|it| it.path.starts_with(BINARY)));
    assert!(binary.clone().any(|it| it.has("sealed_session::")));
}

#[test]
fn no_files_name_each_other_in_a_circle() {
    let house = House::read();
    let count = house.sources.len();
    let reached: Vec<BTreeSet<usize>> = (0..count)
        .map(|file| {
            let mut reached = BTreeSet::new();
            let mut waiting = vec![file];
            while let Some(file) = waiting.pop() {
                for (other, _) in house.neighbours(file, false) {
                    if reached.insert(other) {
                        waiting.push(other);
                    }
                }
            }
            reached
        })
        .collect();
    let mut circles: BTreeSet<Vec<&str>> = BTreeSet::new();
    for file in 0..count {
        if reached[file].contains(&file) {
            let circle =
                (0..count).filter(|it| reached[file].contains(it) && reached[*it].contains(&file));
            let mut circle: Vec<_> = circle.map(|it| house.sources[it].path.as_str()).collect();
            circle.sort_unstable();
            circles.insert(circle);
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

/// A reader who meets a name knows which type it is.
#[test]
fn a_types_name_occurs_once() {
    let house = House::read();
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for source in &house.sources {
        let mut words = source.text.split_whitespace().peekable();
        while let Some(word) = words.next() {
            if ["struct", "enum", "trait"].contains(&word)
                && let Some(name) = words.peek()
            {
                let name = name.split(|c| !is_word(c)).next().unwrap();
                if name.starts_with(char::is_uppercase) {
                    places.entry(name).or_default().push(&source.path);
                }
            }
        }
    }
    places.retain(|_, places| places.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}

/// Where a text may stand.
#[track_caller]
fn only_in(text: &str, places: &[&str]) {
    let house = House::read();
    let found: Vec<_> = house.sources.iter().filter(|it| it.has(text)).collect();
    assert!(
        !found.is_empty(),
        "{text:?} stands nowhere: this test is out of date"
    );
    for source in found {
        let expected = places.iter().any(|place| source.path.starts_with(place));
        assert!(expected, "{:?} stands in {}", text, source.path);
    }
}

#[test]
fn each_crate_is_named_where_it_belongs() {
    only_in("actix_web", &["actix/"]);
    only_in("chacha20::", &["seal/cipher/"]);
    only_in("chacha20poly1305::", &["seal/cipher/"]);
    only_in("ring::aead", &["seal/cipher/"]);
    only_in("hkdf", &["keys/derive.rs"]);
    only_in("base64::", &["keys/secret.rs"]);
    only_in("hmac::", &["seal/mac.rs"]);
    only_in(
        "base64_simd::",
        &["wire/envelope.rs", "seal/activity.rs", "seal/csrf.rs"],
    );
    only_in(
        "memchr::",
        &[
            "sessions/candidates.rs",
            "store/local/frame.rs",
            "actix/form_field.rs",
        ],
    );
    only_in("dashmap::", &["revoke/table/mod.rs", "store/memory.rs"]);
    only_in("redb::", &["store/redb/", "store/mod.rs", "start/", BINARY]);
    only_in("redis::", &["store/redis/", "store/mod.rs"]);
    only_in("percent_encoding::", &["actix/navigation.rs"]);
    only_in("rustls", &["store/redis/options.rs"]);
    only_in("postcard", &["wire/row.rs"]);
    only_in("smol_str::", &["record/", "session/devices/facts.rs"]);
    only_in(
        "constant_time_eq::",
        &["seal/token_cache.rs", "seal/mac.rs", "keys/secret.rs"],
    );
    only_in("woothee::", &["client/device.rs"]);
    only_in("stacker::", &["wire/value.rs"]);
    only_in("metrics::", &["observe"]);
    only_in("serde_json::", &["migrate/", BINARY]);
    only_in("CookieJar", &["migrate/old.rs"]);
    only_in("tempfile::", &["key_files/write.rs", "store/redb/"]);
    only_in("rustix::", &["time/clock.rs"]);
}

#[test]
fn only_the_clock_asks_what_time_it_is() {
    only_in("SystemTime::now", &["time/clock.rs"]);
    // The suite for stores looks how long a follower is left without an answer.
    only_in(
        "Instant::now",
        &["time/clock.rs", "testing/conformance/log/"],
    );
    only_in("SystemTime", &["time/"]);
    let house = House::read();
    assert!(!house.sources.iter().any(|it| it.has("now_utc")));
}

/// Whoever holds a proof went through the one function that makes it. That no other file can, the compiler sees to.
#[test]
fn each_proof_is_made_in_one_place() {
    let house = House::read();
    let made = |text: &str| {
        let declares = |line: &str| {
            let mut words = ["struct ", "enum ", "impl ", "-> "].iter();
            words.any(|word| line.contains(word))
        };
        let mut places = Vec::new();
        for source in &house.sources {
            let lines = source.text.lines();
            let makes = lines.filter(|line| line.contains(text) && !declares(line));
            places.extend(makes.map(|_| source.path.as_str()));
        }
        places
    };
    assert_eq!(made("Ok(Opened("), ["seal/open.rs"]);
    assert_eq!(made("Live {"), ["session/validity.rs"]);
    assert_eq!(made("Counted("), ["session/validity.rs"]);
    only_in("cipher::decrypt(", &["seal/open.rs", "seal/label.rs"]);
    only_in("cipher::encrypt(", &["seal/sealing.rs", "seal/label.rs"]);
}

/// What is forbidden at the root cannot be allowed below it.
#[test]
fn both_crates_forbid_what_is_unsafe() {
    let house = House::read();
    for root in ["lib.rs", "bin/sealed-session/main.rs"] {
        let source = house.sources.iter().find(|it| it.path == root).unwrap();
        assert!(source.has("#![forbid(unsafe_code)]"), "{root}");
    }
}

/// A feature adds names. It changes nothing inside a function.
#[test]
fn every_feature_stands_before_a_declaration() {
    const DECLARATIONS: &[&str] = &["pub", "mod", "use", "fn", "struct", "enum", "impl", "async"];
    for source in House::read().sources {
        let mut lines = source.text.lines();
        while let Some(line) = lines.next() {
            let line = line.trim_start();
            let conditional = line.starts_with("#[cfg(") || line.starts_with("#![cfg(");
            assert!(!line.contains("cfg!(feature"), "{}: {line}", source.path);
            if !(conditional && line.contains("feature")) {
                continue;
            }
            let declared = lines
                .clone()
                .find(|line| !line.trim_start().starts_with("#["));
            let word = declared.unwrap().trim_start();
            let word = word.split(|c: char| !c.is_alphanumeric()).next().unwrap();
            assert!(
                DECLARATIONS.contains(&word),
                "{}: {line} {word}",
                source.path
            );
        }
    }
}
