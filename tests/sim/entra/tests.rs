//! Does the simulated Entra refuse what the real one refuses?

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rcgen::KeyPair;
use serde_json::{Value, json};

use super::*;

async fn ask(entra: &Entra, changes: &[(&str, &str)]) -> (u16, Value) {
    let secret = entra.client_secret();
    let mut form = HashMap::from([
        ("grant_type", "client_credentials"),
        ("client_id", entra.client_id.as_str()),
        ("client_secret", secret.as_str()),
        ("scope", "https://graph.microsoft.com/.default"),
    ]);
    form.extend(changes.iter().copied());
    let tenant = form.remove("tenant").unwrap_or(&entra.tenant_id);
    form.retain(|_, value| !value.is_empty());
    let url = entra.url.join(&format!("{tenant}/oauth2/v2.0/token")).unwrap();
    let answer = crate::graph::tests::client().post(url).form(&form).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn noon() -> Clock {
    Arc::new(|| "2026-03-02T12:00:00Z".parse().unwrap())
}

#[tokio::test]
async fn a_token_says_what_was_granted_until_it_is_revoked() {
    let entra = Entra::start(noon()).await.unwrap();
    let (status, body) = ask(&entra, &[]).await;
    assert_eq!((status, &body["expires_in"]), (200, &json!(3599)));
    let token = body["access_token"].as_str().unwrap();
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload["tid"], json!(entra.tenant_id));
    assert_eq!(payload["roles"], json!(LEAST_PERMISSIONS));
    assert!(entra.claims(token).is_some());
    entra.revoke_tokens();
    assert!(entra.claims(token).is_none());
    assert!(entra.secrets().iter().any(|secret| secret == token));
}

#[tokio::test]
async fn every_wrong_field_has_its_own_refusal() {
    let entra = Entra::start(noon()).await.unwrap();
    let cases = [
        (("client_secret", "wrong"), 401, 7_000_215),
        (("client_secret", ""), 401, 7_000_218),
        (("client_id", "who"), 400, 700_016),
        (("scope", "openid"), 400, 70011),
        (("grant_type", "password"), 400, 70003),
        (("grant_type", ""), 400, 900_144),
        (("tenant", "common"), 400, 9_001_023),
        (("tenant", "8d2a6b5c-3f0e-4a55-9d2b-000000000000"), 400, 90002),
    ];
    for (change, status, code) in cases {
        let (got, body) = ask(&entra, &[change]).await;
        assert_eq!((got, &body["error_codes"]), (status, &json!([code])), "{change:?}: {body}");
    }
    assert_eq!(entra.token_requests(), cases.len());
}

/// What an honest program signs at noon.
fn honest(entra: &Entra, pair: &Pair) -> (Value, Value) {
    let begin = noon()().as_second();
    let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": pair.thumbprint()});
    let claims = json!({
        "aud": entra.url.join(&format!("{}/oauth2/v2.0/token", entra.tenant_id)).unwrap(), "iss": entra.client_id,
        "sub": entra.client_id, "jti": crate::chance::id("jti"), "nbf": begin, "iat": begin, "exp": begin + 300,
    });
    (header, claims)
}

