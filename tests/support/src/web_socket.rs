//! A client of WebSockets.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Browser, SECOND};

/// A WebSocket as a browser has it open, as far as RFC 6455 is needed for short messages.
pub struct WebSocket(TcpStream);

impl WebSocket {
    pub async fn open(browser: &Browser) -> Self {
        let address = browser.url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "GET /socket HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nCookie: {}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            browser.header().unwrap(),
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "));
        Self(stream)
    }

    /// Sends a text, masked by zeros.
    pub async fn send(&mut self, text: &str) {
        let length = u8::try_from(text.len()).unwrap();
        let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
        frame.extend(text.as_bytes());
        self.0.write_all(&frame).await.unwrap();
    }

    /// The next frame: its first byte, and what it carries.
    pub async fn next(&mut self) -> (u8, Vec<u8>) {
        let read = async {
            let first = self.0.read_u8().await.unwrap();
            let mut payload = vec![0; usize::from(self.0.read_u8().await.unwrap())];
            self.0.read_exact(&mut payload).await.unwrap();
            (first, payload)
        };
        let frame = tokio::time::timeout(20 * SECOND, read).await;
        frame.expect("something comes")
    }
}
