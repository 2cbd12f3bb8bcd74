//! Snappy's raw block format, decompressed.
//!
//! Problem: a block is a chain of tags, each a literal or a copy of earlier output, and where the
//! next tag stands is known only from this one. A plain decoder waits for a load, some arithmetic
//! and a guessed branch a tag, some 13 cycles for 6 bytes. The idea: for a window of 128 input bytes
//! compute, with vector instructions, where the next tag would stand if a tag stood at each byte;
//! then following the chain is one load from a table a step. Where literals and copies alternate
//! (numbers), a step takes both. The bytes move 16 at a time, whatever the length is, into slop
//! behind the output.
//!
//! ```text
//!   input      |L2 a b|C6 ..|L1 a|C7 ..|L2 a b|C6 ..        (a literal, a copy, ..)
//!   next        3      5     7    9     12
//!   in pairs    5 ───────────9 ──────────14 ──────>         one load a pair
//! ```
//!
//! Cost: 2.5 cycles an input byte, measured on TPC-H `lineitem` at twice the speed of the `snap`
//! crate; about 30 vector instructions a window. What is rare (long, near or damaged) goes through
//! [`Ends::step`], which checks everything. Format: google/snappy, `format_description.txt`.

use std::{hint, ptr};

/// Input bytes that are looked at together. Measured: 64 and 192 are both slower.
const WINDOW: usize = 128;
/// The literal of a pair is at most 4 bytes long: the copy's tag is at most 5 bytes further on.
const PAIR_BYTES_MAX: usize = 5;
/// [`WINDOW`] and a margin in which the tag of the last pair's copy lies; a multiple of 16.
const PLANNED: usize = WINDOW + 16;
/// A window is used where this much input is left: what the furthest tag that starts in it reads.
const INPUT_MIN: usize = WINDOW + 160;
/// Bytes behind the output that may be overwritten.
pub(super) const SLOP: usize = 96;
/// After this many windows it is looked again which way of walking suits. Guessed; looking costs
/// about one part in a hundred.
const PROBE_WINDOWS: u32 = 128;

/// Per tag: the length, 255 where the fast paths do not take the tag; from bit 16 what is added to
/// the offset; from bit 32 the mask of the offset's bytes.
const TAGS: [u64; 256] = tags(false);
/// The same for walking single tags: a literal counts as a copy from far enough away.
const SINGLE_TAGS: [u64; 256] = tags(true);
/// Per tag: a short literal's length, and from bit 8 the bits up to the tag after it.
const SHORT_LITERALS: [u16; 256] = short_literals();

const fn tags(literals: bool) -> [u64; 256] {
    let mut table = [0; 256];
    let mut tag = 0;
    while tag < 256 {
        let high = tag as u64 >> 2;
        table[tag] = match tag & 3 {
            0 if literals => (high + 1) | (16 << 16),
            1 => ((high & 7) + 4) | ((high >> 3) << 24) | (0xff << 32),
            2 => (high + 1) | (0xffff << 32),
            _ => 255,
        };
        tag += 1;
    }
    table
}

const fn short_literals() -> [u16; 256] {
    let mut table = [0; 256];
    let mut length = 1;
    while length < PAIR_BYTES_MAX {
        table[(length - 1) << 2] = (length | ((8 * (length + 1)) << 8)) as u16;
        length += 1;
    }
    table
}

/// The block is damaged, or not of the length it should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damaged;

/// Appends the `length` bytes that `block` holds to `out`; on an error `out` stays as it was.
pub(super) fn decompress(block: &[u8], length: usize, out: &mut Vec<u8>) -> Result<(), Damaged> {
    decompress_by(block, length, out, Ends::run)
}

