//! What does a person read in a mail: its subject and text, decoded?

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Subject and text of a mail.
#[derive(Debug, Clone, Default)]
pub struct Decoded {
    /// The subject without RFC 2047 encoding.
    pub subject: String,
    /// All text parts, decoded, in order.
    pub text: String,
}

/// Decodes a mail. Multiparts are followed three levels deep, which is more than any mail program writes.
pub(super) fn decode(raw: &str) -> Decoded {
    let (headers, _) = split(raw);
    Decoded { subject: words(&header(headers, "subject").unwrap_or_default()), text: text(raw, 3) }
}

fn text(part: &str, depth: u8) -> String {
    let (headers, body) = split(part);
    let kind = header(headers, "content-type").unwrap_or_else(|| "text/plain".to_owned());
    if let Some(boundary) = parameter(&kind, "boundary").filter(|_| depth > 0) {
        // The first piece is the preamble, the last the epilogue after the closing delimiter.
        let delimiter = format!("--{boundary}");
        let pieces = body.split(delimiter.as_str()).skip(1).take_while(|piece| !piece.starts_with("--"));
        return pieces.map(|piece| text(piece.strip_prefix("\r\n").unwrap_or(piece), depth - 1)).collect();
    }
    if !kind.to_ascii_lowercase().starts_with("text/") {
        return String::new();
    }
    let encoding =
        header(headers, "content-transfer-encoding").unwrap_or_default().trim().to_ascii_lowercase();
    match encoding.as_str() {
        "quoted-printable" => quoted_printable(body, false),
        "base64" => base64(body),
        _ => body.to_owned(),
    }
}

fn split(part: &str) -> (&str, &str) {
    part.strip_prefix("\r\n")
        .map_or_else(|| part.split_once("\r\n\r\n").unwrap_or((part, "")), |body| ("", body))
}

/// The unfolded value of a header.
fn header(headers: &str, name: &str) -> Option<String> {
    let unfolded = headers.replace("\r\n ", " ").replace("\r\n\t", " ");
    let mut lines = unfolded.split("\r\n").filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
}

fn parameter(value: &str, name: &str) -> Option<String> {
    let mut pairs = value.split(';').skip(1).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim_matches('"').to_owned())
}

/// RFC 2047: `=?utf-8?Q?…?=` and `=?utf-8?B?…?=`; white space between two encoded words is dropped.
fn words(value: &str) -> String {
    let mut decoded = String::new();
    let mut was_encoded = false;
    for word in value.split_ascii_whitespace() {
        let encoded = encoded_word(word);
        let is_joined = was_encoded && encoded.is_some();
        if !decoded.is_empty() && !is_joined {
            decoded.push(' ');
        }
        was_encoded = encoded.is_some();
        decoded.push_str(encoded.as_deref().unwrap_or(word));
    }
    decoded
}

fn encoded_word(word: &str) -> Option<String> {
    let mut parts = word.strip_prefix("=?")?.strip_suffix("?=")?.splitn(3, '?').skip(1);
    match (parts.next()?, parts.next()?) {
        ("Q" | "q", text) => Some(quoted_printable(text, true)),
        ("B" | "b", text) => Some(base64(text)),
        _ => None,
    }
}

fn base64(text: &str) -> String {
    let packed: String = text.split_ascii_whitespace().collect();
    String::from_utf8_lossy(&STANDARD.decode(packed).unwrap_or_default()).into_owned()
}

fn quoted_printable(text: &str, is_header: bool) -> String {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|c| u8::from_str_radix(str::from_utf8(c).ok()?, 16).ok());
        let code = code.filter(|_| byte == b'=');
        bytes.push(code.unwrap_or(if is_header && byte == b'_' { b' ' } else { byte }));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
