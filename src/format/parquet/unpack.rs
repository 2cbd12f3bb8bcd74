//! Unpacks values of a few bits each, least significant bit first.
//!
//! Problem: a group of 8 values of `width` bits takes exactly `width` bytes; cut the values out. With
//! AVX-512 the bytes of 16 values are loaded at once, brought to their 32-bit lanes by one shuffle of
//! bytes, and shifted and masked there; runs that do not start at a byte or end early differ in the
//! shifts and in masks of loads and stores only. With AVX2 the bytes of four values are loaded for each half of a register, brought to their 32-bit
//! lanes by one shuffle, and shifted and masked there. Elsewhere a group is cut out of one, two or
//! eight unaligned 64-bit loads, with shifts known at compile time per width.
//!
//! ```text
//!   width 5   bytes  |aaaaabbb|bbcccccd|ddddeeee|..
//!   shuffle          a:0,1,2,3  b:0,1,2,3  c:1,2,3,4  d:1,2,3,4      bytes of each lane
//!   shift            0          5          2          7              bits, then a mask
//! ```
//!
//! Cost: 6 instructions for 16 values, or 7 for 8; the portable way about a load, shift and mask a value. Idea:
//! Lemire and Boytsov, Decoding billions of integers per second through vectorization, 2015.

/// The widest group (32 bytes) and one 64-bit load that starts in its last byte.
const BLOCK_BYTES: usize = 40;

/// Unpacks values `first..first + out.len()` of a packed run that starts with `data`, and returns the
/// largest of them. Missing bytes count as zero.
pub(super) fn unpack(data: &[u8], width: usize, first: usize, out: &mut [u32]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if width > 0 && width <= avx512::WIDTH_MAX && avx512::is_there() {
        // SAFETY: the processor has what is asked for.
        return unsafe { avx512::unpack(data, width, first, out) };
    }
    unpack_by_groups(data, width, first, out)
}

/// The same without AVX-512.
fn unpack_by_groups(data: &[u8], width: usize, first: usize, out: &mut [u32]) -> u32 {
    let mut group = first / 8;
    let inside = first % 8;
    let mut out = out;
    let mut eight = [0u32; 8];
    let mut largest = 0;
    if inside > 0 {
        unpack_groups(data, width, group, &mut eight);
        let count = out.len().min(8 - inside);
        let (head, tail) = out.split_at_mut(count);
        head.copy_from_slice(&eight[inside..inside + count]);
        largest = maximum(head);
        out = tail;
        group += 1;
    }
    let whole = out.len() / 8 * 8;
    let (body, rest) = out.split_at_mut(whole);
    largest = largest.max(unpack_groups(data, width, group, body));
    if !rest.is_empty() {
        unpack_groups(data, width, group + whole / 8, &mut eight);
        rest.copy_from_slice(&eight[..rest.len()]);
        largest = largest.max(maximum(rest));
    }
    largest
}

/// Unpacks whole groups of 8 from group number `group` on; returns the largest value. Missing bytes
/// count as zero.
pub(super) fn unpack_groups(data: &[u8], width: usize, group: usize, out: &mut [u32]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if out.len() >= avx2::VALUES_MIN && width <= avx2::WIDTH_MAX && width > 0 && is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        let (done, largest) = unsafe { avx2::unpack(data, width, group, out) };
        return largest.max(unpack_portable(data, width, group + done / 8, &mut out[done..]));
    }
    unpack_portable(data, width, group, out)
}

/// Value number `index` of a packed run that starts with `data`. Missing bytes count as zero.
#[inline]
pub(super) fn unpack_one(data: &[u8], width: usize, index: usize) -> u32 {
    let bit = index * width;
    let rest = data.get(bit / 8..).unwrap_or_default();
    let word = match rest.first_chunk::<8>() {
        Some(word) => u64::from_le_bytes(*word),
        None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    (word >> (bit % 8) & ((1 << width) - 1)) as u32
}

fn maximum(values: &[u32]) -> u32 {
    values.iter().fold(0, |largest, value| largest.max(*value))
}

fn unpack_portable(data: &[u8], width: usize, group: usize, out: &mut [u32]) -> u32 {
    macro_rules! by_width {
        ($($width:literal)*) => {
            match width {
                $($width => unpack_width::<$width>(data, group * $width, out),)*
                _ => out.fill(0),
            }
        };
    }
    by_width!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32);
    maximum(out)
}

