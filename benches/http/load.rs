//! Load on one server, and what it cost.

use std::fs;
use std::path::Path;

use crate::processor;
use crate::server::Server;

/// Clock ticks a second in /proc, on every Linux that there is.
const TICKS: f64 = 100.0;
const SECONDS: u32 = 1;

/// What is sent with the requests.
pub enum Cookies<'c> {
    /// The same header each time.
    One(&'c str),
    /// The headers of a file by the numbers of another: see `cookies.lua`.
    Many { headers: &'c Path, order: &'c Path },
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cookies.lua");

/// What a turn came to.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub per_second: f64,
    /// The part of a processor that the server used.
    pub cpu: f64,
}

impl Measured {
    /// Of one turn.
    pub fn of(server: &Server, cookies: &Cookies<'_>) -> Self {
        let before = cpu(server);
        let mut wrk = processor::on(processor::OTHERS, "wrk");
        wrk.args(["-t1", "-c32", &format!("-d{SECONDS}s")]);
        let url = format!("http://127.0.0.1:{}/", server.port);
        match cookies {
            Cookies::One(header) => wrk.args(["-H", &format!("Cookie: {header}"), &url]),
            Cookies::Many { headers, order } => {
                wrk.args(["-s", SCRIPT, &url, "--"]).args([headers, order])
            }
        };
        let output = wrk.output().expect("wrk runs");
        let cpu = cpu(server) - before;
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            !said.contains("Non-2xx") && !said.contains("Socket errors"),
            "{said}"
        );
        let after = |word: &str| {
            let mut lines = said.lines().map(str::trim_start);
            let rest = lines.find_map(|line| line.strip_prefix(word));
            rest.unwrap_or_else(|| panic!("{word} is not in {said}"))
                .trim()
        };
        Self {
            per_second: after("Requests/sec:").parse().unwrap(),
            cpu: cpu / f64::from(SECONDS),
        }
    }

    /// Of the server, for each request.
    pub fn cpu_micros(&self) -> f64 {
        self.cpu * 1e6 / self.per_second
    }
}

/// Seconds that the server has used.
fn cpu(server: &Server) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.process())).unwrap();
    // After the name, which is in parentheses: state is the first field, utime the twelfth.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / TICKS
}
