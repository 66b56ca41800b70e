//! Many sessions of which some come often and most seldom, as in an application with users.

/// How many there are.
pub const SESSIONS: usize = 10_000;

/// So many draws of a session, always the same: the nth with a probability in proportion to 1/n (Zipf's law, s = 1).
pub fn draws(count: usize) -> Vec<usize> {
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=SESSIONS)
        .map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        })
        .collect();
    let mut random = 0x5ea1_ed5e_5510_u64;
    let mut draw = || {
        let share = (splitmix(&mut random) >> 11) as f64 / (1_u64 << 53) as f64;
        sums.partition_point(|upto| *upto <= share * sum)
            .min(SESSIONS - 1)
    };
    (0..count).map(|_| draw()).collect()
}

/// SplitMix64, whose numbers depend on nothing but the seed.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