/// Takes tags of `block`, a block of `length` bytes, from `place` on until `stop` bytes are written, or
/// all. A place is offsets in the block and in its output; (0, 0) is the start. Returns how far it
/// came, which may be some bytes more than `stop`; damage behind that is not seen.
///
/// # Safety
///
/// `start` is followed by `length` + [`SLOP`] bytes that nobody else reads or writes from `place` on.
/// `place` is (0, 0) or was returned for the same block and output.
pub(super) unsafe fn resume(
    block: &[u8],
    length: usize,
    place: (usize, usize),
    start: *mut u8,
    stop: usize,
) -> Result<(usize, usize), Damaged> {
    let (promised, header) = varint(block).ok_or(Damaged)?;
    if promised != length as u64 {
        return Err(Damaged);
    }
    let input = block.as_ptr_range();
    // SAFETY: the offsets lie in the block and in the output, as the caller makes sure of.
    let place = unsafe { Place { at: input.start.add(place.0.max(header)), to: start.add(place.1) } };
    // SAFETY: `start` is followed by `length` bytes and more.
    let (output, stop) = unsafe { (start.add(length), start.add(stop.min(length))) };
    let after = Ends { input: input.end, start, output }.run_to(place, stop)?;
    if after.to > output {
        return Err(Damaged);
    }
    Ok((after.at as usize - input.start as usize, after.to as usize - start as usize))
}

fn decompress_by(
    block: &[u8],
    length: usize,
    out: &mut Vec<u8>,
    run: impl FnOnce(Ends, Place) -> Result<(), Damaged>,
) -> Result<(), Damaged> {
    let (promised, header) = varint(block).ok_or(Damaged)?;
    if promised != length as u64 {
        return Err(Damaged);
    }
    out.reserve(length + SLOP);
    let target = out.spare_capacity_mut();
    let start = target.as_mut_ptr().cast::<u8>();
    let input = block[header..].as_ptr_range();
    // SAFETY: `start` is followed by `length + SLOP` bytes that nobody else sees.
    let ends = Ends { input: input.end, start, output: unsafe { start.add(length) } };
    run(ends, Place { at: input.start, to: start })?;
    // SAFETY: `run` has written all of the `length` bytes from `start` on.
    unsafe { out.set_len(out.len() + length) };
    Ok(())
}

/// The length that a block says it has.
pub(super) fn promised(block: &[u8]) -> Option<u64> {
    varint(block).map(|(length, _)| length)
}

/// The number that `bytes` start with, and how many bytes it takes.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            return Some((value, index + 1));
        }
    }
    None
}

/// Where reading and writing stand: `at <= input` and `start <= to <= output + 68` always, and all
/// bytes from `start` to `to` are written. Apart from [`Ends`] so that it stays in registers.
#[derive(Clone, Copy)]
struct Place {
    at: *const u8,
    to: *mut u8,
}

/// The end of the input, the start of the output and its end, which [`SLOP`] bytes follow.
#[derive(Clone, Copy)]
struct Ends {
    input: *const u8,
    start: *mut u8,
    output: *mut u8,
}

impl Ends {
    /// Takes all tags; an error unless they fill the output exactly.
    fn run(self, place: Place) -> Result<(), Damaged> {
        self.run_to(place, self.output).map(|_| ())
    }

