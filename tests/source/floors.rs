//! How the source is built: which room stands on which floor, who may name whom, and what may exist once.
//!
//! 1. Every file of `src` is read, as text. Test code is left out: what stands under `#[cfg(test)]`, and the
//!    files that are declared so.
//! 2. An import is followed through re-exports to the file that defines what is named, so a facade hides nothing.
//! 3. A room names rooms of lower floors, and those beside it that [`BESIDE`] lists.
//! 4. No files name each other in a circle, across rooms or inside one. A re-export names nobody.
//! 5. What does not hold yet is listed under `PENDING`, and has to be true: what was mended leaves the list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The rooms, from the ground up.
const FLOORS: &[&[&str]] = &[
    // Values.
    &["ids", "lock", "random", "time"],
    // Errors, and what reports them.
    &["error", "file", "observe"],
    // What a cookie says, how it is laid out, keys.
    &["record", "wire", "keys"],
    &["seal", "revoke"],
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
    ("config", "cookie"),
    ("sessions", "cookie"),
    ("sessions", "migrate"),
    ("start", "store"),
    ("store", "replicate"),
    ("testing", "store"),
];

/// Files that name each other in a circle.
const PENDING_CIRCLES: &[&[&str]] = &[
    &[
        "replicate/core/following.rs",
        "replicate/core/mod.rs",
        "replicate/core/outbox.rs",
        "replicate/core/recovery.rs",
        "replicate/core/repair.rs",
        "replicate/core/requests.rs",
    ],
    &[
        "store/local/book.rs",
        "store/local/keeper.rs",
        "store/local/mod.rs",
        "store/local/node.rs",
        "store/local/open.rs",
        "store/local/pieces.rs",
        "store/local/writer.rs",
        "store/mod.rs",
    ],
    &[
        "testing/conformance/journal/bytes.rs",
        "testing/conformance/journal/clocks.rs",
        "testing/conformance/journal/lists.rs",
        "testing/conformance/journal/mod.rs",
        "testing/conformance/journal/tools.rs",
    ],
];

/// Type names that occur more than once.
const PENDING_NAMES: &[&str] = &[
    "Cause", "Command", "Contents", "Entry", "Fields", "Found", "Open", "Raise", "Reader",
    "Record", "Start",
];

/// A file of the library or of the command line.
struct Source {
    /// Below `src`.
    path: String,
    /// As its crate calls it: `["sessions", "load"]`.
    module: Vec<String>,
    /// Without test code and comments.
    text: String,
    is_binary: bool,
}

impl Source {
    fn room(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }

    fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }
}

/// A path that a file names, from its crate's root.
#[derive(Debug, Clone)]
struct Named {
    path: Vec<String>,
    /// What the file calls it, if it is imported.
    alias: String,
    is_reexport: bool,
}

struct House {
    sources: Vec<Source>,
    named: Vec<Vec<Named>>,
}

const BINARY: &str = "bin/sealed-session";

impl House {
    fn read() -> Self {
        let mut sources = Vec::new();
        for (root, is_binary) in [("lib.rs", false), ("bin/sealed-session/main.rs", true)] {
            read(root, Vec::new(), is_binary, &mut sources);
        }
        let named = sources.iter().map(|it| named(it, &sources)).collect();
        Self { sources, named }
    }

    /// The files of the module, of which there are two where a feature decides.
    fn files(&self, module: &[String], is_binary: bool) -> Vec<usize> {
        let all = self.sources.iter().enumerate();
        all.filter(|(_, it)| it.is_binary == is_binary && it.module == module)
            .map(|(index, _)| index)
            .collect()
    }

    /// The files that define what `path` names.
    fn definitions(&self, path: &[String], is_binary: bool) -> Vec<usize> {
        let longest = (0..=path.len()).rev();
        let found = longest
            .map(|length| (length, self.files(&path[..length], is_binary)))
            .find(|(_, files)| !files.is_empty());
        let (length, files) = found.unwrap();
        let Some(item) = path.get(length) else {
            return files;
        };
        let mut definitions = Vec::new();
        for file in files {
            let mut imported = self.named[file].iter().filter(|it| it.alias == *item);
            match imported.find(|it| it.path != path[..=length]) {
                Some(import) => {
                    let rest = path[length + 1..].iter();
                    let path: Vec<_> = import.path.iter().chain(rest).cloned().collect();
                    definitions.extend(self.definitions(&path, is_binary));
                }
                None => definitions.push(file),
            }
        }
        definitions
    }

