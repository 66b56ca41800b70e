//! Who must be let in, who must not, and what every node says to that, all the while.
//!
//! 1. Whoever lives is never out: a node answers for them, or says that it cannot (503).
//! 2. A node that refused a dead cookie once never takes it again, restarted or not.
//! 3. A logout that was acknowledged holds on every node after `max_staleness`: whoever cannot know of
//!    it answers 503 by then.
//! 4. A request is judged by what was true all the time that it took.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

/// The pause between two rounds.
const PAUSE: Duration = Duration::from_millis(50);

/// What a node says to a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    In,
    Out,
    /// 503.
    Unavailable,
    /// The node is down.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing is promised: on the way in, or out.
    Between,
    Lives,
    Gone {
        /// When a logout was acknowledged. One that was not holds on its own node, and reaches the
        /// others when it can.
        acknowledged: Option<Instant>,
    },
}

#[derive(Debug, Clone)]
pub struct Person {
    pub name: String,
    pub cookie: String,
    /// Whether they are not logged in, and known by an entry.
    pub is_anonymous: bool,
    pub fate: Fate,
}

impl Person {
    fn is_gone(&self) -> bool {
        matches!(self.fate, Fate::Gone { .. })
    }
}

/// Its place in [`Watch`].
pub type Id = usize;

/// A node as it is seen from outside.
#[derive(Debug, Clone, Default)]
struct Seen {
    /// `None` while the node is down.
    url: Option<String>,
    /// It cannot know everything yet, or refuses too much: only that it revives nobody whom it refused
    /// is asserted.
    excused: bool,
    /// How often it answered 503.
    unavailable: u64,
}

#[derive(Debug, Default)]
struct State {
    people: Vec<Person>,
    nodes: Vec<Seen>,
    /// Which node refused whom.
    refused: BTreeMap<(usize, Id), Instant>,
    /// Raised by whatever changes anything above.
    changes: u64,
    requests: u64,
    /// The first thing of each at each node.
    violations: BTreeMap<(usize, Id), String>,
    /// When the last round began that was not disturbed by a change, and what it saw.
    round: Option<(Instant, Vec<Vec<Sight>>)>,
}

impl State {
    fn holds_to_what_was_acknowledged(&mut self, number: usize) {
        for (who, person) in self.people.iter().enumerate() {
            if let Fate::Gone {
                acknowledged: Some(then),
            } = person.fate
            {
                self.refused.entry((number, who)).or_insert(then);
            }
        }
    }
}

/// Shared by a test and its watcher.
#[derive(Clone)]
pub struct Watch {
    state: Rc<RefCell<State>>,
    client: reqwest::Client,
    max_staleness: Duration,
}

/// What was asked until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    pub requests: u64,
    pub unavailable: u64,
}

