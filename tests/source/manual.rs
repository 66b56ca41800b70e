//! docs/OPERATIONS.md tells of every metric, and of every event that somebody may have to do something about.

use std::collections::BTreeSet;

use crate::documents::{code, read, sources};
use crate::house::House;

/// The last line of every application's `main`.
const CLOSING: &str = "let left = closing.close(Duration::from_secs(5)).await;";

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
        ("docs/OPERATIONS.md", CLOSING),
        // There it is compiled.
        ("src/sessions/mod.rs", CLOSING),
        ("src/session/entries.rs", "feature `arbitrary_precision`"),
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
    let source = read("src/observe/catalog.rs");
    let (_, rest) = source.split_once("\nmetrics! {").unwrap();
    let (table, _) = rest.split_once("\n}").unwrap();
    let rows = table.split(" = ").skip(1);
    rows.map(|row| {
        let mut parts = row.split(',').map(|part| part.trim().trim_matches('"'));
        let [kind, name, label] = [(); 3].map(|()| parts.next().unwrap());
        [name.to_owned(), kind.to_lowercase(), label.to_owned()]
    })
    .collect()
}

#[test]
fn the_metrics_of_the_manual_are_those_that_are_counted() {
    let (documented, counted) = (documented_metrics(), counted_metrics());
    assert!(counted.len() > 10, "{counted:?}");
    assert_eq!(documented, counted);
    // And nothing is counted that the table of the source leaves out.
    let sources = House::read().sources;
    let names = sources
        .iter()
        .map(|it| it.text.matches("\"sealed_session_").count());
    assert_eq!(names.sum::<usize>(), counted.len());
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
