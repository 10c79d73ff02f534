//! Does the mail server take tapdesk's log-in and its sender? (Nothing is sent.)

use lettre::transport::smtp::commands::{Mail as MailFrom, Rset};
use tapdesk_core::ports::PortError;
use tokio::time::timeout;

use super::{Mail, Step, classify};
use crate::couriers::GOODBYE;
use crate::finding::{Finding, in_full};

impl Mail {
    /// Connects, logs in, and begins a mail that it gives up.
    pub async fn examine(&self) -> Vec<Finding> {
        let server = format!("{}:{}", self.config.host, self.port);
        let looked = match timeout(self.config.timeout, self.look()).await {
            Ok(looked) => looked,
            Err(_) => Err(PortError::retry("no answer from the mail server within the time limit")),
        };
        vec![match looked {
            Ok(()) if self.config.credentials.is_some() => {
                Finding::ok(WHAT, format!("{server} takes the log-in and mail from {}", self.from.email))
            }
            Ok(()) => {
                Finding::ok(WHAT, format!("{server} takes mail from {} without a log-in", self.from.email))
            }
            Err(error) => Finding::fault(WHAT, format!("{server}: {}", in_full(&error)), self.remedy()),
        }]
    }

    async fn look(&self) -> Result<(), PortError> {
        let mut connection = self.log_in().await?;
        let sender = MailFrom::new(Some(self.from.email.clone()), Vec::new());
        connection.command(sender).await.map_err(|error| classify(Step::Send, &error))?;
        // The server takes both or forgets the mail with the connection.
        let _ = timeout(GOODBYE, connection.command(Rset)).await;
        let _ = timeout(GOODBYE, connection.quit()).await;
        Ok(())
    }

    fn remedy(&self) -> String {
        let (host, port) = (&self.config.host, self.port);
        let look = match self.config.tls {
            super::MailTls::Required => format!("openssl s_client -starttls smtp -connect {host}:{port}"),
            super::MailTls::Implicit => format!("openssl s_client -connect {host}:{port}"),
            super::MailTls::None => format!("nc {host} {port}"),
        };
        format!(
            "check host, port, tls, username, password_file and from in [courier.email]; to see for yourself: {look}"
        )
    }
}

const WHAT: &str = "mail server";
