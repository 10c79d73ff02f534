//! What would become of a request, and who is asked about it: the running service, or the files at hand? (Both ends.)
//!
//! A service that runs knows what its store keeps, so it explains itself, by the policy that it runs with. Where none
//! answers, and with `--offline`, the policy of the file is explained here.

mod text;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use axum::Json;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tapdesk_core::explanation::Explanation;
use tapdesk_core::people::Naming;

pub(crate) use self::text::{approvers, length, way};
use crate::app::look::{Kept, Look};
use crate::config::Config;
use crate::server::Admin;

/// Whose request is explained.
#[derive(clap::Args)]
pub(crate) struct Wanted {
    /// Who would ask, by user principal name or mail address.
    #[arg(long, value_parser = naming)]
    requester: Naming,
    /// Whom the pass would be for, likewise.
    #[arg(long, value_parser = naming)]
    subject: Naming,
    /// By the policy in the file, without asking the running service.
    #[arg(long)]
    offline: bool,
}

/// What a service answers.
#[derive(Serialize, Deserialize)]
pub(crate) struct Explained {
    /// The mark of the policy that it runs with.
    policy: String,
    explanation: Explanation,
}

/// What a service is asked.
#[derive(Serialize, Deserialize)]
pub(crate) struct Asked {
    requester: String,
    subject: String,
}

/// Who explains.
enum By {
    Service { same_policy: bool },
    File,
    FileAlone,
}

pub(crate) fn naming(text: &str) -> Result<Naming, String> {
    Naming::address(text).ok_or_else(|| "write an address, as jane.doe@example.com".to_owned())
}

/// The explanation, and whether the request would come before its approvers: 0 yes, 1 no, 2 unknown.
pub(crate) async fn explain(config: &Config, wanted: &Wanted) -> anyhow::Result<(String, ExitCode)> {
    let asked = if wanted.offline { None } else { ask(config, wanted).await? };
    let (explanation, by) = if let Some(Explained { policy, explanation }) = asked {
        (explanation, By::Service { same_policy: policy == config.policy.mark() })
    } else {
        let look = Look::at(config)?;
        let by = match look.store() {
            Kept::Readable(_) | Kept::NotYet => By::File,
            Kept::Held | Kept::Broken(_) => By::FileAlone,
        };
        (look.desk()?.explain(&wanted.requester, &wanted.subject).await, by)
    };
    let code = match explanation.goes_through() {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::FAILURE,
        None => ExitCode::from(2),
    };
    Ok((text::written(&explanation, &by), code))
}

/// What the running service says; nothing where none answers.
async fn ask(config: &Config, wanted: &Wanted) -> anyhow::Result<Option<Explained>> {
    let http = tapdesk_adapters::http::client(tapdesk_adapters::http::Limits::default())?;
    let url = format!("http://{}/explain", config.admin_listen);
    let asked = Asked { requester: address(&wanted.requester), subject: address(&wanted.subject) };
    let response = match http.get(url).query(&asked).send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() => return Ok(None),
        Err(error) => return Err(error.without_url()).context("admin_listen"),
    };
    if response.status() != StatusCode::OK {
        bail!("the service on admin_listen answered {}; --offline does without it", response.status());
    }
    let told = response.json().await.map_err(reqwest::Error::without_url);
    told.context("admin_listen").map(Some)
}

fn address(naming: &Naming) -> String {
    match naming {
        Naming::Address(address) => address.clone(),
        Naming::Account(account) => account.id.clone(),
    }
}

/// `GET /explain` on the admin listener.
pub(crate) async fn answer(
    ConnectInfo(peer): ConnectInfo<std::net::SocketAddr>,
    State(admin): State<Arc<Admin>>,
    Query(asked): Query<Asked>,
) -> Result<Json<Explained>, StatusCode> {
    // The admin listener may be open to a metrics collector; names are for who is on the machine.
    if !peer.ip().is_loopback() {
        return Err(StatusCode::FORBIDDEN);
    }
    let (Ok(requester), Ok(subject)) = (naming(&asked.requester), naming(&asked.subject)) else {
        return Err(StatusCode::BAD_REQUEST);
    };
    let explanation = admin.desk.explain(&requester, &subject).await;
    Ok(Json(Explained { policy: admin.desk.policy_mark(), explanation }))
}
