//! What the documents name exists: tests, vectors, files and headings.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const DOCUMENTS: [&str; 6] = [
    "README.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "docs/FORMAT.md",
    "docs/OPERATIONS.md",
    "docs/REVOCATION.md",
];
/// Links to here are checked like relative ones: what rustdoc includes cannot have those.
const REPOSITORY: &str = "https://github.com/sealed-session/sealed-session/blob/main/";
/// Where the paths that a document names in code begin.
const FOLDERS: [&str; 7] = [
    "docs/",
    "src/",
    "tests/",
    "examples/",
    "benches/",
    "fuzz/",
    "scripts/",
];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands between single backticks, outside of fenced blocks.
fn code(text: &str) -> Vec<String> {
    let parts: Vec<&str> = text.split("```").step_by(2).collect();
    for part in &parts {
        let ticks = part.matches('`').count();
        assert!(ticks % 2 == 0, "an odd number of backticks in: {part}");
    }
    parts
        .iter()
        .flat_map(|part| part.split('`').skip(1).step_by(2))
        .map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// The paths that a text names in code, without what follows a `::`.
fn paths(text: &str) -> BTreeSet<String> {
    let spans = code(text).into_iter();
    let named = spans.filter(|span| FOLDERS.iter().any(|folder| span.starts_with(folder)));
    named
        .map(|span| span.split("::").next().unwrap().to_owned())
        .filter(|path| !path.contains([' ', '*', '<']))
        .collect()
}

/// The targets of a text's links: `](target)`, outside of fenced blocks.
fn links(text: &str) -> Vec<String> {
    let parts = text.split("```").step_by(2);
    parts
        .flat_map(|part| part.split("](").skip(1))
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect()
}

/// A heading as it is linked to: lower case, hyphens for spaces, no punctuation.
fn anchors(text: &str) -> BTreeSet<String> {
    let parts = text.split("```").step_by(2);
    let headings = parts
        .flat_map(str::lines)
        .filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// Whether the file has a test of this name: a function below an attribute that ends in `test`.
fn has_test(source: &str, name: &str) -> bool {
    let mut below_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[") {
            below_test |= line.contains("test]") || line.contains("test(");
        } else if let Some((before, rest)) = line.split_once("fn ") {
            let is_signature = before
                .split_whitespace()
                .all(|word| ["async", "pub"].contains(&word));
            let found = rest.split(['(', '<']).next() == Some(name);
            if is_signature && found && below_test {
                return true;
            }
            below_test = false;
        } else if !line.starts_with("//") && !line.is_empty() {
            below_test = false;
        }
    }
    false
}

#[test]
fn every_test_that_is_named_exists() {
    let mut named = 0;
    for document in DOCUMENTS {
        for span in code(&read(document)) {
            let Some((path, name)) = span.split_once("::") else {
                continue;
            };
            if !FOLDERS.iter().any(|folder| path.starts_with(folder)) {
                continue;
            }
            assert!(
                has_test(&read(path), name),
                "{document} names {span}: there is no such test"
            );
            named += 1;
        }
    }
    assert!(
        named > 50,
        "only {named} tests are named: are they still found?"
    );
}

#[test]
fn every_path_and_link_leads_somewhere() {
    for document in DOCUMENTS {
        let text = read(document);
        for path in paths(&text) {
            assert!(
                Path::new(ROOT).join(&path).exists(),
                "{document} names {path}"
            );
        }
        for link in links(&text) {
            let (target, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let (path, is_elsewhere) = match target.strip_prefix(REPOSITORY) {
                Some(path) => (PathBuf::from(path), false),
                None if target.is_empty() => (PathBuf::from(document), false),
                // Relative to where the document lies.
                None => (
                    Path::new(document).with_file_name(target),
                    target.contains("://") || target.starts_with("mailto:"),
                ),
            };
            if is_elsewhere {
                continue;
            }
            let file = Path::new(ROOT).join(&path);
            assert!(file.exists(), "{document} links to {link}");
            if !anchor.is_empty() && path.extension().is_some_and(|it| it == "md") {
                let text = fs::read_to_string(file).unwrap();
                assert!(
                    anchors(&text).contains(anchor),
                    "{document} links to {link}"
                );
            }
        }
    }
}

/// What no code can prevent, so that only the manual helps.
#[test]
fn the_manual_says_what_people_run_into() {
    for (file, words) in [
        (
            "docs/OPERATIONS.md",
            "Mount the folder that holds the key file",
        ),
        ("docs/OPERATIONS.md", "`subPath` with Kubernetes"),
        (
            "docs/OPERATIONS.md",
            "Give staging and production a cookie name each",
        ),
        ("docs/OPERATIONS.md", "Unicode's NFC and NFD"),
        ("src/session/mod.rs", "feature `arbitrary_precision`"),
    ] {
        let text = read(file).replace("///", " ");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(words), "{file} does not say {words:?}");
    }
}

/// The metrics of the manual's table: name, type and label.
fn documented_metrics() -> BTreeSet<[String; 3]> {
    let text = read("docs/OPERATIONS.md");
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| `sealed_session_"));
    rows.map(|row| {
        let mut cells = row.split('|').skip(1);
        [(); 3].map(|()| cells.next().unwrap().trim().replace('`', ""))
    })
    .collect()
}

