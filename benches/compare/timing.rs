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
    let mut left = times;
    while left > 0 {
        let count = left.min(AHEAD);
        left -= count;
        let inputs: Vec<I> = (0..count).map(|_| input()).collect();
        let began = Instant::now();
        for input in inputs {
            black_box(measured(input).await);
        }
        spent += began.elapsed();
    }
    spent
}
