//! A server that takes another's place behind a proxy which keeps its clients' connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::SeqCst};

use sealed_session::revoke::{ReplicatedLog, SETTLING};
use sealed_session::store::Redis;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::harness::{Server, new_list};
use super::replication::with_replica;
use super::tools::*;

/// A proxy before whichever server has the port that `backend` holds. What a client says next goes to that, over
/// the connection that it has.
async fn proxy(backend: Arc<AtomicU16>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, backend.clone()));
        }
    });
    port
}

async fn serve(mut client: TcpStream, backend: Arc<AtomicU16>) -> std::io::Result<()> {
    let mut port = backend.load(SeqCst);
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut said, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            count = client.read(&mut said) => {
                let count = count?;
                if count == 0 {
                    return Ok(());
                }
                let now = backend.load(SeqCst);
                if now != port {
                    port = now;
                    server = TcpStream::connect(("127.0.0.1", port)).await?;
                }
                server.write_all(&said[..count]).await?;
            }
            count = server.read(&mut answered) => {
                let count = count?;
                if count == 0 {
                    return Ok(());
                }
                client.write_all(&answered[..count]).await?;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_that_no_connection_notices_shows_in_the_next_answer() {
    let (primary, replica) = with_replica().await;
    let backend = Arc::new(AtomicU16::new(primary.port()));
    let url = format!("redis://127.0.0.1:{}", proxy(backend.clone()).await);
    let list = new_list();
    let store = Redis::open(url, &list).unwrap();
    end(&store, 1).await.unwrap();
    primary.settle(&list);
    let before = state(&store).await;
    assert!(before.settling.is_zero());
    let from = cursor(&store).await;
    catch_up(&store, from).await.unwrap().unwrap();
    eventually("on the replica too", || async {
        let meta = super::harness::key(&list, "meta");
        let mut raw = replica.raw();
        let mut settled = redis::cmd("HGET");
        let settled: Option<String> = settled.arg(meta).arg("settled").query(&mut raw).unwrap();
        settled.as_deref() == Some("0")
    })
    .await;

    replica.promote();
    backend.store(replica.port(), SeqCst);
    let after = state(&store).await;
    assert_eq!(after.incarnation.epoch, before.incarnation.epoch);
    assert_ne!(after.incarnation.server, before.incarnation.server);
    assert!(!after.settling.is_zero() && after.settling <= SETTLING);
    let attested = store.attest(before.incarnation, before.complete_since.minus(HOUR));
    assert_eq!(attested.await, Ok(None));
    // The cursor fits, and yet something may be missing: once.
    let error = catch_up(&store, from).await.unwrap_err();
    assert!(error.to_string().contains("was lost"), "{error}");
    end(&store, 2).await.unwrap();
    let told = catch_up(&store, from).await.unwrap().unwrap();
    assert_eq!(sessions(&told.revocations), [id(2)]);
    assert_eq!(told.state.unwrap().incarnation, after.incarnation);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_restarted_is_another_one() {
    let server = Server::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let list = new_list();
    let store = server.open(&list);
    end(&store, 1).await.unwrap();
    server.settle(&list);
    let before = state(&store).await;
    server.restart();
    let after = state(&server.open(&list)).await;
    assert_eq!(after.complete_since, before.complete_since);
    assert_ne!(after.incarnation, before.incarnation);
    assert!(before.settling.is_zero() && !after.settling.is_zero());
}
