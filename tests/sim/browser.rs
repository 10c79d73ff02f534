//! What does the claim page's script send, without a browser around it?
//!
//! The stories that need the page itself drive Chromium; all others use this.

use reqwest::StatusCode;
use serde_json::{Value, json};
use url::Url;

use crate::chance;

/// One open claim page.
#[derive(Clone)]
pub struct Browser {
    base: Url,
    client: String,
    http: reqwest::Client,
}

/// An answer of the claim page's server side.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body; `Null` where there is none.
    pub body: Value,
}

impl Browser {
    /// Opens the page in a new tab.
    #[must_use]
    pub fn open(base: Url, http: reqwest::Client) -> Self {
        let client = chance::text("browser", "0123456789abcdef", 32);
        Self { base, client, http }
    }

    /// The same page after tapdesk moved to another port.
    #[must_use]
    pub fn at(&self, base: Url) -> Self {
        Self { base, ..self.clone() }
    }

    /// Types code and PIN and presses the button.
    pub async fn claim(&self, code: &str, pin: &str) -> anyhow::Result<Answer> {
        self.post("c/claim", &json!({"code": code, "pin": pin, "client": self.client})).await
    }

    /// Says that the pass is on the screen.
    pub async fn shown(&self, code: &str) -> anyhow::Result<Answer> {
        self.post("c/shown", &json!({"code": code, "client": self.client})).await
    }

    /// Asks how the ticket stands.
    pub async fn status(&self, code: &str) -> anyhow::Result<Answer> {
        self.post("c/status", &json!({"code": code})).await
    }

    /// Says "this wasn't me" with the code.
    pub async fn report(&self, code: &str) -> anyhow::Result<Answer> {
        self.post("c/report", &json!({"code": code})).await
    }

    /// Says "this wasn't me" with a notice's link and number.
    pub async fn report_notice(&self, token: &str, number: &str) -> anyhow::Result<Answer> {
        self.post("c/report", &json!({"token": token, "number": number})).await
    }

    /// Claims and, as the page does, says that the pass is on the screen; returns the passcode.
    pub async fn claims_and_sees(&self, code: &str, pin: &str) -> anyhow::Result<String> {
        let answer = self.claim(code, pin).await?;
        let passcode = answer.passcode()?;
        let shown = self.shown(code).await?;
        anyhow::ensure!(shown.status == StatusCode::NO_CONTENT, "the page's word was not taken: {shown:?}");
        Ok(passcode)
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        let request = self
            .http
            .post(self.base.join(path)?)
            .header("content-type", "application/json")
            .header("x-tapdesk", "1")
            .header("sec-fetch-site", "same-origin")
            .body(body.to_string());
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
    }
}

impl Answer {
    /// Its `state`.
    #[must_use]
    pub fn state(&self) -> &str {
        self.body["state"].as_str().unwrap_or_default()
    }

    /// How long the page waits before it asks again, in seconds.
    #[must_use]
    pub fn retry_after(&self) -> u64 {
        self.body["retry_after"].as_u64().unwrap_or(1)
    }

    /// The passcode, or an error that says what came instead.
    pub fn passcode(&self) -> anyhow::Result<String> {
        match self.body["passcode"].as_str() {
            Some(passcode) if self.state() == "pass" => Ok(passcode.to_owned()),
            _ => anyhow::bail!("no pass, but {} {}", self.status, self.body),
        }
    }
}
