//! Calling the script.
//!
//! 1. The list is changed by one script alone, `list.lua`, so that each change is atomic and there is
//!    one text to audit.
//! 2. It is loaded twice. What adds entries is refused as a whole when the server has no memory left;
//!    what reads, sweeps or gives a sign of life goes on.
//! 3. An answer begins with the result of the call and the list's state.

use std::time::Duration;

use redis::{RedisError, Script, Value, cmd};

use super::fault::is_unknown_script;
use super::link::{Held, Link};
use super::record::time;
use crate::error::StoreError;
use crate::revoke::{Announcement, Cursor, Incarnation, LogState};
use crate::store::sweep::check_clock;
use crate::time::SKEW;
use crate::time::UnixMillis;

const LIST: &str = include_str!("list.lua");

/// The keys of a list, in the order in which the script takes them.
const KEYS: [&str; 7] = [
    "meta",
    "sessions",
    "anonymous",
    "anonymous_order",
    "subjects",
    "expiry",
    "stream",
];

/// What the script does, and under which conditions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    name: &'static str,
    /// Whether it adds entries.
    adds: bool,
}

impl Operation {
    pub(super) const ANNOUNCE: Self = Self::new("announce", false);
    pub(super) const PUBLISH: Self = Self::new("publish", true);
    pub(super) const RAISE: Self = Self::new("raise", true);
    pub(super) const READ: Self = Self::new("read", false);
    pub(super) const FIND: Self = Self::new("find", false);
    pub(super) const STATE: Self = Self::new("state", false);
    pub(super) const ATTEST: Self = Self::new("attest", false);
    pub(super) const SWEEP: Self = Self::new("sweep", false);
    pub(super) const BEAT: Self = Self::new("beat", false);

    const fn new(name: &'static str, adds: bool) -> Self {
        Self { name, adds }
    }
}

/// The script and the keys of one list.
pub(super) struct Scripts {
    adding: Source,
    other: Source,
    keys: Vec<String>,
}

struct Source {
    text: String,
    hash: String,
}

impl Source {
    fn new(flags: &str) -> Self {
        let text = format!("#!lua{flags}\n{LIST}");
        let hash = Script::new(&text).get_hash().to_owned();
        Self { text, hash }
    }
}

/// A call, before it is known to which server it goes.
pub(super) struct Call {
    operation: Operation,
    /// Fresh random bytes: the mark of what the call may publish, the epoch of a list that it may
    /// have to begin.
    fresh: [u8; 16],
    arguments: Vec<Vec<u8>>,
}

impl Call {
    pub(super) fn new(operation: Operation, fresh: [u8; 16]) -> Self {
        Self {
            operation,
            fresh,
            arguments: Vec::new(),
        }
    }

    pub(super) fn bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.arguments.push(bytes.into());
        self
    }

    pub(super) fn number(self, number: u64) -> Self {
        self.bytes(number.to_string())
    }
}

impl Scripts {
    pub(super) fn new(list: &str) -> Self {
        // The braces are for the cluster: what is between them decides which node has the keys.
        let key = |name: &&str| format!("sealed-session:{{{list}}}:{name}");
        Self {
            adding: Source::new(""),
            other: Source::new(" flags=allow-oom"),
            keys: KEYS.iter().map(key).collect(),
        }
    }

    /// The name of the key that holds what `of` names.
    pub(super) fn key(&self, of: &str) -> &str {
        let mut pairs = KEYS.iter().zip(&self.keys);
        pairs
            .find(|(name, _)| **name == of)
            .map_or("", |(_, key)| key)
    }

    /// Calls over `link`, also where the list has moved to. Returns the connection too, for what has
    /// to follow over the same one.
    pub(super) async fn call(
        &self,
        link: &Link,
        call: &Call,
    ) -> Result<(Held, Answer), StoreError> {
        let mut held = link.hold().await?;
        let mut repeated = false;
        let answer = match self.run(link, &held, call).await {
            Err(error) if link.leads_elsewhere(&error) => {
                repeated = error.is_connection_dropped();
                held = link.hold().await?;
                self.run(link, &held, call).await
            }
            answer => answer,
        };
        let answer = answer.map_err(|error| link.server().problem(&error))?;
        let mut answer = Answer::new(answer, link)?;
        answer.repeated = repeated;
        Ok((held, answer))
    }

