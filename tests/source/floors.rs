//! How the source is built: who may name whom, and what may exist once only.
//!
//! Reads the source as text. That is crude and enough: it has to notice a slip, not an intention.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Values that everybody may name.
const VALUES: &[&str] = &[
    "clock", "id", "error", "file", "random", "lifetime", "lock", "observe",
];

/// What each part may name besides itself and [`VALUES`]. Imports point down, or to the left.
const FLOORS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("id", &[]),
    ("error", &[]),
    ("file", &[]),
    ("random", &[]),
    ("lifetime", &[]),
    ("lock", &[]),
    ("observe", &[]),
    ("keys", &[]),
    ("wire", &[]),
    ("seal", &["keys", "wire"]),
    ("revoke", &["keys", "wire", "seal"]),
    ("session", &["keys", "wire", "seal", "revoke"]),
    ("migrate", &[]),
    (
        "flow",
        &[
            "keys", "wire", "seal", "revoke", "session", "cookie", "config", "migrate",
        ],
    ),
    (
        "cookie",
        &[
            "keys", "wire", "seal", "revoke", "session", "flow", "config",
        ],
    ),
    // The one import that points up: a configuration chooses its store by name.
    (
        "config",
        &[
            "keys", "wire", "seal", "revoke", "session", "flow", "cookie", "store",
        ],
    ),
    ("store", &["revoke"]),
    ("actix", &["flow", "session", "cookie"]),
    (
        "testing",
        &["keys", "revoke", "session", "flow", "cookie", "store"],
    ),
];

/// What edges may name is listed in full: no values but errors.
const NO_VALUES: &[(&str, &[&str])] = &[("actix", &["error"])];

struct Source {
    /// Below `src`.
    path: String,
    /// Without the tests at its end and without comments.
    lines: Vec<String>,
}

impl Source {
    /// The part of the crate that the file belongs to.
    fn part(&self) -> &str {
        let first = self.path.split('/').next().unwrap();
        first.trim_end_matches(".rs")
    }

    fn has(&self, text: &str) -> bool {
        self.lines.iter().any(|line| line.contains(text))
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let is_source = path.extension().is_some_and(|kind| kind == "rs");
            if !is_source || path.ends_with("tests.rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().take_while(|line| *line != "#[cfg(test)]");
            let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
            sources.push(Source {
                path: path.strip_prefix(&root).unwrap().display().to_string(),
                lines: lines.map(str::to_owned).collect(),
            });
        }
    }
    assert!(sources.len() > 40, "the source was found");
    sources
}

/// The parts whose names the crate's root exports.
fn exports(sources: &[Source]) -> BTreeMap<String, String> {
    let root = sources
        .iter()
        .find(|source| source.path == "lib.rs")
        .unwrap();
    let text = root.lines.join(" ");
    let mut exports = BTreeMap::new();
    for export in text.split("pub use ").skip(1) {
        let export = export.split(';').next().unwrap();
        let export = export.trim_start_matches("crate::");
        let (part, names) = export.split_once("::").unwrap();
        for name in names.split(|c: char| !c.is_alphanumeric()) {
            exports.insert(name.to_owned(), part.to_owned());
        }
    }
    exports
}

/// What a line names of the crate, as parts.
fn named(line: &str, exports: &BTreeMap<String, String>) -> Vec<String> {
    let paths = line.split("crate::").skip(1);
    let words = paths.flat_map(|path| {
        let end = |c: char| !(c.is_alphanumeric() || c == '_');
        match path.strip_prefix('{') {
            Some(list) => list
                .split(',')
                .map(|name| name.trim().split(end).next().unwrap().to_owned())
                .collect(),
            None => vec![path.split(end).next().unwrap().to_owned()],
        }
    });
    words
        .map(|word| exports.get(&word).cloned().unwrap_or(word))
        .filter(|word| !word.is_empty())
        .collect()
}

