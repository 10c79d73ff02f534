use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::{ISSUER, OPENID_URL};
use super::testing::{APP, Loopback, NOW, SERVICE, Set, TestKey, authorized, claims};
use super::*;

/// The Connector's published keys, and those that are not.
struct Keyring {
    genuine: TestKey,
    unpublished: TestKey,
    for_webchat: TestKey,
    without_endorsements: TestKey,
}

impl Keyring {
    fn fresh() -> Self {
        Self {
            genuine: TestKey::fresh("genuine"),
            unpublished: TestKey::fresh("unpublished"),
            for_webchat: TestKey::fresh("for-webchat"),
            without_endorsements: TestKey::fresh("without-endorsements"),
        }
    }

    fn published(&self) -> Value {
        json!({ "keys": [
            self.genuine.published(&json!(["msteams", "webchat"])),
            self.for_webchat.published(&json!(["webchat"])),
            self.without_endorsements.published(&json!(null)),
            { "kty": "EC", "kid": "of-another-kind" },
        ]})
    }
}

async fn microsoft(published: Value) -> Loopback {
    Loopback::answering(move |base, asked| match asked.path.as_str() {
        "/openid" => (200, json!({ "issuer": ISSUER, "jwks_uri": format!("{base}/keys") })),
        "/keys" => (200, published.clone()),
        _ => (404, json!({})),
    })
    .await
}

fn verifier(openid_url: &str, clock: &Arc<Set>) -> Verifier {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let http = crate::http::client(crate::http::Limits::default()).unwrap();
    let clock: Arc<dyn Clock> = Arc::<Set>::clone(clock);
    Verifier::new(APP.to_owned(), ISSUER.to_owned(), openid_url.parse().unwrap(), http, clock)
}

fn changed(changes: &[(&str, Value)]) -> Value {
    let mut claims = claims();
    for (key, value) in changes {
        claims[*key] = value.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(*key);
        }
    }
    claims
}

async fn verdict(verifier: &Verifier, authorization: &str, service_url: &str) -> Result<(), NotVerified> {
    verifier.token(&authorized(authorization)).await?.goes_with(service_url, "msteams")
}