    /// Calls over `held`, which fails if that connection is gone.
    pub(super) async fn call_over(
        &self,
        link: &Link,
        held: &Held,
        call: &Call,
    ) -> Result<Answer, StoreError> {
        let answer = self.run(link, held, call).await;
        let answer = answer.map_err(|error| link.server().problem(&error))?;
        Answer::new(answer, link)
    }

    async fn run(&self, link: &Link, held: &Held, call: &Call) -> Result<Value, RedisError> {
        let source = match call.operation.adds {
            true => &self.adding,
            false => &self.other,
        };
        let (mark, epoch) = call.fresh.split_at(8);
        let mut command = cmd("EVALSHA");
        command.arg(&source.hash).arg(self.keys.len());
        command.arg(&self.keys).arg(call.operation.name);
        command.arg(mark).arg(epoch);
        for argument in &call.arguments {
            command.arg(argument.as_slice());
        }
        match link.say(held, &command).await {
            Err(error) if is_unknown_script(&error) => {
                let mut load = cmd("SCRIPT");
                load.arg("LOAD").arg(&source.text);
                link.say(held, &load).await?;
                link.say(held, &command).await
            }
            answer => answer,
        }
    }
}

/// What the script answered, after its first word and the state. Read from front to back.
pub(super) struct Answer {
    values: std::vec::IntoIter<Value>,
    address: String,
    /// What the list says of itself. What was not understood is not counted in it.
    pub(super) state: LogState,
    repeated: bool,
}

/// How long the state is that comes with each answer.
const STATE: usize = 72;

impl Answer {
    fn new(answer: Value, link: &Link) -> Result<Self, StoreError> {
        let address = link.server().address();
        let Value::Array(values) = answer else {
            return Err(odd(&address));
        };
        let unknown = UnixMillis::EPOCH;
        let mut answer = Self {
            values: values.into_iter(),
            address,
            state: LogState::new(Incarnation::default(), unknown, unknown),
            repeated: false,
        };
        match answer.bytes()?.as_slice() {
            b"ok" => {
                let packed = answer.bytes()?;
                answer.state = state(&packed).ok_or_else(|| odd(&answer.address))?;
                Ok(answer)
            }
            word => Err(answer.problem(word)?),
        }
    }

    /// What the script says that is wrong.
    fn problem(&mut self, word: &[u8]) -> Result<StoreError, StoreError> {
        Ok(match word {
            b"exhausted" => StoreError::Exhausted,
            b"replaced" => StoreError::Replaced,
            b"clock" => {
                let (now, last_sweep) = (self.time()?, self.time()?);
                check_clock(now, last_sweep)?;
                odd(&self.address)
            }
            b"ahead" => {
                let (theirs, created) = (self.time()?, self.time()?);
                StoreError::clocks(created, theirs, SKEW)
            }
            b"nameless" => StoreError::Unsuitable(format!(
                "{}: it does not say which server it is (`run_id` in INFO)",
                self.address
            )),
            b"unreadable" => {
                let what = self.bytes()?;
                // A field's name. Whatever else a server says is not repeated.
                let of_name = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'_';
                let is_name = what.len() <= 32 && what.iter().all(of_name);
                let what = is_name.then(|| String::from_utf8_lossy(&what).into_owned());
                let what = what.as_deref().unwrap_or("something odd");
                StoreError::Unsuitable(format!(
                    "{}: the list is not one that this release can read ({what}). It is left as it \
                     is",
                    self.address
                ))
            }
            _ => odd(&self.address),
        })
    }

    /// Whether the call was said twice, so that this may be the answer to what had been done already.
    pub(super) fn is_repeated(&self) -> bool {
        self.repeated
    }

