//! Nodes with equal clocks can change places: of two states that differ by that alone, one is looked into.

use super::config::Config;
use super::hash::hash;
use super::state::State;

/// Whether a run's first two nodes are alike.
pub(super) fn is_symmetric(config: &Config) -> bool {
    config.nodes >= 2 && config.ahead[0] == config.ahead[1]
}

/// The one of the two. That it is always the same one would be best; that it is one of them is enough.
pub(super) fn representative(state: &State) -> State {
    let mut state = state.clone();
    let node = |number: usize| {
        let by = state
            .sessions
            .first()
            .map_or(0, |session| session.by >> number & 1);
        hash(&(by, &state.nodes[number]))
    };
    if node(0) > node(1) {
        state.swap();
    }
    state
}

impl State {
    fn swap(&mut self) {
        self.nodes.swap(0, 1);
        for message in &mut self.messages {
            message.node = match message.node {
                0 => 1,
                1 => 0,
                other => other,
            };
        }
        self.sort();
        for session in &mut self.sessions {
            session.by = swap_bits(session.by);
            let [low, high] = session.refused.to_le_bytes();
            session.refused = u16::from_le_bytes([low.rotate_left(4), high]);
        }
        self.seen.deaf = swap_bits(self.seen.deaf);
        self.seen.whole = swap_bits(self.seen.whole);
    }
}

fn swap_bits(bits: u8) -> u8 {
    bits & !0b11 | (bits & 1) << 1 | bits >> 1 & 1
}
