//! What is measured one call at a time, and needs something new for each.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How many inputs are made ahead of their use. Few enough that they stay in the processor's cache.
const AHEAD: u64 = 32;

/// How long `measured` takes, so many times, without what it takes to make its inputs.
pub async fn timed<I, O>(
    times: u64,
    mut input: impl FnMut() -> I,
    mut measured: impl AsyncFnMut(I) -> O,
) -> Duration {
    let mut spent = Duration::ZERO;
    for count in portions(times) {
        spent += portion(count, &mut input, &mut measured).await;
    }
    spent
}

/// By how much one takes longer than the other, so many times. They take turns: what slows the machine for a
/// while slows both. A nanosecond where it does not: of nothing Criterion writes no figure, and one from before would
/// be taken for it.
pub async fn difference<I, O>(
    times: u64,
    (mut input, mut measured): (impl FnMut() -> I, impl AsyncFnMut(I) -> O),
    (mut other_input, mut other): (impl FnMut() -> I, impl AsyncFnMut(I) -> O),
) -> Duration {
    let mut spent = Duration::ZERO;
    let mut others = Duration::ZERO;
    for count in portions(times) {
        spent += portion(count, &mut input, &mut measured).await;
        others += portion(count, &mut other_input, &mut other).await;
    }
    let difference = spent.saturating_sub(others);
    difference.max(Duration::from_nanos(1))
}

fn portions(times: u64) -> impl Iterator<Item = u64> {
    let begun = (0..times).step_by(AHEAD as usize);
    begun.map(move |before| (times - before).min(AHEAD))
}

async fn portion<I, O>(
    count: u64,
    input: &mut impl FnMut() -> I,
    measured: &mut impl AsyncFnMut(I) -> O,
) -> Duration {
    let inputs: Vec<I> = (0..count).map(|_| input()).collect();
    let began = Instant::now();
    for input in inputs {
        black_box(measured(input).await);
    }
    began.elapsed()
}
