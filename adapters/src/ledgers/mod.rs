//! Where is the audit record kept? One keeper per module.

pub mod file;

use std::path::Path;

/// Makes a new name in the folder of `path` survive a power cut.
pub(crate) fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    // Elsewhere a folder cannot be opened, and needs no sync.
    if !cfg!(unix) {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}
