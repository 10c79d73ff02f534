//! Why is there no token, and who can mend that? By code, never by text, which Microsoft changes.

use std::borrow::Cow;
use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use tapdesk_core::ports::PortError;

use super::Proof;
use crate::http::word;

/// How long the metadata service may be away while it is updated.
const UPDATED_WITHIN: Duration = Duration::from_secs(70);

/// Why there is no token; kept as data, since several waiters get the same answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) what: Cow<'static, str>,
    pub(super) is_passing: bool,
    /// Nobody asks again before.
    pub(super) after: Option<Duration>,
    /// Whether asking once more at once may help.
    pub(super) again: bool,
    pub(super) cause: Cause,
    pub(super) trace: Option<String>,
}

/// What somebody else has to know about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nothing.
    Plain,
    /// It may pass, since trust in another issuer takes some minutes to spread.
    Unmatched,
    /// The clocks may differ.
    Untimely,
}

impl Failure {
    pub(super) fn fatal(what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            what: what.into(),
            is_passing: false,
            after: None,
            again: false,
            cause: Cause::Plain,
            trace: None,
        }
    }

    pub(super) fn passing(what: impl Into<Cow<'static, str>>) -> Self {
        Self { is_passing: true, ..Self::fatal(what) }
    }
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> Self {
        let Failure { what, is_passing, after, trace, .. } = failure;
        let error = if is_passing { Self::retry(what).after(after) } else { Self::fatal(what) };
        match trace {
            Some(trace) => error.because(trace),
            None => error,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Denied {
    error: String,
    error_codes: Vec<u32>,
    trace_id: String,
    correlation_id: String,
}

/// What a denial of the token endpoint means.
pub(super) fn of_authority(
    status: StatusCode,
    after: Option<Duration>,
    body: &[u8],
    proof: Proof,
) -> Failure {
    let denied: Denied = serde_json::from_slice(body).unwrap_or_default();
    let code = denied.error_codes.first().copied();
    let any = |is: fn(u32) -> bool| denied.error_codes.iter().any(|code| is(*code));
    let cause = if any(is_untimely) {
        Cause::Untimely
    } else if any(is_unmatched) {
        Cause::Unmatched
    } else {
        Cause::Plain
    };
    let failure = if let Some(what) = denied.error_codes.iter().find_map(|code| to_mend(*code, proof)) {
        // A fresh assertion may be in time, also where the first one waited on its way.
        Failure { again: cause == Cause::Untimely, cause, ..Failure::fatal(what) }
    } else if any(is_transient) {
        Failure {
            again: code == Some(50_000),
            ..Failure::passing("Entra cannot grant a token at the moment")
        }
    } else if status.is_server_error() {
        Failure { again: after.is_none(), ..Failure::passing("Entra's token endpoint fails") }
    } else if matches!(status.as_u16(), 408 | 429) {
        Failure::passing("Entra asks for fewer token requests")
    } else if let Some(code) = code {
        Failure::fatal(format!(
            "Entra refuses the app's sign-in with AADSTS{code}: https://login.microsoftonline.com/error?code={code}"
        ))
    } else {
        Failure::fatal("the authority does not answer like Entra: check cloud, authority and tenant_id")
    };
    let trace = format!(
        "{} AADSTS{} {} (trace_id {}, correlation_id {})",
        status.as_u16(),
        code.unwrap_or_default(),
        word(&denied.error),
        word(&denied.trace_id),
        word(&denied.correlation_id)
    );
    Failure { after, trace: Some(trace), ..failure }
}

/// What a refusal of the machine's identity endpoint means.
/// See <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>.
pub(super) fn of_machine(status: StatusCode, after: Option<Duration>, body: &[u8]) -> Failure {
    let denied: Denied = serde_json::from_slice(body).unwrap_or_default();
    let shortly = |what: &'static str| Failure { again: after.is_none(), ..Failure::passing(what) };
    let failure = match status.as_u16() {
        400 => Failure::fatal(
            "this machine has no such managed identity: assign one to it, or check the client id in managed_identity",
        ),
        401 | 403 => Failure::fatal(
            "the machine's identity endpoint refuses tapdesk: start it where the platform sets IDENTITY_HEADER",
        ),
        404 => shortly("the machine's identity endpoint is not there yet"),
        408 => shortly("the machine's identity endpoint took too long"),
        410 => Failure::passing("the machine's identity endpoint is being updated"),
        429 => shortly("the machine's identity endpoint asks for fewer token requests"),
        502 | 504 => {
            shortly("something between tapdesk and the machine's identity endpoint fails: is there a proxy?")
        }
        500..=599 => shortly("the machine's identity endpoint fails"),
        _ => Failure::fatal("the machine's identity endpoint does not answer as Azure documents it"),
    };
    let after =
        if status == StatusCode::GONE { Some(after.unwrap_or_default().max(UPDATED_WITHIN)) } else { after };
    Failure { after, trace: Some(format!("{} {}", status.as_u16(), word(&denied.error))), ..failure }
}

/// What somebody has to mend, by AADSTS code.
/// See <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.
fn to_mend(code: u32, proof: Proof) -> Option<&'static str> {
    Some(match (code, proof) {
        (7_000_215, _) => {
            "the client secret is wrong: client_secret_file has to hold the secret's value, not its id"
        }
        (7_000_222, _) => {
            "the client secret of the Entra app expired: make a new one and update client_secret_file"
        }
        (7_000_218, _) => "Entra got nothing that proves the app: check client_secret_file",
        (700_027 | 50_012, Proof::Federated) => {
            "Entra finds the token in federated_token_file badly signed: its issuer has to publish the key that it signs with"
        }
        (700_027 | 50_012, Proof::Secret | Proof::Certificate | Proof::ManagedIdentity) => {
            "Entra does not know the certificate: upload certificate_file to the Entra app, under Certificates & secrets"
        }
        (1_000_502, _) => {
            "Entra finds the certificate expired or not valid yet: upload a new one and replace certificate_file and key_file"
        }
        (500_133 | 700_024, Proof::Federated) => {
            "the token in federated_token_file is expired or not valid yet: whoever renews the file has to be running"
        }
        (500_133 | 700_024, Proof::Secret | Proof::Certificate | Proof::ManagedIdentity) => {
            "Entra finds the assertion out of time: set this machine's clock right"
        }
        (code, _) if is_unmatched(code) => {
            "no federated credential of the Entra app matches the token: compare issuer, subject and audience, letter by letter"
        }
        (700_229, _) => {
            "the token in federated_token_file is for a person: its issuer has to give one for the workload alone"
        }
        (700_016, _) => "the tenant has no app with this client_id: check client_id and tenant_id",
        (7_000_112, _) => "the Entra app is disabled: enable it under enterprise applications",
        (70_011 | 700_022, _) => "Entra refuses the scope: check cloud and base_url",
        (90_002, _) => "there is no such tenant in this cloud: check tenant_id and cloud",
        (90_038 | 900_382, _) => "the tenant lives in another national cloud: check cloud",
        (900_023 | 9_001_023, _) => "tenant_id is not the id of one tenant",
        (530_032 | 53_003, _) => "Conditional Access for workload identities blocks the app: allow it there",
        (_, _) => return None,
    })
}

/// No federated credential matches. The later codes say which part does not, and what expressions made of it.
const fn is_unmatched(code: u32) -> bool {
    matches!(code, 70_021 | 700_211..=700_213 | 7_002_131 | 7_002_138)
}

const fn is_untimely(code: u32) -> bool {
    matches!(code, 500_133 | 700_024)
}

const fn is_transient(code: u32) -> bool {
    matches!(code, 50_000 | 90_006 | 90_024 | 90_033 | 90_055 | 90_090)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(status: u16, code: u32, proof: Proof) -> Failure {
        let body = format!(
            r#"{{"error":"invalid_client","error_description":"AADSTS{code}: about jane@contoso.com","error_codes":[{code}],"timestamp":"2025-04-04 21:10:04Z","trace_id":"t-1","correlation_id":"c-1"}}"#
        );
        of_authority(StatusCode::from_u16(status).unwrap(), None, body.as_bytes(), proof)
    }

    fn machine(status: u16, after: Option<Duration>) -> Failure {
        let body = br#"{"error":"invalid_request","error_description":"Identity not found"}"#;
        of_machine(StatusCode::from_u16(status).unwrap(), after, body)
    }

    #[test]
    fn a_denial_says_what_to_mend_or_that_it_passes() {
        for code in [
            7_000_215, 7_000_222, 7_000_218, 700_016, 700_027, 50_012, 500_133, 70_021, 700_229, 7_000_112,
            70_011, 700_022, 90_002, 90_038, 900_382, 9_001_023, 900_023, 530_032,
        ] {
            let failure = denial(401, code, Proof::Certificate);
            assert!(!failure.is_passing, "{code}");
            assert!(!failure.what.contains("error?code="), "{code} is not explained");
        }
        let expired = denial(401, 7_000_222, Proof::Secret);
        assert!(expired.what.contains("make a new one and update client_secret_file"));
        for code in [90_006, 90_024, 90_033, 90_055, 90_090, 50_000] {
            let failure = denial(400, code, Proof::Secret);
            assert!(failure.is_passing, "{code}");
            assert_eq!(failure.again, code == 50_000, "{code}");
        }
        assert!(denial(400, 4_711, Proof::Secret).what.contains("AADSTS4711"));
    }

    #[test]
    fn the_same_code_is_mended_elsewhere_for_another_proof() {
        for (code, certificate, federated) in [
            (700_027, "upload certificate_file", "badly signed"),
            (500_133, "clock right", "whoever renews the file"),
        ] {
            assert!(denial(401, code, Proof::Certificate).what.contains(certificate), "{code}");
            assert!(denial(401, code, Proof::Federated).what.contains(federated), "{code}");
        }
        let late = denial(401, 500_133, Proof::Certificate);
        assert!(late.again && late.cause == Cause::Untimely, "an assertion out of time is made anew once");
        assert!(denial(400, 70_021, Proof::Federated).cause == Cause::Unmatched);
    }

    #[test]
    fn only_a_server_error_without_retry_after_is_asked_again_at_once() {
        let bare = |status: u16, after| {
            of_authority(StatusCode::from_u16(status).unwrap(), after, b"", Proof::Secret)
        };
        assert!(bare(503, None).again);
        let told = bare(503, Some(Duration::from_secs(9)));
        assert!(!told.again);
        assert!(matches!(PortError::from(told), PortError::Retry { after: Some(_), .. }));
        assert!(!bare(429, None).again);
        assert!(!denial(401, 7_000_222, Proof::Secret).again);
    }

    #[test]
    fn a_denial_keeps_codes_and_ids_and_no_text() {
        let trace = denial(401, 7_000_222, Proof::Secret).trace.unwrap();
        assert_eq!(trace, "401 AADSTS7000222 invalid_client (trace_id t-1, correlation_id c-1)");
        assert_eq!(machine(400, None).trace.unwrap(), "400 invalid_request");
    }

    #[test]
    fn the_machines_endpoint_is_asked_again_as_azure_documents_it() {
        for status in [404, 408, 429, 500, 502, 503, 504] {
            let failure = machine(status, None);
            assert!(failure.is_passing && failure.again && failure.after.is_none(), "{status}");
            let told = machine(status, Some(Duration::from_secs(9)));
            assert!(!told.again && told.after == Some(Duration::from_secs(9)), "{status}");
        }
        for status in [400, 401, 403, 302, 418] {
            let failure = machine(status, None);
            assert!(!failure.is_passing && !failure.again, "{status}");
        }
        for (said, waits) in [(None, 70), (Some(5), 70), (Some(90), 90)] {
            let failure = machine(410, said.map(Duration::from_secs));
            assert!(failure.is_passing && !failure.again);
            assert_eq!(failure.after, Some(Duration::from_secs(waits)));
        }
    }
}
