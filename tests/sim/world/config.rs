//! What is tapdesk configured with?

use std::net::SocketAddr;
use std::path::Path;

use tapdesk::config::StoreKind;

use super::{SECURITY, Setting, TWILIO_ACCOUNT, TWILIO_TOKEN};
use crate::chat::Chat;
use crate::entra::Entra;
use crate::graph::Graph;
use crate::redis::Redis;
use crate::twilio::Twilio;

/// The rule of most stories.
pub const USUAL_POLICY: &str = r#"
[policy]
[[policy.rule]]
name = "helpdesk for staff"
requester = "group:{helpdesk}"
subject = "anyone"
approvals = ["manager | group:{oncall}"]
lifetime = "1h"
ticket = ["sms"]
pin = ["approver"]
notice = ["email", "manager"]
"#;

/// Every alarm is off.
pub const NO_ALARMS: &str = r#"
[security.alarms]
repeated_requests = "off"
busy_agent = "off"
quick_approval = "off"
new_approver = "off"
"#;

/// Every story is told on each store: `tests/run` says on which.
pub(super) fn store_of_this_run() -> StoreKind {
    match std::env::var("TAPDESK_TEST_STORE").as_deref() {
        Err(_) | Ok("embedded") => StoreKind::Embedded,
        Ok("redis") => StoreKind::Redis,
        Ok(other) => panic!("TAPDESK_TEST_STORE is embedded or redis, not {other:?}"),
    }
}

pub(super) fn store_text(files: &Path, redis: Option<&Redis>) -> String {
    match redis {
        None => format!("kind = \"embedded\"\npath = \"{}/tapdesk.db\"", files.display()),
        Some(redis) => format!("kind = \"redis\"\nurl = \"{}\"", redis.url()),
    }
}

/// The configuration file, with `{…}` where the world has its say.
pub(super) fn text(
    setting: &Setting,
    files: &Path,
    entra: &Entra,
    graph: &Graph,
    chat: &Chat,
    twilio: &Twilio,
    smtp: SocketAddr,
) -> String {
    let files = files.display();
    format!(
        r#"
public_url = "https://tap.contoso.com"
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
pepper_file = "{files}/pepper"
{extra}

[store]
{{store}}

[ledger]
path = "{files}/ledger"

[outbound]
connect = "{connect}s"
total = "{patience}s"
retry_pause = "0s"

[security]
notify = ["mailto:{SECURITY}"]
{alarms}

[graph]
tenant_id = "{tenant}"
{{proof}}
base_url = "{graph_url}"
authority = "{entra_url}"
{chat}
[courier.sms]
kind = "twilio"
account_sid = "{TWILIO_ACCOUNT}"
password = "{TWILIO_TOKEN}"
auth_token = "{TWILIO_TOKEN}"
from = "+15005550006"
base_url = "{twilio_url}"

[courier.email]
host = "{smtp_host}"
port = {smtp_port}
tls = "none"
from = "tapdesk <tapdesk@contoso.com>"

{policy}
"#,
        extra = setting.extra,
        alarms = setting.alarms,
        connect = setting.patience.min(2),
        patience = setting.patience,
        tenant = entra.tenant_id,
        graph_url = graph.url,
        chat = chat.config(),
        entra_url = entra.url,
        twilio_url = twilio.url,
        smtp_host = smtp.ip(),
        smtp_port = smtp.port(),
        policy = setting.policy,
    )
}