fn unpack_width<const WIDTH: usize>(data: &[u8], start: usize, out: &mut [u32]) {
    let mut at = start;
    for eight in out.as_chunks_mut::<8>().0 {
        let rest = data.get(at..).unwrap_or_default();
        match rest.first_chunk::<BLOCK_BYTES>() {
            Some(block) => unpack_eight::<WIDTH>(block, eight),
            None => {
                let mut block = [0u8; BLOCK_BYTES];
                block[..rest.len()].copy_from_slice(rest);
                unpack_eight::<WIDTH>(&block, eight);
            }
        }
        at += WIDTH;
    }
}

#[inline(always)]
fn unpack_eight<const WIDTH: usize>(block: &[u8; BLOCK_BYTES], out: &mut [u32; 8]) {
    let mask = if WIDTH == 32 { u32::MAX } else { (1u32 << (WIDTH % 32)) - 1 };
    // Values a load of 64 bits serves: the first of them may start up to 7 bits inside a byte.
    let each = if WIDTH <= 8 {
        8
    } else if WIDTH <= 14 || WIDTH == 16 {
        4
    } else {
        1
    };
    for (load, values) in out.chunks_exact_mut(each).enumerate() {
        let bit = load * each * WIDTH;
        let mut word = [0u8; 8];
        word.copy_from_slice(&block[bit / 8..bit / 8 + 8]);
        let word = u64::from_le_bytes(word) >> (bit % 8);
        for (index, value) in values.iter_mut().enumerate() {
            *value = (word >> (index * WIDTH)) as u32 & mask;
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    /// Values of more bits may not lie in four bytes.
    pub(super) const WIDTH_MAX: usize = 25;

    /// Per width, where 16 values that start at a byte lie: four times four bytes, and the bit of the
    /// first of them at which the value starts.
    static PLACES: [([u32; 16], [u32; 16]); WIDTH_MAX + 1] = places();

    const fn places() -> [([u32; 16], [u32; 16]); WIDTH_MAX + 1] {
        let mut places = [([0; 16], [0; 16]); WIDTH_MAX + 1];
        let mut width = 0;
        while width <= WIDTH_MAX {
            let mut lane = 0;
            while lane < 16 {
                let bit = (lane * width) as u32;
                places[width].0[lane] = bit / 8 * 0x0101_0101 + 0x0302_0100;
                places[width].1[lane] = bit % 8;
                lane += 1;
            }
            width += 1;
        }
        places
    }

    /// Whether the processor can do it.
    #[inline]
    pub(super) fn is_there() -> bool {
        is_x86_feature_detected!("avx512vbmi") && is_x86_feature_detected!("avx512bw")
    }

    /// Values `first..first + out.len()`, and the largest of them. Missing bytes count as zero.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub(super) fn unpack(data: &[u8], width: usize, first: usize, out: &mut [u32]) -> u32 {
        assert!((1..=WIDTH_MAX).contains(&width));
        let bit = first.saturating_mul(width);
        let mut rest = data.get(bit / 8..).unwrap_or_default();
        let (bytes, shifts) = &PLACES[width];
        // SAFETY: both are 16 numbers.
        let (mut bytes, mut shifts) =
            unsafe { (_mm512_loadu_si512(bytes.as_ptr().cast()), _mm512_loadu_si512(shifts.as_ptr().cast())) };
        if bit % 8 != 0 {
            // A value that now starts in the next byte is found there. No byte's number overflows: the
            // last one is at most (7 + 15 * 25) / 8 + 3.
            let moved = _mm512_add_epi32(shifts, _mm512_set1_epi32((bit % 8) as i32));
            let next = _mm512_cmpge_epu32_mask(moved, _mm512_set1_epi32(8));
            bytes = _mm512_mask_add_epi32(bytes, next, bytes, _mm512_set1_epi32(0x0101_0101));
            shifts = _mm512_and_si512(moved, _mm512_set1_epi32(7));
        }
        let mask = _mm512_set1_epi32(((1u32 << width) - 1) as i32);
        let mut largest = _mm512_setzero_si512();
        // Sixteens whose 64 bytes are all there need no masks.
        let whole = rest.len().checked_sub(64).map_or(0, |more| more / (2 * width) + 1).min(out.len() / 16);
        let (body, tail) = out.split_at_mut(whole * 16);
        for (sixteen, values) in body.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            // SAFETY: 64 bytes are there from each of these places on; there are 16 values.
            unsafe {
                let loaded = _mm512_loadu_si512(rest.as_ptr().add(sixteen * 2 * width).cast());
                let cut = _mm512_and_si512(_mm512_srlv_epi32(_mm512_permutexvar_epi8(bytes, loaded), shifts), mask);
                largest = _mm512_max_epu32(largest, cut);
                _mm512_storeu_si512(values.as_mut_ptr().cast(), cut);
            }
        }
        rest = rest.get(whole * 2 * width..).unwrap_or_default();
        for values in tail.chunks_mut(16) {
            let there = if rest.len() >= 64 { u64::MAX } else { (1 << rest.len()) - 1 };
            // SAFETY: bytes that are not there are masked.
            let loaded = unsafe { _mm512_maskz_loadu_epi8(there, rest.as_ptr().cast()) };
            let cut = _mm512_srlv_epi32(_mm512_permutexvar_epi8(bytes, loaded), shifts);
            let some = ((1u32 << values.len()) - 1) as u16;
            let cut = _mm512_maskz_and_epi32(some, cut, mask);
            largest = _mm512_max_epu32(largest, cut);
            // SAFETY: as many values are there as are stored.
            unsafe { _mm512_mask_storeu_epi32(values.as_mut_ptr().cast(), some, cut) };
            rest = rest.get(2 * width..).unwrap_or_default();
        }
        _mm512_reduce_max_epu32(largest)
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    /// Four values of this width, the first starting anywhere in a byte, lie in 16 bytes, each in 4.
    pub(super) const WIDTH_MAX: usize = 25;
    /// A group: even one is not slower than the portable way, measured on runs of 8 to 24 codes.
    pub(super) const VALUES_MIN: usize = 8;

    /// Per width: where in its half's 16 bytes each lane finds its 4 bytes.
    static SHUFFLES: [[u8; 32]; WIDTH_MAX + 1] = shuffles();
    /// Per width: how far each lane is shifted.
    static SHIFTS: [[u32; 8]; WIDTH_MAX + 1] = shifts();

    /// The bit at which a value of a group starts, from the load of its half.
    const fn start(width: usize, value: usize) -> usize {
        value * width - if value < 4 { 0 } else { second_half(width) * 8 }
    }

    /// The byte at which the load of the second half starts.
    const fn second_half(width: usize) -> usize {
        width / 2
    }

    const fn shuffles() -> [[u8; 32]; WIDTH_MAX + 1] {
        let mut table = [[0; 32]; WIDTH_MAX + 1];
        let mut width = 1;
        while width <= WIDTH_MAX {
            let mut byte = 0;
            while byte < 32 {
                table[width][byte] = (start(width, byte / 4) / 8 + byte % 4) as u8;
                byte += 1;
            }
            width += 1;
        }
        table
    }

    const fn shifts() -> [[u32; 8]; WIDTH_MAX + 1] {
        let mut table = [[0; 8]; WIDTH_MAX + 1];
        let mut width = 1;
        while width <= WIDTH_MAX {
            let mut value = 0;
            while value < 8 {
                table[width][value] = (start(width, value) % 8) as u32;
                value += 1;
            }
            width += 1;
        }
        table
    }

    /// Unpacks groups as long as their loads stay in `data`; returns the values done and the largest.
    #[target_feature(enable = "avx2")]
    pub(super) fn unpack(data: &[u8], width: usize, group: usize, out: &mut [u32]) -> (usize, u32) {
        let last_load = second_half(width) + 16;
        let available = data.len().checked_sub(last_load).map_or(0, |bytes| (bytes / width + 1).saturating_sub(group));
        let groups = (out.len() / 8).min(available);
        // SAFETY: the tables' rows have 32 bytes. Group `group + index` starts at its multiple of `width`
        // bytes, and `available` says that the 16 bytes from its second half on lie in `data`; `out` has
        // room for `groups` times 8 values.
        unsafe {
            let shuffle = _mm256_loadu_si256(SHUFFLES[width].as_ptr().cast());
            let shift = _mm256_loadu_si256(SHIFTS[width].as_ptr().cast());
            let mask = _mm256_set1_epi32((1 << width) - 1);
            let mut largest = _mm256_setzero_si256();
            let mut source = data.as_ptr().add(if groups == 0 { 0 } else { group * width });
            let mut target = out.as_mut_ptr();
            for _ in 0..groups {
                let low = _mm_loadu_si128(source.cast());
                let high = _mm_loadu_si128(source.add(second_half(width)).cast());
                let bytes = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), shuffle);
                let values = _mm256_and_si256(_mm256_srlv_epi32(bytes, shift), mask);
                largest = _mm256_max_epu32(largest, values);
                _mm256_storeu_si256(target.cast(), values);
                source = source.add(width);
                target = target.add(8);
            }
            let mut lanes = [0; 8];
            _mm256_storeu_si256(lanes.as_mut_ptr().cast(), largest);
            (groups * 8, super::maximum(&lanes))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::pack;
    use super::*;

    #[test]
    fn unpacks_every_width_from_every_place() {
        for width in 1..=32usize {
            let mask = if width == 32 { u32::MAX } else { (1 << width) - 1 };
            let values: Vec<u32> = (0..304u32).map(|i| i.wrapping_mul(0x9e37_79b9).rotate_left(i) & mask).collect();
            let packed = pack(&values, width);
            for first in [0, 1, 7, 8, 13, 90, 200] {
                for count in [0, 1, 8, 9, 14, 32, 45, 104] {
                    let mut out = vec![0; count];
                    let largest = unpack(&packed, width, first, &mut out);
                    assert_eq!(out, values[first..first + count], "width {width}, {count} from {first}");
                    assert_eq!(largest, maximum(&out), "width {width}, {count} from {first}");
                    let each: Vec<u32> = (first..first + count).map(|index| unpack_one(&packed, width, index)).collect();
                    assert_eq!(each, out, "width {width}, {count} from {first}, one by one");
                    let mut groups = vec![0; count];
                    assert_eq!(unpack_by_groups(&packed, width, first, &mut groups), largest);
                    assert_eq!(groups, out, "width {width}, {count} from {first}, by groups");
                }
            }
        }
    }

    #[test]
    fn what_is_cut_off_counts_as_zero() {
        for width in 1..=32usize {
            let values: Vec<u32> = (0..64u32).map(|i| i.wrapping_mul(0x85eb_ca6b) >> (32 - width)).collect();
            let packed = pack(&values, width);
            for bytes in 0..=packed.len() {
                for (first, count) in [(0, 64), (3, 40), (9, 16), (60, 4), (61, 30)] {
                    let mut out = vec![7; count];
                    let largest = unpack(&packed[..bytes], width, first, &mut out);
                    let each: Vec<u32> = (first..first + count).map(|index| unpack_one(&packed[..bytes], width, index)).collect();
                    assert_eq!(each, out, "width {width}, {bytes} bytes, {count} from {first}");
                    assert_eq!(largest, maximum(&out));
                }
            }
        }
    }

    #[test]
    fn vectors_and_the_portable_way_agree_at_the_end_of_the_data() {
        for width in 0..=32usize {
            let values: Vec<u32> = (0..64u32).map(|i| i.wrapping_mul(0x85eb_ca6b) >> (32 - width.max(1))).collect();
            let packed = pack(&values, width);
            for bytes in 0..=packed.len() {
                let (mut dispatched, mut portable) = ([7; 64], [7; 64]);
                let largest = unpack_groups(&packed[..bytes], width, 0, &mut dispatched);
                assert_eq!(largest, unpack_portable(&packed[..bytes], width, 0, &mut portable));
                assert_eq!(dispatched, portable, "width {width}, {bytes} bytes");
                let (mut dispatched, mut portable) = ([7; 48], [7; 48]);
                unpack_groups(&packed[..bytes], width, 3, &mut dispatched);
                unpack_portable(&packed[..bytes], width, 3, &mut portable);
                assert_eq!(dispatched, portable, "width {width}, {bytes} bytes, from the third group");
            }
        }
    }
}
