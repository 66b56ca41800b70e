//! What an onlooker notes who sees everything, for the properties to ask for.

use super::config::Config;
use super::held::Held;
use super::state::{Request, State};

impl State {
    /// Notes what the properties will ask for, after `last` has become this state.
    pub(super) fn look(&mut self, config: &Config, last: &State) {
        for (session, serial) in self.cookies().collect::<Vec<_>>() {
            let cookie = (session, serial);
            for number in 0..config.nodes {
                let Some(node) = self.node(number) else {
                    continue;
                };
                // What was the same before was noted before, and asking costs.
                let is_new = !last.cookies().any(|it| it == cookie);
                let was = last.node(number);
                let same =
                    was.is_some_and(|was| was.held == node.held && was.complete == node.complete);
                if same && !is_new && self.now == last.now {
                    continue;
                }
                let now = config.moment(self.now, number).wall;
                let refuses = self.answers(config, number, node)
                    && self.is_revoked(config, &node.held, now, cookie);
                let bit = u16::from(refuses) << (u32::from(number) * 4 + serial);
                self.sessions[usize::from(session)].refused |= bit;
            }
            let can_be = self.seen.failed_over || self.seen.deaf_vouched;
            if can_be && !self.is_known(config, cookie) {
                self.sessions[usize::from(session)].forgotten = true;
            }
        }
    }

    /// Whether anyone is left who knows that a session was ended.
    fn is_known(&self, config: &Config, (session, serial): (u8, u32)) -> bool {
        let knows = |held: &Held| {
            let now = self.store_time(config);
            self.is_revoked(config, held, now, (session, serial))
        };
        let raises = |number: u8| self.raises[usize::from(number)].before >> session & 1 == 1;
        knows(&self.store.held)
            || self
                .live()
                .any(|(_, node)| knows(&node.held) || node.raise.is_some_and(raises))
            || self.messages.iter().any(|message| match &message.request {
                Request::Raise { number, .. } => raises(*number),
                Request::Publish { .. } | Request::GiveBack(_) => true,
                Request::Vouch(_) => false,
            })
    }
}
