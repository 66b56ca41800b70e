//! `sealed-session keys`, by running the binary.

#![cfg(feature = "cli")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sealed_session::{
    keys::{KeyTables, Secret, SystemRandom},
    time::{Clock, SystemClock, UnixMillis},
};
use serde_json::Value;
use tempfile::TempDir;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A folder with a key file in it, or not yet.
struct Bench {
    _folder: TempDir,
    file: PathBuf,
}

/// What a command did.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Bench {
    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        Self {
            _folder: folder,
            file,
        }
    }

    /// With one key in use.
    fn new() -> Self {
        let bench = Self::empty();
        assert_eq!(bench.run("new", &[]).code, 0);
        bench
    }

    /// With keys of these times, each `activate` and `retire` relative to now, in days.
    fn with_keys(times: &[(i64, Option<i64>)]) -> Self {
        let bench = Self::empty();
        let mut text = String::new();
        // One moment for all: of keys that activate together the first seals.
        let now = SystemClock::default().now();
        for (activate, retire) in times {
            let secret = Secret::generate(&SystemRandom).unwrap();
            text += &format!("[[key]]\nsecret = \"{}\"\n", *secret.to_text());
            text += &format!("activate = {}\n", apart(now, *activate));
            if let Some(retire) = retire {
                text += &format!("retire = {}\n", apart(now, *retire));
            }
        }
        fs::write(&bench.file, text).unwrap();
        set_mode(&bench.file, 0o600);
        bench
    }

    fn run(&self, command: &str, arguments: &[&str]) -> Ran {
        let binary = env!("CARGO_BIN_EXE_sealed-session");
        let output = Command::new(binary)
            .args(["keys", command])
            .arg(&self.file)
            .args(arguments)
            .output()
            .unwrap();
        let ran = Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        // After every single run: no secret was printed.
        let file = fs::read_to_string(&self.file).unwrap_or_default();
        for secret in secrets(&file) {
            assert!(!ran.out.contains(secret) && !ran.err.contains(secret));
        }
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
        ran
    }

    fn list(&self) -> Vec<Value> {
        let ran = self.run("list", &["--json"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        serde_json::from_str(&ran.out).unwrap()
    }

    /// The ids of the keys in this state.
    fn ids(&self, state: &str) -> Vec<String> {
        let keys = self.list();
        let matching = keys.iter().filter(|key| key["state"] == state);
        matching
            .map(|key| key["id"].as_str().unwrap().to_owned())
            .collect()
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.file).unwrap()
    }

    fn loads(&self) -> bool {
        let now = SystemClock::default().now();
        KeyTables::read(&self.file).unwrap().ring(now).is_ok()
    }
}

fn secrets(file: &str) -> impl Iterator<Item = &str> {
    let lines = file
        .lines()
        .filter_map(|line| line.strip_prefix("secret = \""));
    lines.map(|line| line.trim_end_matches('"'))
}

fn days(days: i64) -> UnixMillis {
    apart(SystemClock::default().now(), days)
}

