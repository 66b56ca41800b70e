//! What is listed, what is ended, and that a look changes nothing.

use sealed_session::time::{Clock, SystemClock, UnixMillis};
use serde_json::{Value, json};
use support::eventually;
use support::redis_server::RedisServer;

use super::{Place, end, is_live, list, log_in, login, rows};

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended_in_a_file_that_no_server_holds() {
    let place = Place::in_a_file();
    let before = SystemClock::default().now();
    let node = place.start().await;
    let kiosk = login(&node, "alice", "Kiosk \"7\", Küche").await;
    let phone = log_in(&node, "alice", "Phone", true).await;
    let bobs = login(&node, "bob", "Bob's").await;
    let busy = place.fails(&list("alice"), 1);
    assert!(busy.contains("in use by another process"), "{busy}");
    assert!(busy.contains("stop the server first"), "{busy}");
    place.stop(node).await;

    let listed = place.list("alice");
    let fields = |it: &Value| json!([it["id"], it["label"], it["is_remembered"], it["is_current"]]);
    let expected = [
        json!([phone.id.to_string(), "Phone", true, false]),
        json!([kiosk.id.to_string(), "Kiosk \"7\", Küche", false, false]),
    ];
    assert_eq!(listed.iter().map(fields).collect::<Vec<_>>(), expected);
    for it in &listed {
        let [created, seen] = ["created_at", "last_seen_at"].map(|name| listed_time(it, name));
        assert!(before <= created && created <= seen, "{it}");
    }
    // For people.
    let (table, _) = place.says(&list("alice")[..5]);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[1].starts_with(&phone.id.to_string()), "{table}");
    assert!(lines[1].ends_with(r#"  yes         "Phone""#), "{table}");
    assert!(
        lines[2].ends_with(r#"  no          "Kiosk \"7\", Küche""#),
        "{table}"
    );
    let began = listed_time(&listed[0], "created_at").to_string();
    assert!(lines[1].contains(&began), "{table}");

    // Nobody else's, and none that is unknown.
    let [kiosk_id, bobs_id] = [&kiosk, &bobs].map(|it| it.id.to_string());
    for id in [&bobs_id, &"0".repeat(32)] {
        let refused = place.fails(&end("alice", id), 1);
        assert!(refused.contains("no such session"), "{refused}");
    }
    let (said, warned) = place.says(&end("alice", &kiosk_id));
    assert_eq!(said, format!("session {kiosk_id} of \"alice\" is ended\n"));
    assert_eq!(warned, "");
    let again = place.fails(&end("alice", &kiosk_id), 1);
    assert!(
        again.contains("no such session, or it has ended"),
        "{again}"
    );
    assert_eq!(place.listed_ids("alice"), [phone.id.to_string()].into());
    assert_eq!(place.listed_ids("bob"), [bobs_id].into());

    let node = place.start().await;
    assert!(!is_live(&node, &kiosk));
    assert!(is_live(&node, &phone) && is_live(&node, &bobs));
}

fn listed_time(listed: &Value, field: &str) -> UnixMillis {
    UnixMillis::new(listed[field].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended_on_a_server_while_nodes_run() {
    let server = RedisServer::start();
    let place = Place::on_a_server(&server).await;
    let node = place.start().await;
    let [one, two] = [
        login(&node, "alice", "One").await,
        login(&node, "alice", "Two").await,
    ];
    let store = place.store().await;
    rows(&store, "alice", 2).await;
    let ids = [&one, &two].map(|it| it.id.to_string());
    assert_eq!(place.listed_ids("alice"), ids.clone().into());
    place.says(&end("alice", &ids[0]));
    eventually(|| async { !is_live(&node, &one) }).await;
    assert!(is_live(&node, &two));
    rows(&store, "alice", 1).await;
    assert_eq!(place.listed_ids("alice"), [ids[1].clone()].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_no_session_that_has_ended() {
    let server = RedisServer::start();
    let place = Place::on_a_server(&server).await;
    let node = place.start().await;
    let alices = [
        login(&node, "alice", "One").await,
        login(&node, "alice", "Two").await,
    ];
    login(&node, "bob", "Three").await;
    let store = place.store().await;
    let alices_rows = rows(&store, "alice", 2).await;
    rows(&store, "bob", 1).await;
    drop(node);

    let [one, two] = alices.map(|it| it.id.to_string());
    place.says(&["revoke", "session", "--config", "session.toml", &one]);
    // What it does not know it does not remove.
    assert_eq!(rows(&store, "alice", 2).await.len(), 2);
    let (output, warned) = place.says(&list("alice"));
    let listed: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["id"], two);
    assert!(
        warned.contains("1 rows of the index are not shown"),
        "{warned}"
    );
    let refused = place.fails(&end("alice", &one), 1);
    assert!(refused.contains("or it has ended"), "{refused}");

    place.says(&["revoke", "user", "--config", "session.toml", "alice"]);
    let (output, _) = place.says(&list("alice"));
    assert_eq!(output, "[]\n");
    place.says(&["revoke", "everyone", "--config", "session.toml", "--yes"]);
    assert_eq!(place.says(&list("bob")).0, "[]\n");
    // A look changes nothing.
    let after = rows(&store, "alice", 2).await;
    assert_eq!(after, alices_rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_with_another_configuration_changes_nothing() {
    let server = RedisServer::start();
    let place = Place::on_a_server(&server).await;
    let node = place.start().await;
    let session = login(&node, "alice", "One").await;
    let store = place.store().await;
    let kept = rows(&store, "alice", 1).await;
    let announced = store.contents().await.unwrap().announced;

    // Longer lifetimes; keys of somebody else; shorter lifetimes.
    place.make_keys("others.toml");
    place.other(
        "longer.toml",
        "[lifetime]",
        "[lifetime]\nremembered_absolute = \"300 days\"",
    );
    place.other("keyless.toml", "keys.toml", "others.toml");
    place.other(
        "shorter.toml",
        "[lifetime]",
        "[lifetime]\nidle = \"1ms\"\nabsolute = \"2ms\"",
    );
    let look = |config| ["sessions", "list", "alice", "--config", config];
    let (shown, _) = place.says(&look("longer.toml"));
    assert!(shown.contains(&session.id.to_string()), "{shown}");
    for config in ["keyless.toml", "shorter.toml"] {
        let (shown, warned) = place.says(&look(config));
        assert!(
            shown.contains("no sessions of \"alice\" are listed"),
            "{shown}"
        );
        assert!(
            warned.contains("1 rows of the index are not shown"),
            "{warned}"
        );
        assert!(
            warned.contains("the keys of this configuration do not open"),
            "{warned}"
        );
    }
    let id = session.id.to_string();
    let end = ["sessions", "end", "alice", &id, "--config", "keyless.toml"];
    let refused = place.fails(&end, 1);
    assert!(
        refused.contains("the keys of this configuration"),
        "{refused}"
    );
    assert!(is_live(&node, &session));
    assert_eq!(rows(&store, "alice", 1).await, kept);
    assert_eq!(store.contents().await.unwrap().announced, announced);
}
