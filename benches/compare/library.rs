//! Reading and writing without a web framework: ours, what the cipher alone takes, and others that keep a session in a
//! cookie.

use std::hint::black_box;
use std::time::Duration;

use sealed_session::adapter::Loaded;
use sealed_session::keys::{Random, SystemRandom};

use crate::Bench;
use crate::cipher::Message;
use crate::common::ours::{AUDIENCE, Ended, Ours};
use crate::figures::Medians;
use crate::jar::Jar;
use crate::nodes::Nodes;
use crate::timing::Turns;
use crate::token::Token;

const READING: Duration = Duration::from_millis(2_500);
const WRITING: Duration = Duration::from_millis(2_500);

/// The associated data of a token: seven fields with their lengths, see docs/FORMAT.md.
const ASSOCIATED: usize = 7 * 4 + 14 + 21 + "__Host-session".len() + AUDIENCE.len() + 1;

/// As many bytes as there are under the seal of a token: without its head, nonce and tag.
pub fn message(token: &str) -> Message {
    Message::new(token.len() * 3 / 4 - (21 + 24 + 16), ASSOCIATED)
}

/// `new` is the read of a token that the node has neither sealed nor opened: another node seals it just before, and it
/// is read once. `again` is that of a token which was read before.
pub fn read(bench: &Bench<'_>) -> Medians {
    let &Bench { system, size } = bench;
    let nodes = Nodes::start(system);
    let groups = ["acme", "globex", "initech"];
    let (ours, grouped) = system.block_on(async {
        let ours = Ours::start(nodes.caching.clone(), size, Ended::NONE).await;
        let node = nodes.caching.clone();
        let grouped = Ours::start_in(&groups, node, size, Ended::NONE).await;
        (ours, grouped)
    });
    let mut message = message(&ours.value);
    let jar = Jar::new(size);
    let token = Token::new(size);
    let nothing = async || ();
    let read = async |new: &mut Ours| new.read().expect("a session");
    Turns::new(system)
        .path("cipher", nothing, async |()| message.open())
        .path("new", async || ours.new_to(&nodes.uncached).await, read)
        .path(
            "grouped",
            async || grouped.new_to(&nodes.uncached).await,
            read,
        )
        .path("again", nothing, async |()| ours.read())
        .path("jar", nothing, async |()| jar.read())
        .path("token", nothing, async |()| token.read())
        .take(READING)
        .medians()
}

/// A session that was loaded and changed, to its Set-Cookie.
pub fn write(bench: &Bench<'_>) -> Medians {
    let &Bench { system, size } = bench;
    let nodes = Nodes::start(system);
    let ours = Ours::start(nodes.caching.clone(), size, Ended::NONE);
    let ours = system.block_on(ours);
    let mut message = message(&ours.value);
    let jar = Jar::new(size);
    let token = Token::new(size);
    let mut nonce = [0; 24];
    let nothing = async || ();
    Turns::new(system)
        .path("nonce", nothing, async |()| {
            SystemRandom.fill(black_box(&mut nonce))
        })
        .path("cipher", nothing, async |()| message.seal())
        .path(
            "ours",
            async || Some(ours.changed()),
            async |changed: &mut Option<Loaded>| ours.write(changed.take().unwrap()).await,
        )
        .path("jar", nothing, async |()| jar.write())
        .path("token", nothing, async |()| token.write())
        .take(WRITING)
        .medians()
}