#[tokio::test]
async fn every_case_that_microsofts_libraries_disagree_on_gets_the_strict_verdict() {
    let keys = Keyring::fresh();
    let microsoft = microsoft(keys.published()).await;
    let verifier = verifier(&format!("{}/openid", microsoft.base), &Set::to(NOW));
    let genuine = |claims: &Value| keys.genuine.token(&keys.genuine.header(), claims);
    let by = |key: &TestKey| key.token(&key.header(), &claims());
    let with_header = |header: Value| keys.genuine.token(&header, &claims());
    let cases: Vec<(&str, String, Result<(), NotVerified>)> = vec![
        ("valid", genuine(&claims()), Ok(())),
        ("no slash", genuine(&changed(&[("serviceurl", json!(SERVICE.trim_end_matches('/')))])), Ok(())),
        ("upper-case audience", genuine(&changed(&[("aud", json!(APP.to_uppercase()))])), Ok(())),
        ("4 min late", genuine(&changed(&[("nbf", json!(NOW - 7200)), ("exp", json!(NOW - 240))])), Ok(())),
        (
            "6 min late",
            genuine(&changed(&[("nbf", json!(NOW - 7200)), ("exp", json!(NOW - 360))])),
            Err(NotVerified::Stale),
        ),
        ("6 min early", genuine(&changed(&[("nbf", json!(NOW + 360))])), Err(NotVerified::Stale)),
        ("no nbf", genuine(&changed(&[("nbf", json!(null))])), Ok(())),
        ("no exp", genuine(&changed(&[("exp", json!(null))])), Err(NotVerified::Token)),
        ("exp in words", genuine(&changed(&[("exp", json!("never"))])), Err(NotVerified::Token)),
        ("no aud", genuine(&changed(&[("aud", json!(null))])), Err(NotVerified::Token)),
        (
            "another aud",
            genuine(&changed(&[("aud", json!(super::testing::TENANT))])),
            Err(NotVerified::Parties),
        ),
        ("several aud", genuine(&changed(&[("aud", json!([APP]))])), Err(NotVerified::Token)),
        (
            "aud as a resource",
            genuine(&changed(&[("aud", json!(format!("api://{APP}")))])),
            Err(NotVerified::Parties),
        ),
        (
            "another issuer",
            genuine(&changed(&[("iss", json!("https://api.botframework.us"))])),
            Err(NotVerified::Parties),
        ),
        (
            "issuer with a slash",
            genuine(&changed(&[("iss", json!(format!("{ISSUER}/")))])),
            Err(NotVerified::Parties),
        ),
        ("no issuer", genuine(&changed(&[("iss", json!(null))])), Err(NotVerified::Token)),
        ("no service", genuine(&changed(&[("serviceurl", json!(null))])), Err(NotVerified::Token)),
        (
            "another service",
            genuine(&changed(&[("serviceurl", json!("https://evil.example/"))])),
            Err(NotVerified::Activity),
        ),
        ("unpublished key", by(&keys.unpublished), Err(NotVerified::Key)),
        (
            "another key under a published name",
            keys.unpublished.token(&keys.genuine.header(), &claims()),
            Err(NotVerified::Signature),
        ),
        ("key for webchat", by(&keys.for_webchat), Err(NotVerified::Activity)),
        ("key without endorsements", by(&keys.without_endorsements), Err(NotVerified::Activity)),
        ("RS512", with_header(json!({"alg": "RS512", "kid": "genuine"})), Err(NotVerified::Token)),
        ("no alg", with_header(json!({"alg": "none", "kid": "genuine"})), Err(NotVerified::Token)),
        ("no kid", with_header(json!({"alg": "RS256"})), Err(NotVerified::Token)),
        ("empty kid", with_header(json!({"alg": "RS256", "kid": ""})), Err(NotVerified::Token)),
        (
            "critical extension",
            with_header(json!({"alg": "RS256", "kid": "genuine", "crit": ["exp"]})),
            Err(NotVerified::Token),
        ),
        (
            "keys of its own",
            keys.unpublished.token(
                &json!({"alg": "RS256", "kid": "mine", "jku": format!("{}/keys", microsoft.base)}),
                &claims(),
            ),
            Err(NotVerified::Key),
        ),
        ("HS256 under the public key", with_public_key_as_secret(&keys.genuine), Err(NotVerified::Token)),
        ("garbage", "abc".to_owned(), Err(NotVerified::Token)),
        ("empty parts", "..".to_owned(), Err(NotVerified::Token)),
    ];
    for (name, token, expected) in cases {
        assert_eq!(verdict(&verifier, &format!("Bearer {token}"), SERVICE).await, expected, "{name}");
    }
    let token = genuine(&claims());
    for (authorization, expected) in [
        (format!("bearer {token}"), Ok(())),
        (format!("Basic {token}"), Err(NotVerified::Header)),
        (format!("Bearer  {token}"), Err(NotVerified::Token)),
        ("Bearer ".to_owned(), Err(NotVerified::Header)),
        (String::new(), Err(NotVerified::Header)),
        (token.clone(), Err(NotVerified::Header)),
        (format!("Bearer {}", "a".repeat(LONGEST_TOKEN + 1)), Err(NotVerified::Header)),
    ] {
        assert_eq!(verdict(&verifier, &authorization, SERVICE).await, expected, "{authorization:.20}");
    }
    let swapped = verdict(&verifier, &format!("Bearer {token}"), "https://evil.example/").await;
    assert_eq!(swapped, Err(NotVerified::Activity), "the activity names another service");
}

/// The oldest trick: the public key, known to everybody, as the secret of another algorithm.
fn with_public_key_as_secret(key: &TestKey) -> String {
    let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let message = format!("{}.{}", part(&json!({"alg": "HS256", "kid": "genuine"})), part(&claims()));
    let secret = hmac::Key::new(hmac::HMAC_SHA256, &key.modulus());
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&secret, message.as_bytes())))
}

#[tokio::test]
async fn a_token_is_remembered_until_it_expires_and_never_for_another_activity() {
    let keys = Keyring::fresh();
    let microsoft = microsoft(keys.published()).await;
    let clock = Set::to(NOW);
    let verifier = verifier(&format!("{}/openid", microsoft.base), &clock);
    let token = format!("Bearer {}", keys.genuine.token(&keys.genuine.header(), &claims()));
    assert_eq!(verdict(&verifier, &token, SERVICE).await, Ok(()));
    assert_eq!(verifier.lock().len(), 1);
    assert_eq!(
        verdict(&verifier, &token, "https://smba.trafficmanager.net/amer/").await,
        Err(NotVerified::Activity)
    );
    let webchat = verifier.token(&authorized(&token)).await.unwrap().goes_with(SERVICE, "webchat");
    assert_eq!(webchat, Err(NotVerified::Activity), "endorsed, and still not Teams");
    clock.on(3600 + 360);
    assert_eq!(verdict(&verifier, &token, SERVICE).await, Err(NotVerified::Stale));
}