    /// Takes tags until `stop` is reached; with `stop` at the end of the output, all of them.
    fn run_to(self, place: Place, stop: *mut u8) -> Result<Place, Damaged> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2") {
            // SAFETY: the processor has both.
            return unsafe { self.run_avx2(place, stop) };
        }
        self.run_anywhere(place, stop)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi2")]
    fn run_avx2(self, place: Place, stop: *mut u8) -> Result<Place, Damaged> {
        self.run_anywhere(place, stop)
    }

    #[inline(always)]
    fn run_anywhere(self, mut place: Place, stop: *mut u8) -> Result<Place, Damaged> {
        // The fast paths rely on 16 bytes of output before them.
        while self.written(place.to) < 16 && self.input_left(place.at) > 0 {
            place = self.step(place.at, place.to)?;
        }
        let mut next = [0; PLANNED];
        let mut pairs = [0; WINDOW];
        let (mut windows, mut in_pairs) = (0, false);
        while self.input_left(place.at) >= INPUT_MIN && place.to < stop {
            // SAFETY: at least `INPUT_MIN > PLANNED` bytes of input are left.
            let input: &[u8; PLANNED] = unsafe { &*place.at.cast() };
            plan(input, &mut next);
            if windows == 0 {
                windows = PROBE_WINDOWS;
                in_pairs = alternates(input, &next);
            }
            windows -= 1;
            place = if in_pairs {
                plan_pairs(input, &next, &mut pairs);
                self.walk_pairs(place, &pairs)?
            } else {
                self.walk_single(place, &next)?
            };
        }
        if stop < self.output {
            while self.input_left(place.at) > 0 && place.to < stop {
                place = self.step(place.at, place.to)?;
            }
            return if place.to >= stop { Ok(place) } else { Err(Damaged) };
        }
        while self.input_left(place.at) > 0 {
            place = self.step(place.at, place.to)?;
        }
        if place.to == self.output { Ok(place) } else { Err(Damaged) }
    }

    #[inline(always)]
    fn written(&self, to: *mut u8) -> usize {
        to as usize - self.start as usize
    }

    #[inline(always)]
    fn input_left(&self, at: *const u8) -> usize {
        self.input as usize - at as usize
    }

    /// Takes the tags of one window one by one. [`INPUT_MIN`] bytes of input are left.
    #[inline(always)]
    fn walk_single(self, place: Place, next: &[u8; PLANNED]) -> Result<Place, Damaged> {
        let (window, mut to) = (place.at, place.to);
        let mut position = 0;
        while position < WINDOW {
            // SAFETY: a tag that starts in the window, and 16 bytes behind it, lie in the input. A copy
            // starts at or behind `start`, at least 16 bytes before `to`: all of its 16 bytes are
            // written. Writing starts before `output`, so that it stays within the slop.
            unsafe {
                let at = window.add(position);
                let word = u32::from_le(at.cast::<u32>().read_unaligned()) as usize;
                let tag = SINGLE_TAGS[word & 0xff] as usize;
                let length = tag & 0xff;
                let offset = ((word >> 8) & (tag >> 32)) + ((tag >> 16) & 0xffff);
                if length > 16 || offset.wrapping_sub(16) > self.written(to) - 16 || to >= self.output {
                    let after = self.step(at, to)?;
                    to = after.to;
                    position = next[position] as usize;
                    if after.at != window.add(position) {
                        return Ok(after);
                    }
                    continue;
                }
                // Which of both is as good as random in text: no branch.
                let source = hint::select_unpredictable(word & 3 == 0, at.add(1), to.wrapping_sub(offset).cast_const());
                copy::<16>(source, to);
                to = to.add(length);
                position = next[position] as usize;
            }
        }
        // SAFETY: the last tag started in the window and is at most 65 bytes long.
        Ok(Place { at: unsafe { window.add(position) }, to })
    }

    /// Takes the tags of one window, a short literal and the copy behind it at a time. [`INPUT_MIN`]
    /// bytes of input are left.
    #[inline(always)]
    fn walk_pairs(self, place: Place, pairs: &[u8; WINDOW]) -> Result<Place, Damaged> {
        let (window, mut to) = (place.at, place.to);
        let mut position = 0;
        let mut eights_end = self.start as usize;
        while position < WINDOW {
            // SAFETY: as in `walk_single`; the literal before the copy adds at most 4 bytes, and up to
            // 16 bytes from its start on are written, which `to <= output + 67` leaves room for.
            unsafe {
                let at = window.add(position);
                let word = u64::from_le(at.cast::<u64>().read_unaligned());
                let literal = SHORT_LITERALS[word as usize & 0xff] as usize;
                copy::<16>(at.add(1), to);
                to = to.add(literal & 0xff);
                let word = (word >> (literal >> 8)) as usize;
                let tag = TAGS[word & 0xff] as usize;
                let length = tag & 0xff;
                let offset = ((word >> 8) & (tag >> 32)) + ((tag >> 16) & 0xffff);
                if length <= 16 && offset.wrapping_sub(16) <= self.written(to) - 16 && to < self.output {
                    copy::<16>(to.sub(offset), to);
                    to = to.add(length);
                    position = pairs[position] as usize;
                } else if offset == 8 && length <= 64 && to < self.output {
                    if length > 16 {
                        // Runs of one number.
                        let last = to.sub(8).cast::<u64>().read_unaligned();
                        to.cast::<[u64; 8]>().write_unaligned([last; 8]);
                        to = to.add(length);
                        position = pairs[position] as usize;
                    } else if to as usize - eights_end <= 8 {
                        (position, to) = self.walk_eights(window, position, length, to, pairs);
                    } else {
                        copy::<8>(to.sub(8), to);
                        copy::<8>(to, to.add(8));
                        to = to.add(length);
                        position = pairs[position] as usize;
                    }
                    eights_end = to as usize;
                } else {
                    let after = self.step(at.add(literal >> 11), to)?;
                    to = after.to;
                    position = pairs[position] as usize;
                    if after.at != window.add(position) {
                        return Ok(after);
                    }
                }
            }
        }
        // SAFETY: the last tag started in the window or behind a short literal that did.
        Ok(Place { at: unsafe { window.add(position) }, to })
    }

    /// Pairs whose copies all repeat the last 8 bytes, as in sorted numbers: those are held in a
    /// register, since loading what was stored in pieces just before makes the processor wait. Starts
    /// with a copy of `length` bytes at `to < output` that belongs to the pair at `position`.
    ///
    /// # Safety
    ///
    /// As in `walk_pairs`.
    #[inline(always)]
    unsafe fn walk_eights(
        self,
        window: *const u8,
        mut position: usize,
        mut length: usize,
        mut to: *mut u8,
        pairs: &[u8; WINDOW],
    ) -> (usize, *mut u8) {
        // SAFETY: at least 16 bytes are written before `to`; otherwise as in `walk_pairs`.
        unsafe {
            let mut last = u64::from_le(to.sub(8).cast::<u64>().read_unaligned());
            loop {
                to.cast::<[u64; 2]>().write_unaligned([last.to_le(); 2]);
                to = to.add(length);
                last = last.rotate_right(8 * (length as u32 & 7));
                position = pairs[position] as usize;
                if position >= WINDOW {
                    return (position, to);
                }
                let word = u64::from_le(window.add(position).cast::<u64>().read_unaligned());
                let literal = SHORT_LITERALS[word as usize & 0xff] as usize;
                let copy = (word >> (literal >> 8)) as usize;
                let tag = TAGS[copy & 0xff] as usize;
                let offset = ((copy >> 8) & (tag >> 32)) + ((tag >> 16) & 0xffff);
                length = tag & 0xff;
                let bytes = literal & 0xff;
                // A literal of up to 4 bytes must leave `to` before `output`.
                if bytes == 0 || offset != 8 || length > 16 || to.wrapping_add(4) >= self.output {
                    return (position, to);
                }
                to.cast::<u64>().write_unaligned((word >> 8).to_le());
                to = to.add(bytes);
                last = (last >> (8 * bytes)) | ((word >> 8) << (64 - 8 * bytes));
            }
        }
    }

    /// Takes any tag, checking everything.
    #[inline(never)]
    fn step(&self, mut at: *const u8, mut to: *mut u8) -> Result<Place, Damaged> {
        if to > self.output || at >= self.input {
            return Err(Damaged);
        }
        let room = self.output as usize - to as usize;
        // SAFETY: every read is preceded by a check of `input_left`, every write by one of `room`, every
        // copy by one of `written`; the wide ones that write more than `length` have `room` for it.
        unsafe {
            let tag = *at;
            at = at.add(1);
            let high = usize::from(tag >> 2);
            if tag & 3 == 0 {
                let mut length = high + 1;
                if length > 60 {
                    (at, length) = self.number(at, high - 59)?;
                    length += 1;
                }
                let left = self.input_left(at);
                if length > left || length > room {
                    return Err(Damaged);
                }
                if length <= 64 && room >= 64 && left >= 64 {
                    copy::<32>(at, to);
                    copy::<32>(at.add(32), to.add(32));
                } else {
                    ptr::copy_nonoverlapping(at, to, length);
                }
                return Ok(Place { at: at.add(length), to: to.add(length) });
            }
            let (length, more) = if tag & 3 == 1 { ((high & 7) + 4, (high >> 3) << 8) } else { (high + 1, 0) };
            let offset;
            (at, offset) = self.number(at, [0, 1, 2, 4][usize::from(tag & 3)])?;
            let offset = offset + more;
            if offset == 0 || offset > self.written(to) || length > room {
                return Err(Damaged);
            }
            let source = to.sub(offset).cast_const();
            if offset >= 16 && room >= 64 {
                for part in (0..length).step_by(16) {
                    copy::<16>(source.add(part), to.add(part));
                }
            } else {
                // The shortest repetition of the pattern that has at least 8 bytes.
                let period = offset * 8usize.div_ceil(offset);
                let head = if offset < 8 { length.min(period) } else { 0 };
                for index in 0..head {
                    *to.add(index) = *source.add(index);
                }
                let mut done = head;
                while done < length && room - done >= 8 {
                    copy::<8>(to.add(done).sub(period), to.add(done));
                    done += 8;
                }
                for index in done..length {
                    *to.add(index) = *source.add(index);
                }
            }
            to = to.add(length);
            Ok(Place { at, to })
        }
    }

    /// The `bytes <= 4` bytes at `at` as a number, and the place behind them.
    fn number(&self, at: *const u8, bytes: usize) -> Result<(*const u8, usize), Damaged> {
        if bytes > self.input_left(at) {
            return Err(Damaged);
        }
        let mut value = 0;
        for index in 0..bytes {
            // SAFETY: `bytes` of input are left.
            value |= usize::from(unsafe { *at.add(index) }) << (8 * index);
        }
        // SAFETY: as above.
        Ok((unsafe { at.add(bytes) }, value))
    }
}

