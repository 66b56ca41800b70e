//! What a node gives to those who read sessions while others log out: a million revocations are in force.
//!
//! 1. The node follows Redis as one of a fleet does. In turns nobody revokes anything; others revoke a thousand sessions a
//!    second in a list that it does not follow; and they do so in its own. The second differs from the first by what the
//!    others and Redis take of the machine, the third from the second by what hearing of it costs the node.
//! 2. Turns of one round are compared with each other, and the median of the ratios counts.
//! 3. A read takes a Cookie header to a value of its session, in one thread, one after the other. Requests ask for the same
//!    over several connections, and each is sent when the one before it is answered.
//! 4. What is read is one session again and again, which the node has cached; or ten thousand in turn, none of which comes
//!    while it is cached; or ten thousand of which some come often and most seldom.

use std::iter;
use std::thread;
use std::time::{Duration, Instant};

use actix_web::rt::System;
use sealed_session::Sessions;
use sealed_session::adapter::Incoming;

use crate::client::Client;
use crate::node;
use crate::publishing::{Load, Publishers, fill, halves};
use crate::shapes::{CSRF, READ, Size};
use crate::zipf::{self, SESSIONS};
use support::redis_server::RedisServer;
use support::{routes, serve, settled};

const LIST: &str = "reading";
/// One that the node does not follow.
const ELSEWHERE: &str = "elsewhere";
const ENTRIES: u64 = 1_000_000;
const CONNECTIONS: usize = 4;
const ROUNDS: usize = 5;
const TURN: Duration = Duration::from_secs(1);
/// What others do meanwhile, and for how long before it is measured.
const BUSY: Load = Load {
    revocations: 1_000,
    batch: 1,
};
const WARMUP: Duration = Duration::from_millis(300);
/// How many reads a turn has at the most.
const MOST: usize = 8_000_000;

pub fn run() {
    System::new().block_on(async {
        let server = RedisServer::start();
        let url = server.url();
        settled(&server, LIST).await;
        fill(&url, LIST, &halves(ENTRIES)).await;
        // Another one than the node that is measured, which caches at once what it sealed itself.
        let other = node::start(&url, LIST).await;
        let mut headers = Vec::with_capacity(SESSIONS);
        for number in 0..SESSIONS {
            let user = format!("user-{number}");
            headers.push(node::log_in(&other, &user, Size::Medium).await);
        }
        drop(other);
        let sessions = node::start(&url, LIST).await;
        let (address, handle) = serve(&sessions, routes);
        let measuring = Measuring {
            address: address.replace("http://", ""),
            url,
            sessions,
            headers,
            revoked: 0,
        };
        tokio::task::spawn_blocking(|| measuring.run())
            .await
            .unwrap();
        handle.stop(false).await;
    });
}

/// Which sessions are read, over and over.
struct Mix {
    name: &'static str,
    order: Vec<usize>,
}

impl Mix {
    fn one() -> Self {
        let order = vec![0];
        Self {
            name: "one session",
            order,
        }
    }

    fn in_turn() -> Self {
        let order = (0..SESSIONS).collect();
        Self {
            name: "all in turn",
            order,
        }
    }

    fn often_and_seldom() -> Self {
        Self {
            name: "some often and most seldom",
            order: zipf::draws(20 * SESSIONS),
        }
    }
}

/// Who asks for sessions, one after the other.
struct Asker {
    ask: Box<dyn FnMut(&str) + Send>,
    /// How long each took in a turn, in nanoseconds.
    taken: Vec<u32>,
}

impl Asker {
    fn new(ask: impl FnMut(&str) + Send + 'static) -> Self {
        Self {
            ask: Box::new(ask),
            taken: Vec::with_capacity(MOST),
        }
    }

    fn read(sessions: Sessions) -> Self {
        Self::new(move |header| {
            let incoming = Incoming::new(iter::once(header.as_bytes()));
            let session = sessions.load(incoming).unwrap().session;
            let value: Option<String> = session.get(READ).unwrap();
            assert_eq!(value.as_deref(), Some(CSRF));
        })
    }

    fn request(address: &str) -> Self {
        let mut client = Client::to(address);
        let path = format!("/entries/{READ}");
        Self::new(move |header| {
            let answer = client.ask("GET", &path, header);
            assert_eq!(answer.status, 200);
        })
    }

    fn turn<'h>(&mut self, headers: impl Iterator<Item = &'h String>) {
        self.taken.clear();
        let began = Instant::now();
        let mut last = began;
        for header in headers.take(MOST) {
            (self.ask)(header);
            let now = Instant::now();
            self.taken
                .push(u32::try_from((now - last).as_nanos()).unwrap_or(u32::MAX));
            last = now;
            if now - began > TURN {
                break;
            }
        }
    }
}

struct Measuring {
    url: String,
    address: String,
    sessions: Sessions,
    headers: Vec<String>,
    /// How many sessions the others have revoked in the node's list.
    revoked: u64,
}

