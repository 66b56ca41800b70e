//! Starting and stopping, and the reasons for which a start fails.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use serde_json::json;

use support::Browser;
use support::accounts::{Errors, Server, Steps, command, command_at, folder, refuses};

fn data(path: &Path) -> [&Path; 2] {
    [Path::new("--data"), path]
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
#[actix_web::test]
async fn the_first_start_makes_a_private_folder() {
    let folder = folder();
    let data = folder.path().join("some/data");
    let server = Server::on(&data);
    let keys = fs::read(data.join("keys.toml")).unwrap();
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("keys.toml")), 0o600);
    assert_eq!(mode(&data.join("revocations.redb")), 0o600);
    let browser = server.browser();
    browser.login("alice").await;
    server.signal("-TERM");
    assert!(server.wait().success());
    let server = Server::on(&data);
    assert_eq!(fs::read(data.join("keys.toml")).unwrap(), keys);
    let browser = server.resume(&browser);
    assert_eq!(browser.user().await.as_deref(), Some("alice"));
}

#[cfg(unix)]
#[actix_web::test]
async fn signals_stop_the_server_and_lose_nothing() {
    for signal in ["-TERM", "-INT"] {
        let folder = folder();
        let server = Server::on(folder.path());
        let (stays, leaves) = (server.browser(), server.browser());
        stays.login("alice").await;
        leaves.login("alice").await;
        let replay = leaves.copy();
        leaves.post("/api/logout").await.is(204);
        // These connections are still open, which must not hold the server up for long.
        let asked = Instant::now();
        server.signal(signal);
        assert!(server.wait().success(), "{signal}");
        assert!(asked.elapsed().as_secs() < 10, "{:?}", asked.elapsed());
        let server = Server::on(folder.path());
        assert_eq!(server.resume(&stays).user().await.as_deref(), Some("alice"));
        assert_eq!(server.resume(&replay).user().await, None);
    }
}

#[actix_web::test]
async fn a_port_in_use_is_said() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = refuses(command_at(&address).args(data(folder.path())));
    assert!(
        error.contains(&address) && error.contains("in use"),
        "{error}"
    );
}

