//! The data folder: one process at a time.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// A data folder that is ours until this is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder if it is missing, and takes it.
    ///
    /// # Errors
    /// A sentence that says which process holds it, or why it cannot be made.
    pub fn take(path: &Path) -> Result<Self, String> {
        let failed =
            |cause: std::io::Error| format!("the data folder {} cannot be used: {cause}", path.display());
        std::fs::create_dir_all(path).map_err(failed)?;
        // Absolute, because SQLite opens files later and the sentence is read elsewhere.
        let path = path.canonicalize().map_err(failed)?;
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.read_to_string(&mut holder);
                return Err(format!(
                    "the data folder {} is in use by another homestay process (pid {}): stop it, or set HOMESTAY__DATA_DIR to another folder",
                    path.display(),
                    holder.trim()
                ));
            }
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(failed)?;
        Ok(Self { path, _lock: lock })
    }

    /// A file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_told_who_holds_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataFolder::take(dir.path()).unwrap();
        let error = DataFolder::take(dir.path()).unwrap_err();
        assert!(error.contains(&format!("pid {}", std::process::id())), "{error}");
        drop(first);
        DataFolder::take(dir.path()).unwrap();
    }
}
