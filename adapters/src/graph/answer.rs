//! What did Graph answer, and what of it may be logged?

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use tapdesk_core::ports::PortError;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::http::word;

/// An answer of Graph, whatever its status.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    /// `None` when the connection broke within it. Wiped on drop, since it may hold a passcode.
    pub(super) body: Option<Zeroizing<Vec<u8>>>,
    pub(super) request_id: String,
    pub(super) client_request_id: Uuid,
}

/// What Graph's error body says. The message may quote addresses, so it serves to classify and goes nowhere.
#[derive(Default)]
pub(super) struct Said {
    pub(super) code: String,
    pub(super) message: String,
}

/// The part of a refusal that may be logged.
#[derive(Debug, thiserror::Error)]
#[error("Graph answered {status} {code} (request-id {request_id}, client-request-id {client_request_id})")]
pub(super) struct Told {
    status: u16,
    code: String,
    request_id: String,
    client_request_id: Uuid,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorPart,
}

#[derive(Deserialize)]
struct ErrorPart {
    code: Option<String>,
    message: Option<String>,
    #[serde(rename = "innerError", alias = "innererror")]
    inner: Option<InnerError>,
}

#[derive(Deserialize)]
struct InnerError {
    message: Option<String>,
}

impl Reply {
    /// The error body, as far as it is one.
    pub(super) fn said(&self) -> Said {
        self.body.as_ref().map(|body| said(body)).unwrap_or_default()
    }

    /// What may be logged about a refusal.
    pub(super) fn told(&self) -> Told {
        Told {
            status: self.status.as_u16(),
            code: self.said().code,
            request_id: self.request_id.clone(),
            client_request_id: self.client_request_id,
        }
    }
}

/// Graph's error code, if the error is a refusal of Graph.
pub(super) fn told_code(error: &PortError) -> Option<&str> {
    let (PortError::Retry { source, .. } | PortError::Fatal { source, .. }) = error;
    source.as_ref()?.downcast_ref::<Told>().map(|told| told.code.as_str())
}

/// Whether the same call may succeed within seconds.
pub(super) fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 503 | 504)
}

fn said(body: &[u8]) -> Said {
    let Ok(ErrorBody { error }) = serde_json::from_slice(body) else { return Said::default() };
    let inner = error.inner.and_then(|inner| inner.message).unwrap_or_default();
    Said {
        code: word(&error.code.unwrap_or_default()),
        message: format!("{} {inner}", error.message.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Reply {
        pub(in crate::graph) fn fixture(status: u16, body: Option<&str>) -> Self {
            Self {
                status: StatusCode::from_u16(status).unwrap(),
                retry_after: Some(Duration::from_secs(7)),
                body: body.map(|body| Zeroizing::new(body.as_bytes().to_vec())),
                request_id: "r-1".to_owned(),
                client_request_id: Uuid::nil(),
            }
        }
    }

    #[test]
    fn an_error_body_is_read_in_both_spellings() {
        for inner in ["innerError", "innererror"] {
            let body = format!(
                r#"{{"error":{{"code":"badRequest","message":"a","{inner}":{{"message":"b","date":"2021-04-01T17:02:01","request-id":"x"}}}}}}"#
            );
            let said = said(body.as_bytes());
            assert_eq!((said.code.as_str(), said.message.as_str()), ("badRequest", "a b"));
        }
        assert_eq!(said(b"<html>Bad gateway</html>").code, "");
    }
}