#[actix_web::test]
async fn a_cookie_without_secure_stays_on_the_loopback_interface() {
    let folder = folder();
    for address in ["0.0.0.0:0", "[::]:0"] {
        let error = refuses(command_at(address).args(data(folder.path())));
        assert!(error.contains("--config"), "{error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[actix_web::test]
async fn a_start_names_a_folder_that_cannot_be_used() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = refuses(&mut command(data(&file)));
    assert!(error.contains("is not a folder"), "{error}");
    let error = refuses(&mut command(data(&file.join("below"))));
    assert!(error.contains("below"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), b"x");
    // Nobody can make files there, the superuser included.
    if cfg!(target_os = "linux") {
        let error = refuses(&mut command(data(Path::new("/sys"))));
        assert!(error.contains("/sys/keys.toml"), "{error}");
    }
}

#[actix_web::test]
async fn a_broken_key_file_is_said_and_left_alone() {
    let secret_twice = {
        let folder = folder();
        Server::on(folder.path()).kill();
        let good = fs::read_to_string(folder.path().join("keys.toml")).unwrap();
        format!("{good}\n{good}")
    };
    for broken in [
        "",
        "[[key]]",
        "key = ",
        "[[key]]\nsecret = \"short\"\n",
        &secret_twice,
    ] {
        let folder = folder();
        let file = folder.path().join("keys.toml");
        fs::write(&file, broken).unwrap();
        let error = refuses(&mut command(data(folder.path())));
        assert!(error.contains("key"), "{error}");
        for secret in broken.split('"').filter(|part| part.len() > 40) {
            assert!(!error.contains(secret), "a secret was shown");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), broken);
        let made = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(made, 1, "a start that fails for its keys makes no list");
    }
}

/// A folder where sessions were ended, after `kill -9`: the list's file, and the dead cookies.
async fn used() -> (tempfile::TempDir, Vec<u8>, Vec<Browser>) {
    let folder = folder();
    let server = Server::on(folder.path());
    let browser = server.browser();
    let mut dead = Vec::new();
    for _ in 0..5 {
        browser.login("alice").await;
        dead.push(browser.copy());
    }
    browser.post("/api/logout-all").await.is(204);
    server.kill();
    let list = fs::read(folder.path().join("revocations.redb")).unwrap();
    (folder, list, dead)
}

#[actix_web::test]
async fn a_file_that_is_no_list_is_said_and_left_alone() {
    let (folder, good, _) = used().await;
    let file = folder.path().join("revocations.redb");
    let length = good.len();
    let mut overwritten = good.clone();
    overwritten[..4096].fill(0x5a);
    let damaged = [
        Vec::new(),
        b"not a list\n".to_vec(),
        good[..1].to_vec(),
        good[..4096].to_vec(),
        good[..length - 1].to_vec(),
        overwritten,
        vec![0; length],
        vec![0xff; length],
    ];
    for bytes in damaged {
        fs::write(&file, &bytes).unwrap();
        let error = refuses(&mut command(data(folder.path())));
        let what = format!("{error} ({} bytes)", bytes.len());
        assert!(error.contains("revocations.redb"), "{what}");
        assert!(
            fs::read(&file).unwrap() == bytes,
            "the file was changed: {what}"
        );
    }
    fs::write(&file, &good).unwrap();
    Server::on(folder.path());
}

/// Damage where nothing is stored may go unnoticed; then nothing may be missing either.
#[actix_web::test]
async fn a_damaged_list_never_lets_a_dead_session_in() {
    let (folder, good, dead) = used().await;
    let file = folder.path().join("revocations.redb");
    let pages = good.len() / 4096;
    let mut damaged: Vec<_> = (1..20)
        .map(|n| good[..n * pages / 20 * 4096].to_vec())
        .collect();
    for (page, bytes) in good.chunks(4096).enumerate() {
        if bytes.iter().all(|byte| *byte == 0) {
            continue;
        }
        let mut flipped = good.clone();
        flipped[page * 4096 + 100] ^= 1;
        let mut overwritten = good.clone();
        overwritten[page * 4096..][..4096].fill(0x5a);
        damaged.extend([flipped, overwritten]);
    }
    let mut refused = 0;
    for bytes in damaged {
        fs::write(&file, &bytes).unwrap();
        let mut starting = command(data(folder.path()));
        let Some(server) = Server::try_start(starting.stderr(Stdio::null())) else {
            refused += 1;
            continue;
        };
        for cookie in &dead {
            assert_eq!(server.resume(cookie).user().await, None);
        }
    }
    assert!(refused > 0);
}

#[actix_web::test]
async fn a_list_that_was_deleted_logs_everyone_out() {
    let folder = folder();
    let server = Server::on(folder.path());
    let browsers = [server.browser(), server.browser()];
    browsers[0].login("alice").await;
    browsers[1].login("bob").await;
    let replay = browsers[0].copy();
    browsers[0].post("/api/logout").await.is(204);
    server.kill();
    fs::remove_file(folder.path().join("revocations.redb")).unwrap();
    let server = Server::on(folder.path());
    for browser in [&browsers[1], &replay] {
        assert_eq!(server.resume(browser).user().await, None);
    }
    let bob = server.resume(&browsers[1]);
    bob.login("bob").await;
    assert_eq!(bob.user().await.as_deref(), Some("bob"));
}

#[actix_web::test]
async fn two_processes_do_not_share_a_folder() {
    let folder = folder();
    let server = Server::on(folder.path());
    let browser = server.browser();
    browser.login("alice").await;
    let error = refuses(&mut command(data(folder.path())));
    assert!(error.contains("in use by another process"), "{error}");
    assert_eq!(browser.user().await.as_deref(), Some("alice"));
    server.kill();
    Server::on(folder.path());
}

#[actix_web::test]
async fn a_configuration_says_everything() {
    let folder = folder();
    Server::on(folder.path()).kill();
    let file = folder.path().join("session.toml");
    let write = |text: &str| fs::write(&file, text).unwrap();
    let rest = "[keys]\nfile = \"keys.toml\"\n[revocation]\nstore = \"redb:list.redb\"\n";
    write(&format!("audience = \"a\"\n{rest}"));
    let config = [Path::new("--config"), &file];
    let error = refuses(&mut command(config));
    assert!(error.contains("list.redb does not exist"), "{error}");

    write(&format!(
        "audience = \"a\"\n{rest}create = true\n[cookie]\nmax_chunks = 3\n"
    ));
    let server = Server::configured(&file);
    let browser = server.browser();
    let login = browser.login("alice").await;
    let cookie = login.set_cookies()[0];
    assert!(
        cookie.starts_with("__Host-session=") && cookie.contains("Secure"),
        "{cookie}"
    );
    browser.set("large", json!("x".repeat(6000))).await.is(204);
    browser.get("/api/entries/large").await.is(200);
    let refused = browser.set("large", json!("x".repeat(12_000))).await;
    assert_eq!(
        refused.is(413).error("session_too_large")["limit"],
        3 * 3584
    );
    drop(server);

    for (text, said) in [
        ("audience = ", "session.toml"),
        ("audience = \"a\"\nnonsense = 1", "nonsense"),
        (&format!("audience = \"\"\n{rest}"), "audience"),
        (
            &format!("audience = \"a\"\n{rest}[cookie]\nsecure = false\n"),
            "__Host-",
        ),
    ] {
        write(text);
        let error = refuses(&mut command(config));
        assert!(error.contains(said), "{error}");
    }
    fs::remove_file(&file).unwrap();
    let error = refuses(&mut command(config));
    assert!(error.contains("session.toml"), "{error}");
}

#[actix_web::test]
async fn a_first_start_says_what_it_lacks() {
    let folder = folder();
    let file = folder.path().join("session.toml");
    let config = [Path::new("--config"), &file];
    let error = refuses(&mut command(config));
    assert!(
        error.ends_with("session.toml: No such file or directory (os error 2)"),
        "{error}"
    );

    let text = "audience = \"a\"\n[keys]\nfile = \"keys.toml\"\n[revocation]\n\
                store = \"redb:list.redb\"\ncreate = true\n";
    fs::write(&file, text).unwrap();
    let error = refuses(&mut command(config));
    assert!(
        error.contains("/keys.toml: No such file or directory (os error 2); `keys.file` names")
            && error.contains("`sealed-session keys new"),
        "{error}"
    );
    assert!(!folder.path().join("list.redb").exists());

    fs::write(&file, format!("{text}[cookie]\nsecure = false\n")).unwrap();
    let error = refuses(&mut command(config));
    let (before, words) = error.split_once("session.toml: ").unwrap();
    assert!(!before.contains("File {"), "{error}");
    assert!(
        words.starts_with("setting `cookie.name`: the prefix __Host- promises"),
        "{error}"
    );

    fs::write(&file, text).unwrap();
    let data = folder.path().join("data");
    Server::on(&data).kill();
    fs::copy(data.join("keys.toml"), folder.path().join("keys.toml")).unwrap();
    let _server = Server::configured(&file);
    let error = refuses(&mut command(config));
    assert!(
        error.ends_with("list.redb is in use by another process"),
        "{error}"
    );
}
