use std::time::Duration;

use super::super::testing::{
    TEXT, clock, everything, http_server, install_tls_provider, mailbox, message, phone,
};
use super::*;
use crate::http::Limits;
use tapdesk_core::ports::Mark;
use tapdesk_core::ticket::Revealed;

const NUMBER: &str = "+491701234512";
const SID: &str = "SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn config(base_url: &str) -> TwilioConfig {
    TwilioConfig {
        base_url: base_url.parse().unwrap(),
        account_sid: "AC0123456789abcdef0123456789abcdef".to_owned(),
        username: "SKkey".to_owned(),
        password: Secret::new("canary-9b1d".to_owned()),
        from: Sender::Number("+4915550000".to_owned()),
        discard_content: true,
        status_url: None,
    }
}

fn courier(config: TwilioConfig, limit: Duration) -> Twilio {
    install_tls_provider();
    let http = http::client(Limits { connect: limit, total: limit }).unwrap();
    Twilio::new(config, http, clock()).unwrap()
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}

fn error(status: u16, code: u32) -> String {
    // The number is in Twilio's words, and has to stay out of ours.
    let body = format!(r#"{{"code":{code},"message":"not for {NUMBER}","more_info":"-","status":{status}}}"#);
    answer(&status.to_string(), "", &body)
}

fn taken(status: &str, error_code: &str) -> String {
    let body = serde_json::json!({ "body": TEXT, "to": NUMBER, "sid": SID, "status": status });
    let body = body.to_string().replacen('{', &format!("{{\"error_code\":{error_code},"), 1);
    answer("201 Created", "", &body)
}

async fn send(answer: impl Into<Option<String>>) -> (Result<Receipt, PortError>, String) {
    let answer = answer.into();
    let limit = if answer.is_some() { Duration::from_secs(10) } else { Duration::from_millis(200) };
    let (address, served) = http_server(answer).await;
    let courier = courier(config(&format!("http://{address}")), limit);
    let outcome = courier.send(&phone(NUMBER), &message("unused")).await;
    if let Err(error) = &outcome {
        let said = everything(error);
        assert!(!said.contains("49170") && !said.contains("89ABC") && !said.contains("canary"), "{said}");
    }
    (outcome, served.await.unwrap())
}

async fn failure(answer: impl Into<Option<String>>) -> PortError {
    send(answer).await.0.unwrap_err()
}

#[tokio::test]
async fn a_text_message_is_one_form_with_a_short_validity() {
    let (outcome, asked) = send(taken("queued", "null")).await;
    assert_eq!(outcome.unwrap(), Receipt(SID.to_owned()));
    let (head, form) = asked.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with(
            "POST /2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages.json HTTP/1.1"
        )
    );
    assert!(head.contains("authorization: Basic U0trZXk6Y2FuYXJ5LTliMWQ="));
    assert!(head.contains("content-type: application/x-www-form-urlencoded"));
    assert_eq!(
        form,
        "To=%2B491701234512&From=%2B4915550000\
         &Body=Ihr+Code+f%C3%BCr+tapdesk%3A+0123-4567-89ABC%0ANiemand+fragt+danach.\
         &ValidityPeriod=600&ContentRetention=discard&AddressRetention=obfuscate"
    );
}

#[test]
fn a_messaging_service_and_kept_content_change_the_form() {
    let from = Sender::MessagingService("MG1".to_owned());
    let config = TwilioConfig { from, discard_content: false, ..config(TwilioConfig::BASE_URL) };
    let courier = courier(config, Duration::from_secs(1));
    assert_eq!(
        courier.form("+4917", &text("hi")),
        "To=%2B4917&MessagingServiceSid=MG1&Body=hi&ValidityPeriod=600"
    );
}

fn text(text: &str) -> Message {
    Message { text: Revealed::new(text.to_owned()), ..message("unused") }
}

fn with_reports() -> TwilioConfig {
    let status_url = Some("https://tap.example.com/twilio/status".parse().unwrap());
    TwilioConfig { status_url, ..config(TwilioConfig::BASE_URL) }
}

