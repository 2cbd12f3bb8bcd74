//! Footers on disk, so that one-shot runs over many files start warm.
//!
//! Problem: the footers of ten thousand files are ten thousand reads all over a disk. Those of one
//! table are kept together in a *pack* in the user's cache directory, each with the identity of its
//! file; a footer whose file is no longer the same is not used, and one whose bytes do not match their
//! checksum neither.
//!
//! ```text
//!   pack    magic | table's name | entries             name: hash of the table's name
//!   entry   device, inode, bytes, time of change, CRC of the path | length | CRC | footer
//! ```
//!
//! Packs appear by a rename, so processes never see half of one; the last that writes wins. Together
//! they take [`STORE_BYTES_MAX`] at most: those not used for the longest time go first. Nothing here is
//! an error: a directory that cannot be read or written is a cache without entries. Packs hold bounds
//! of values, so that only their user may read them.

use super::footer::FileId;
use ::bytes::Bytes;
use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// First bytes of a pack; the number is the version of its layout.
const MAGIC: &[u8; 8] = b"skepfot1";
/// What ends the names of packs.
const SUFFIX: &str = "footers";
/// A pack takes at most so much; further footers are left out. Guessed: those of 50,000 files.
const PACK_BYTES_MAX: usize = 64 << 20;
/// All packs together take at most so much. Guessed.
const STORE_BYTES_MAX: u64 = 256 << 20;
/// Bytes of an entry before its footer.
const ENTRY_BYTES: usize = FileId::BYTES + 12;
/// The time of a pack's last use is noted when it is older than this, so that reading seldom writes.
const TOUCH_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A directory of packs.
#[derive(Debug, Clone)]
pub struct FooterStore {
    directory: PathBuf,
    bytes_max: u64,
}

/// The footers of a table as they were when its pack was written.
#[derive(Debug, Default)]
pub(super) struct Pack {
    bytes: Bytes,
    /// By the file's identity and the CRC of its path: the footer's place and CRC.
    entries: HashMap<(FileId, u32), (Range<usize>, u32)>,
}

impl FooterStore {
    /// Packs in `directory`, which is made when the first is written.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory, bytes_max: STORE_BYTES_MAX }
    }

    fn pack_path(&self, table: &str) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        table.hash(&mut hasher);
        self.directory.join(format!("{:016x}.{SUFFIX}", hasher.finish()))
    }

    /// What is known of the table; nothing where there is no pack, or a damaged one.
    pub(super) fn load(&self, table: &str) -> Pack {
        let path = self.pack_path(table);
        let Ok(file) = File::open(&path) else { return Pack::default() };
        let metadata = file.metadata().ok().filter(|metadata| metadata.len() <= PACK_BYTES_MAX as u64);
        let Some(metadata) = metadata else { return Pack::default() };
        if metadata.modified().is_ok_and(|used| !is_recent(used, TOUCH_AFTER)) {
            let _ = file.set_modified(SystemTime::now());
        }
        let Ok(bytes) = fs::read(&path) else { return Pack::default() };
        Pack::parse(bytes.into(), table).unwrap_or_default()
    }

    /// Writes a pack of these footers in place of the table's, as far as there is room.
    pub(super) fn save<'a>(&self, table: &str, entries: impl Iterator<Item = (FileId, &'a Path, Bytes)>) {
        let mut pack = MAGIC.to_vec();
        pack.extend((table.len() as u32).to_le_bytes());
        pack.extend(table.as_bytes());
        for (id, path, footer) in entries {
            // A file may be changed again within the resolution of its time.
            if id.is_settled() && pack.len() + ENTRY_BYTES + footer.len() <= PACK_BYTES_MAX {
                pack.extend(id.to_bytes());
                pack.extend(path_crc(path).to_le_bytes());
                pack.extend((footer.len() as u32).to_le_bytes());
                pack.extend(crc32fast::hash(&footer).to_le_bytes());
                pack.extend_from_slice(&footer);
            }
        }
        if self.write(&self.pack_path(table), &pack).is_ok() {
            self.shrink();
        }
    }

    fn write(&self, path: &Path, pack: &[u8]) -> std::io::Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        let name = format!("{}.{}.writing", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let staged = self.directory.join(name);
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&staged)?;
            file.write_all(pack)?;
            fs::rename(&staged, path)
        };
        write().inspect_err(|_| drop(fs::remove_file(&staged)))
    }

    /// Removes packs that were not used for the longest time, and what dead processes left.
    fn shrink(&self) {
        let Ok(listing) = fs::read_dir(&self.directory) else { return };
        let mut packs = Vec::new();
        for entry in listing.flatten() {
            let path = entry.path();
            let Ok(metadata) = entry.metadata() else { continue };
            let Ok(used) = metadata.modified() else { continue };
            match path.extension().and_then(|extension| extension.to_str()) {
                Some(SUFFIX) => packs.push((used, metadata.len(), path)),
                Some("writing") if !is_recent(used, TOUCH_AFTER) => drop(fs::remove_file(path)),
                _ => {}
            }
        }
        let mut total: u64 = packs.iter().map(|(_, bytes, _)| bytes).sum();
        packs.sort();
        for (_, bytes, path) in packs {
            if total <= self.bytes_max {
                break;
            }
            total -= bytes;
            let _ = fs::remove_file(path);
        }
    }
}

