//! What can somebody send to the public listener who is not our own page, and what exactly comes back?
//!
//! [`crate::browser::Browser`] sends what the page's script sends; a [`Visitor`] sends whatever a story says: scanners,
//! other sites' forms, strangers behind proxies.

use anyhow::Context as _;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::world::World;

/// The headers with which the page's own script sends.
const OF_OUR_PAGE: [(&str, &str); 3] =
    [("content-type", "application/json"), ("x-tapdesk", "1"), ("sec-fetch-site", "same-origin")];

/// Somebody with an HTTP client.
#[derive(Clone)]
pub struct Visitor {
    base: Url,
    http: reqwest::Client,
    forwarded_for: Option<String>,
}

/// An answer, byte by byte.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

impl Visitor {
    /// The same visitor behind a proxy that says for whom it asks.
    #[must_use]
    pub fn forwarded_for(&self, addresses: &str) -> Self {
        Self { forwarded_for: Some(addresses.to_owned()), ..self.clone() }
    }

    /// Fetches a path.
    pub async fn gets(&self, path: &str) -> anyhow::Result<Seen> {
        self.sends(&Method::GET, path, &[], Vec::new()).await
    }

    /// Posts JSON as the page's own script does.
    pub async fn posts(&self, path: &str, body: &Value) -> anyhow::Result<Seen> {
        self.sends(&Method::POST, path, &OF_OUR_PAGE, body.to_string().into_bytes()).await
    }

    /// Asks for a code's status as the page's own script does.
    pub async fn asks_about(&self, code: &str) -> anyhow::Result<Seen> {
        self.posts("c/status", &json!({"code": code})).await
    }

    /// Posts JSON as the page's own script does, but for one header: another value, or none.
    pub async fn posts_with(
        &self,
        path: &str,
        header: &str,
        value: Option<&str>,
        body: &Value,
    ) -> anyhow::Result<Seen> {
        let others = OF_OUR_PAGE.into_iter().filter(|(name, _)| *name != header);
        let headers: Vec<(&str, &str)> = others.chain(value.map(|value| (header, value))).collect();
        self.sends(&Method::POST, path, &headers, body.to_string().into_bytes()).await
    }

    /// Sends anything.
    pub async fn sends(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> anyhow::Result<Seen> {
        // Joined as text: a `Url` would tidy up what the story wrote.
        let url = format!("{}{}", self.base, path.trim_start_matches('/'));
        let mut request = self.http.request(method.clone(), url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(addresses) = &self.forwarded_for {
            request = request.header("x-forwarded-for", addresses);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Seen { status, headers, body: response.bytes().await?.to_vec() })
    }
}

impl Seen {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The `state` in the body.
    #[must_use]
    pub fn state(&self) -> String {
        self.json()["state"].as_str().unwrap_or_default().to_owned()
    }

    /// A header; empty where it was not sent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Everything but the date: what must not differ between two answers that are to look the same.
    #[must_use]
    pub fn looks(&self) -> (u16, Vec<(String, String)>, Vec<u8>) {
        let headers = self.headers.iter().filter(|(name, _)| *name != "date");
        let text =
            |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut headers: Vec<_> = headers.map(|(name, value)| (name.to_string(), text(value))).collect();
        headers.sort();
        (self.status.as_u16(), headers, self.body.clone())
    }
}

impl World {
    /// Somebody who can reach the public listener.
    #[must_use]
    pub fn visitor(&self) -> Visitor {
        Visitor { base: self.base(), http: self.http.clone(), forwarded_for: None }
    }

    /// Switches the lockdown as an administrator on the machine does; returns what the listener says.
    pub async fn lockdown(&self, on: bool) -> anyhow::Result<String> {
        let url = self.admin_base().join("lockdown")?;
        let request = if on { self.http.put(url) } else { self.http.delete(url) };
        let response = request.send().await.context("the admin listener does not answer")?;
        anyhow::ensure!(response.status() == StatusCode::OK, "the lockdown was not switched: {response:?}");
        Ok(response.text().await?)
    }
}