#[test]
fn reports_are_asked_for_where_there_is_a_place_and_a_mark_for_them() {
    let mark = Mark { request: "req_0123456789ABCDEFGHJKMNPQRS".parse().unwrap(), generation: 3 };
    let marked = Message { mark: Some(mark), ..text("hi") };
    let asked = "&StatusCallback=https%3A%2F%2Ftap.example.com%2Ftwilio%2Fstatus%3Fmessage%3D\
                 req_0123456789ABCDEFGHJKMNPQRS.3";
    for (config, message, is_asked) in [
        (with_reports(), &marked, true),
        (with_reports(), &text("hi"), false),
        (config(TwilioConfig::BASE_URL), &marked, false),
    ] {
        let form = courier(config, Duration::from_secs(1)).form("+4917", message);
        assert_eq!(form.ends_with(asked), is_asked, "{form}");
    }
}

#[test]
fn the_form_never_outgrows_its_buffer() {
    let mark = Mark { request: "req_0123456789ABCDEFGHJKMNPQRS".parse().unwrap(), generation: 3 };
    let message = Message { mark: Some(mark), ..text(&"ü\u{1F511}%&".repeat(200)) };
    let form = courier(with_reports(), Duration::from_secs(1)).form(NUMBER, &message);
    assert_eq!(form.capacity(), 1024 + 3 * (NUMBER.len() + message.text.as_str().len()));
}

#[tokio::test]
async fn a_number_that_gets_no_texts_is_fatal() {
    let error = failure(error(400, 21614)).await;
    assert!(matches!(error, PortError::Fatal { .. }));
    assert_eq!(error.to_string(), "this number cannot receive text messages (Twilio 21614)");
}

#[tokio::test]
async fn refused_credentials_are_fatal_and_say_what_to_mend() {
    let error = failure(error(401, 20003)).await;
    assert!(matches!(error, PortError::Fatal { .. }));
    assert!(error.to_string().contains("check account_sid, username and password"));
}

#[tokio::test]
async fn missing_redaction_is_fatal_and_says_what_to_switch_on() {
    let error = failure(error(400, 30029)).await;
    assert!(matches!(error, PortError::Fatal { .. }));
    assert!(error.to_string().contains("switch on Message Redaction"));
}

#[tokio::test]
async fn a_throttled_message_waits_as_long_as_twilio_asks() {
    let answer = answer("429 Too Many Requests", "retry-after: 7\r\n", r#"{"code":20429,"status":429}"#);
    let error = failure(answer).await;
    assert!(matches!(error, PortError::Retry { after: Some(wait), .. } if wait == Duration::from_secs(7)));
}

#[tokio::test]
async fn a_server_error_is_tried_again() {
    let error = failure(answer("500 Oops", "", "<html>")).await;
    assert!(matches!(error, PortError::Retry { after: None, .. }));
}

#[tokio::test]
async fn no_answer_is_tried_again() {
    let error = failure(None).await;
    assert!(matches!(error, PortError::Retry { .. }));
    assert_eq!(error.to_string(), "no answer within the time limit");
}

#[tokio::test]
async fn a_message_that_fails_at_once_is_judged_by_its_code() {
    assert!(matches!(failure(taken("failed", "30006")).await, PortError::Fatal { .. }));
    assert!(matches!(failure(taken("undelivered", "30003")).await, PortError::Retry { .. }));
}

#[tokio::test]
async fn only_a_whole_telephone_number_is_accepted() {
    let courier = courier(config("http://127.0.0.1:9"), Duration::from_secs(1));
    for contact in [mailbox("jane@home.example"), phone("+1 XXXXXXXX89"), phone("+49170\r\n123451")] {
        let error = courier.send(&contact, &message("unused")).await.unwrap_err();
        assert!(matches!(error, PortError::Fatal { .. }));
        assert!(!everything(&error).contains(&contact.address));
    }
}

#[test]
fn an_unsafe_configuration_is_refused() {
    install_tls_provider();
    let made = |config| {
        let http = http::client(Limits::default()).unwrap();
        Twilio::new(config, http, clock()).map(|_| ())
    };
    let fine = || config(TwilioConfig::BASE_URL);
    assert_eq!(made(fine()), Ok(()));
    assert_eq!(made(config("http://api.twilio.com")), Err(Misconfigured::SmsBaseUrl));
    let account_sid = "AC/../x".to_owned();
    assert_eq!(made(TwilioConfig { account_sid, ..fine() }), Err(Misconfigured::SmsAccount));
    let password = Secret::new(String::new());
    assert_eq!(made(TwilioConfig { password, ..fine() }), Err(Misconfigured::SmsCredentials));
    let from = Sender::Number(String::new());
    assert_eq!(made(TwilioConfig { from, ..fine() }), Err(Misconfigured::SmsSender));
}
