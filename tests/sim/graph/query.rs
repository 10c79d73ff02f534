//! How does Graph understand `$select`, `$filter`, paging and bodies?

use std::collections::HashMap;
use std::convert::Infallible;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::AppRole;
use super::door::{Answer, Caller, Problem};

/// Properties of one object.
pub(super) type Fields = Map<String, Value>;

/// A request as the handlers read it: who asks, and for what.
pub(super) struct Asked {
    /// The application that asks.
    pub(super) caller: Caller,
    path: String,
    host: String,
    query: HashMap<String, String>,
    headers: HeaderMap,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let host = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Self {
            caller: parts.extensions.get().cloned().unwrap_or_else(Caller::nobody),
            // The routes are nested below the version, which axum takes off.
            path: format!("/v1.0{}", parts.uri.path()),
            host: host.to_owned(),
            query: query.into_owned().collect(),
            headers: parts.headers.clone(),
        })
    }
}

impl Asked {
    /// Refuses query options other than these.
    pub(super) fn only(&self, options: &[&str]) -> Result<(), Problem> {
        match self.query.keys().find(|key| !options.contains(&key.as_str())) {
            Some(key) => {
                Err(Problem::unsupported(&format!("The query option '{key}' is not supported here.")))
            }
            None => Ok(()),
        }
    }

    /// Refuses a query that only the advanced index answers, unless it is asked for as such.
    pub(super) fn must_be_advanced(&self) -> Result<(), Problem> {
        let level =
            self.headers.get("consistencylevel").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_counted = self.query.get("$count").is_some_and(|value| value == "true");
        if level.eq_ignore_ascii_case("eventual") && is_counted {
            return Ok(());
        }
        let message = "The specified query requires the header ConsistencyLevel: eventual and $count=true.";
        Err(Problem::unsupported(message))
    }

    /// The pairs `property`, `value` of a `$filter` made of `property eq 'value'`, joined by `or`. Empty without filter.
    pub(super) fn filter(&self, properties: &[&str]) -> Result<Vec<(String, String)>, Problem> {
        let Some(text) = self.query.get("$filter") else { return Ok(Vec::new()) };
        let pairs = parse_filter(text).ok_or_else(|| Problem::bad("Invalid filter clause: syntax error."))?;
        match pairs.iter().find(|(property, _)| !properties.contains(&property.as_str())) {
            Some((property, _)) => Err(Problem::bad(&format!(
                "Invalid filter clause: Could not find a property named '{property}'."
            ))),
            None => Ok(pairs),
        }
    }

    /// A query option as it came.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// The names in `$select`.
    pub(super) fn selected(&self) -> Option<Vec<&str>> {
        self.query.get("$select").map(|names| names.split(',').map(str::trim).collect())
    }

    /// The selected properties of an object, or those that come unasked. A property that its type lacks is refused.
    pub(super) fn pick(&self, kind: &str, fields: Fields, default: &[&str]) -> Result<Fields, Problem> {
        let names = self.selected();
        if let Some(unknown) = names.iter().flatten().find(|name| !fields.contains_key(**name)) {
            let message = format!(
                "Parsing OData Select and Expand failed: Could not find a property named '{unknown}' on type '{kind}'."
            );
            return Err(Problem::bad(&message));
        }
        Ok(keep(fields, names.as_deref().unwrap_or(default)))
    }

    /// The selected properties of an element of a mixed collection, in which a type may lack some. The type is named.
    pub(super) fn pick_mixed(&self, kind: &str, fields: Fields, default: &[&str]) -> Value {
        let mut kept = json!({ "@odata.type": format!("#{kind}") });
        if let Some(object) = kept.as_object_mut() {
            object.extend(keep(fields, self.selected().as_deref().unwrap_or(default)));
        }
        kept
    }

