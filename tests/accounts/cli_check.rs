//! `sealed-session keys check`, and the warnings of `rotate`: problems of now and of later.
#![cfg(feature = "cli")]

use std::fs;

use super::cli_keys::{Bench, set_mode};

#[test]
fn check_tells_what_is_wrong_and_what_will_be() {
    let good = Bench::new();
    let ran = good.run("check", &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));

    set_mode(&good.file, 0o644);
    let loose = good.run("check", &[]);
    assert_eq!(loose.code, 1);
    assert!(loose.err.contains("0600"), "{}", loose.err);
    // A group that may read is how a server under another user gets its keys.
    set_mode(&good.file, 0o640);
    assert_eq!(good.run("check", &[]).code, 0);

    let ending = Bench::with_keys(&[(-10, Some(5))]).run("check", &[]);
    assert_eq!(ending.code, 1);
    assert!(
        ending.err.contains("no key seals after it"),
        "{}",
        ending.err
    );

    let ended = Bench::with_keys(&[(-10, Some(-5))]).run("check", &[]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("no key is active"), "{}", ended.err);

    let untidy = Bench::with_keys(&[(-40, Some(-1)), (-30, None), (-10, None)]).run("check", &[]);
    assert_eq!(untidy.code, 0);
    assert_eq!(untidy.out.matches("note:").count(), 2, "{}", untidy.out);

    let broken = Bench::new();
    fs::write(&broken.file, broken.text().replace("[[key]]", "[key]")).unwrap();
    assert_eq!(broken.run("check", &[]).code, 1);
    assert_eq!(Bench::empty().run("check", &[]).code, 1);
}

/// A configuration beside the key file whose sessions live for so long at the most.
fn config(bench: &Bench, longest: &str) -> String {
    let file = bench.file.with_file_name("session.toml");
    let text = format!(
        "audience = \"shop/test\"\n[lifetime]\nremembered_idle = \"1d\"\nremembered_absolute = \"{longest}\"\n\
         [keys]\nfile = \"keys.toml\"\n[revocation]\nstore = \"memory\"\n"
    );
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn rotate_and_check_warn_when_a_session_would_pass_through_too_many_keys() {
    // A key a day; the last of them has sealed since yesterday.
    let times: Vec<_> = (1..=17).rev().map(|day| (-day, Some(40))).collect();
    let bench = Bench::with_keys(&times);
    let mut text = bench.text();
    text.truncate(text.rfind("retire").unwrap());
    fs::write(&bench.file, text).unwrap();
    let fine = bench.run("check", &[]);
    assert_eq!((fine.code, fine.err.as_str()), (0, ""), "17 keys");

    let ran = bench.run("rotate", &["--lifetime", "30days"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let activate = bench.list().last().unwrap()["activate"].clone();
    let since = format!("from {} on", activate.as_str().unwrap());
    for warned in [&ran, &bench.run("check", &[])] {
        assert_eq!((warned.code, warned.err.lines().count()), (0, 1));
        assert!(warned.err.starts_with("warning: "), "{}", warned.err);
        for part in ["more keys", &since, "rotate less often", "30days"] {
            assert!(warned.err.contains(part), "{part}: {}", warned.err);
        }
    }
    // Sessions that live for a shorter time meet fewer of them.
    let config = config(&bench, "10d");
    for arguments in [["--config", &config], ["--lifetime", "10d"]] {
        assert_eq!(bench.run("check", &arguments).err, "");
    }
}

#[test]
fn check_warns_where_a_retire_set_by_hand_would_end_readers() {
    // It sealed until two days ago, and so opens for 28 more days, or five by a shorter limit.
    let bench = Bench::with_keys(&[(-40, Some(6)), (-2, None)]);
    let warned = bench.run("check", &[]);
    assert_eq!((warned.code, warned.err.lines().count()), (0, 1));
    let old = bench.ids("opening").remove(0);
    for part in ["warning: ", &old, "30days", "logged out"] {
        assert!(warned.err.contains(part), "{part}: {}", warned.err);
    }
    let config = config(&bench, "7d");
    assert_eq!(bench.run("check", &["--config", &config]).err, "");

    // One that never sealed, and one that a rotation planned.
    let unused = Bench::with_keys(&[(-40, None), (1, Some(2)), (1, None)]);
    assert_eq!(unused.run("check", &[]).err.lines().count(), 1);
    let unused = Bench::with_keys(&[(-40, None), (-40, Some(2))]);
    assert_eq!(unused.run("check", &[]).err, "");
    let rotated = Bench::new();
    assert_eq!(rotated.run("rotate", &["--lifetime", "30d"]).err, "");
    assert_eq!(rotated.run("check", &[]).err, "");
    // A problem comes with the warnings.
    set_mode(&bench.file, 0o644);
    let both = bench.run("check", &[]);
    assert_eq!((both.code, both.err.lines().count()), (1, 2));
}