    /// Which files a file names, and through which path.
    fn neighbours(&self, file: usize, reexports: bool) -> Vec<(usize, String)> {
        let source = &self.sources[file];
        let mut neighbours = Vec::new();
        for named in &self.named[file] {
            if named.is_reexport && !reexports {
                continue;
            }
            for other in self.definitions(&named.path, source.is_binary) {
                if other != file {
                    neighbours.push((other, named.path.join("::")));
                }
            }
        }
        neighbours
    }
}

/// Reads a file and the modules that it declares.
fn read(path: &str, module: Vec<String>, is_binary: bool, sources: &mut Vec<Source>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let text = fs::read_to_string(root.join(path)).unwrap();
    let text = without_tests(&text);
    let folder = match path.rsplit_once('/') {
        Some((folder, "mod.rs" | "main.rs")) => folder.to_owned(),
        None => String::new(),
        Some(_) => path.trim_end_matches(".rs").to_owned(),
    };
    let folder = if folder.is_empty() {
        folder
    } else {
        folder + "/"
    };
    let mut renamed = None;
    let mut children = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(file) = line.strip_prefix("#[path = \"") {
            renamed = Some(file.trim_end_matches("\"]").to_owned());
            continue;
        }
        let declared = line.strip_suffix(';');
        let declared = declared.and_then(|line| line.split_once("mod ").map(|(_, name)| name));
        if let Some(name) = declared.filter(|name| name.chars().all(is_word)) {
            let file = renamed.take().unwrap_or_else(|| format!("{name}.rs"));
            let nested = format!("{folder}{name}/mod.rs");
            let file = match root.join(&nested).exists() {
                true => nested,
                false => format!("{folder}{file}"),
            };
            children.push((file, name.to_owned()));
        }
    }
    sources.push(Source {
        path: path.to_owned(),
        module: module.clone(),
        text,
        is_binary,
    });
    for (file, name) in children {
        let module = module.iter().cloned().chain([name]).collect();
        read(&file, module, is_binary, sources);
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Without comments, and without what is declared under `#[cfg(test)]`.
fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let mut lines = lines.peekable();
    while let Some(line) = lines.next() {
        let is_test = ["#[cfg(test)]", "#[cfg(all(test,"];
        if !is_test.iter().any(|it| line.trim().starts_with(it)) {
            let code = line.split(" // ").next().unwrap();
            kept += code;
            kept.push('\n');
            continue;
        }
        // What is declared ends with its first line, or with a brace under that.
        let indent = line.len() - line.trim_start().len();
        let mut is_first = true;
        for line in lines.by_ref() {
            if is_first && line.trim_start().starts_with('#') {
                continue;
            }
            let is_outer = line.len() - line.trim_start().len() == indent;
            let is_end = is_outer && line.trim_start().starts_with('}');
            if (is_first && line.ends_with([';', ','])) || is_end {
                break;
            }
            is_first = false;
        }
    }
    kept
}

/// All that a file names of its own crate.
fn named(source: &Source, sources: &[Source]) -> Vec<Named> {
    let mut all = Vec::new();
    let mut code = String::new();
    let mut rest = source.text.as_str();
    // Imports first, for they nest.
    while let Some(at) = import(rest) {
        code += &rest[..at];
        let (statement, after) = rest[at..].split_once(';').unwrap();
        let before = rest[..at].rsplit('\n').next().unwrap();
        let is_reexport = before.trim_start().starts_with("pub");
        let tree = statement.strip_prefix("use ").unwrap();
        let tree: String = tree.split_whitespace().collect::<Vec<_>>().join(" ");
        for (path, alias) in expanded(&tree) {
            if let Some(path) = absolute(&path, source, sources) {
                all.push(Named {
                    path,
                    alias,
                    is_reexport,
                });
            }
        }
        rest = after;
    }
    code += rest;
    // What is handed on and used as well is no mere re-export.
    let is_module = |line: &&str| line.ends_with(';') && line.contains("mod ");
    let lines = code.lines().filter(|line| !is_module(line));
    let words: BTreeSet<_> = lines.flat_map(|line| line.split(|c| !is_word(c))).collect();
    for named in &mut all {
        named.is_reexport &= !words.contains(named.alias.as_str());
    }
    let is_end = |c: char| !(is_word(c) || c == ':');
    for word in code.split(is_end).filter(|word| word.contains("::")) {
        let path: Vec<_> = word.split("::").map(str::to_owned).collect();
        if let Some(path) = absolute(&path, source, sources) {
            all.push(Named {
                path,
                alias: String::new(),
                is_reexport: false,
            });
        }
    }
    all
}

