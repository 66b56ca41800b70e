//! The index on a Redis server.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sealed_session::index::SessionIndex;
use sealed_session::revoke::{ReplicatedLog, SessionId, SubjectKey};
use sealed_session::testing::conformance::{self, IndexHarness};

use crate::store_redis::harness::{Server, new_list};

/// Each new index is beside a list of its own.
struct OnServer {
    server: Server,
    list: Mutex<String>,
}

#[async_trait]
impl IndexHarness for OnServer {
    async fn fresh(&self) -> Result<Arc<dyn SessionIndex>, String> {
        let list = new_list();
        let store = self.server.open(&list);
        *self.list.lock().unwrap() = list;
        store.session_index().ok_or_else(|| "it keeps none".into())
    }

    /// Makes the row one of a later version.
    async fn damage(&self, subject: SubjectKey, session: SessionId) -> bool {
        let list = self.list.lock().unwrap().clone();
        let key = format!("sealed-session:{list}:{{{subject}}}:index");
        let mut connection = self.server.raw();
        let field = session.as_bytes().as_slice();
        let get = redis::cmd("HGET")
            .arg(&key)
            .arg(field)
            .query(&mut connection);
        let mut value: Vec<u8> = get.unwrap();
        value[0] = 2;
        let mut set = redis::cmd("HSET");
        set.arg(&key).arg(field).arg(value);
        set.exec(&mut connection).unwrap();
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_on_a_server_conforms() {
    let harness = OnServer {
        server: Server::start(),
        list: Mutex::default(),
    };
    let report = conformance::session_index(&harness).await;
    println!("{report}");
    assert!(super::all_passed(&report), "{report}");
}