impl Watch {
    pub fn new(max_staleness: Duration) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30));
        Self {
            state: Rc::default(),
            client: client.build().unwrap(),
            max_staleness,
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.borrow_mut();
        state.changes += 1;
        change(&mut state)
    }

    pub fn add(&self, person: Person) -> Id {
        self.change(|state| {
            state.people.push(person);
            state.people.len() - 1
        })
    }

    pub fn person(&self, who: Id) -> Person {
        self.state.borrow().people[who].clone()
    }

    /// Everyone of this name, with a fate that is not sealed yet.
    pub fn named(&self, name: &str) -> Vec<Id> {
        let state = self.state.borrow();
        let people = state.people.iter().enumerate();
        people
            .filter(|(_, person)| person.name == name && !person.is_gone())
            .map(|(who, _)| who)
            .collect()
    }

    pub fn set(&self, who: &[Id], fate: Fate) {
        self.change(|state| {
            for who in who {
                state.people[*who].fate = fate;
            }
        });
    }

    /// A node that is up, or down; a number that is new must be the next one. One that comes up is held
    /// to all that was acknowledged before.
    pub fn node(&self, number: usize, url: Option<String>) {
        self.change(|state| {
            if number == state.nodes.len() {
                state.nodes.push(Seen::default());
            }
            let node = &mut state.nodes[number];
            node.url = url;
            if node.url.is_some() && !node.excused {
                state.holds_to_what_was_acknowledged(number);
            }
        });
    }

    /// What was not acknowledged has arrived after all: it counts as acknowledged from now on.
    pub fn told_everyone(&self) {
        let acknowledged = Some(Instant::now());
        self.change(|state| {
            for person in state.people.iter_mut().filter(|person| person.is_gone()) {
                person.fate = Fate::Gone { acknowledged };
            }
        });
    }

    /// Asserts of a node only that it revives nobody whom it refused, until it is not excused any more.
    pub fn excuse(&self, number: usize, excused: bool) {
        self.change(|state| state.nodes[number].excused = excused);
    }

    /// What a node says now.
    pub async fn ask(&self, number: usize, who: Id) -> Sight {
        let (url, person) = {
            let state = self.state.borrow();
            (state.nodes[number].url.clone(), state.people[who].clone())
        };
        let Some(url) = url else {
            return Sight::Nothing;
        };
        let path = if person.is_anonymous {
            "/api/entries/cart"
        } else {
            "/api/me"
        };
        let request = self.client.get(format!("{url}{path}"));
        let request = request.header("cookie", format!("session={}", person.cookie));
        match request.send().await.map(|answer| answer.status().as_u16()) {
            Ok(200) => Sight::In,
            Ok(401 | 404) => Sight::Out,
            Ok(503) => Sight::Unavailable,
            Ok(other) => panic!("{} at node {number}: {other}", person.name),
            Err(_) => Sight::Nothing,
        }
    }

    /// Asks, and judges the answer.
    async fn look(&self, number: usize, who: Id) -> Sight {
        let asked = Instant::now();
        let changes = self.state.borrow().changes;
        let sight = self.ask(number, who).await;
        if self.state.borrow().changes == changes {
            self.judge(number, who, asked, sight);
        }
        sight
    }

    fn judge(&self, number: usize, who: Id, asked: Instant, sight: Sight) {
        let mut state = self.state.borrow_mut();
        state.requests += 1;
        state.nodes[number].unavailable += u64::from(sight == Sight::Unavailable);
        let person = &state.people[who];
        let excused = state.nodes[number].excused;
        let problem = match (person.fate, sight) {
            (Fate::Lives, Sight::Out) if !excused => "is out".to_owned(),
            (Fate::Gone { acknowledged }, Sight::In) => {
                let late = acknowledged.map(|then| asked.saturating_duration_since(then));
                if state.refused.contains_key(&(number, who)) {
                    "is back".to_owned()
                } else if let Some(late) =
                    late.filter(|late| *late > self.max_staleness && !excused)
                {
                    format!("is still in after {late:?}")
                } else {
                    return;
                }
            }
            (Fate::Gone { .. }, Sight::Out) => {
                state.refused.entry((number, who)).or_insert(asked);
                return;
            }
            _ => return,
        };
        let problem = format!("{} {problem} at node {number}", person.name);
        state.violations.entry((number, who)).or_insert(problem);
    }

    /// Asks every node about everybody.
    async fn round(&self) {
        let began = Instant::now();
        let (changes, nodes, people) = {
            let state = self.state.borrow();
            (state.changes, state.nodes.len(), state.people.len())
        };
        let each = (0..nodes).map(|number| async move {
            let mut sights = Vec::new();
            for who in 0..people {
                sights.push(self.look(number, who).await);
            }
            sights
        });
        let sights = join_all(each).await;
        let mut state = self.state.borrow_mut();
        if state.changes == changes {
            state.round = Some((began, sights));
        }
    }

    /// For as long as the test runs.
    pub async fn watch(self) {
        loop {
            self.round().await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub fn asked(&self) -> Asked {
        let state = self.state.borrow();
        Asked {
            requests: state.requests,
            unavailable: state.nodes.iter().map(|node| node.unavailable).sum(),
        }
    }

    /// How often a node answered 503.
    pub fn unavailable_at(&self, number: usize) -> u64 {
        self.state.borrow().nodes[number].unavailable
    }

    /// What must never have been.
    pub fn violations(&self) -> Vec<String> {
        let state = self.state.borrow();
        state.violations.values().cloned().collect()
    }

    /// A round that began after `since`, if there is one: what is not yet as it should be for those that
    /// live, and for those that are gone.
    pub fn missing(&self, since: Instant) -> Option<[Vec<String>; 2]> {
        let state = self.state.borrow();
        let (_, sights) = state.round.as_ref().filter(|(began, _)| *began >= since)?;
        let mut missing = [Vec::new(), Vec::new()];
        for (number, sights) in sights.iter().enumerate() {
            let node = &state.nodes[number];
            if node.url.is_none() || node.excused {
                continue;
            }
            for (person, sight) in state.people.iter().zip(sights) {
                let (wanted, list) = match person.fate {
                    Fate::Between => continue,
                    Fate::Lives => (Sight::In, 0),
                    Fate::Gone { .. } => (Sight::Out, 1),
                };
                if *sight != wanted {
                    let name = &person.name;
                    missing[list].push(format!("{name} at node {number}: {sight:?}"));
                }
            }
        }
        Some(missing)
    }

    /// Whether a node answered 503 for everybody, in a round after `since`.
    pub fn answers_nobody(&self, number: usize, since: Instant) -> bool {
        let state = self.state.borrow();
        let round = state.round.as_ref().filter(|(began, _)| *began >= since);
        round.is_some_and(|(_, sights)| {
            let mut sights = sights[number].iter();
            sights.all(|sight| *sight == Sight::Unavailable)
        })
    }

    /// Everybody.
    pub fn people(&self) -> std::ops::Range<Id> {
        0..self.state.borrow().people.len()
    }

    /// How many live, and how many are gone.
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state.borrow();
        let living = state.people.iter().filter(|one| one.fate == Fate::Lives);
        let gone = state.people.iter().filter(|person| person.is_gone());
        (living.count(), gone.count())
    }
}