/// Those of the source.
fn counted_metrics() -> BTreeSet<[String; 3]> {
    let source = read("src/observe.rs");
    let name = |constant: &str| {
        let (_, rest) = source
            .split_once(&format!("const {constant}: &str = \""))
            .unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let (_, rest) = source.split_once("const METRICS").unwrap();
    let (table, _) = rest.split_once("];").unwrap();
    let rows = table.split("Kind::").skip(1);
    rows.map(|row| {
        let mut parts = row.split(',').map(str::trim);
        let mut part = || parts.next().unwrap();
        let (kind, constant, label) = (part(), part(), part());
        let label = label.trim_start_matches("Some(\"").trim_end_matches("\")");
        let label = label.replace("None", "");
        [name(constant), kind.to_lowercase(), label]
    })
    .collect()
}

#[test]
fn the_metrics_of_the_manual_are_those_that_are_counted() {
    let (documented, counted) = (documented_metrics(), counted_metrics());
    assert!(counted.len() > 10, "{counted:?}");
    assert_eq!(documented, counted);
    // And nothing is counted that the table of the source leaves out.
    let source = read("src/observe.rs");
    let names = source.matches(": &str = \"sealed_session_").count();
    assert_eq!(names, counted.len());
}

/// An event for the log: its level, its text, and what stands before that.
struct Event {
    level: String,
    text: String,
    fields: String,
}

/// The events of the source.
fn written_events() -> Vec<Event> {
    let mut events = Vec::new();
    for source in sources("src") {
        // A text may go on in the next line.
        let words = source.replace("\\\n", "\n");
        let words: Vec<_> = words.split_whitespace().collect();
        let source = words.join(" ").replace("\" )", "\")").replace("( ", "(");
        for event in source.split("tracing::").skip(1) {
            let levels = ["error", "warn", "info", "debug", "trace"];
            let is_one = |(level, _): &(&str, &str)| levels.contains(level);
            let Some((level, rest)) = event.split_once("!(").filter(is_one) else {
                continue;
            };
            let (inside, _) = rest.split_once("\")").expect(event);
            let (fields, text) = inside.rsplit_once('"').expect(event);
            events.push(Event {
                level: level.to_owned(),
                text: text.to_owned(),
                fields: fields.to_owned(),
            });
        }
    }
    events
}

#[test]
fn the_events_of_the_manual_are_those_that_are_written() {
    let text = read("docs/OPERATIONS.md");
    let (_, rest) = text.split_once("| event | level | fields |").unwrap();
    let rows = rest
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let events = written_events();
    let mut documented = BTreeSet::new();
    for row in rows {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let (event, level) = (cells.next().unwrap(), cells.next().unwrap());
        let fields = code(cells.next().unwrap());
        let written = events.iter().any(|it| {
            let has = |field: &String| it.fields.contains(field.as_str());
            it.text == event && it.level == level && fields.iter().all(has)
        });
        assert!(written, "{row}");
        documented.insert((level, event));
    }
    // And what an operator may have to do something about is in the table.
    let grave = events
        .iter()
        .filter(|it| ["error", "warn"].contains(&it.level.as_str()));
    let mut count = 0;
    for Event { level, text, .. } in grave {
        let documented = documented.contains(&(level.as_str(), text.as_str()));
        assert!(documented, "the manual does not tell of {level}: {text}");
        count += 1;
    }
    assert!(count > 15, "only {count} events: are they still found?");
}

/// The texts of all files in a folder.
fn sources(folder: &str) -> Vec<String> {
    let mut folders = vec![Path::new(ROOT).join(folder)];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                texts.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    texts
}
