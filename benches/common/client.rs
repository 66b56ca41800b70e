//! A client of one server, over one connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A connection that stays, spoken to without a client's own threads and timers.
pub struct Client {
    address: String,
    stream: BufReader<TcpStream>,
}

pub struct Answer {
    pub status: u16,
    /// The session's, as it is sent back.
    pub cookie: Option<String>,
}

impl Client {
    pub fn to(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            address: address.to_owned(),
            stream: BufReader::new(stream),
        }
    }

    pub fn ask(&mut self, method: &str, path: &str, cookie: &str) -> Answer {
        let host = &self.address;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nContent-Length: 0\r\n\r\n"
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut answer = Answer {
            status: self.line()[9..12].parse().unwrap(),
            cookie: None,
        };
        let mut length = 0;
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "set-cookie" => answer.cookie = value.split(';').next().map(str::to_owned),
                _ => {}
            }
        }
        self.stream.read_exact(&mut vec![0; length]).unwrap();
        answer
    }

    /// The next line of an answer's head.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}
