//! Paths of this machine.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::connector::ConnectorError;

/// The path that is named, read as fsspec reads it: with or without `file://`,
/// `~` is the home directory, nothing is decoded and `*` is a character like
/// others.
pub(super) fn parse(path: &str) -> PathBuf {
    let path = path.strip_prefix("file://").or_else(|| path.strip_prefix("file:")).unwrap_or(path);
    match (path, path.strip_prefix("~/")) {
        // As fsspec: file:// alone is the working directory.
        ("", _) => PathBuf::from("."),
        ("~", _) => std::env::home_dir().unwrap_or_else(|| PathBuf::from(path)),
        (_, Some(rest)) => {
            std::env::home_dir().map_or_else(|| PathBuf::from(path), |home| home.join(rest))
        }
        // As fsspec: a slash at the end does not ask for a directory.
        _ => PathBuf::from(match path.trim_end_matches('/') {
            "" => "/",
            trimmed => trimmed,
        }),
    }
}

/// When what is at a path was written, if there is anything; `None` inside for
/// a directory.
pub(super) type Found = Option<Option<SystemTime>>;

/// What is at the path. It may take its time.
pub(super) fn look(path: &Path) -> Result<Found, ConnectorError> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(Some(None)),
        Ok(found) => Ok(Some(Some(found.modified().unwrap_or(SystemTime::UNIX_EPOCH)))),
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(None),
            _ => Err(fault(path, &error)),
        },
    }
}

/// How many files are below a path, as far as `enough`; one for a file.
pub(super) async fn count(path: PathBuf, enough: usize) -> Result<usize, ConnectorError> {
    let counted = tokio::task::spawn_blocking(move || {
        let mut folders = vec![path];
        let mut count = 0;
        while let Some(folder) = folders.pop() {
            if count >= enough {
                break;
            }
            match std::fs::read_dir(&folder) {
                Ok(entries) => count += count_in(entries, &mut folders),
                Err(error) if error.kind() == ErrorKind::NotADirectory => count += 1,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(fault(&folder, &error)),
            }
        }
        Ok(count.min(enough))
    });
    counted.await.map_err(|error| ConnectorError::transient(error.to_string()))?
}

/// Counts the files of a folder, and notes the folders in it. Links are not
/// followed, so that none leads round in a circle.
fn count_in(entries: std::fs::ReadDir, folders: &mut Vec<PathBuf>) -> usize {
    let mut count = 0;
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => folders.push(entry.path()),
            _ => count += 1,
        }
    }
    count
}

fn fault(path: &Path, error: &std::io::Error) -> ConnectorError {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            ConnectorError::denied(format!("no permission to look at {}", path.display()))
        }
        ErrorKind::InvalidInput | ErrorKind::InvalidFilename => {
            ConnectorError::permanent(format!("cannot look at {}: {error}", path.display()))
        }
        _ => ConnectorError::transient(format!("cannot look at {}: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_fsspec_reads_them() {
        for (path, expected) in [
            ("/tmp/ready", "/tmp/ready"),
            ("/tmp/ready/", "/tmp/ready"),
            ("file:///tmp/ready", "/tmp/ready"),
            ("file:/tmp/ready", "/tmp/ready"),
            ("file:///a%20b", "/a%20b"),
            ("file://", "."),
            ("/", "/"),
            ("//", "/"),
            ("data/*.csv", "data/*.csv"),
            ("C:\\x", "C:\\x"),
        ] {
            assert_eq!(parse(path), PathBuf::from(expected), "{path}");
        }
    }

    #[tokio::test]
    async fn files_are_counted_below_all_folders() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("inner")).expect("a folder");
        for name in ["a", "b", "inner/c"] {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        let root = folder.path().to_owned();
        assert_eq!(count(root.clone(), 9).await, Ok(3));
        assert_eq!(count(root.clone(), 2).await, Ok(2));
        assert_eq!(count(root.join("a"), 9).await, Ok(1));
        assert_eq!(count(root.join("missing"), 9).await, Ok(0));
    }
}
