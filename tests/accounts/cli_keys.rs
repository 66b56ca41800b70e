//! `sealed-session keys`, by running the binary: the file after each command.
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

pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// A folder with a key file in it, or not yet.
pub struct Bench {
    pub _folder: TempDir,
    pub file: PathBuf,
}

/// What a command did.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Bench {
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        Self {
            _folder: folder,
            file,
        }
    }

    /// With one key in use.
    pub fn new() -> Self {
        let bench = Self::empty();
        assert_eq!(bench.run("new", &[]).code, 0);
        bench
    }

    /// With keys of these times, each `activate` and `retire` relative to now, in days.
    pub fn with_keys(times: &[(i64, Option<i64>)]) -> Self {
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

    pub fn run(&self, command: &str, arguments: &[&str]) -> Ran {
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

    pub fn list(&self) -> Vec<Value> {
        let ran = self.run("list", &["--json"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        serde_json::from_str(&ran.out).unwrap()
    }

    /// The ids of the keys in this state.
    pub fn ids(&self, state: &str) -> Vec<String> {
        let keys = self.list();
        let matching = keys.iter().filter(|key| key["state"] == state);
        matching
            .map(|key| key["id"].as_str().unwrap().to_owned())
            .collect()
    }

    pub fn text(&self) -> String {
        fs::read_to_string(&self.file).unwrap()
    }

    pub fn loads(&self) -> bool {
        let now = SystemClock::default().now();
        KeyTables::read(&self.file).unwrap().ring(now).is_ok()
    }
}

pub fn secrets(file: &str) -> impl Iterator<Item = &str> {
    let lines = file
        .lines()
        .filter_map(|line| line.strip_prefix("secret = \""));
    lines.map(|line| line.trim_end_matches('"'))
}

pub fn days(days: i64) -> UnixMillis {
    apart(SystemClock::default().now(), days)
}

pub fn apart(now: UnixMillis, days: i64) -> UnixMillis {
    let apart = DAY * u32::try_from(days.abs()).unwrap();
    if days < 0 {
        now.minus(apart)
    } else {
        now + apart
    }
}

#[cfg(unix)]
pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
pub fn set_mode(path: &Path, mode: u32) {
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
