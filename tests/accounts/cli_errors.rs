//! Errors of `sealed-session keys`: exit codes, words, and an unchanged file.
#![cfg(feature = "cli")]

use std::fs;

use super::cli_keys::{Bench, mode, secrets, set_mode};

#[test]
fn wrong_usage_has_a_code_of_its_own() {
    let bench = Bench::new();
    assert_eq!(bench.run("revoke", &["not-an-id"]).code, 2);
    assert_eq!(bench.run("rotate", &["--lifetime", "soon"]).code, 2);
    assert_eq!(bench.run("everyone", &["--at", "yesterday"]).code, 2);
    assert_eq!(bench.run("explode", &[]).code, 2);
    for command in [
        "new", "list", "rotate", "revoke", "prune", "check", "everyone",
    ] {
        let help = bench.run(command, &["--help"]);
        assert_eq!(help.code, 0, "{command}");
        assert!(help.out.contains("The key file"), "{command}");
    }
}

#[test]
fn errors_are_one_line() {
    let empty = Bench::empty();
    for (command, arguments) in [
        ("list", &[][..]),
        ("rotate", &[]),
        ("revoke", &["0123456789abcdef0123456789abcdef"]),
        ("prune", &[]),
        ("check", &[]),
        ("everyone", &["--yes"]),
    ] {
        let ran = empty.run(command, arguments);
        assert_eq!(ran.code, 1, "{command}");
        assert_eq!(ran.err.lines().count(), 1, "{command}: {}", ran.err);
        assert!(ran.err.contains("keys.toml"), "{command}: {}", ran.err);
        assert!(!empty.file.exists(), "{command} made a file");
    }
}

#[test]
fn a_broken_file_is_reported_without_its_secrets() {
    let bench = Bench::new();
    let good = bench.text();
    let secret = secrets(&good).next().unwrap().to_owned();
    for bad in [
        good.replace("secret = ", "activate = "),
        good.replace("secret = ", "secrets = "),
        good.replace("secret = \"", "secret = "),
        good.replace("secret = ", "id = "),
        good.replace(&format!("\"{secret}\""), &format!("[\"{secret}\"]")),
        good.replace(&format!("{secret}\""), &secret),
        format!("key = \"{secret}\"\n"),
        format!("everyone_before = \"{secret}\"\n"),
        format!("{secret} = 1\n"),
        format!("{secret}\n"),
        format!("[[key]]\nsecret = \"{secret}AAAA\"\nactivate = 2026-11-21T08:00:00Z\n"),
    ] {
        fs::write(&bench.file, &bad).unwrap();
        for command in ["check", "list", "rotate"] {
            let ran = bench.run(command, &[]);
            assert_eq!(ran.code, 1, "{bad}");
            assert!(ran.err.contains("line "), "{}", ran.err);
            let start = &secret[..12];
            assert!(
                !ran.out.contains(start) && !ran.err.contains(start),
                "{}",
                ran.err
            );
        }
        assert_eq!(bench.text(), bad, "nothing was written");
    }
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_stays_and_what_it_points_to_changes() {
    let bench = Bench::new();
    let link = bench.file.with_file_name("link.toml");
    std::os::unix::fs::symlink("keys.toml", &link).unwrap();
    set_mode(&bench.file, 0o640);
    let through = Bench {
        _folder: tempfile::tempdir().unwrap(),
        file: link,
    };
    assert_eq!(through.run("rotate", &[]).code, 0);
    assert!(fs::symlink_metadata(&through.file).unwrap().is_symlink());
    assert_eq!(bench.ids("pending").len(), 1);
    assert_eq!(mode(&bench.file), 0o640, "the group may still read");
    let left: Vec<_> = fs::read_dir(bench.file.parent().unwrap())
        .unwrap()
        .collect();
    assert_eq!(left.len(), 2, "no temporary file is left: {left:?}");
}

/// Edits wait for each other: of many at once none is lost.
#[test]
fn no_edit_undoes_another() {
    let bench = Bench::new();
    let ids: Vec<String> = (0..8).map(|n| format!("{n:02x}").repeat(16)).collect();
    std::thread::scope(|scope| {
        for id in &ids {
            scope.spawn(|| assert_eq!(bench.run("revoke", &[id, "--force"]).code, 0));
        }
    });
    let mut revoked = bench.ids("revoked");
    revoked.sort();
    assert_eq!(revoked, ids);
}
