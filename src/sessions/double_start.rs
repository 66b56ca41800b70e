//! Sessions that one process started twice by mistake.
//!
//! 1. The mistake is a start inside the closure of `HttpServer::new`, which runs once for each worker.
//!    Each worker then has a revocation list of its own. On a list in memory a logout reaches one worker;
//!    on a server each worker follows the list for itself.
//! 2. Twins are two living `Sessions` that a browser and a store cannot tell apart: the same cookie (name,
//!    domain and path), the same audience, and a store that calls itself the same (its `Debug`). Two lists
//!    in memory call themselves the same, because that is the mistake; two files do not.
//! 3. They are reported and not refused: what an application does on purpose must start.
//! 4. Sessions with a clock or a generator of their own are a test's. A test starts the same ones many
//!    times, so these are not looked at.
//! 5. Apart from mistakes: of a store that other nodes write to, only one `Sessions` can follow an opened
//!    instance. A second one is refused.

use std::sync::{Arc, Mutex, Weak};

use crate::error::ConfigError;
use crate::lock::lock;
use crate::revoke::Store;
use crate::revoke::store::StoreKind;
use crate::sessions::Engine;

/// The sessions that live in this process.
static LIVING: Mutex<Vec<Living>> = Mutex::new(Vec::new());

struct Living {
    engine: Weak<Engine>,
    store: Weak<dyn StoreKind>,
    /// What a browser and a store can tell them apart by; none in tests.
    looks: Option<String>,
}

/// # Errors
/// When other sessions of this process follow the store already: one of the two would miss what it tells the other.
pub(super) fn check_followers(store: &Store) -> Result<(), ConfigError> {
    check_among(&lock(&LIVING), store)
}

fn check_among(living: &[Living], store: &Store) -> Result<(), ConfigError> {
    let kind = Arc::as_ptr(&store.kind);
    let follows = |it: &Living| std::ptr::addr_eq(it.store.as_ptr(), kind);
    let followed = |it: &Living| it.engine.strong_count() > 0 && follows(it);
    if store.kind.is_shared() && living.iter().any(followed) {
        let problem = "other sessions of this process have the same one open; each opens its own";
        return Err(ConfigError::setting("revocation.store", problem));
    }
    Ok(())
}

/// Remembers the sessions that were started, and logs an error if a twin of them is alive.
///
/// # Errors
/// As [`check_followers`]: others may have been started meanwhile.
pub(super) fn register(
    engine: &Arc<Engine>,
    store: &Store,
    is_test: bool,
) -> Result<(), ConfigError> {
    let binding = &engine.service.binding;
    let looks = (!is_test).then(|| {
        let cookie = engine.current.template.identity();
        format!("{:?}", (cookie, &binding.names.audience, store))
    });
    let mut living = lock(&LIVING);
    living.retain(|it| it.engine.strong_count() > 0);
    check_among(&living, store)?;
    let has_twin = looks.is_some() && living.iter().any(|other| other.looks == looks);
    living.push(Living {
        engine: Arc::downgrade(engine),
        store: Arc::downgrade(&store.kind),
        looks,
    });
    drop(living);
    if has_twin {
        tracing::error!(
            cookie = binding.cookie,
            audience = binding.names.audience,
            "these sessions were started twice in this process, each with a revocation list of its \
             own; start them once, outside the closure of HttpServer::new, and clone them into it"
        );
    }
    Ok(())
}
