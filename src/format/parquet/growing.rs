//! The bytes of a Snappy page, decompressed as far as they are wanted.
//!
//! Problem: of a page, or of a dictionary, only the first part may be wanted: up to the last row that
//! is left, up to the largest code. Snappy is decoded from the front to the back, so the decoder can
//! stop anywhere and go on later. Memory for the whole page is taken once and not touched before it
//! is written, so what was given out stays where it is while more is written behind it.
//!
//! ```text
//!   page   | given out ......... | more, if it is wanted ......... | slop |
//!          start              written                           length
//! ```
//!
//! Cost: a reference count and a small allocation each time; the decoder's look at what kind of data
//! it has. Damage behind what is wanted is not seen.

use super::snappy::{self, Damaged, SLOP};
use ::bytes::Bytes;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::Arc;

/// A page of which a first part is decompressed.
pub(super) struct Growing {
    block: Bytes,
    length: usize,
    /// How far the block was read, and how many bytes are written.
    place: (usize, usize),
    complete: bool,
    memory: Arc<Memory>,
}

/// Memory that one [`Growing`] writes, from the front to the back, while readers see what is written.
struct Memory {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: nothing in it belongs to a thread. Readers see bytes that are never written again.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout, and whoever could see it held a count of it.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

/// The first bytes of the memory, all of them written.
struct Prefix {
    memory: Arc<Memory>,
    written: usize,
}

impl AsRef<[u8]> for Prefix {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: so many bytes were written before this was made, and are not written again.
        unsafe { std::slice::from_raw_parts(self.memory.start.as_ptr(), self.written) }
    }
}

impl Growing {
    /// A page of `length` bytes, which must have been found possible for so short a block.
    pub(super) fn new(block: Bytes, length: usize) -> Result<Self, Damaged> {
        if snappy::promised(&block) != Some(length as u64) {
            return Err(Damaged);
        }
        let layout = length.checked_add(SLOP).and_then(|bytes| Layout::from_size_align(bytes, 16).ok()).ok_or(Damaged)?;
        // SAFETY: the layout is at least `SLOP` bytes long.
        let start = NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout));
        Ok(Self { block, length, place: (0, 0), complete: false, memory: Arc::new(Memory { start, layout }) })
    }

    /// Bytes of the whole page.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// The block that is decompressed.
    pub(super) fn block(&self) -> &Bytes {
        &self.block
    }

    /// Decompresses the first `bytes` bytes, or all where there are fewer.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Damaged> {
        if self.complete || bytes < self.length && bytes <= self.place.1 {
            return Ok(());
        }
        let (start, stop) = (self.memory.start.as_ptr(), bytes.min(self.length));
        // SAFETY: `length + SLOP` bytes are there, of which others see those before the place only;
        // only this value, which is not shared, writes behind it.
        self.place = unsafe { snappy::resume(&self.block, self.length, self.place, start, stop) }?;
        // Only then the end of the block was looked at.
        self.complete = stop == self.length;
        Ok(())
    }

    /// What is decompressed so far.
    pub(super) fn prefix(&self) -> Bytes {
        Bytes::from_owner(Prefix { memory: self.memory.clone(), written: self.place.1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    /// Text of words, numbers in little-endian bytes, and bytes without any pattern.
    fn contents(random: &mut StdRng) -> Vec<Vec<u8>> {
        let words: Vec<String> = (0..200).map(|n| format!("word{} ", n * n % 977)).collect();
        let text = (0..9000).flat_map(|_| words[random.random_range(0..words.len())].bytes()).collect();
        let numbers = (0..7000u64).flat_map(|n| (n * 3 + random.random_range(0..50)).to_le_bytes()).collect();
        let noise = (0..30_000).map(|_| random.random::<u8>()).collect();
        vec![text, numbers, noise, b"short".to_vec(), Vec::new()]
    }

    #[test]
    fn parts_are_the_front_of_what_snap_gives() {
        let mut random = StdRng::seed_from_u64(41);
        for bytes in contents(&mut random) {
            let block = Bytes::from(snap::raw::Encoder::new().compress_vec(&bytes).unwrap());
            let expected = snap::raw::Decoder::new().decompress_vec(&block).unwrap();
            for step in [1usize, 7, 100, 5000, 1 << 20] {
                let mut page = Growing::new(block.clone(), expected.len()).unwrap();
                let mut seen = Vec::new();
                let mut wanted = 0;
                while wanted < expected.len() {
                    wanted += random.random_range(1..=step * 2);
                    page.grow(wanted).unwrap();
                    let prefix = page.prefix();
                    assert!(prefix.len() >= wanted.min(expected.len()) && prefix.len() <= expected.len());
                    assert!(prefix == expected[..prefix.len()], "{wanted} of {}", expected.len());
                    seen.push(prefix);
                }
                // What was given out earlier is as it was, also when the page is gone.
                drop(page);
                assert!(seen.iter().all(|prefix| *prefix == expected[..prefix.len()]));
            }
        }
    }

    #[test]
    fn damage_is_found_when_it_is_reached() {
        let mut random = StdRng::seed_from_u64(42);
        for bytes in contents(&mut random).into_iter().take(3) {
            let block = snap::raw::Encoder::new().compress_vec(&bytes).unwrap();
            assert!(Growing::new(Bytes::from(block.clone()), bytes.len() + 1).is_err(), "another length");
            for _ in 0..300 {
                let mut damaged = block.clone();
                let at = random.random_range(3..damaged.len());
                damaged[at] ^= 1 << random.random_range(0..8);
                if random.random() {
                    damaged.truncate(at);
                }
                let whole = snap::raw::Decoder::new().decompress_vec(&damaged);
                let mut page = Growing::new(Bytes::from(damaged), bytes.len()).unwrap();
                let mut failed = false;
                for wanted in (0..=bytes.len()).step_by(bytes.len() / 9).chain([bytes.len()]) {
                    failed = page.grow(wanted).is_err();
                    if failed {
                        break;
                    }
                    let prefix = page.prefix();
                    if let Ok(whole) = &whole {
                        assert!(prefix == whole[..prefix.len()]);
                    }
                }
                assert_eq!(failed, whole.is_err());
            }
        }
    }
}
