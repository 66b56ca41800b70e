//! A request whose body is slow to arrive: the server has its head, and its handler waits for the rest.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::gate::gate;
use super::raw::Reply;
use super::{Answer, Browser};

/// An upload to `/upload/{name}` whose handler has its session, and waits for the body.
pub struct Upload {
    browser: Browser,
    stream: TcpStream,
    body: Vec<u8>,
}

impl Upload {
    /// Sends the cookies that the browser holds now, and a value that the handler is to write.
    pub async fn begin(browser: &Browser, name: &str, value: Value) -> Self {
        Self::of(browser, name, value.to_string().into_bytes()).await
    }

    /// The same with a body of any kind.
    pub async fn of(browser: &Browser, name: &str, body: Vec<u8>) -> Self {
        let address = browser.url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let cookies = browser.header().unwrap_or_default();
        let length = body.len();
        let head = format!(
            "PUT /upload/{name} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Cookie: {cookies}\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        gate(name).entered().await;
        Self {
            browser: browser.clone(),
            stream,
            body,
        }
    }

    /// The body arrives, and the answer at the browser.
    pub async fn finish(mut self) -> Answer {
        self.stream.write_all(&self.body).await.unwrap();
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).await.unwrap();
        let answer = answer(&Reply { bytes });
        self.browser.keep(&answer);
        answer
    }
}

fn answer(reply: &Reply) -> Answer {
    let mut headers = HeaderMap::new();
    for (name, value) in reply.headers() {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(&value).unwrap());
    }
    Answer {
        status: reply.status(),
        headers,
        body: reply.body(),
    }
}
