use super::super::testing::{
    clock, entropy, everything, install_tls_provider, mailbox, message, phone, smtp_server,
};
use super::*;

const JANE: &str = "jane@home.example";
const ID: &str = "77777777777777777777777777777777";

fn config(host: &str, port: u16) -> MailConfig {
    MailConfig {
        host: host.to_owned(),
        port: Some(port),
        tls: MailTls::None,
        credentials: None,
        from: "tapdesk <tapdesk@contoso.example>".to_owned(),
        helo: Some("tap.contoso.example".to_owned()),
        timeout: Duration::from_secs(10),
    }
}

fn courier(config: MailConfig) -> Mail {
    Mail::new(config, clock(), entropy()).unwrap()
}

async fn send(replies: &'static [&'static str]) -> (Result<Receipt, PortError>, String) {
    let (address, served) = smtp_server(replies).await;
    let credentials = replies.iter().any(|reply| reply.starts_with("AUTH"));
    let credentials = credentials.then(|| ("tapdesk".to_owned(), Secret::new("canary-77e0".to_owned())));
    let mut config = MailConfig { credentials, ..config("127.0.0.1", address.port()) };
    if replies.iter().any(|reply| reply.ends_with("silence")) {
        config.timeout = Duration::from_millis(200);
    }
    let outcome = courier(config).send(&mailbox(JANE), &message("Ihr Code")).await;
    if let Err(error) = &outcome {
        let said = everything(error);
        assert!(!said.contains("jane") && !said.contains("89ABC") && !said.contains("canary"), "{said}");
    }
    (outcome, served.await.unwrap())
}

async fn failure(replies: &'static [&'static str]) -> PortError {
    send(replies).await.0.unwrap_err()
}

#[tokio::test]
async fn an_accepted_mail_is_plain_text_that_says_it_is_automatic() {
    let (outcome, said) = send(&["TEXT 250 2.0.0 queued, saw c#0123-4567-89ABC for jane@home.example"]).await;
    assert_eq!(outcome.unwrap(), Receipt(format!("250 2.0.0 {ID}")));
    assert_eq!(
        said.replace("\r\n", "\n"),
        format!(
            "EHLO tap.contoso.example
MAIL FROM:<tapdesk@contoso.example>
RCPT TO:<jane@home.example>
DATA
From: tapdesk <tapdesk@contoso.example>
To: jane@home.example
Subject: Ihr Code
Date: Mon, 23 Nov 2026 10:00:00 +0000
Message-ID: <{ID}@contoso.example>
Auto-Submitted: auto-generated
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Ihr Code f=C3=BCr tapdesk: 0123-4567-89ABC
Niemand fragt danach.
.
QUIT
"
        )
    );
}

#[tokio::test]
async fn a_mailbox_that_is_busy_is_tried_again() {
    let error = failure(&["RCPT 450 4.2.1 <jane@home.example> is busy"]).await;
    assert!(matches!(error, PortError::Retry { .. }));
    assert_eq!(error.to_string(), "the mail server cannot take mail now (450 4.2.1)");
}

#[tokio::test]
async fn an_address_that_does_not_exist_is_fatal() {
    let error = failure(&["RCPT 550 5.1.1 <jane@home.example>: no such user"]).await;
    assert!(matches!(error, PortError::Fatal { .. }));
    assert!(error.to_string().contains("(550 5.1.1)"), "{error}");
}

#[tokio::test]
async fn a_filter_that_quotes_the_link_leaks_nothing() {
    let error = failure(&["TEXT 554 https://tap.example/c#0123-4567-89ABC is listed"]).await;
    assert!(error.to_string().contains("(554)"), "{error}");
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again() {
    assert!(matches!(failure(&["TEXT drop"]).await, PortError::Retry { .. }));
}

#[tokio::test]
async fn a_server_that_falls_silent_is_tried_again() {
    let error = failure(&["RCPT silence"]).await;
    assert!(matches!(error, PortError::Retry { .. }));
    assert_eq!(error.to_string(), "no answer from the mail server within the time limit");
}

#[tokio::test]
async fn a_refused_login_is_fatal_and_says_what_to_mend() {
    let error = failure(&["EHLO 250 AUTH PLAIN LOGIN", "AUTH 535 5.7.8 not tapdesk"]).await;
    assert!(matches!(error, PortError::Fatal { .. }));
    assert!(error.to_string().contains("check the mail courier's user name and password"), "{error}");
}

#[tokio::test]
async fn only_a_whole_mail_address_is_accepted() {
    let courier = courier(config("127.0.0.1", 9));
    for contact in [
        phone("+491701234512"),
        mailbox("j***@home.example"),
        mailbox("jane@home.example\r\nRCPT TO:<eve@x.y>"),
    ] {
        let error = courier.send(&contact, &message("Code")).await.unwrap_err();
        assert!(matches!(error, PortError::Fatal { .. }));
        assert!(!everything(&error).contains(&contact.address));
    }
}

#[test]
fn a_subject_cannot_become_another_header() {
    let courier = courier(config("127.0.0.1", 9));
    for subject in
        ["Code\r\nBcc: eve@evil.example", "Code\nBcc: eve@evil.example", "Code\r\n\r\nHello", "\r\n"]
    {
        let letter = courier.letter(JANE.parse().unwrap(), &message(subject), ID).unwrap();
        let text = String::from_utf8(letter.formatted()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("Content-Transfer-Encoding"), "the head ends early: {head}");
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(!head.replace("\r\n", "").contains(['\r', '\n']), "{head}");
    }
}

#[test]
fn an_unsafe_configuration_is_refused() {
    let made = |config| Mail::new(config, clock(), entropy()).map(|mail| mail.port);
    for host in ["127.0.0.1", "127.3.2.1", "::1", "localhost"] {
        assert_eq!(made(config(host, 2525)), Ok(2525), "{host}");
    }
    assert_eq!(made(config("smtp.example.com", 25)), Err(Misconfigured::MailWithoutTls));
    let from = "nobody".to_owned();
    assert_eq!(made(MailConfig { from, ..config("::1", 25) }), Err(Misconfigured::MailFrom));
    let helo = Some("a\r\nMAIL FROM:<x@y>".to_owned());
    assert_eq!(made(MailConfig { helo, ..config("::1", 25) }), Err(Misconfigured::MailHelo));
    let timeout = Duration::ZERO;
    assert_eq!(made(MailConfig { timeout, ..config("::1", 25) }), Err(Misconfigured::MailTimeout));
}

#[test]
fn each_kind_of_tls_has_its_own_port() {
    install_tls_provider();
    let port = |tls, host: &str| {
        Mail::new(MailConfig { port: None, tls, ..config(host, 0) }, clock(), entropy()).map(|mail| mail.port)
    };
    assert_eq!(port(MailTls::Required, "smtp.example.com"), Ok(587));
    assert_eq!(port(MailTls::Implicit, "smtp.example.com"), Ok(465));
    assert_eq!(port(MailTls::None, "localhost"), Ok(25));
    assert_eq!(port(MailTls::Implicit, "not a host"), Err(Misconfigured::MailTls));
}

#[tokio::test]
async fn a_server_without_starttls_gets_no_mail() {
    install_tls_provider();
    let (address, served) = smtp_server(&[]).await;
    let config = MailConfig { tls: MailTls::Required, ..config("127.0.0.1", address.port()) };
    let error = courier(config).send(&mailbox(JANE), &message("Code")).await.unwrap_err();
    assert!(matches!(error, PortError::Fatal { .. }));
    assert_eq!(served.await.unwrap(), "EHLO tap.contoso.example\r\n");
}