fn apart(now: UnixMillis, days: i64) -> UnixMillis {
    let apart = DAY * u32::try_from(days.abs()).unwrap();
    if days < 0 {
        now.minus(apart)
    } else {
        now + apart
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn new_makes_a_private_file_that_loads_and_never_overwrites() {
    let bench = Bench::new();
    assert_eq!(mode(&bench.file), 0o600);
    assert!(bench.loads());
    assert_eq!(bench.ids("sealing").len(), 1);

    let before = bench.text();
    let again = bench.run("new", &[]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("exists already"), "{}", again.err);
    assert_eq!(bench.text(), before);
}

#[test]
fn list_shows_ids_and_times() {
    let bench = Bench::with_keys(&[(-40, Some(-1)), (-30, Some(5)), (-10, None), (1, None)]);
    let states: Vec<_> = bench
        .list()
        .iter()
        .map(|key| key["state"].clone())
        .collect();
    assert_eq!(states, ["retired", "opening", "sealing", "pending"]);
    let ran = bench.run("list", &[]);
    assert_eq!(ran.code, 0);
    assert_eq!(ran.out.lines().count(), 5);
    assert!(ran.out.contains(&bench.ids("pending")[0]));
}

#[test]
fn rotate_adds_a_key_and_plans_the_end_of_the_old_one() {
    let bench = Bench::new();
    let old = bench.ids("sealing");
    let ran = bench.run("rotate", &["--distribute", "2h", "--lifetime", "14days"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(bench.ids("sealing"), old);
    let pending = bench.ids("pending");
    assert_eq!(pending.len(), 1);

    let keys = bench.list();
    let time = |value: &Value| value.as_str().unwrap().parse::<UnixMillis>().unwrap();
    let (retire, activate) = (time(&keys[0]["retire"]), time(&keys[1]["activate"]));
    assert_eq!(retire, activate + 14 * DAY + Duration::from_secs(2 * 3600));
    assert!(ran.out.contains(&old[0]) && ran.out.contains(&pending[0]));
    assert_eq!(mode(&bench.file), 0o600);

    let before = bench.text();
    let again = bench.run("rotate", &[]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("--force"), "{}", again.err);
    assert_eq!(bench.text(), before);
    assert_eq!(bench.run("rotate", &["--force"]).code, 0);
    assert_eq!(bench.ids("pending").len(), 2);
    assert!(bench.loads());
}

#[test]
fn revoking_a_key_in_use_wants_a_yes_and_leaves_one_that_seals() {
    let bench = Bench::new();
    let id = bench.ids("sealing").remove(0);
    let secret = secrets(&bench.text()).next().unwrap().to_owned();

    let refused = bench.run("revoke", &[&id]);
    assert_eq!(refused.code, 3);
    assert!(refused.err.contains("--yes"), "{}", refused.err);
    assert_eq!(bench.ids("sealing"), [id.as_str()]);

    let ran = bench.run("revoke", &[&id, "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let fresh = bench.ids("sealing");
    assert!(ran.out.contains(&fresh[0]), "it says so: {}", ran.out);
    assert_eq!(bench.ids("revoked"), [id.as_str()]);
    assert!(!bench.text().contains(&secret), "the leaked secret is gone");
    assert!(bench.loads());

    // Revoking it again is success, and changes nothing.
    let before = bench.text();
    assert_eq!(bench.run("revoke", &[&id]).code, 0);
    assert_eq!(bench.text(), before);
}

#[test]
fn keys_that_log_nobody_out_are_revoked_at_once() {
    let bench = Bench::with_keys(&[(-40, Some(-1)), (-10, None), (1, None)]);
    for state in ["retired", "pending"] {
        let id = bench.ids(state).remove(0);
        assert_eq!(bench.run("revoke", &[&id]).code, 0);
        assert!(bench.ids("revoked").contains(&id));
    }
    assert_eq!(bench.ids("sealing").len(), 1);

    let stranger = "0123456789abcdef0123456789abcdef";
    let refused = bench.run("revoke", &[stranger]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("--force"), "{}", refused.err);
    assert_eq!(bench.run("revoke", &[stranger, "--force"]).code, 0);
    assert!(bench.ids("revoked").contains(&stranger.to_owned()));
}

#[test]
fn prune_removes_the_secrets_of_retired_keys_alone() {
    let bench = Bench::with_keys(&[(-40, Some(-1)), (-30, Some(5)), (-10, None)]);
    let retired = bench.ids("retired");
    let secret = secrets(&bench.text()).next().unwrap().to_owned();
    let ran = bench.run("prune", &[]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains(&retired[0]));
    assert_eq!(bench.ids("pruned"), retired);
    assert_eq!(secrets(&bench.text()).count(), 2);
    assert!(!bench.text().contains(&secret));

    // A second time there is nothing to do, and the tombstone stays.
    let before = bench.text();
    assert_eq!(bench.run("prune", &[]).code, 0);
    assert_eq!(bench.text(), before);
    // A pruned key can still be revoked.
    assert_eq!(bench.run("revoke", &[&retired[0]]).code, 0);
    assert_eq!(bench.ids("revoked"), retired);
}

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

#[test]
fn everyone_wants_a_yes_and_goes_forward() {
    let bench = Bench::new();
    let refused = bench.run("everyone", &[]);
    assert_eq!(refused.code, 3);
    assert!(refused.err.contains("--yes"), "{}", refused.err);
    assert!(!bench.text().contains("everyone_before"));

    assert_eq!(bench.run("everyone", &["--yes"]).code, 0);
    assert!(bench.text().contains("everyone_before"));
    assert!(bench.loads());

    let earlier = days(-1).to_string();
    let back = bench.run("everyone", &["--yes", "--at", &earlier]);
    assert_eq!(back.code, 1);
    assert!(back.err.contains("--force"), "{}", back.err);
    assert_eq!(
        bench.run("everyone", &["--force", "--at", &earlier]).code,
        0
    );
    assert!(bench.text().contains(&earlier));

    let future = days(1).to_string();
    for more in [&["--yes"][..], &["--yes", "--force"]] {
        let arguments = [&["--at", future.as_str()], more].concat();
        let ran = bench.run("everyone", &arguments);
        assert_eq!(ran.code, 1);
        assert!(ran.err.contains("future"), "{}", ran.err);
    }
}

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
