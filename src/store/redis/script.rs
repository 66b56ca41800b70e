//! The scripts, and how a call of the list's is said and answered.
//!
//! 1. The list is changed by one script alone, `list.lua`, so that each change is atomic and there is
//!    one text to audit. The index of sessions has one of its own, `index.lua`.
//! 2. Each is loaded twice. When the server has no memory left, operations that add entries are refused as a whole;
//!    reading, removing, sweeping and signs of life go on.
//! 3. An answer of the list's is the list's state and the result of the operation.

use std::sync::LazyLock;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisResult, Script, Value, cmd, from_redis_value};

use super::record::time;
use crate::revoke::{Announcement, Incarnation, LogState};

const LIST: &str = include_str!("list.lua");
const INDEX: &str = include_str!("index/index.lua");

/// Both, for operations that add entries and for all others.
static SCRIPTS: LazyLock<[[Script; 2]; 2]> = LazyLock::new(|| {
    [LIST, INDEX].map(|text| {
        ["", " flags=allow-oom"].map(|flags| Script::new(&format!("#!lua{flags}\n{text}")))
    })
});

/// The keys of the list called `list`, in the order in which the script takes them. The braces are for the cluster:
/// the text between them decides which node has the keys.
pub(super) fn keys(list: &str) -> [String; 7] {
    [
        "meta",
        "sessions",
        "anonymous",
        "subjects",
        "anonymous_order",
        "expiry",
        "stream",
    ]
    .map(|name| format!("sealed-session:{{{list}}}:{name}"))
}

/// A call without the operation's own arguments. `fresh` are random bytes: the mark of what the call may publish,
/// and the epoch of a list that it may have to begin.
pub(super) fn call(operation: &str, keys: &[String; 7], fresh: [u8; 16]) -> Cmd {
    let [list, _] = &*SCRIPTS;
    let adds = matches!(operation, "publish" | "raise");
    let (mark, epoch) = fresh.split_at(8);
    let mut call = evaluation(list, adds);
    call.arg(keys.len()).arg(keys);
    call.arg(operation).arg(mark).arg(epoch);
    call
}

/// A call of the index's script for the rows at `key`, without its arguments.
pub(super) fn index_call(key: &str, adds: bool) -> Cmd {
    let [_, index] = &*SCRIPTS;
    let mut call = evaluation(index, adds);
    call.arg(1).arg(key);
    call
}

fn evaluation([adding, other]: &[Script; 2], adds: bool) -> Cmd {
    let script = if adds { adding } else { other };
    let mut call = cmd("EVALSHA");
    call.arg(script.get_hash());
    call
}

/// Tells the scripts to a server that does not know one of them yet.
pub(super) async fn load(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    for script in SCRIPTS.as_flattened() {
        script.load_async(connection).await?;
    }
    Ok(())
}

/// What the script answered; `None` if it is not understood. What the caller did not understand is not counted in
/// the state.
pub(super) fn answer<T: FromRedisValue>(answer: Value) -> Option<(LogState, T)> {
    type Stated = ([u8; 8], String, u64, u64, u64, u64, u64, u64);
    let (stated, result): (Stated, T) = from_redis_value(answer).ok()?;
    let (epoch, server, now, complete_since, settling, longest, capacity, max_outage) = stated;
    let server = u64::from_str_radix(&server, 16).ok()?;
    let incarnation = Incarnation::new(u64::from_be_bytes(epoch), server);
    let (longest, max_outage) = (
        Duration::from_millis(longest),
        Duration::from_millis(max_outage),
    );
    let state = LogState {
        settling: Duration::from_millis(settling),
        announced: Announcement::new(longest, capacity, max_outage),
        ..LogState::new(incarnation, time(now), time(complete_since))
    };
    Some((state, result))
}

/// An incarnation as the script knows it.
pub(super) fn incarnation(of: Incarnation) -> Vec<u8> {
    let server = format!("{:016x}", of.server);
    [of.epoch.to_be_bytes().as_slice(), server.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::super::record::REMEMBERED;
    use super::*;
    use crate::revoke::{ANONYMOUS_CAPACITY, SETTLING};
    use crate::store::sweep::{BACKWARD, FORWARD};
    use crate::time::{SKEW, millis};

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
        let skew = format!("\nlocal SKEW = {}\n", millis(SKEW));
        assert!(INDEX.contains(&skew), "{skew}");
    }

    #[test]
    fn a_state_reads_as_the_script_says_it() {
        let of = |server: &str, numbers: std::ops::RangeInclusive<i64>| {
            let mut state = vec![
                Value::BulkString(7_u64.to_be_bytes().to_vec()),
                Value::BulkString(server.into()),
            ];
            state.extend(numbers.map(Value::Int));
            Value::Array(vec![Value::Array(state), Value::Array(vec![])])
        };
        let (read, ()) = answer(of("00000000000000ff", 1..=6)).unwrap();
        assert_eq!(read.incarnation, Incarnation::new(7, 255));
        let said = [7_u64.to_be_bytes().as_slice(), b"00000000000000ff"].concat();
        assert_eq!(incarnation(read.incarnation), said);
        assert_eq!((read.now, read.complete_since), (time(1), time(2)));
        assert_eq!(read.settling, Duration::from_millis(3));
        assert_eq!(read.announced.longest, Duration::from_millis(4));
        assert_eq!(read.announced.anonymous_capacity, 5);
        assert_eq!(read.announced.max_outage, Duration::from_millis(6));
        for odd in [
            of("00000000000000ff", 1..=5),
            of("x0000000000000ff", 1..=6),
            Value::Okay,
        ] {
            assert!(answer::<()>(odd).is_none());
        }
    }
}