impl Pack {
    /// None: it is not a pack of this table. Entries end where one is cut off.
    fn parse(bytes: Bytes, table: &str) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let name = rest.get(..u32::from_le_bytes(*length) as usize)?;
        if magic != MAGIC || name != table.as_bytes() {
            return None;
        }
        let mut at = magic.len() + length.len() + name.len();
        let mut entries = HashMap::new();
        while let Some(entry) = bytes.get(at..).and_then(<[u8]>::first_chunk::<ENTRY_BYTES>) {
            let (id, rest) = entry.split_first_chunk::<{ FileId::BYTES }>()?;
            let number = |at: usize| rest.get(at..).and_then(<[u8]>::first_chunk::<4>).map(|bytes| u32::from_le_bytes(*bytes));
            let (path, length, crc) = (number(0)?, number(4)? as usize, number(8)?);
            let place = at + ENTRY_BYTES..at + ENTRY_BYTES + length;
            if place.end > bytes.len() {
                break;
            }
            at = place.end;
            entries.insert((FileId::from_bytes(id), path), (place, crc));
        }
        Some(Self { bytes, entries })
    }

    /// The footer of the file at `path`, if it was the same file.
    pub(super) fn get(&self, id: &FileId, path: &Path) -> Option<Bytes> {
        let (place, crc) = self.entries.get(&(*id, path_crc(path)))?;
        let footer = self.bytes.slice(place.clone());
        (crc32fast::hash(&footer) == *crc).then_some(footer)
    }
}

/// Whether `time` is less than `span` ago, or to come.
fn is_recent(time: SystemTime, span: Duration) -> bool {
    time.elapsed().map_or(true, |passed| passed < span)
}

fn path_crc(path: &Path) -> u32 {
    crc32fast::hash(path.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> FileId {
        FileId::for_tests(number)
    }

    fn footer(number: u64) -> Bytes {
        Bytes::from(vec![number as u8; 100 + number as usize])
    }

    fn save(store: &FooterStore, table: &str, numbers: std::ops::Range<u64>) {
        let paths: Vec<PathBuf> = numbers.clone().map(|number| format!("{table}/{number}").into()).collect();
        store.save(table, numbers.zip(&paths).map(|(number, path)| (id(number), path.as_path(), footer(number))));
    }

    #[test]
    fn what_was_saved_is_found_by_identity() {
        let root = tempfile::tempdir().unwrap();
        let store = FooterStore::new(root.path().join("below/it"));
        assert_eq!(store.load("t").get(&id(1), Path::new("t/1")), None);
        save(&store, "t", 0..40);
        let pack = store.load("t");
        for number in 0..40 {
            assert_eq!(pack.get(&id(number), Path::new(&format!("t/{number}"))), Some(footer(number)));
        }
        assert_eq!(pack.get(&id(50), Path::new("t/5")), None, "another file at the same path");
        assert_eq!(pack.get(&id(5), Path::new("u/5")), None, "the same file under another name");
        assert!(store.load("u").entries.is_empty());
        save(&store, "t", 3..5);
        assert_eq!(store.load("t").entries.len(), 2);
    }

    #[test]
    fn damaged_packs_have_no_entries_or_fewer() {
        let root = tempfile::tempdir().unwrap();
        let store = FooterStore::new(root.path().to_path_buf());
        save(&store, "t", 0..3);
        let path = store.pack_path("t");
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 4;
            for bytes in [&damaged[..], &whole[..at]] {
                let Some(pack) = Pack::parse(Bytes::copy_from_slice(bytes), "t") else { continue };
                for number in 0..3 {
                    let found = pack.get(&id(number), Path::new(&format!("t/{number}")));
                    assert!(found.is_none_or(|found| found == footer(number)), "byte {at}");
                }
            }
        }
        // A pack of another table under the same name.
        fs::rename(&path, store.pack_path("other")).unwrap();
        assert!(store.load("other").entries.is_empty());
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_no_error() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "x").unwrap();
        let store = FooterStore::new(file);
        save(&store, "t", 0..3);
        assert!(store.load("t").entries.is_empty());
    }

    #[test]
    fn old_packs_make_room() {
        let root = tempfile::tempdir().unwrap();
        let mut store = FooterStore::new(root.path().to_path_buf());
        store.bytes_max = 15_000;
        for (number, table) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
            save(&store, table, 0..30);
            let used = SystemTime::now() - Duration::from_secs(1000 - number as u64);
            File::open(store.pack_path(table)).unwrap().set_modified(used).unwrap();
        }
        let kept: Vec<&str> = ["a", "b", "c", "d", "e"].into_iter().filter(|table| store.pack_path(table).exists()).collect();
        assert!(!kept.is_empty() && kept.len() < 5 && kept.last() == Some(&"e"), "{kept:?}");
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(store.pack_path("e")).unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "readable by others");
    }
}
