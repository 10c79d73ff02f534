//! What do the files hold now that a proof is made from?
//!
//! They are read again before each token, so that whoever renews a certificate or a secret replaces the files and need not
//! restart tapdesk. New files that cannot be used are complained about, and what was read before them goes on.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};
use zeroize::Zeroizing;

/// A file as the configuration names it.
pub(super) struct Named {
    /// The key: `graph.key_file`.
    pub(super) key: String,
    pub(super) path: PathBuf,
}

/// Why a file cannot be used; what is in it stays out.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {}: {what}", .path.display())]
pub struct Unusable {
    /// The key that names it.
    pub key: String,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, and what to do.
    pub what: String,
    /// Whether it is there and could be read.
    pub was_read: bool,
}

/// What is wrong with the content of one of the files.
pub(super) struct Fault {
    /// Which one, by place.
    pub(super) file: usize,
    pub(super) what: String,
}

type Content = Zeroizing<Vec<u8>>;
type Parse<T> = dyn Fn(&[Content]) -> Result<T, Fault> + Send + Sync;

/// Something that is made from files.
pub(super) struct Files<T> {
    named: Vec<Named>,
    parse: Box<Parse<T>>,
    last: Mutex<Last<T>>,
}

struct Last<T> {
    digest: [u8; 32],
    made: Arc<T>,
}

impl<T: Send + Sync + 'static> Files<T> {
    /// Reads the files for the first time.
    pub(super) fn open(
        named: Vec<Named>,
        parse: impl Fn(&[Content]) -> Result<T, Fault> + Send + Sync + 'static,
    ) -> Result<Arc<Self>, Unusable> {
        let contents = read(&named)?;
        let made = Arc::new(parse(&contents).map_err(|fault| fault.of(&named))?);
        let last = Mutex::new(Last { digest: digest(&contents), made });
        Ok(Arc::new(Self { named, parse: Box::new(parse), last }))
    }

    /// What was made last, without a look at the files.
    pub(super) fn last(&self) -> Arc<T> {
        Arc::clone(&self.last.lock().unwrap_or_else(PoisonError::into_inner).made)
    }

    /// What the files hold by now.
    pub(super) async fn now(self: &Arc<Self>) -> Arc<T> {
        let files = Arc::clone(self);
        // A reader that panicked read nothing.
        tokio::task::spawn_blocking(move || files.read_again()).await.unwrap_or_else(|_| self.last())
    }

    fn read_again(&self) -> Arc<T> {
        let contents = match read(&self.named) {
            Ok(contents) => contents,
            Err(error) => return self.keep(&error),
        };
        let digest = digest(&contents);
        if self.last.lock().unwrap_or_else(PoisonError::into_inner).digest == digest {
            return self.last();
        }
        match (self.parse)(&contents) {
            Ok(made) => {
                let made = Arc::new(made);
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
                    Last { digest, made: Arc::clone(&made) };
                for Named { key, path } in &self.named {
                    tracing::info!(file = %path.display(), "{key} was renewed and is used from now on");
                }
                made
            }
            Err(fault) => self.keep(&fault.of(&self.named)),
        }
    }

    fn keep(&self, error: &Unusable) -> Arc<T> {
        tracing::warn!("what was read before is used on, since the file cannot be: {error}");
        self.last()
    }
}

impl Fault {
    fn of(self, named: &[Named]) -> Unusable {
        let (key, path) = named.get(self.file).map(|n| (n.key.clone(), n.path.clone())).unwrap_or_default();
        Unusable { key, path, what: self.what, was_read: true }
    }
}

fn read(named: &[Named]) -> Result<Vec<Content>, Unusable> {
    let read = |Named { key, path }: &Named| match std::fs::read(path) {
        Ok(content) => Ok(Zeroizing::new(content)),
        Err(error) => Err(Unusable {
            key: key.clone(),
            path: path.clone(),
            what: format!("cannot be read: {error}"),
            was_read: false,
        }),
    };
    named.iter().map(read).collect()
}

fn digest(contents: &[Content]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for content in contents {
        context.update(&content.len().to_be_bytes());
        context.update(content);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(contents: &[Content]) -> Result<u32, Fault> {
        let text = std::str::from_utf8(&contents[1]).unwrap_or_default();
        text.trim().parse().map_err(|_| Fault { file: 1, what: "holds no number".to_owned() })
    }

    #[tokio::test]
    async fn new_content_is_used_and_bad_content_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let named = |name: &str| Named { key: format!("graph.{name}"), path: directory.path().join(name) };
        let path = directory.path().join("b");
        let open = || Files::open(vec![named("a"), named("b")], number);
        let missing = open().err().unwrap();
        assert!(!missing.was_read && missing.to_string().starts_with("graph.a: /"), "{missing}");
        std::fs::write(directory.path().join("a"), "").unwrap();
        std::fs::write(&path, "secret").unwrap();
        let bad = open().err().unwrap();
        assert!(bad.was_read && bad.to_string().ends_with("b: holds no number"), "{bad}");
        std::fs::write(&path, "1").unwrap();
        let files = open().unwrap();
        for (content, expected) in [("1", 1), ("2", 2), ("three", 2), ("4", 4)] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(*files.now().await, expected, "{content}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!((*files.now().await, *files.last()), (4, 4));
    }
}
