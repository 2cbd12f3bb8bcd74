//! The footers of the files of a table.
//!
//! Problem: planning wants all footers of a table, and there may be ten thousand files. A bounded
//! pool of threads takes file after file, each of which is open only while its footer is read. What
//! this process has read before comes from memory, and what an earlier one has from the user's cache
//! directory ([`FooterStore`]): one file for the whole table instead of one read a file.
//!
//! ```text
//!   paths ──identity──> in memory? ──> in the table's pack? ──> read from the file
//!                                                └──<── written if some were missing
//! ```

use super::footer::{FileId, Footer};
use super::footer_store::{FooterStore, Pack};
use crate::error::{Error, Result};
use ::bytes::Bytes;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Footers are read by several threads, and kept on disk, from this many files on. Guessed.
const MANY_FILES: usize = 16;
/// Threads that read footers, at most: they wait for the disk, not for a core. Guessed: disks answer
/// about so many requests at a time.
const THREADS_MAX: usize = 16;

/// One footer, its file's identity, and its bytes if they are to be written to the pack.
type Read = (FileId, Arc<Footer>, Option<Bytes>);

/// The footers of `paths`, the files of the table called `table`, in their order. The first error in
/// that order wins.
pub fn open_footers(table: &str, paths: &[PathBuf], store: Option<&FooterStore>) -> Result<Vec<(FileId, Arc<Footer>)>> {
    if paths.len() < MANY_FILES {
        return paths.iter().map(|path| Footer::open(path)).collect();
    }
    // Read when the first footer is not in memory.
    let pack = store.map(|store| (store, OnceLock::new()));
    let known = || pack.as_ref().map(|(store, pack)| pack.get_or_init(|| store.load(table)));
    let missing = AtomicBool::new(false);
    let one = |path: &PathBuf| -> Result<Read> {
        let id = FileId::of(path)?;
        if let Some(footer) = Footer::cached(&id) {
            return Ok((id, footer, None));
        }
        let Some(pack) = known() else {
            let (id, footer) = Footer::open(path)?;
            return Ok((id, footer, None));
        };
        if let Some(bytes) = pack.get(&id, path)
            && let Ok(footer) = Footer::from_bytes(id, &bytes)
        {
            return Ok((id, footer, Some(bytes)));
        }
        missing.store(true, Ordering::Relaxed);
        let (id, footer, bytes) = Footer::read_file(path)?;
        Ok((id, footer, Some(bytes)))
    };
    let read = in_parallel(paths, &one)?;
    if let Some((store, pack)) = &pack
        && missing.load(Ordering::Relaxed)
    {
        let entries = paths.iter().zip(&read).filter_map(|(path, (id, _, bytes))| {
            // Those that were in memory may be in the pack.
            let bytes = bytes.clone().or_else(|| pack.get().and_then(|pack: &Pack| pack.get(id, path)))?;
            Some((*id, path.as_path(), bytes))
        });
        store.save(table, entries);
    }
    Ok(read.into_iter().map(|(id, footer, _)| (id, footer)).collect())
}