    /// One page of a collection, with a link to the next.
    pub(super) fn page(&self, context: &str, items: &[Value], page_size: usize) -> Answer {
        let start = self.query.get("$skiptoken").map_or(Ok(0), |token| read_skip_token(token))?;
        let top = self.query.get("$top").map(|top| top.parse::<usize>());
        let size = match top {
            None => page_size,
            Some(Ok(top @ 1..=999)) => top.min(page_size),
            Some(_) => {
                return Err(Problem::bad(
                    "Invalid page size specified: it must be between 1 and 999 inclusive.",
                ));
            }
        };
        let rest = items.get(start..).unwrap_or_default();
        let page = &rest[..size.min(rest.len())];
        let mut body = json!({ "@odata.context": context_of(context), "value": page });
        if page.len() < rest.len() {
            body["@odata.nextLink"] = json!(self.next_link(start + size));
        }
        Ok(Json(body).into_response())
    }

    fn next_link(&self, start: usize) -> String {
        let mut query: Vec<(&str, &str)> = self.query.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        query.retain(|(key, _)| *key != "$skiptoken");
        query.sort_unstable();
        let token = BASE64_URL_SAFE_NO_PAD.encode(format!("from-{start}"));
        query.push(("$skiptoken", &token));
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        format!("http://{}{}?{query}", self.host, self.path)
    }

    /// A JSON object as body; nothing at all counts as an empty one.
    pub(super) fn object(&self, body: &[u8]) -> Result<Fields, Problem> {
        if body.is_empty() {
            return Ok(Fields::new());
        }
        let kind =
            self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/json") {
            let message =
                "Write requests (excluding DELETE) must contain the Content-Type header declaration.";
            return Err(Problem::bad(message));
        }
        serde_json::from_slice(body).map_err(|_| Problem::bad("Unable to read JSON request payload."))
    }
}

impl Caller {
    fn nobody() -> Self {
        Self { permissions: Vec::new(), role: AppRole::None }
    }
}

/// The address of a context in Graph's metadata.
pub(super) fn context_of(what: &str) -> String {
    format!("https://graph.microsoft.com/v1.0/$metadata#{what}")
}

/// The properties of a JSON object literal.
pub(super) fn fields(object: Value) -> Fields {
    match object {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    }
}

fn keep(mut fields: Fields, names: &[&str]) -> Fields {
    names.iter().filter_map(|name| fields.remove(*name).map(|value| ((*name).to_owned(), value))).collect()
}

fn read_skip_token(token: &str) -> Result<usize, Problem> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let start = text.and_then(|text| text.strip_prefix("from-")?.parse().ok());
    start.ok_or_else(|| Problem::bad("The specified page token value is malformed or expired."))
}

fn parse_filter(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = text.trim();
    loop {
        let (property, after) = rest.split_once(" eq '")?;
        let (value, after) = read_quoted(after)?;
        pairs.push((property.to_owned(), value));
        if after.is_empty() {
            return Some(pairs);
        }
        rest = after.strip_prefix(" or ")?;
    }
}

/// Reads up to the closing quote; a doubled quote is a quote.
fn read_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('\'')?;
        value.push_str(part);
        let Some(more) = after.strip_prefix('\'') else { return Some((value, after)) };
        value.push('\'');
        rest = more;
    }
}

#[cfg(test)]
mod tests {
    use super::parse_filter;

    #[test]
    fn a_filter_is_equalities_joined_by_or() {
        let pairs = parse_filter("userPrincipalName eq 'o''hara@contoso.com' or mail eq ''").unwrap();
        let expected = [("userPrincipalName", "o'hara@contoso.com"), ("mail", "")];
        assert_eq!(pairs, expected.map(|(p, v)| (p.to_owned(), v.to_owned())));
        for wrong in
            ["mail eq 'o'hara'", "startswith(mail,'a')", "mail eq 'a' and mail eq 'b'", "mail eq 'a", "mail"]
        {
            assert!(parse_filter(wrong).is_none(), "{wrong}");
        }
    }
}