#[tokio::test]
async fn a_hundred_tokens_with_unknown_keys_cause_one_fetch() {
    let keys = Keyring::fresh();
    let microsoft = microsoft(keys.published()).await;
    let clock = Set::to(NOW);
    let verifier = Arc::new(verifier(&format!("{}/openid", microsoft.base), &clock));
    let token = keys.genuine.token(&keys.genuine.header(), &claims());
    assert_eq!(verdict(&verifier, &format!("Bearer {token}"), SERVICE).await, Ok(()));
    let fetches = || microsoft.asked().iter().filter(|asked| asked.path == "/keys").count();
    assert_eq!(fetches(), 1, "the first token brings the keys");
    let unknown = Arc::new(keys.unpublished.token(&keys.unpublished.header(), &claims()));
    for (minutes, expected) in [(0, 1), (5, 2), (4, 2), (1, 3)] {
        clock.on(60 * minutes);
        let tries = (0..100).map(|_| {
            let (verifier, token) = (Arc::clone(&verifier), Arc::clone(&unknown));
            tokio::spawn(async move { verdict(&verifier, &format!("Bearer {token}"), SERVICE).await })
        });
        for tried in futures::future::join_all(tries).await {
            assert_eq!(tried.unwrap(), Err(NotVerified::Key));
        }
        assert_eq!(fetches(), expected, "after {minutes} more minutes");
    }
}

#[tokio::test]
async fn known_keys_stay_good_while_they_cannot_be_fetched_and_without_any_nothing_is_accepted() {
    let keys = Keyring::fresh();
    let is_down = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let (published, down) = (keys.published(), Arc::clone(&is_down));
    let microsoft = Loopback::answering(move |base, asked| {
        if down.load(std::sync::atomic::Ordering::Relaxed) {
            return (503, json!({}));
        }
        let metadata = json!({ "jwks_uri": format!("{base}/keys") });
        (200, if asked.path == "/openid" { metadata } else { published.clone() })
    })
    .await;
    let clock = Set::to(NOW);
    let verifier = verifier(&format!("{}/openid", microsoft.base), &clock);
    let token = |now: i64| {
        let claims = changed(&[("exp", json!(now + 3600))]);
        format!("Bearer {}", keys.genuine.token(&keys.genuine.header(), &claims))
    };
    assert_eq!(verdict(&verifier, &token(NOW), SERVICE).await, Err(NotVerified::NoKeys));
    is_down.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(verdict(&verifier, &token(NOW), SERVICE).await, Ok(()), "tried anew with the next token");
    is_down.store(true, std::sync::atomic::Ordering::Relaxed);
    clock.on(25 * 3600);
    let asked_before = microsoft.asked().len();
    assert_eq!(verdict(&verifier, &token(NOW + 25 * 3600), SERVICE).await, Ok(()));
    assert_eq!(verdict(&verifier, &token(NOW + 25 * 3600 + 1), SERVICE).await, Ok(()));
    assert_eq!(microsoft.asked().len(), asked_before + 1, "a fetch that failed is not tried at once");
}

#[tokio::test]
async fn keys_are_not_fetched_from_an_address_that_is_not_private() {
    let microsoft = Loopback::answering(|_, _| (200, json!({ "jwks_uri": "http://keys.example/" }))).await;
    let verifier = verifier(&format!("{}/openid", microsoft.base), &Set::to(NOW));
    let key = TestKey::fresh("genuine");
    let token = format!("Bearer {}", key.token(&key.header(), &claims()));
    assert_eq!(verdict(&verifier, &token, SERVICE).await, Err(NotVerified::NoKeys));
}

#[test]
fn nothing_is_fetched_before_the_first_token() {
    // No runtime, so any I/O would panic.
    let _ = verifier(OPENID_URL, &Set::to(NOW));
}