    fn next(&mut self) -> Result<Value, StoreError> {
        self.values.next().ok_or_else(|| odd(&self.address))
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, StoreError> {
        self.optional_bytes()?.ok_or_else(|| odd(&self.address))
    }

    pub(super) fn optional_bytes(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        match self.next()? {
            Value::BulkString(bytes) => Ok(Some(bytes)),
            Value::SimpleString(text) => Ok(Some(text.into_bytes())),
            Value::Nil => Ok(None),
            _ => Err(odd(&self.address)),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64, StoreError> {
        match self.next()? {
            Value::Int(number) => u64::try_from(number).map_err(|_| odd(&self.address)),
            _ => Err(odd(&self.address)),
        }
    }

    fn time(&mut self) -> Result<UnixMillis, StoreError> {
        self.number().map(time)
    }

    /// Where the list is in its stream.
    pub(super) fn cursor(&mut self) -> Result<Cursor, StoreError> {
        let epoch = self.state.incarnation.epoch;
        Ok(Cursor::new(epoch, self.number()?, self.name()?))
    }

    /// Eight bytes that name a publication.
    fn name(&mut self) -> Result<u64, StoreError> {
        let bytes = self.bytes()?;
        let bytes = bytes.try_into().map_err(|_| odd(&self.address))?;
        Ok(u64::from_be_bytes(bytes))
    }
}

/// What the list says of itself, as the script packs it.
fn state(packed: &[u8]) -> Option<LogState> {
    let packed: &[u8; STATE] = packed.try_into().ok()?;
    let (epoch, rest) = packed.split_first_chunk()?;
    let (server, rest) = rest.split_first_chunk()?;
    let mut numbers = rest.chunks_exact(8);
    let mut number = || Some(u64::from_be_bytes(numbers.next()?.try_into().ok()?));
    let incarnation = Incarnation::new(u64::from_be_bytes(*epoch), server_of(server)?);
    let (now, complete_since) = (number()?, number()?);
    let mut state = LogState::new(incarnation, time(now), time(complete_since));
    state.settling = Duration::from_millis(number()?);
    let longest = Duration::from_millis(number()?);
    let capacity = number()?;
    state.announced = Announcement::new(longest, capacity, Duration::from_millis(number()?));
    Some(state)
}

/// A server's name is sixteen hexadecimal digits.
fn server_of(digits: &[u8; 16]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// An incarnation as the script knows it.
pub(super) fn incarnation(of: Incarnation) -> Vec<u8> {
    let mut bytes = of.epoch.to_be_bytes().to_vec();
    bytes.extend(format!("{:016x}", of.server).into_bytes());
    bytes
}

/// An answer that the script does not give.
fn odd(address: &str) -> StoreError {
    StoreError::unavailable(format_args!("{address}: an answer that was not understood"))
}

#[cfg(test)]
mod tests {
    use super::super::record::REMEMBERED;
    use super::*;
    use crate::revoke::{ANONYMOUS_CAPACITY, SETTLING};
    use crate::store::sweep::{BACKWARD, FORWARD};
    use crate::time::millis;

    #[test]
    fn the_scripts_numbers_are_those_of_the_contract() {
        for (name, number) in [
            ("SETTLING", millis(SETTLING)),
            ("SKEW", millis(SKEW)),
            ("BACKWARD", millis(BACKWARD)),
            ("FORWARD", millis(FORWARD)),
            ("ANONYMOUS_CAPACITY", ANONYMOUS_CAPACITY),
            ("REMEMBERED", REMEMBERED as u64),
        ] {
            let line = format!("\nlocal {name} = {number}\n");
            assert!(LIST.contains(&line), "{line}");
        }
    }

    #[test]
    fn a_state_reads_as_the_script_packs_it() {
        let mut packed = 7_u64.to_be_bytes().to_vec();
        packed.extend(b"00000000000000ff");
        for number in 1..=6_u64 {
            packed.extend(number.to_be_bytes());
        }
        let read = state(&packed).unwrap();
        assert_eq!(read.incarnation, Incarnation::new(7, 255));
        assert_eq!(incarnation(read.incarnation), packed[..24]);
        assert_eq!((read.now, read.complete_since), (time(1), time(2)));
        assert_eq!(read.settling, Duration::from_millis(3));
        assert_eq!(read.announced.anonymous_capacity, 5);
        assert_eq!(read.announced.max_outage, Duration::from_millis(6));
        assert_eq!(state(&packed[1..]), None);
        packed[8] = b'x';
        assert_eq!(state(&packed), None);
    }
}
