//! A connection of its own to a server, for what tests ask and do around the store.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::ports::local;

/// A reply as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Status(String),
    Error(String),
    Integer(i64),
    Bytes(Vec<u8>),
    Nil,
    Array(Vec<Reply>),
}

impl Reply {
    #[track_caller]
    pub fn ok(self) {
        assert_eq!(self, Self::Status("OK".into()));
    }

    #[track_caller]
    pub fn integer(self) -> i64 {
        match self {
            Self::Integer(number) => number,
            other => panic!("not a number: {other:?}"),
        }
    }

    #[track_caller]
    pub fn text(self) -> String {
        match self {
            Self::Status(text) => text,
            Self::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
            other => panic!("not a text: {other:?}"),
        }
    }
}

/// A connection that speaks as much of the protocol (RESP 2) as the tests need.
#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    /// `patience` is the limit for connecting and for every wait afterwards.
    ///
    /// # Errors
    ///
    /// The server cannot be reached.
    pub fn open(port: u16, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&local(port), patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// # Errors
    ///
    /// The connection ends or stays silent. An error that the server replies is a [`Reply`].
    pub fn call(&mut self, words: &[&str]) -> io::Result<Reply> {
        self.send(words)?;
        self.reply()
    }

    /// # Errors
    ///
    /// The connection has ended.
    pub fn send(&mut self, words: &[&str]) -> io::Result<()> {
        let mut bytes = format!("*{}\r\n", words.len());
        for word in words {
            bytes += &format!("${}\r\n{word}\r\n", word.len());
        }
        self.0.get_mut().write_all(bytes.as_bytes())
    }

    /// # Errors
    ///
    /// The connection ends or stays silent, or this is no reply.
    pub fn reply(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let Some(line) = line.strip_suffix("\r\n") else {
            return Err(ErrorKind::UnexpectedEof.into());
        };
        let (kind, rest) = line.split_at_checked(1).unwrap_or_default();
        let number = || {
            let parsed = rest.parse::<i64>();
            parsed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
        };
        Ok(match kind {
            "+" => Reply::Status(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Integer(number()?),
            "$" | "*" if number()? < 0 => Reply::Nil,
            "$" => {
                let mut bytes = vec![0; usize::try_from(number()?).unwrap() + 2];
                self.0.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Reply::Bytes(bytes)
            }
            "*" => {
                let replies = (0..number()?).map(|_| self.reply());
                Reply::Array(replies.collect::<io::Result<_>>()?)
            }
            _ => return Err(io::Error::new(ErrorKind::InvalidData, line.to_owned())),
        })
    }
}
