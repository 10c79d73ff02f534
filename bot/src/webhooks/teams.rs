//! How is what people do in Teams answered?
//!
//! A message is acknowledged and answered by messages. An invoke is answered in its response: what the desk says reaches
//! it through the reply's handle, within the time that clients wait; what comes later is sent as a message.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use metrics::counter;
use tapdesk_adapters::teams::{
    self, Answered, Look, Message, NotVerified, Outgoing, Parsed, Pending, Routes, Said, Shown, Teams,
};
use tapdesk_core::card::{Card, Choice};
use tapdesk_core::desk::Answer;
use tapdesk_core::form::{Complaint, FieldName, Filled};
use tapdesk_core::ids::ChatUser;
use tapdesk_core::inbound::{Inbound, Wish};
use tapdesk_core::ports::Reply;
use tapdesk_core::words;

use super::{CONFIRM_WITHIN, Taken, copy, empty, json, take_in};
use crate::server::{Body, Site, TEAMS_MESSAGES, TEAMS_OUTGOING};

/// Clients give an invoke up after 5 s and send it again.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// `POST /teams/messages`: every activity of the Bot Connector.
pub(crate) async fn message(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let Some(teams) = site.teams.clone() else { return empty(StatusCode::NOT_FOUND) };
    // In a task of its own: whoever hangs up does not end a look for keys that others wait for.
    let own = Arc::clone(&teams);
    let reading = site.tracker.spawn(async move { own.receive(&headers, &body).await });
    let Ok(parsed) = reading.await else { return empty(StatusCode::INTERNAL_SERVER_ERROR) };
    let counted = |result: &'static str| {
        counter!("tapdesk_webhooks_total", "route" => TEAMS_MESSAGES, "result" => result).increment(1);
    };
    let (result, response) = match parsed {
        Ok(Parsed::Inbound(message)) => {
            counted("accepted");
            return taken(site, teams, *message).await;
        }
        Ok(Parsed::Look(look)) => ("look", looked(&site, *look).await),
        Ok(Parsed::Routes(routes)) => ("routes", empty(keep(&teams, &routes).await)),
        Ok(Parsed::NoButton) => ("no_button", json(teams::no_button())),
        Ok(Parsed::NotForUs) => ("not_for_us", empty(StatusCode::OK)),
        Ok(Parsed::Refused(why)) => {
            tracing::warn!(
                route = TEAMS_MESSAGES,
                ?why,
                "an activity of the Bot Connector is not for us or not from our people"
            );
            ("not_ours", empty(StatusCode::FORBIDDEN))
        }
        Ok(Parsed::Malformed) => ("malformed", empty(StatusCode::BAD_REQUEST)),
        Ok(Parsed::NotVerified(why)) | Err(why) => {
            tracing::warn!(
                route = TEAMS_MESSAGES,
                ?why,
                "an activity did not come with a token of the Bot Connector"
            );
            let status = match why {
                NotVerified::NoKeys => StatusCode::SERVICE_UNAVAILABLE,
                NotVerified::Header
                | NotVerified::Token
                | NotVerified::Key
                | NotVerified::Signature
                | NotVerified::Parties
                | NotVerified::Stale
                | NotVerified::Activity => StatusCode::UNAUTHORIZED,
            };
            ("not_verified", empty(status))
        }
    };
    counted(result);
    response
}

/// `POST /teams/outgoing`: answered in the response, which everybody in the channel reads. It may ask, and nothing else.
pub(crate) async fn outgoing(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let received = site.teams.as_ref().and_then(|teams| teams.receive_outgoing(&headers, &body));
    let Some(received) = received else { return empty(StatusCode::NOT_FOUND) };
    let (result, response) = match received {
        Ok(Outgoing::Inbound(inbound)) => {
            let card = ask_only(&site, *inbound).await;
            ("accepted", json(teams::outgoing_answer(&site.desk.mode().marked(card))))
        }
        Ok(Outgoing::Refused(why)) => {
            tracing::warn!(route = TEAMS_OUTGOING, ?why, "a signed message is not from our people");
            ("not_ours", empty(StatusCode::FORBIDDEN))
        }
        Ok(Outgoing::Malformed) => ("malformed", empty(StatusCode::BAD_REQUEST)),
        Ok(Outgoing::Stale) => {
            tracing::warn!(route = TEAMS_OUTGOING, "a signed message was sent some time ago");
            ("not_verified", empty(StatusCode::UNAUTHORIZED))
        }
        Err(why) => {
            tracing::warn!(route = TEAMS_OUTGOING, ?why, "a message was not signed as it should be");
            ("not_verified", empty(StatusCode::UNAUTHORIZED))
        }
    };
    counter!("tapdesk_webhooks_total", "route" => TEAMS_OUTGOING, "result" => result).increment(1);
    response
}

