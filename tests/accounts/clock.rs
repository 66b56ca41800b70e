//! A machine whose clock was wrong when the example first started.

use std::fs::{self, File};
use std::path::Path;

use support::accounts::{Server, Steps, command, folder};
use support::moved_clock::MovedClock;

/// Two hours, in milliseconds.
const AHEAD: i64 = 2 * 3600 * 1000;

/// A list refuses whatever is older than itself: one that began in two hours, everybody until then.
#[actix_web::test]
async fn a_list_that_began_under_a_clock_that_was_ahead_begins_anew_while_it_is_empty() {
    let Some(clock) = MovedClock::build() else {
        return;
    };
    let folder = folder();
    let log = folder.path().join("log");
    let start = |ahead| {
        clock.set(ahead);
        let mut command = command([Path::new("--data"), &folder.path().join("data")]);
        command.envs(clock.environment());
        command.stderr(File::create(&log).unwrap());
        let server = Server::try_start(&mut command);
        server.unwrap_or_else(|| panic!("{}", fs::read_to_string(&log).unwrap()))
    };
    // Keys from before: those of a clock that is ahead would not be active yet, which is said at the start.
    start(0).kill();
    fs::remove_file(folder.path().join("data/revocations.redb")).unwrap();
    start(AHEAD).kill();
    let server = start(0);
    let browser = server.browser();
    browser.login("alice").await;
    assert_eq!(browser.user().await.as_deref(), Some("alice"));
    let log = || fs::read_to_string(&log).unwrap();
    assert_eq!(log().matches("it begins anew").count(), 1, "{}", log());

    // Once it was used it has something to say about the sessions of then.
    browser.post("/api/logout").await.is(204);
    server.kill();
    drop(start(0));
    assert_eq!(log().matches("it begins anew").count(), 0, "{}", log());
}
