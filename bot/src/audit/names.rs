//! Who are the people of a report, and why did they ask? (Both ends of that question.)
//!
//! The ledger has no names. A service that runs tells those of a request for as long as it keeps the request, one
//! request at a time and only on its own machine.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tapdesk_core::audit;
use tapdesk_core::ids::{PersonId, RequestId};

use crate::server::Admin;

/// What a service knows about a request that it keeps.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Known {
    /// Why, as asked.
    pub(crate) reason: String,
    /// Who is who, as they were called then.
    pub(crate) people: BTreeMap<PersonId, String>,
}

/// Where the names of a report come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// From the service; what it does not keep any more has none.
    Service,
    /// No service answers.
    NoService,
    /// It was not to be asked.
    Offline,
}

/// `GET /requests/{id}` on the admin listener.
pub(crate) async fn answer(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    State(admin): State<Arc<Admin>>,
    Path(id): Path<String>,
) -> Result<Json<Known>, StatusCode> {
    // The admin listener may be open to a metrics collector; names are for who is on the machine.
    if !peer.ip().is_loopback() {
        return Err(StatusCode::FORBIDDEN);
    }
    let id: RequestId = id.parse().map_err(|_| StatusCode::NOT_FOUND)?;
    let stored = admin.desk.store().load(&id).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let request = stored.ok_or(StatusCode::NOT_FOUND)?.request;
    let people = audit::people(&request).into_iter().map(|human| (human.id, human.name.clone())).collect();
    Ok(Json(Known { reason: request.reason, people }))
}

/// What the service at `admin` knows about those requests.
pub(super) async fn ask(
    admin: SocketAddr,
    requests: impl Iterator<Item = &RequestId>,
) -> anyhow::Result<(Source, BTreeMap<RequestId, Known>)> {
    let http = tapdesk_adapters::http::client(tapdesk_adapters::http::Limits::default())?;
    let mut known = BTreeMap::new();
    for id in requests {
        let response = match http.get(format!("http://{admin}/requests/{id}")).send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Ok((Source::NoService, BTreeMap::new())),
            Err(error) => return Err(error.without_url()).context("admin_listen"),
        };
        match response.status() {
            StatusCode::OK => {
                let told = response.json().await.map_err(reqwest::Error::without_url);
                known.insert(id.clone(), told.context("admin_listen")?);
            }
            StatusCode::NOT_FOUND => {}
            status => bail!("the service at {admin} answered {status}; --offline does without it"),
        }
    }
    Ok((Source::Service, known))
}
