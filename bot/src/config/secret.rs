//! What do the files hold that the configuration names?

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use tapdesk_adapters::secret::Secret;
use zeroize::Zeroizing;

/// The secret itself: from the file it is in, without the newline that editors add.
pub fn secret(key: &str, inline: Option<&Secret>, file: Option<&PathBuf>) -> anyhow::Result<Secret> {
    if let Some(secret) = inline {
        return Ok(secret.clone());
    }
    let path = file.with_context(|| format!("{key} or {key}_file is missing"))?;
    let text = fs::read_to_string(path).with_context(|| format!("{key}_file: {}", path.display()))?;
    let text = Zeroizing::new(text);
    let trimmed = text.trim_end_matches(['\r', '\n']);
    ensure!(!trimmed.is_empty(), "{key}_file: {} is empty", path.display());
    Ok(Secret::new(trimmed.to_owned()))
}

/// The pepper in a file: 32 bytes, as they are or as 64 hex digits.
pub fn pepper(path: &Path) -> anyhow::Result<[u8; 32]> {
    let bytes = Zeroizing::new(fs::read(path).with_context(|| format!("pepper_file: {}", path.display()))?);
    if let Ok(raw) = <[u8; 32]>::try_from(&bytes[..]) {
        return Ok(raw);
    }
    let text = std::str::from_utf8(&bytes).unwrap_or_default().trim();
    let mut pepper = [0; 32];
    let readable = text.len() == 64
        && text.is_ascii()
        && pepper.iter_mut().enumerate().all(|(i, byte)| {
            u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map(|value| *byte = value).is_ok()
        });
    ensure!(
        readable,
        "pepper_file: {} holds neither 32 bytes nor 64 hex digits; make one with: openssl rand -hex 32",
        path.display()
    );
    Ok(pepper)
}