/// # Safety
///
/// `N` bytes from `source` on are readable, from `to` on writable; they do not overlap.
#[inline(always)]
unsafe fn copy<const N: usize>(source: *const u8, to: *mut u8) {
    // SAFETY: the caller's.
    unsafe { ptr::copy_nonoverlapping(source, to, N) };
}

/// For every byte: if a tag starts there, where the next one does. Literals of more than 60 bytes and
/// copies with 4 bytes of offset are wrong; [`Ends::step`] takes them and its caller notices.
#[inline(always)]
fn plan(input: &[u8; PLANNED], next: &mut [u8; PLANNED]) {
    for (index, (next, tag)) in next.iter_mut().zip(input).enumerate() {
        let size = if tag & 3 == 0 { (tag >> 2) + 2 } else { (tag & 3) + 1 };
        // At most 143 + 65.
        *next = index as u8 + size;
    }
}

/// The same for pairs: where a short literal starts, the place behind the tag that follows it.
#[inline(always)]
fn plan_pairs(input: &[u8; PLANNED], next: &[u8; PLANNED], pairs: &mut [u8; WINDOW]) {
    for index in 0..WINDOW {
        let tag = input[index];
        // Masks, not branches, so that this becomes vector instructions.
        let select = |length: u8| next[index + usize::from(length) + 1] & u8::from(tag == (length - 1) << 2).wrapping_neg();
        let other = next[index] & u8::from(tag & 0xf3 == 0).wrapping_sub(1);
        pairs[index] = other | select(1) | select(2) | select(3) | select(4);
    }
}

/// Whether at least two fifths of the tags in the window are literals.
fn alternates(input: &[u8; PLANNED], next: &[u8; PLANNED]) -> bool {
    let (mut position, mut tags, mut literals) = (0, 0, 0);
    while position < WINDOW {
        tags += 1;
        literals += usize::from(input[position] & 3 == 0);
        position = usize::from(next[position]);
    }
    literals * 5 >= tags * 2
}

#[cfg(test)]
#[path = "snappy_tests.rs"]
mod tests;