impl Measuring {
    fn run(mut self) {
        let mixes = [Mix::one(), Mix::in_turn(), Mix::often_and_seldom()];
        for mix in &mixes {
            let reader = Asker::read(self.sessions.clone());
            self.compare("reads", mix, vec![reader]);
        }
        let [.., mix] = &mixes;
        let client = || Asker::request(&self.address);
        let clients = iter::repeat_with(client).take(CONNECTIONS).collect();
        self.compare("requests", mix, clients);
    }

    fn compare(&mut self, what: &str, mix: &Mix, mut askers: Vec<Asker>) {
        // Whatever is to be cached is.
        self.turn(mix, &mut askers);
        let mut rounds = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let quiet = self.turn(mix, &mut askers);
            let (elsewhere, _) = self.busy_turn(ELSEWHERE, mix, &mut askers);
            let (here, revoked) = self.busy_turn(LIST, mix, &mut askers);
            self.revoked += revoked;
            self.hears_all();
            rounds.push([quiet, elsewhere, here]);
        }
        println!("  {what}, {}", mix.name);
        report(&rounds);
    }

    fn turn(&self, mix: &Mix, askers: &mut [Asker]) -> Turn {
        let began = Instant::now();
        thread::scope(|scope| {
            let count = askers.len();
            for (nth, asker) in askers.iter_mut().enumerate() {
                let order = mix.order.iter().cycle();
                let order = order.skip(nth * mix.order.len() / count);
                scope.spawn(|| asker.turn(order.map(|at| &self.headers[*at])));
            }
        });
        Turn::of(askers, began.elapsed())
    }

    /// One while others revoke in this list, and how much they did.
    fn busy_turn(&self, list: &str, mix: &Mix, askers: &mut [Asker]) -> (Turn, u64) {
        let first = ENTRIES + self.revoked;
        let publishers = Publishers::start(&self.url, list, BUSY, first);
        thread::sleep(WARMUP);
        let before = publishers.published();
        let mut turn = self.turn(mix, askers);
        turn.revoked = publishers.published() - before;
        (turn, publishers.stop())
    }

    /// Waits until the node has heard of what the others revoked.
    fn hears_all(&self) {
        let began = Instant::now();
        let expected = usize::try_from(ENTRIES + self.revoked).unwrap();
        while self.sessions.health().entries != expected {
            let health = self.sessions.health();
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "{expected} entries were published: {health:?}"
            );
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// What a turn came to.
struct Turn {
    per_second: f64,
    /// How many sessions others have revoked.
    revoked: u64,
    /// How long one took at the median, of 100 and of 1,000, and at the most, in microseconds.
    p50: f64,
    p99: f64,
    p999: f64,
    most: f64,
}

impl Turn {
    fn of(askers: &[Asker], within: Duration) -> Self {
        let mut taken: Vec<u32> = askers
            .iter()
            .flat_map(|it| it.taken.iter().copied())
            .collect();
        taken.sort_unstable();
        let last = taken.len() - 1;
        let part = |thousandths: usize| f64::from(taken[last * thousandths / 1_000]) / 1e3;
        Self {
            per_second: taken.len() as f64 / within.as_secs_f64(),
            revoked: 0,
            p50: part(500),
            p99: part(990),
            p999: part(999),
            most: part(1_000),
        }
    }
}

fn report(rounds: &[[Turn; 3]]) {
    let revoked = |nth: usize| median(rounds.iter().map(|round| round[nth].revoked as f64));
    println!(
        "    {:<18} {:>9} {:>9} {:>9} | {:>5} {:>9}",
        "revoked a second",
        revoked(0),
        format!("({})", revoked(1)),
        revoked(2),
        "/none",
        "/elsewhere"
    );
    let medians = |name: &str, figure: fn(&Turn) -> f64| {
        let of = |each: fn([f64; 3]) -> f64| {
            median(
                rounds
                    .iter()
                    .map(|round| each(round.each_ref().map(figure))),
            )
        };
        println!(
            "    {name:<18} {:>9.2} {:>9.2} {:>9.2} | {:>5.2} {:>9.2}",
            of(|[none, ..]| none),
            of(|[_, elsewhere, _]| elsewhere),
            of(|[.., here]| here),
            of(|[none, _, here]| here / none),
            of(|[_, elsewhere, here]| here / elsewhere),
        );
    };
    medians("thousand a second", |turn| turn.per_second / 1e3);
    medians("p50, µs", |turn| turn.p50);
    medians("p99, µs", |turn| turn.p99);
    medians("p99.9, µs", |turn| turn.p999);
    medians("most, µs", |turn| turn.most);
    let [none, elsewhere, here] = [0, 1, 2].map(|nth| {
        let most = rounds.iter().map(|round| round[nth].most);
        most.fold(0.0, f64::max)
    });
    println!(
        "    {:<18} {none:>9.2} {elsewhere:>9.2} {here:>9.2} |",
        "most of all turns"
    );
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
