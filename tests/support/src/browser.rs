//! A client that keeps cookies, and its answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::Node;

/// A client that keeps cookies as a browser does, and lets a test look at them and put them back.
#[derive(Clone)]
pub struct Browser {
    client: reqwest::Client,
    url: String,
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn set_cookies(&self) -> Vec<&str> {
        let all = self.headers.get_all("set-cookie");
        all.iter().map(|value| value.to_str().unwrap()).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The names of the cookies that this answer removes.
    pub fn removed(&self) -> Vec<&str> {
        let cookies = self.set_cookies().into_iter();
        let removals = cookies.filter(|cookie| cookie.contains("Max-Age=0"));
        removals
            .filter_map(|cookie| cookie.split('=').next())
            .collect()
    }

    /// No session came of the request's cookie, which the browser keeps.
    #[track_caller]
    pub fn leaves_alone(self) -> Self {
        let answer = self.is(401);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
        answer
    }

    /// No session came of the request's cookie, which is removed.
    #[track_caller]
    pub fn removes(self) -> Self {
        let answer = self.is(401);
        assert_eq!(answer.removed(), ["session"], "{answer:?}");
        assert_eq!(answer.set_cookies().len(), 1, "{answer:?}");
        answer
    }

    /// Whether a Set-Cookie of this answer removes a cookie.
    pub fn removes_cookie(&self) -> bool {
        self.set_cookies()
            .iter()
            .any(|cookie| cookie.contains("Max-Age=0"))
    }
}

impl Browser {
    pub fn new(url: &str) -> Self {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            client,
            url: url.to_owned(),
            cookies: Arc::default(),
        }
    }

    /// Another browser that holds the same cookies: what a thief or a replay has.
    pub fn copy(&self) -> Self {
        let cookies = self.cookies.lock().unwrap().clone();
        Self {
            cookies: Arc::new(Mutex::new(cookies)),
            ..self.clone()
        }
    }

    /// The same cookies at another node.
    pub fn at(&self, node: &Node) -> Self {
        self.to(&node.url)
    }

    /// The same browser at another port: cookies know no ports.
    pub fn to(&self, url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..self.clone()
        }
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: impl Into<String>) {
        self.cookies
            .lock()
            .unwrap()
            .insert(name.into(), value.into());
    }

    /// A browser that holds this session cookie and no other.
    pub fn holding(&self, value: impl Into<String>) -> Self {
        let browser = Self {
            cookies: Arc::default(),
            ..self.clone()
        };
        browser.set_cookie("session", value);
        browser
    }

    /// The names of the cookies that the browser holds.
    pub fn names(&self) -> Vec<String> {
        self.cookies.lock().unwrap().keys().cloned().collect()
    }

    pub fn remove_cookie(&self, name: &str) {
        self.cookies.lock().unwrap().remove(name);
    }

    /// The value of the session cookie.
    pub fn session(&self) -> Option<String> {
        self.cookie("session")
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(reqwest::Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str) -> Answer {
        self.send(reqwest::Method::POST, path, None).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(reqwest::Method::DELETE, path, None).await
    }

    pub async fn put(&self, path: &str, value: Value) -> Answer {
        self.send(reqwest::Method::PUT, path, Some(value)).await
    }

    pub async fn send(&self, method: reqwest::Method, path: &str, json: Option<Value>) -> Answer {
        let header = self.header();
        self.send_raw(method, path, json, header.map(String::into_bytes))
            .await
    }

    /// Sends fields as a form does.
    pub async fn post_form(&self, path: &str, fields: &str) -> Answer {
        let request = self.client.post(format!("{}{path}", self.url));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = match self.header() {
            Some(cookies) => request.header("cookie", cookies),
            None => request,
        };
        self.answer(request.body(fields.to_owned())).await
    }

    /// Sends these headers beside the cookies.
    pub async fn send_with(
        &self,
        method: reqwest::Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.request(method, path, None, headers).await
    }

    /// The same of a PUT.
    pub async fn put_with(&self, path: &str, value: Value, headers: &[(&str, &str)]) -> Answer {
        self.request(reqwest::Method::PUT, path, Some(value), headers)
            .await
    }

    /// Posts a body of this type, and these headers beside the cookies.
    pub async fn post_body(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self.client.post(format!("{}{path}", self.url)).body(body);
        let cookies = self.header();
        let cookies = cookies.iter().map(|value| ("cookie", value.as_str()));
        let all = cookies.chain([("content-type", content_type)]);
        for (name, value) in all.chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        self.answer(request).await
    }

    /// Sends exactly this Cookie header.
    pub async fn send_raw(
        &self,
        method: reqwest::Method,
        path: &str,
        json: Option<Value>,
        cookie: Option<Vec<u8>>,
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(cookie) = cookie {
            let value = reqwest::header::HeaderValue::from_bytes(&cookie).unwrap();
            request = request.header("cookie", value);
        }
        if let Some(json) = json {
            request = request.json(&json);
        }
        self.answer(request).await
    }

    /// Fetches what the browser says is such a part of a page.
    pub async fn fetch(&self, path: &str, destination: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.url));
        let request = request
            .header("cookie", self.header().unwrap_or_default())
            .header("sec-fetch-dest", destination);
        self.answer(request).await
    }

    /// Where it sends its requests.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The Cookie header that the browser sends.
    pub fn header(&self) -> Option<String> {
        let cookies = self.cookies.lock().unwrap();
        let pairs = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let pairs: Vec<_> = pairs.collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    async fn request(
        &self,
        method: reqwest::Method,
        path: &str,
        json: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        let cookies = self.header();
        let cookies = cookies.iter().map(|value| ("cookie", value.as_str()));
        for (name, value) in cookies.chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        if let Some(json) = json {
            request = request.json(&json);
        }
        self.answer(request).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let answer = Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        };
        self.keep(&answer);
        answer
    }

    /// An answer arrives, perhaps late.
    pub fn keep(&self, answer: &Answer) {
        let mut cookies = self.cookies.lock().unwrap();
        for cookie in answer.set_cookies() {
            let (name, rest) = cookie.split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap_or((rest, ""));
            // What a browser does with a cookie that is too large: it drops it without a word.
            if name.len() + value.len() > 4096 {
                continue;
            }
            if attributes.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