/// Does `work` for each path with several threads.
fn in_parallel<T: Send>(paths: &[PathBuf], work: &(dyn Fn(&PathBuf) -> Result<T> + Sync)) -> Result<Vec<T>> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let threads = (cores * 4).min(THREADS_MAX).min(paths.len() / 4).max(1);
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let run = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            // Files behind one that failed do not matter.
            if number >= paths.len() || number > failed.load(Ordering::Relaxed) {
                return done;
            }
            let result = work(&paths[number]);
            if result.is_err() {
                failed.fetch_min(number, Ordering::Relaxed);
            }
            done.push((number, result));
        }
    };
    let mut all = Vec::with_capacity(paths.len());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        for worker in workers {
            all.extend(worker.join().map_err(|_| Error::internal("reading a footer panicked"))?);
        }
        Ok::<_, Error>(())
    })?;
    all.sort_unstable_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use std::fs::{self, File};
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    /// A file of so many rows, changed an hour ago.
    fn write(path: &Path, rows: i64) {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        testing::write(path, &[RecordBatch::try_from_iter([("n", column)]).unwrap()], 1000);
        let file = File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    }

    #[test]
    fn footers_are_kept_on_disk_and_used_while_files_are_the_same() {
        let root = tempfile::tempdir().unwrap();
        let store = FooterStore::new(root.path().join("store"));
        let path = |name: String| root.path().join(name);
        let paths: Vec<PathBuf> = (0..20).map(|number| path(format!("{number}.parquet"))).collect();
        paths.iter().for_each(|path| write(path, 300));
        let total = |table: &str, paths: &[PathBuf], store: &FooterStore| -> usize {
            let footers = open_footers(table, paths, Some(store)).unwrap();
            footers.iter().map(|(_, footer)| footer.total_rows()).sum()
        };
        assert_eq!(total("t", &paths, &store), 6000);
        let pack = store.load("t");
        for path in &paths {
            assert!(pack.get(&FileId::of(path).unwrap(), path).is_some());
        }
        // What is in the pack is believed: here it is the footer of a smaller file.
        let others: Vec<PathBuf> = (0..20).map(|number| path(format!("other{number}.parquet"))).collect();
        others.iter().for_each(|path| write(path, 300));
        write(&path("small".into()), 7);
        let (_, _, small) = Footer::read_file(&path("small".into())).unwrap();
        let ids: Vec<FileId> = others.iter().map(|path| FileId::of(path).unwrap()).collect();
        store.save("u", ids.iter().zip(&others).map(|(id, path)| (*id, path.as_path(), small.clone())));
        // But not for a file that was replaced since, nor where its bytes make no footer.
        fs::remove_file(&others[3]).unwrap();
        write(&others[3], 500);
        assert_eq!(total("u", &others, &store), 19 * 7 + 500);
        let garbage: Vec<PathBuf> = (0..20).map(|number| path(format!("garbage{number}.parquet"))).collect();
        garbage.iter().for_each(|path| write(path, 10));
        let ids: Vec<FileId> = garbage.iter().map(|path| FileId::of(path).unwrap()).collect();
        store.save("v", ids.iter().zip(&garbage).map(|(id, path)| (*id, path.as_path(), Bytes::from_static(b"none"))));
        assert_eq!(total("v", &garbage, &store), 200);
    }

    #[test]
    fn files_that_were_just_changed_are_not_kept() {
        let root = tempfile::tempdir().unwrap();
        let store = FooterStore::new(root.path().join("store"));
        let paths: Vec<PathBuf> = (0..20).map(|number| root.path().join(format!("{number}.parquet"))).collect();
        paths.iter().for_each(|path| write(path, 3));
        File::options().append(true).open(&paths[5]).unwrap().set_modified(SystemTime::now()).unwrap();
        open_footers("t", &paths, Some(&store)).unwrap();
        let pack = store.load("t");
        let known = |path: &PathBuf| pack.get(&FileId::of(path).unwrap(), path).is_some();
        assert_eq!(paths.iter().filter(|path| known(path)).count(), 19);
        assert!(!known(&paths[5]));
    }

    #[test]
    fn results_come_in_order_and_the_first_error_wins() {
        let paths: Vec<PathBuf> = (0..200).map(|number| PathBuf::from(number.to_string())).collect();
        let number = |path: &PathBuf| path.to_str().and_then(|text| text.parse::<usize>().ok()).unwrap();
        let all = in_parallel(&paths, &|path| Ok(number(path))).unwrap();
        assert_eq!(all, (0..200).collect::<Vec<_>>());
        let error = in_parallel(&paths, &|path| match number(path) {
            few if few < 50 => Ok(few),
            many => Err(Error::data(format!("file {many}"))),
        });
        assert_eq!(error.unwrap_err().message(), "file 50");
    }
}
