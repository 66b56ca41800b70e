//! Requests byte for byte, for what a well-behaved client does not send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What came back: everything until the server closed the connection.
#[derive(Debug)]
pub struct Reply {
    pub bytes: Vec<u8>,
}

impl Reply {
    /// Zero if there was no answer at all.
    pub fn status(&self) -> u16 {
        let line = self.bytes.get(9..12).unwrap_or_default();
        std::str::from_utf8(line)
            .unwrap()
            .parse()
            .unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Names and values of all headers, in their order.
    pub fn headers(&self) -> Vec<(String, String)> {
        let text = self.text();
        let head = text.split("\r\n\r\n").next().unwrap_or_default();
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// The values of a header.
    pub fn header(&self, name: &str) -> Vec<String> {
        let headers = self.headers().into_iter();
        headers
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    pub fn body(&self) -> String {
        let text = self.text();
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
        body.unwrap_or_default().to_owned()
    }
}

/// Sends `head` (lines without their ends) and reads until the connection is closed.
pub async fn request<L: AsRef<[u8]>>(url: &str, head: impl IntoIterator<Item = L>) -> Reply {
    let mut stream = send(url, head, "Connection: close").await;
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let read = tokio::time::timeout(Duration::from_secs(20), read).await;
    // A reset after the answer is as good as a close.
    let _ = read.expect("the server neither answers nor closes");
    Reply { bytes }
}

/// The same for an upgrade, which does not close: reads the head of the answer.
pub async fn upgrade<L: AsRef<[u8]>>(url: &str, head: impl IntoIterator<Item = L>) -> Reply {
    let mut stream = send(url, head, "Connection: Upgrade").await;
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut byte));
        if read.await.unwrap().unwrap() == 0 {
            break;
        }
        bytes.push(byte[0]);
    }
    Reply { bytes }
}

async fn send<L: AsRef<[u8]>>(
    url: &str,
    head: impl IntoIterator<Item = L>,
    connection: &str,
) -> TcpStream {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut bytes = Vec::new();
    for (number, line) in head.into_iter().enumerate() {
        bytes.extend_from_slice(line.as_ref());
        bytes.extend_from_slice(b"\r\n");
        if number == 0 {
            bytes.extend_from_slice(format!("Host: {address}\r\n{connection}\r\n").as_bytes());
        }
    }
    bytes.extend_from_slice(b"\r\n");
    // A server that refuses what it has read so far may close before the rest.
    let _ = stream.write_all(&bytes).await;
    stream
}
