//! Where do a simulator's time and chance come from?
//!
//! Time is the story's manual clock. What must look random (ids, tokens, passcodes) is hashed from a label and a counter
//! of this process: unique, so that a leak can be told from a coincidence, and free of a real source of randomness.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use uuid::Builder;

/// The clock of the world; it moves only when a story moves it.
pub use crate::Now as Clock;

static DRAWN: AtomicU64 = AtomicU64::new(0);

/// 32 bytes that nobody got before.
#[must_use]
pub fn bytes(label: &str) -> [u8; 32] {
    let count = DRAWN.fetch_add(1, Ordering::Relaxed);
    hash(&format!("{label}/{}/{count}", std::process::id()))
}

/// A version 4 id that nobody got before.
#[must_use]
pub fn id(label: &str) -> String {
    id_from(bytes(label))
}

/// The same version 4 id for the same kind and name, in every run.
#[must_use]
pub fn id_of(kind: &str, name: &str) -> String {
    id_from(hash(&format!("{kind}/{name}")))
}

/// A fresh text of `length` characters out of `alphabet`.
#[must_use]
pub fn text(label: &str, alphabet: &str, length: usize) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    if alphabet.is_empty() {
        return String::new();
    }
    let stream = std::iter::repeat_with(|| bytes(label)).flatten();
    stream.take(length).map(|byte| alphabet[usize::from(byte) % alphabet.len()]).collect()
}

fn id_from(hash: [u8; 32]) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}

fn hash(text: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    out
}