async fn ask_only(site: &Arc<Site>, inbound: Inbound) -> Card {
    let asks = matches!(inbound.wish, Wish::Ask(_) | Wish::Unclear(_));
    if !asks {
        let command = site.teams.as_ref().map_or("", |teams| teams.command_word());
        return words::only_asking_here(command);
    }
    match take_in(site, inbound).await {
        Taken::Answered(Answer::Say(card) | Answer::Later(card, _)) => card,
        Taken::Answered(Answer::Open(_) | Answer::Mend(_) | Answer::Home(_) | Answer::Nothing) => {
            words::seen_before()
        }
        Taken::Unconfirmed => words::not_confirmed(),
    }
}

/// Keeps where people are reached. Teams tells it once, so that it is told again where it could not be kept.
async fn keep(teams: &Teams, routes: &Routes) -> StatusCode {
    match tokio::time::timeout(CONFIRM_WITHIN, teams.keep(routes)).await {
        Ok(Ok(())) => StatusCode::OK,
        Ok(Err(error)) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "where somebody is reached could not be kept"
            );
            StatusCode::SERVICE_UNAVAILABLE
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Draws a card anew for whoever looks at it.
async fn looked(site: &Arc<Site>, look: Look) -> Response<Body> {
    let Look { viewer, value, shown } = look;
    let message = shown.as_ref().map(Shown::message);
    match tokio::time::timeout(ANSWER_WITHIN, site.desk.card_behind(&viewer, &value, message)).await {
        Ok(Ok(card)) => json(teams::look(&card, shown.as_ref())),
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a card could not be drawn anew");
            json(teams::say(&words::not_looked_up(), false))
        }
        Err(_) => json(teams::say(&words::not_looked_up(), false)),
    }
}

async fn taken(site: Arc<Site>, teams: Arc<Teams>, message: Message) -> Response<Body> {
    let Message { inbound, answered, routes, mark } = message;
    match answered {
        Answered::ByMessage { among } => {
            let reply = copy(&inbound.reply);
            let form = filled(&inbound.wish).map(|filled| Sent { filled, mark });
            let site_of_task = Arc::clone(&site);
            // The acknowledgement waits until the wish is durable, not until it is answered.
            let taking = site.tracker.spawn(async move {
                keep(&teams, &routes).await;
                let taken = take_in(&site_of_task, inbound).await;
                let site = Arc::clone(&site_of_task);
                site_of_task.tracker.spawn(async move {
                    let told = answer_by_message(&site, &teams, &reply, form.as_ref(), taken).await;
                    let Some((among, told)) = among.as_ref().zip(told) else { return };
                    let line = if told { words::answered_privately() } else { words::no_private_chat() };
                    if let Err(error) = teams.note(among, &line).await {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "a channel could not be answered"
                        );
                    }
                });
            });
            // A panic inside is logged where it happened.
            let _ = taking.await;
            empty(StatusCode::OK)
        }
        Answered::InCard { shown } => {
            let pending = teams.wait_in_card();
            invoked(site, teams, Invoke { inbound, routes, mark, shown, pending, is_dialog: false }).await
        }
        Answered::InDialog => {
            let pending = teams.wait_in_dialog();
            invoked(site, teams, Invoke { inbound, routes, mark, shown: None, pending, is_dialog: true })
                .await
        }
    }
}

/// Answers a message; whether its sender could be told, where there was anything to tell.
async fn answer_by_message(
    site: &Arc<Site>,
    teams: &Teams,
    reply: &Reply,
    form: Option<&Sent>,
    taken: Taken,
) -> Option<bool> {
    let card = match taken {
        Taken::Answered(Answer::Say(card)) => card,
        Taken::Answered(Answer::Later(_, inquiry)) => site.desk.answer(*inquiry).await,
        Taken::Answered(Answer::Open(form)) => {
            return Some(site.desk.open_form(reply, &form).await);
        }
        Taken::Answered(Answer::Mend(wrong)) => {
            let Sent { filled, mark } = form?;
            let again = site.desk.form_again(filled);
            let sent = teams.send_form(&reply.to, mark.as_deref(), &again, filled, &wrong).await;
            return Some(sent.is_ok());
        }
        Taken::Answered(Answer::Home(seen)) => {
            return Some(site.desk.show_home(&reply.to, seen).await);
        }
        Taken::Answered(Answer::Nothing) => return None,
        Taken::Unconfirmed => words::not_confirmed(),
    };
    Some(site.desk.whisper(reply, &card).await)
}

/// A form that was filled in.
struct Sent {
    filled: Filled,
    mark: Option<String>,
}

/// Something that is answered in its response.
struct Invoke {
    inbound: Inbound,
    routes: Routes,
    mark: Option<String>,
    /// The message whose card was pressed.
    shown: Option<Shown>,
    pending: Pending,
    is_dialog: bool,
}