#[test]
fn imports_point_down_only() {
    let sources = sources();
    let exports = exports(&sources);
    assert_eq!(exports["UnixMillis"], "clock");
    for source in &sources {
        let part = source.part();
        if ["lib", "bin"].contains(&part) {
            continue;
        }
        let floor = FLOORS.iter().find(|(name, _)| *name == part);
        let (_, below) = floor.unwrap_or_else(|| panic!("{} is on no floor", source.path));
        let values = NO_VALUES.iter().find(|(name, _)| *name == part);
        let values = values.map_or(VALUES, |(_, values)| values);
        for line in &source.lines {
            for name in named(line, &exports) {
                let name = name.as_str();
                let allowed = name == part || values.contains(&name) || below.contains(&name);
                assert!(allowed, "{} names {name}: {line}", source.path);
            }
        }
    }
}

/// Where a text may stand.
#[track_caller]
fn only_in(text: &str, places: &[&str]) {
    let sources = sources();
    let found: Vec<_> = sources.iter().filter(|source| source.has(text)).collect();
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
    only_in("cipher::decrypt(", &["seal/open.rs"]);
    only_in("cipher::encrypt(", &["seal/sealing.rs"]);
    only_in("hkdf", &["keys/derive.rs"]);
    only_in("base64::", &["keys/secret.rs"]);
    only_in("hmac::", &["seal/activity.rs"]);
    only_in("base64_simd::", &["wire/envelope.rs", "seal/activity.rs"]);
    only_in("memchr::", &["flow/candidates.rs"]);
    only_in("dashmap::", &["revoke/list.rs", "revoke/table/mod.rs"]);
    only_in(
        "redb::",
        &["store/redb/", "store/mod.rs", "config/", "bin/"],
    );
    only_in("redis::", &["store/redis/", "store/mod.rs", "config/"]);
    only_in("rustls", &["store/redis/options.rs"]);
    only_in("postcard", &["wire/record.rs", "wire/entries.rs"]);
    only_in("stacker::", &["wire/value.rs"]);
    only_in("metrics::", &["observe.rs"]);
    only_in("serde_json::", &["migrate/", "bin/"]);
    only_in("CookieJar", &["migrate/old.rs"]);
}

#[test]
fn only_the_clock_asks_what_time_it_is() {
    only_in("SystemTime", &["clock.rs"]);
    only_in("Instant::now", &["clock.rs"]);
    let sources = sources();
    assert!(!sources.iter().any(|source| source.has("now_utc")));
}

#[test]
fn each_proof_is_made_in_one_place() {
    let count = |text: &str| {
        let sources = sources();
        let lines = sources.iter().flat_map(|source| {
            let lines = source.lines.iter();
            lines.map(|line| (source.path.clone(), line.clone()))
        });
        let made = lines.filter(|(_, line)| {
            line.contains(text)
                && !["struct ", "impl "].iter().any(|word| line.contains(word))
                && !line.contains("-> ")
        });
        made.map(|(path, _)| path).collect::<Vec<_>>()
    };
    assert_eq!(count("Opened {"), ["seal/open.rs"]);
    assert_eq!(count("Live {"), ["revoke/check.rs"]);
    assert_eq!(count("Cleared("), ["revoke/check.rs"]);
    let implemented: Vec<_> = sources()
        .into_iter()
        .flat_map(|source| {
            let lines = source
                .lines
                .into_iter()
                .filter(|line| line.contains(" Checked for "));
            let path = source.path;
            lines.map(move |_| path.clone()).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(implemented, ["revoke/check.rs"]);
}

#[test]
fn nothing_is_unsafe() {
    for source in sources() {
        let mut lines = source.lines.iter();
        let line =
            lines.find(|line| line.contains("unsafe") && !line.contains("#![forbid(unsafe_code)]"));
        assert_eq!(line, None, "{}", source.path);
    }
    for root in ["lib.rs", "bin/sealed-session/main.rs"] {
        only_forbids_in(root);
    }
}

#[track_caller]
fn only_forbids_in(root: &str) {
    let sources = sources();
    let source = sources.iter().find(|source| source.path == root).unwrap();
    assert!(source.has("#![forbid(unsafe_code)]"), "{root}");
}

/// A feature adds names. It changes nothing inside a function.
#[test]
fn every_feature_stands_before_a_declaration() {
    const DECLARATIONS: &[&str] = &["pub", "mod", "use", "fn", "struct", "enum", "impl", "async"];
    for source in sources() {
        let mut lines = source.lines.iter();
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
