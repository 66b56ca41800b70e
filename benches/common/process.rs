//! What the kernel knows of a process.

use std::fs;
use std::time::Duration;

/// Resident memory, in KiB.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Memory {
    pub now: u64,
    /// The most that it ever was.
    pub peak: u64,
}

impl Memory {
    /// Of this process.
    pub fn own() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            number.unwrap().parse().unwrap()
        };
        Self {
            now: field("VmRSS:"),
            peak: field("VmHWM:"),
        }
    }
}

/// How long the threads of a process have run. Finer than `/proc/ID/stat`, whose unit is 10 ms: an idle
/// node uses little more than that in a run. Threads that have ended are not in it.
pub fn cpu(id: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{id}/task")).unwrap();
    let times = threads.map(|thread| {
        let path = thread.unwrap().path().join("schedstat");
        // A thread may end while it is looked at.
        let text = fs::read_to_string(path).unwrap_or_default();
        let nanos = text.split_whitespace().next();
        Duration::from_nanos(nanos.map_or(0, |nanos| nanos.parse().unwrap()))
    });
    times.sum()
}

/// What the processor calls itself.
pub fn model() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(": "));
    name.map_or("processor unknown", |(_, name)| name)
        .to_owned()
}
