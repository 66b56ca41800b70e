//! What is compared takes turns.
//!
//! 1. A turn is a millisecond of one path. All paths of a group have one after the other, so what slows the machine for a
//!    while slows them all. Every other time they go backwards, so that nobody always follows the same one.
//! 2. Inputs are made ahead of their use, which is not measured: few at once, so that they are in the processor's cache
//!    like what has just come from the network.
//! 3. The first calls after that are not measured either: they find the code gone from the cache.
//! 4. A figure is the median of nanoseconds a call over all turns, a difference the median of the differences between two
//!    paths' turns of the same time.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use actix_web::rt::SystemRunner;

const TURN: Duration = Duration::from_millis(1);
/// How many inputs are made at once, and of how many the calls count.
const AHEAD: usize = 40;
const MEASURED: usize = 32;

/// Measures so many portions of calls: what they took, and how many there were.
type Path<'p> = Box<dyn FnMut(u64) -> Duration + 'p>;

/// Paths that are compared.
pub struct Turns<'p> {
    system: &'p SystemRunner,
    paths: Vec<(&'static str, Path<'p>)>,
}

/// What all turns came to.
pub struct Taken {
    /// Nanoseconds a call, of each path and turn.
    nanos: BTreeMap<&'static str, Vec<f64>>,
    calls: BTreeMap<&'static str, u64>,
}

impl<'p> Turns<'p> {
    pub fn new(system: &'p SystemRunner) -> Self {
        Self {
            system,
            paths: Vec::new(),
        }
    }

    /// Another path, with what it needs something new for each call. The input is dropped after it was measured.
    pub fn path<I, O>(
        mut self,
        name: &'static str,
        mut input: impl AsyncFnMut() -> I + 'p,
        mut measured: impl AsyncFnMut(&mut I) -> O + 'p,
    ) -> Self {
        let system = self.system;
        let path = move |portions| {
            system.block_on(async {
                let mut spent = Duration::ZERO;
                for _ in 0..portions {
                    spent += portion(&mut input, &mut measured).await;
                }
                spent
            })
        };
        self.paths.push((name, Box::new(path)));
        self
    }

    /// Lets them take turns for so long, inputs not counted.
    pub fn take(mut self, how_long: Duration) -> Taken {
        let mut taken = Taken {
            nanos: BTreeMap::new(),
            calls: BTreeMap::new(),
        };
        let portions: Vec<u64> = self
            .paths
            .iter_mut()
            .map(|(name, path)| {
                path(8);
                *taken.calls.entry(name).or_default() += 16 * AHEAD as u64;
                let nanos = path(8).as_nanos() / 8;
                let portions = TURN.as_nanos() / nanos.max(1);
                u64::try_from(portions).unwrap().max(1)
            })
            .collect();
        let turns = how_long.div_duration_f64(TURN * self.paths.len() as u32) as usize;
        let mut order: Vec<usize> = (0..self.paths.len()).collect();
        for _ in 0..turns {
            for nth in &order {
                let (name, path) = &mut self.paths[*nth];
                let count = portions[*nth];
                let nanos = path(count).as_nanos() as f64 / (count * MEASURED as u64) as f64;
                taken.nanos.entry(name).or_default().push(nanos);
                *taken.calls.entry(name).or_default() += count * AHEAD as u64;
            }
            order.reverse();
        }
        taken
    }
}

async fn portion<I, O>(
    input: &mut impl AsyncFnMut() -> I,
    measured: &mut impl AsyncFnMut(&mut I) -> O,
) -> Duration {
    let mut inputs = Vec::with_capacity(AHEAD);
    for _ in 0..AHEAD {
        inputs.push(input().await);
    }
    let (first, rest) = inputs.split_at_mut(AHEAD - MEASURED);
    for input in first {
        black_box(measured(input).await);
    }
    let began = Instant::now();
    for input in rest {
        black_box(measured(input).await);
    }
    began.elapsed()
}

impl Taken {
    /// In nanoseconds a call.
    pub fn median(&self, name: &str) -> f64 {
        median(self.nanos[name].clone())
    }

    /// By how much one takes longer than the other.
    pub fn difference(&self, one: &str, other: &str) -> f64 {
        let pairs = self.nanos[one].iter().zip(&self.nanos[other]);
        median(pairs.map(|(one, other)| one - other).collect())
    }

    /// Of all paths.
    pub fn medians(&self) -> BTreeMap<&'static str, f64> {
        let names = self.nanos.keys();
        names.map(|name| (*name, self.median(name))).collect()
    }

    /// How often the path was called, with the calls that were not measured.
    pub fn calls(&self, name: &str) -> u64 {
        self.calls[name]
    }
}

/// # Panics
/// When there are none.
pub fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}