/// Where the next import begins.
fn import(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find("use ")?;
        let before = text[..at].rsplit('\n').next().unwrap().trim();
        if before.is_empty()
            || before == "pub"
            || (before.starts_with("pub(") && before.ends_with(')'))
        {
            return Some(at);
        }
        from = at + 4;
    }
}

/// The paths of an import, each with the name that it gets.
fn expanded(tree: &str) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim();
    if let Some((front, list)) = tree.split_once('{') {
        let list = list.trim_end().strip_suffix('}').unwrap();
        let front = front.trim_end_matches("::").split("::");
        let front: Vec<_> = front
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect();
        let mut depth = 0;
        let parts = list.split(|c| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            c == ',' && depth == 0
        });
        let parts = parts
            .filter(|part| !part.trim().is_empty())
            .flat_map(expanded);
        return parts
            .map(|(path, alias)| {
                let is_itself = path == ["self"];
                let path = path.into_iter().filter(|_| !is_itself);
                let path: Vec<_> = front.iter().cloned().chain(path).collect();
                let alias = match is_itself {
                    true => path.last().cloned().unwrap(),
                    false => alias,
                };
                (path, alias)
            })
            .collect();
    }
    let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
    let path: Vec<_> = path.trim().split("::").map(str::to_owned).collect();
    let alias = match alias.trim() {
        "" => path.last().cloned().unwrap(),
        alias => alias.to_owned(),
    };
    vec![(path, alias)]
}

/// A path from the root, if it is one of the crate's own.
fn absolute(path: &[String], source: &Source, sources: &[Source]) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    let from = |module: &[String], rest: &[String]| Some([module, rest].concat());
    match first.as_str() {
        "crate" => from(&[], rest),
        "self" => from(&source.module, rest),
        "super" => {
            let (_, parent) = source.module.split_last()?;
            match rest.split_first() {
                Some((first, rest)) if first == "super" => from(parent.split_last()?.1, rest),
                _ => from(parent, rest),
            }
        }
        _ => {
            let child = [source.module.as_slice(), std::slice::from_ref(first)].concat();
            let is_child = |it: &Source| it.is_binary == source.is_binary && it.module == child;
            sources
                .iter()
                .any(is_child)
                .then(|| [child.as_slice(), rest].concat())
        }
    }
}

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
    let pending: BTreeSet<Vec<&str>> = PENDING_CIRCLES.iter().map(|it| it.to_vec()).collect();
    assert_eq!(circles, pending, "{circles:#?}");
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
    // One of two that a feature chooses between.
    places.retain(|_, places| !places.contains(&"sessions/stay.rs"));
    let twice: Vec<_> = places.keys().copied().collect();
    assert_eq!(twice, PENDING_NAMES, "{places:#?}");
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
    only_in("hmac::", &["seal/activity.rs"]);
    only_in("base64_simd::", &["wire/envelope.rs", "seal/activity.rs"]);
    only_in(
        "memchr::",
        &["sessions/candidates.rs", "store/local/frame.rs"],
    );
    only_in("dashmap::", &["revoke/list.rs", "revoke/table/mod.rs"]);
    only_in("redb::", &["store/redb/", "store/mod.rs", "start/", BINARY]);
    only_in("redis::", &["store/redis/", "store/mod.rs"]);
    only_in("rustls", &["store/redis/options.rs"]);
    only_in("postcard", &["wire/layout.rs", "wire/pairs.rs"]);
    only_in("stacker::", &["wire/value.rs"]);
    only_in("metrics::", &["observe"]);
    only_in("serde_json::", &["migrate/", BINARY]);
    only_in("CookieJar", &["migrate/old.rs"]);
    only_in("tempfile::", &["key_files/write.rs", "store/redb/"]);
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
