//! The outside world of tapdesk, one folder per system; each implements a port of the core.

pub mod couriers;
pub mod entra;
pub mod finding;
pub mod graph;
pub mod hooks;
pub mod http;
pub mod ledgers;
pub mod secret;
pub mod slack;
pub mod stores;
pub mod teams;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    fn sources(directory: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let of = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
        entries.flat_map(of).collect()
    }

    #[test]
    fn the_core_names_no_platform() {
        let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bot/core");
        let files = sources(&core);
        assert!(files.len() > 50, "the core is where it was");
        for file in files {
            let Ok(text) = fs::read_to_string(&file) else { continue };
            let text = text.to_lowercase();
            for name in [crate::slack::NAME, crate::teams::NAME, "discord", "telegram"] {
                assert!(!text.contains(name), "{} names {name}", file.display());
            }
        }
    }

    #[test]
    fn each_chat_has_the_same_five_files() {
        for chat in [crate::slack::NAME, crate::teams::NAME] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(chat);
            let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
            let files = entries.filter(|entry| entry.path().is_file());
            let mut names: Vec<_> = files.map(|entry| entry.file_name()).collect();
            names.sort();
            assert_eq!(names, ["client.rs", "mod.rs", "parse.rs", "render.rs", "verify.rs"], "{chat}");
        }
    }
}
