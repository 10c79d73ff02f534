//! What the tests of this folder share: a clock that is set, keys that are made anew, and a Microsoft on loopback.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::{Value, json};
use tapdesk_core::ports::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(in crate::teams) const NOW: i64 = 1_795_374_881;
pub(in crate::teams) const APP: &str = "11111111-2222-3333-4444-555555555555";
pub(in crate::teams) const TENANT: &str = "72f988bf-0000-4000-8000-000000000001";
pub(in crate::teams) const SERVICE: &str = "https://smba.trafficmanager.net/emea/";

/// A clock that shows what it was set to.
pub(in crate::teams) struct Set(AtomicI64);

impl Set {
    pub(in crate::teams) fn to(seconds: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(seconds)))
    }

    pub(in crate::teams) fn on(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for Set {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// A key that was made for this test.
pub(in crate::teams) struct TestKey {
    pub(in crate::teams) kid: &'static str,
    pair: KeyPair,
}

impl TestKey {
    pub(in crate::teams) fn fresh(kid: &'static str) -> Self {
        Self { kid, pair: KeyPair::generate(KeySize::Rsa2048).unwrap() }
    }

    /// What is published of it.
    pub(in crate::teams) fn published(&self, endorsements: &Value) -> Value {
        // RFC 8017: a sequence of modulus (with its leading zero) and exponent; 2048 bits make the lengths fixed.
        let modulus = &self.pair.public_key().as_ref()[9..265];
        let mut key = json!({
            "kty": "RSA", "use": "sig", "kid": self.kid, "x5t": self.kid,
            "n": BASE64_URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB",
        });
        if !endorsements.is_null() {
            key["endorsements"] = endorsements.clone();
        }
        key
    }

    pub(in crate::teams) fn modulus(&self) -> Vec<u8> {
        self.pair.public_key().as_ref()[9..265].to_vec()
    }

    pub(in crate::teams) fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    pub(in crate::teams) fn header(&self) -> Value {
        json!({ "alg": "RS256", "kid": self.kid, "x5t": self.kid, "typ": "JWT" })
    }
}

pub(in crate::teams) fn claims() -> Value {
    json!({
        "iss": super::super::ISSUER, "aud": APP, "serviceurl": SERVICE, "nbf": NOW - 60, "exp": NOW + 3600,
    })
}

pub(in crate::teams) fn authorized(authorization: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.append(AUTHORIZATION, authorization.parse().unwrap());
    headers
}

/// Something that was asked of a loopback server.
#[derive(Debug, Clone)]
pub(in crate::teams) struct Asked {
    pub(in crate::teams) method: String,
    pub(in crate::teams) path: String,
    pub(in crate::teams) authorization: String,
    pub(in crate::teams) body: String,
}

type Answering = Box<dyn Fn(&str, &Asked) -> (u16, Value) + Send + Sync>;

/// A server on loopback that answers as a test says and keeps what it was asked.
pub(in crate::teams) struct Loopback {
    pub(in crate::teams) base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Loopback {
    /// `answer` is given the server's address and what is asked.
    pub(in crate::teams) async fn answering(
        answer: impl Fn(&str, &Asked) -> (u16, Value) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (asked, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Box::new(answer) as Answering));
        let (log, own) = (Arc::clone(&asked), base.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read(&mut stream).await;
                log.lock().unwrap().push(request.clone());
                let (status, body) = answer(&own, &request);
                let body = body.to_string();
                let head = format!("HTTP/1.1 {status} x\r\nretry-after: 7\r\nconnection: close\r\n");
                let whole = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
                stream.write_all(whole.as_bytes()).await.unwrap();
            }
        });
        Self { base, asked }
    }

    pub(in crate::teams) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn read(stream: &mut TcpStream) -> Asked {
    let mut request = String::new();
    let mut bytes = [0; 4096];
    loop {
        let read = stream.read(&mut bytes).await.unwrap();
        request.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let field = |name: &str| {
            let line = head.lines().find(|line| line.to_lowercase().starts_with(name));
            line.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        if body.len() >= field("content-length:").parse().unwrap_or(0) {
            let mut words = head.split(' ').map(str::to_owned);
            return Asked {
                method: words.next().unwrap(),
                path: words.next().unwrap(),
                authorization: field("authorization:"),
                body: body.to_owned(),
            };
        }
    }
}
