//! `kill -9` right after an answer: whatever was acknowledged holds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use support::Browser;
use support::accounts::{Server, Steps, folder};

/// A configuration without a grace, so that a renewal ends the older cookie at once; the first start
/// made its keys.
pub fn configure(folder: &Path) -> PathBuf {
    Server::on(folder).kill();
    let file = folder.join("session.toml");
    let text = "audience = \"test\"\n\
                [cookie]\nname = \"session\"\nsecure = false\n\
                [lifetime]\nrenew_grace = \"0s\"\n\
                [keys]\nfile = \"keys.toml\"\n\
                [revocation]\nstore = \"redb:list.redb\"\ncreate = true\n";
    std::fs::write(&file, text).unwrap();
    file
}

/// Cookies and what has to become of them.
#[derive(Default)]
struct Ledger {
    dead: Vec<(String, Browser)>,
    live: Vec<(String, Browser)>,
}

impl Ledger {
    async fn check(&self, server: &Server) {
        for (what, browser) in &self.dead {
            let replayed = server.resume(browser);
            assert_eq!(replayed.user().await, None, "{what}");
            let entries = replayed.get("/api/entries").await.is(200);
            assert_eq!(entries.json(), json!({}), "{what}");
        }
        for (user, browser) in &self.live {
            let resumed = server.resume(browser);
            assert_eq!(resumed.user().await.as_ref(), Some(user));
        }
    }
}

async fn logged_in(server: &Server, user: &str) -> Browser {
    let browser = server.browser();
    browser.login(user).await;
    browser.set("mine", json!(user)).await.is(204);
    browser
}

#[actix_web::test]
async fn a_session_that_a_204_ended_stays_ended() {
    let folder = folder();
    let config = configure(folder.path());
    let mut ledger = Ledger::default();
    for round in 0..4 {
        for step in [
            "logout",
            "logout-all",
            "logout-others",
            "login",
            "switch",
            "anonymous",
            "renew",
        ] {
            let server = Server::configured(&config);
            ledger.check(&server).await;
            let user = format!("{step}-{round}");
            let bystander = format!("bystander-{user}");
            let stays = logged_in(&server, &bystander).await;
            let (one, two) = (
                logged_in(&server, &user).await,
                logged_in(&server, &user).await,
            );
            let before = one.copy();
            let mut dead = vec![before];
            let mut live = Vec::new();
            match step {
                "logout" => {
                    one.post("/api/logout").await.is(204);
                    live.push((user, two));
                }
                "logout-all" => {
                    one.post("/api/logout-all").await.is(204);
                    dead.push(two);
                }
                "logout-others" => {
                    one.post("/api/logout-others").await.is(204);
                    dead.push(two);
                    live.push((user, one));
                }
                "login" => {
                    one.login(&user).await;
                    live.extend([(user.clone(), one), (user, two)]);
                }
                "switch" => {
                    let other = format!("other-{user}");
                    one.login(&other).await;
                    live.extend([(other, one), (user, two)]);
                }
                "anonymous" => {
                    let anonymous = server.browser();
                    anonymous.set("a", json!(1)).await.is(204);
                    dead = vec![anonymous.copy()];
                    anonymous.post("/api/logout").await.is(204);
                    live.extend([(user.clone(), one), (user, two)]);
                }
                _ => {
                    one.post("/api/renew").await.is(200);
                    live.extend([(user.clone(), one), (user, two)]);
                }
            }
            server.kill();
            live.push((bystander, stays));
            ledger.live.extend(live);
            let named = |browser| (format!("{step}, round {round}"), browser);
            ledger.dead.extend(dead.into_iter().map(named));
        }
    }
    ledger.check(&Server::configured(&config)).await;
}

#[actix_web::test]
async fn a_kill_in_the_middle_of_many_logouts_loses_none_that_was_answered() {
    let folder = folder();
    let config = configure(folder.path());
    let mut ledger = Ledger::default();
    for round in 0..5u64 {
        let server = Server::configured(&config);
        ledger.check(&server).await;
        let mut browsers = Vec::new();
        for number in 0..24 {
            let user = format!("user-{round}-{number}");
            browsers.push((logged_in(&server, &user).await, user));
        }
        let tasks: Vec<_> = browsers
            .iter()
            .enumerate()
            .map(|(number, (browser, _))| {
                let path = ["logout", "logout-all", "logout-others"][number % 3];
                let url = format!("{}/api/{path}", server.url);
                let cookie = format!("session={}", browser.session().unwrap());
                actix_web::rt::spawn(async move {
                    let client = reqwest::Client::builder().no_proxy().build().unwrap();
                    let sent = client.post(url).header("cookie", cookie).send().await;
                    sent.is_ok_and(|answer| answer.status() == 204)
                })
            })
            .collect();
        // At another moment in every round, the first before most of them are answered.
        tokio::time::sleep(Duration::from_millis(5 * round)).await;
        server.kill();
        let mut answered = 0;
        for (task, (browser, user)) in tasks.into_iter().zip(browsers) {
            if task.await.unwrap() {
                answered += 1;
                ledger.dead.push((user, browser));
            }
        }
        println!("round {round}: {answered} were answered");
    }
    let server = Server::configured(&config);
    ledger.check(&server).await;
    // What was not answered may be either, but the list still takes new logouts.
    let browser = logged_in(&server, "last").await;
    let replay = browser.copy();
    browser.post("/api/logout").await.is(204);
    assert_eq!(replay.user().await, None);
}
