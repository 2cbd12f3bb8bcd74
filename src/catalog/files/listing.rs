//! Which files a path, directory or glob stands for.

use super::escape::unescape_partition;
use crate::error::{Error, Result};
use std::path::{Component, Path, PathBuf};

/// Directories below each other, at most: symbolic links may run in circles.
const DEPTH_MAX: usize = 64;

/// A file found.
#[derive(Debug)]
pub(in crate::catalog) struct Listed {
    pub(in crate::catalog) path: PathBuf,
    /// Names and raw values of `k=v` directories on the way to it, outermost first.
    pub(in crate::catalog) partition: Vec<(String, String)>,
}

/// The data files of `path_or_glob`, sorted by path.
pub(in crate::catalog) fn list(path_or_glob: &str) -> Result<Vec<Listed>> {
    let path = Path::new(path_or_glob);
    let mut found = Vec::new();
    let base = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            walk(path, 0, &mut found)?;
            path.to_path_buf()
        }
        Ok(_) => return Ok(vec![Listed { path: path.to_path_buf(), partition: Vec::new() }]),
        Err(error) if !path_or_glob.contains(['*', '?', '[']) => return Err(Error::io("open", path, error)),
        Err(_) => expand(path_or_glob, &mut found)?,
    };
    if found.is_empty() {
        return Err(Error::data(format!("no data files in {path_or_glob}"))
            .with_hint("names that start with '_' or '.' are not read as data"));
    }
    found.sort();
    Ok(found.into_iter().map(|path| Listed { partition: partition_of(&path, &base), path }).collect())
}

/// The data files below a directory, sorted by path; there may be none.
pub(in crate::catalog) fn list_directory(path: &Path) -> Result<Vec<Listed>> {
    let mut found = Vec::new();
    walk(path, 0, &mut found)?;
    found.sort();
    Ok(found.into_iter().map(|file| Listed { partition: partition_of(&file, path), path: file }).collect())
}

/// The `key=value` directories of a table, `depth` below each other, with and without files; sorted.
pub(in crate::catalog) fn partition_directories(path: &Path, depth: usize) -> Result<Vec<PathBuf>> {
    let mut level = vec![path.to_path_buf()];
    for _ in 0..depth {
        let mut next = Vec::new();
        for directory in &level {
            let failed = |error| Error::io("list", directory, error);
            for entry in std::fs::read_dir(directory).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.contains('=') && !is_hidden_directory(&name) && entry.path().is_dir() {
                    next.push(entry.path());
                }
            }
        }
        level = next;
    }
    level.sort();
    Ok(level.into_iter().filter_map(|below| below.strip_prefix(path).ok().map(Path::to_path_buf)).collect())
}

/// Adds what a glob matches; returns the directory before its first wildcard.
fn expand(pattern: &str, found: &mut Vec<PathBuf>) -> Result<PathBuf> {
    let bad = |error: glob::PatternError| Error::config(format!("the pattern {pattern} is wrong: {}", error.msg));
    let options = glob::MatchOptions { require_literal_separator: true, require_literal_leading_dot: true, case_sensitive: true };
    let mut any = false;
    for entry in glob::glob_with(pattern, options).map_err(bad)? {
        let path = entry.map_err(|error| {
            let path = error.path().to_path_buf();
            Error::io("read", &path, error.into())
        })?;
        any = true;
        let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        if path.is_dir() {
            if !is_hidden_directory(&name) {
                walk(&path, 1, found)?;
            }
        } else if !is_hidden_file(&name) {
            found.push(path);
        }
    }
    if !any {
        let none = std::io::Error::new(std::io::ErrorKind::NotFound, "no file matches the pattern");
        return Err(Error::io("open", Path::new(pattern), none));
    }
    let literal = |component: &Component<'_>| !component.as_os_str().to_string_lossy().contains(['*', '?', '[']);
    Ok(Path::new(pattern).components().take_while(literal).collect())
}

fn walk(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    if depth > DEPTH_MAX {
        return Err(Error::data(format!("directories lie more than {DEPTH_MAX} deep in {}", directory.display())));
    }
    let failed = |error| Error::io("list", directory, error);
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        // Through links: what a link points to counts.
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if is_hidden_file(&name) && error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io("open", &path, error)),
        };
        if metadata.is_dir() {
            refuse_table_formats(directory, &path, &name)?;
            if !is_hidden_directory(&name) {
                walk(&path, depth + 1, found)?;
            }
        } else if !is_hidden_file(&name) {
            found.push(path);
        }
    }
    Ok(())
}

/// Formats that say in files of their own which data files count: reading all would be wrong.
fn refuse_table_formats(table: &Path, path: &Path, name: &str) -> Result<()> {
    let refuse = |what: &str| Err(Error::unsupported(format!("{what} ({})", table.display())));
    if name == "_delta_log" {
        return refuse("a Delta Lake table");
    }
    if name == ".hoodie" {
        return refuse("a Hudi table");
    }
    if name == "metadata" {
        let mut entries = std::fs::read_dir(path).map_err(|error| Error::io("list", path, error))?;
        if entries.any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().ends_with(".metadata.json"))) {
            return refuse("an Iceberg table");
        }
    }
    let acid = ["delete_delta_", "delta_", "base_"]
        .iter()
        .any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit())));
    if acid {
        return refuse("a Hive ACID table");
    }
    Ok(())
}

fn is_hidden_file(name: &str) -> bool {
    name.starts_with(['_', '.']) || name.ends_with(".crc") || name.ends_with("._COPYING_")
}

fn is_hidden_directory(name: &str) -> bool {
    name.starts_with('.') || (name.starts_with('_') && !name.contains('='))
}

fn partition_of(path: &Path, base: &Path) -> Vec<(String, String)> {
    let directories = path.strip_prefix(base).ok().and_then(Path::parent).into_iter().flat_map(Path::components);
    directories
        .filter_map(|component| {
            let name = component.as_os_str().to_string_lossy();
            let (key, value) = name.split_once('=')?;
            (!key.is_empty()).then(|| (unescape_partition(key), unescape_partition(value)))
        })
        .collect()
}
