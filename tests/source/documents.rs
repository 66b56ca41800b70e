//! What the documents name exists: tests, files and headings.
//!
//! 1. A test is named by its name alone, which is a sentence, so that it may move to another file. So no name occurs
//!    twice. Doc tests have no names.
//! 2. Each threat of docs/THREATS.md has tests, in a table of their own.
//! 3. The format has a file of its own here (`format`), and so has what an operator reads (`manual`).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const DOCUMENTS: [&str; 10] = [
    "README.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/COMPLIANCE.md",
    "docs/FORMAT.md",
    "docs/MIGRATION.md",
    "docs/OPERATIONS.md",
    "docs/REVOCATION.md",
    "docs/THREATS.md",
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

pub fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands between single backticks, outside of fenced blocks.
pub fn code(text: &str) -> Vec<String> {
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

/// The tests of a file: functions below an attribute that ends in `test`.
fn tests_of(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut below_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[") {
            below_test |= line.contains("test]") || line.contains("test(");
        } else if let Some((before, rest)) = line.split_once("fn ") {
            let is_signature = before
                .split_whitespace()
                .all(|word| ["async", "pub"].contains(&word));
            if is_signature && below_test {
                names.extend(rest.split(['(', '<']).next().map(str::to_owned));
            }
            below_test = false;
        } else if !line.starts_with("//") && !line.is_empty() {
            below_test = false;
        }
    }
    names
}

/// The names of all tests but doc tests, which have none.
fn tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for source in ["src", "tests"].into_iter().flat_map(sources) {
        for name in tests_of(&source) {
            assert!(!tests.contains(&name), "two tests are called {name}");
            tests.insert(name);
        }
    }
    tests
}

/// Whether a word is the name of a test: four words or more.
fn is_test_name(span: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    span.matches('_').count() >= 3
        && span.chars().all(allowed)
        && !span.starts_with("sealed_session_")
}

#[test]
fn every_test_that_is_named_exists() {
    let tests = tests();
    let mut named = 0;
    for document in DOCUMENTS {
        let text = read(document);
        let spans = code(&text).into_iter();
        for span in spans.filter(|span| is_test_name(span)) {
            assert!(
                tests.contains(&span),
                "{document} names {span}: there is no such test"
            );
            named += 1;
        }
    }
    assert!(
        named > 150,
        "only {named} tests are named: are they still found?"
    );
}

/// The rows of the tables whose head begins with these cells: the first cell of each, and the others.
fn rows<'t>(text: &'t str, head: &str) -> Vec<(&'t str, &'t str)> {
    let tables = text.split(head).skip(1);
    let rows = tables.flat_map(|table| {
        let lines = table.lines().skip(2);
        lines.take_while(|line| line.starts_with('|'))
    });
    rows.map(|row| {
        let (first, rest) = row[1..].split_once('|').unwrap();
        (first.trim(), rest)
    })
    .collect()
}

#[test]
fn every_threat_has_tests_that_exist() {
    let text = read("docs/THREATS.md");
    let threats = rows(&text, "| no. | threat | mitigation |");
    let numbers: Vec<_> = threats.iter().map(|(number, _)| *number).collect();
    let distinct: BTreeSet<_> = numbers.iter().copied().collect();
    assert!(numbers.len() > 50 && numbers.len() == distinct.len());

    let shown = rows(&text, "| no. | tests |");
    let shown_numbers: Vec<_> = shown.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, shown_numbers, "each threat once, in this order");

    let tests = tests();
    let vector = |span: &str| {
        let path = format!("tests/data/v1/{span}.json");
        Path::new(ROOT).join(path).exists()
    };
    for (number, cell) in shown {
        let named = code(cell);
        let says_why = cell.trim().starts_with("none: ");
        assert_eq!(named.is_empty(), says_why, "{number}");
        for span in named {
            assert!(
                tests.contains(&span) || vector(&span),
                "docs/THREATS.md, {number}: there is no test {span}"
            );
        }
    }
}

/// The map of the house names files as they are called below `src`.
#[test]
fn every_room_and_file_on_the_map_exists() {
    let text = read("CONTRIBUTING.md");
    let spans = code(&text).into_iter();
    let is_path = |span: &String| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
        (span.contains('/') || span.ends_with(".rs")) && span.chars().all(allowed)
    };
    let mut found = 0;
    for path in spans.filter(is_path) {
        let from_root = FOLDERS.iter().any(|folder| path.starts_with(folder));
        let file = match from_root {
            true => Path::new(ROOT).join(&path),
            false => Path::new(ROOT).join("src").join(&path),
        };
        assert!(file.exists(), "CONTRIBUTING.md names {path}");
        found += 1;
    }
    assert!(found > 40, "only {found} files are named: are they found?");
}

/// What can be read in one sitting.
#[test]
fn the_documents_that_are_reviewed_are_short() {
    for (document, most) in [
        ("SECURITY.md", 200),
        ("README.md", 155),
        ("docs/REVOCATION.md", 230),
    ] {
        let lines = read(document).lines().count();
        assert!(lines <= most, "{document} has {lines} lines");
    }
    for document in DOCUMENTS {
        for (number, line) in (1..).zip(read(document).lines()) {
            let is_table = line.starts_with('|');
            assert!(
                is_table || line.chars().count() <= 200,
                "{document}:{number} is too long"
            );
        }
    }
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

/// The Rust sources of a folder.
pub fn sources(folder: &str) -> Vec<String> {
    let mut folders = vec![Path::new(ROOT).join(folder)];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                texts.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    texts
}
