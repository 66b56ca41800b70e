//! What the README tells an operator to type works.
#![cfg(feature = "cli")]

use std::path::Path;
use std::process::{Command, Output};

const README: &str = include_str!("../../README.md");

/// The commands of the README that begin with `start`, without their comments.
fn commands(start: &str) -> Vec<&'static str> {
    let lines = README.lines().filter(|line| line.starts_with(start));
    lines
        .map(|line| line.split('#').next().unwrap_or(line).trim())
        .collect()
}

/// The README's `session.toml`.
fn configuration() -> &'static str {
    let (_, rest) = README.split_once("```toml\n").unwrap();
    rest.split_once("```").unwrap().0
}

fn run(folder: &Path, arguments: &[&str], input: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealed-session"));
    command.args(arguments).current_dir(folder);
    if let Some(path) = input {
        command.stdin(std::fs::File::open(path).unwrap());
    }
    command.output().unwrap()
}

#[actix_web::test]
async fn every_command_of_the_readme_does_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("session.toml"), configuration()).unwrap();
    let all = commands("sealed-session ");
    assert!(all.len() >= 8, "{all:?}");
    let mut made = false;
    for line in all {
        let output = {
            let id = if made {
                sealing_key(folder)
            } else {
                String::new()
            };
            let line = line.replace(" ID ", &format!(" {id} "));
            let (line, input) = match line.split_once(" < ") {
                Some((line, file)) => {
                    let path = folder.join(file);
                    std::fs::write(&path, a_cookie(folder).await).unwrap();
                    (line.to_owned(), Some(path))
                }
                None => (line, None),
            };
            let arguments: Vec<_> = line.split_whitespace().skip(1).collect();
            run(folder, &arguments, input.as_deref())
        };
        assert!(output.status.success(), "{line}\n{output:?}");
        made = true;
    }
}

fn sealing_key(folder: &Path) -> String {
    let output = run(folder, &["keys", "list", "keys.toml", "--json"], None);
    let keys: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let sealing = keys
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["state"] == "sealing");
    sealing.unwrap()["id"].as_str().unwrap().to_owned()
}

/// A cookie that an application under the README's configuration gave out.
async fn a_cookie(folder: &Path) -> String {
    let sessions = sealed_session::Sessions::from_file(folder.join("session.toml"))
        .await
        .unwrap();
    let loaded = sessions
        .load(sealed_session::adapter::Incoming::new(std::iter::empty()))
        .unwrap();
    loaded.session.insert("theme", "dark").unwrap();
    let outcome = sessions.commit(&loaded.session, loaded.ticket).await;
    let cookie = outcome.cookies.first().unwrap();
    let value = cookie.split_once('=').unwrap().1.split_once(';').unwrap().0;
    value.to_owned()
}