fn signed(header: &Value, claims: &Value, key: &str, how: &'static dyn RsaEncoding) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let key = RsaKeyPair::from_pkcs8(&KeyPair::from_pem(key).unwrap().serialize_der()).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(how, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// The status and code for an assertion; 200 and null where it is believed.
async fn shows(entra: &Entra, assertion: &str) -> (u16, Value) {
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let changes = [("client_secret", ""), ("client_assertion", assertion), ("client_assertion_type", kind)];
    let (status, body) = ask(entra, &changes).await;
    (status, body["error_codes"][0].clone())
}

#[tokio::test]
async fn an_assertion_is_believed_once_and_none_that_was_tampered_with() {
    let entra = Entra::start(noon()).await.unwrap();
    let (pair, other) = (Pair::lasting(0).unwrap(), Pair::lasting(1).unwrap());
    entra.upload(pair.clone());
    let (header, claims) = honest(&entra, &pair);
    let good = signed(&header, &claims, &pair.key, &RSA_PSS_SHA256);
    assert_eq!(shows(&entra, &good).await, (200, Value::Null));
    assert_eq!(shows(&entra, &good).await, (401, json!(50_012)), "an assertion was believed twice");

    let begin = claims["nbf"].as_i64().unwrap();
    let forgeries = [
        ("header", "alg", json!("RS256"), 50_012),
        ("header", "alg", json!("none"), 50_012),
        ("header", "typ", json!("at+jwt"), 50_012),
        ("header", "x5t#S256", json!(other.thumbprint()), 700_027),
        ("header", "x5t#S256", Value::Null, 700_027),
        ("claims", "aud", json!("https://login.microsoftonline.com/common/oauth2/v2.0/token"), 50_012),
        ("claims", "iss", json!("8d2a6b5c-3f0e-4a55-9d2b-000000000000"), 50_012),
        ("claims", "sub", json!("8d2a6b5c-3f0e-4a55-9d2b-000000000000"), 50_012),
        ("claims", "exp", json!(begin - 1), 500_133),
        ("claims", "exp", json!(begin + 3600), 500_133),
        ("claims", "exp", Value::Null, 500_133),
        ("claims", "nbf", json!(begin + 600), 500_133),
        ("claims", "jti", Value::Null, 50_012),
    ];
    for (part, name, value, code) in forgeries {
        let (mut header, mut claims) = honest(&entra, &pair);
        (if part == "header" { &mut header } else { &mut claims })[name] = value;
        let forged = signed(&header, &claims, &pair.key, &RSA_PSS_SHA256);
        assert_eq!(shows(&entra, &forged).await, (401, json!(code)), "{name} of {forged}");
    }
    let (header, claims) = honest(&entra, &pair);
    let strange = signed(&header, &claims, &other.key, &RSA_PSS_SHA256);
    assert_eq!(shows(&entra, &strange).await, (401, json!(700_027)), "another key was believed");
    let padded = signed(&header, &claims, &pair.key, &RSA_PKCS1_SHA256);
    assert_eq!(shows(&entra, &padded).await, (401, json!(700_027)), "another padding was believed");
    assert_eq!(shows(&entra, "no.jwt").await, (401, json!(50_027)));
    let over = Pair::new(1, "2025-01-01".parse().unwrap(), "2026-02-01".parse().unwrap()).unwrap();
    entra.upload(over.clone());
    let (header, claims) = honest(&entra, &over);
    let late = signed(&header, &claims, &over.key, &RSA_PSS_SHA256);
    assert_eq!(shows(&entra, &late).await, (401, json!(1_000_502)));
}

#[tokio::test]
async fn another_issuers_token_is_believed_for_one_subject_alone() {
    let entra = Entra::start(noon()).await.unwrap();
    let (proofs, _) = Proofs::lay_out(Proof::Federated, &entra, noon()()).unwrap();
    let token = |subject: &str, audience: &str| proofs.issuer.token(subject, audience, noon()()).unwrap();
    let good = token(SUBJECT, EXCHANGE);
    assert_eq!(shows(&entra, &good).await, (200, Value::Null));
    assert_eq!(shows(&entra, &token("somebody", EXCHANGE)).await, (400, json!(70_021)));
    assert_eq!(shows(&entra, &token(SUBJECT, "api://other")).await, (400, json!(70_021)));
    let (rest, _) = good.rsplit_once('.').unwrap();
    let (_, other) =
        token("somebody", EXCHANGE).rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert_eq!(shows(&entra, &format!("{rest}.{other}")).await, (401, json!(50_012)));
    let hours_ago = noon()() - jiff::SignedDuration::from_hours(2);
    let old = proofs.issuer.token(SUBJECT, EXCHANGE, hours_ago).unwrap();
    assert_eq!(shows(&entra, &old).await, (401, json!(500_133)));
    entra.forget_issuers();
    assert_eq!(shows(&entra, &good).await, (400, json!(70_021)));
}

#[tokio::test]
async fn a_machine_answers_whoever_asks_as_documented() {
    let entra = Entra::start(noon()).await.unwrap();
    let http = crate::graph::tests::client();
    let get = async |path: &str, header: (&str, &str)| {
        let url = entra.machine.url.join(path).unwrap();
        let answer = http.get(url).header(header.0, header.1).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let metadata =
        "metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://graph.microsoft.com";
    let (status, body) = get(metadata, ("metadata", "true")).await;
    assert_eq!((status, &body["expires_in"]), (200, &json!("3599")));
    assert!(entra.claims(body["access_token"].as_str().unwrap()).is_some());
    let (status, body) = get(metadata, ("x-other", "true")).await;
    assert_eq!((status, &body["error"]), (400, &json!("bad_request_102")));
    let stranger = format!("{metadata}&client_id=8d2a6b5c-3f0e-4a55-9d2b-000000000000");
    assert_eq!(get(&stranger, ("metadata", "true")).await.0, 400);
    let service = "msi/token?api-version=2019-08-01&resource=https://graph.microsoft.com";
    let (status, body) = get(service, ("x-identity-header", &entra.machine.header)).await;
    assert_eq!((status, body.get("expires_in"), body["expires_on"].is_string()), (200, None, true));
    assert_eq!(get(service, ("x-identity-header", "guess")).await.0, 401);
}