async fn invoked(site: Arc<Site>, teams: Arc<Teams>, invoke: Invoke) -> Response<Body> {
    let Invoke { mut inbound, routes, mark, shown, mut pending, is_dialog } = invoke;
    inbound.reply.modal = Some(pending.handle().to_owned());
    let is_pin = matches!(inbound.wish, Wish::Press { choice: Choice::ShowPin, .. });
    site.tracker.spawn(answer_invoke(Arc::clone(&site), teams, inbound, routes, (shown, mark)));
    match tokio::time::timeout(ANSWER_WITHIN, pending.answer()).await {
        Ok(Some(said)) => respond(said),
        Ok(None) => json(teams::say(&words::seen_before(), is_dialog)),
        Err(_) if is_pin => json(teams::say(&words::pin_not_shown(), is_dialog)),
        Err(_) => json(teams::say(&words::not_confirmed(), is_dialog)),
    }
}

/// Does what an invoke asks for, and answers it.
async fn answer_invoke(
    site: Arc<Site>,
    teams: Arc<Teams>,
    inbound: Inbound,
    routes: Routes,
    (shown, mark): (Option<Shown>, Option<String>),
) {
    keep(&teams, &routes).await;
    let reply = copy(&inbound.reply);
    let form = filled(&inbound.wish).map(|filled| Sent { filled, mark });
    let pressed = pressed(&inbound.wish);
    let handle = reply.modal.clone().unwrap_or_default();
    match take_in(&site, inbound).await {
        Taken::Answered(Answer::Say(card)) if form.is_some() && shown.is_some() => {
            let card = site.desk.mode().marked(card);
            teams.show(&handle, &card, shown.as_ref());
            // The response changed the form for now: what is reloaded would show it again.
            if let Some(shown) = &shown
                && let Err(error) = teams.replace(shown, &card).await
            {
                tracing::warn!(error = &error as &dyn std::error::Error, "a form could not be replaced");
            }
        }
        Taken::Answered(Answer::Say(card)) => {
            site.desk.whisper(&reply, &card).await;
        }
        Taken::Answered(Answer::Later(_, inquiry)) => {
            let card = site.desk.answer(*inquiry).await;
            site.desk.whisper(&reply, &card).await;
        }
        Taken::Answered(Answer::Open(form)) => {
            site.desk.open_form(&reply, &form).await;
        }
        Taken::Answered(Answer::Mend(wrong)) => mend(&site, &teams, &handle, form.as_ref(), &wrong),
        Taken::Answered(Answer::Nothing) => {
            if let Some(value) = pressed {
                show_now(&site, &teams, &reply.to, &handle, &value, shown.as_ref()).await;
            }
        }
        Taken::Answered(Answer::Home(_)) => {}
        Taken::Unconfirmed => match &form {
            // What was filled in stays on the screen, to be submitted again.
            Some(form) => {
                let wrong = [(form.filled.purpose.main_field(), words::complaint(Complaint::NotConfirmed))];
                mend(&site, &teams, &handle, Some(form), &wrong);
            }
            None => {
                site.desk.whisper(&reply, &words::not_confirmed()).await;
            }
        },
    }
    // Where nothing was to be said, nobody waits any longer.
    teams.wait_no_more(&handle);
}

fn mend(site: &Site, teams: &Teams, handle: &str, form: Option<&Sent>, wrong: &[(FieldName, String)]) {
    if let Some(Sent { filled, mark }) = form {
        teams.mend(handle, mark.as_deref(), &site.desk.form_again(filled), filled, wrong);
    }
}

/// Answers with the card as it is now: the press changed it.
async fn show_now(
    site: &Site,
    teams: &Teams,
    viewer: &ChatUser,
    handle: &str,
    value: &str,
    shown: Option<&Shown>,
) {
    match site.desk.card_behind(viewer, value, shown.map(Shown::message)).await {
        Ok(card) => teams.show(handle, &card, shown),
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a card could not be drawn after a press"
            );
        }
    }
}

fn filled(wish: &Wish) -> Option<Filled> {
    if let Wish::Fill(filled) = wish { Some(filled.clone()) } else { None }
}

/// What names the card that was pressed. The value of a number that was picked ends with it.
fn pressed(wish: &Wish) -> Option<String> {
    let Wish::Press { choice, value } = wish else { return None };
    match choice {
        Choice::Pick => value.rsplit_once('.').map(|(card, _)| card.to_owned()),
        Choice::Approve | Choice::Deny | Choice::Withdraw => Some(value.clone()),
        // Their answer is a dialog, or a line: the button is on no approval card.
        Choice::ShowPin | Choice::LooksWrong | Choice::Ask | Choice::Disown => None,
    }
}

fn respond(said: Said) -> Response<Body> {
    let Said { mut body, is_secret } = said;
    let mut response = Response::new(Body::from(std::mem::take(&mut *body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if is_secret {
        // A PIN must not stay in the buffers of a connection that waits for more.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
