//! Sets of dictionary codes, for predicates that were worked out once a dictionary.
//!
//! Problem: turn a code a row into a bit a row by a table of bits. With AVX-512 or AVX2 16 or 8 codes
//! are looked up at once: the table's words lie in registers where it has at most 512 or 256 codes,
//! and are gathered from memory where it has more.
//!
//! ```text
//!   codes   5 0 2 5      set  {0, 5}: words 0b100001     word code / 32, bit code % 32
//!   mask    1 1 0 1
//! ```
//!
//! Cost: five instructions for a register of codes of a small set, about a cycle a code of a large one.

use arrow::array::UInt32Array;
use arrow::buffer::{BooleanBuffer, Buffer};

/// Some of the codes of a dictionary.
#[derive(Debug)]
pub struct CodeSet {
    /// A bit a code, filled up to 16 words at least.
    words: Vec<u32>,
}

/// Words that a table has at least, so that any may be loaded into one register.
const WORDS_MIN: usize = 16;

impl CodeSet {
    /// The codes whose bit is set.
    pub fn new(bits: &BooleanBuffer) -> Self {
        let mut words: Vec<u32> = bits.bit_chunks().iter_padded().flat_map(|word| [word as u32, (word >> 32) as u32]).collect();
        words.resize(words.len().max(WORDS_MIN), 0);
        Self { words }
    }

    /// Whether `code` belongs to the set.
    pub fn has(&self, code: u32) -> bool {
        self.words.get(code as usize / 32).is_some_and(|word| word >> (code % 32) & 1 == 1)
    }

    /// For each code whether it belongs to the set; any bit for a NULL one, which may be any number.
    pub fn mask(&self, codes: &UInt32Array) -> BooleanBuffer {
        let codes = &codes.values()[..];
        let mut out = Vec::with_capacity(codes.len().div_ceil(64));
        let mut chunks = codes.chunks_exact(64);
        self.whole_words(&mut chunks, &mut out);
        let rest = chunks.remainder();
        if !rest.is_empty() {
            out.push(self.word(rest));
        }
        BooleanBuffer::new(Buffer::from_vec(out), 0, codes.len())
    }

    fn whole_words(&self, chunks: &mut std::slice::ChunksExact<'_, u32>, out: &mut Vec<u64>) {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                // SAFETY: the processor has AVX-512.
                return out.extend(chunks.map(|codes| unsafe { simd::word_avx512(&self.words, codes) }));
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has AVX2.
                return out.extend(chunks.map(|codes| unsafe { simd::word_avx2(&self.words, codes) }));
            }
        }
        out.extend(chunks.map(|codes| self.word(codes)));
    }

    /// The bits of at most 64 codes.
    fn word(&self, codes: &[u32]) -> u64 {
        codes.iter().enumerate().fold(0, |word, (at, code)| word | u64::from(self.has(*code)) << at)
    }
}

#[cfg(target_arch = "x86_64")]
mod simd {
    use super::WORDS_MIN;
    use std::arch::x86_64::*;

    /// The bits of 64 codes; codes beyond the table get any.
    #[target_feature(enable = "avx512f")]
    pub(super) fn word_avx512(words: &[u32], codes: &[u32]) -> u64 {
        assert!(words.len() >= WORDS_MIN && codes.len() == 64);
        let small = words.len() == WORDS_MIN;
        let mut out = 0;
        // SAFETY: 16 words and 64 codes are there, as was checked; gathered places are at most the last
        // word's.
        unsafe {
            let table = _mm512_loadu_si512(words.as_ptr().cast());
            let last = _mm512_set1_epi32(words.len() as i32 - 1);
            let low_bits = _mm512_set1_epi32(31);
            for part in 0..4 {
                let codes = _mm512_loadu_si512(codes.as_ptr().add(part * 16).cast());
                let place = _mm512_srli_epi32(codes, 5);
                let word = if small {
                    _mm512_permutexvar_epi32(place, table)
                } else {
                    _mm512_i32gather_epi32(_mm512_min_epu32(place, last), words.as_ptr().cast(), 4)
                };
                let bit = _mm512_sllv_epi32(_mm512_set1_epi32(1), _mm512_and_si512(codes, low_bits));
                out |= u64::from(_mm512_test_epi32_mask(word, bit)) << (part * 16);
            }
        }
        out
    }

    /// The same, 8 codes at a time.
    #[target_feature(enable = "avx2")]
    pub(super) fn word_avx2(words: &[u32], codes: &[u32]) -> u64 {
        assert!(words.len() >= WORDS_MIN && codes.len() == 64);
        let small = words[8..].iter().all(|word| *word == 0) && words.len() == WORDS_MIN;
        let mut out = 0;
        // SAFETY: as above.
        unsafe {
            let table = _mm256_loadu_si256(words.as_ptr().cast());
            let last = _mm256_set1_epi32(words.len() as i32 - 1);
            let first_eight = _mm256_set1_epi32(7);
            for part in 0..8 {
                let codes = _mm256_loadu_si256(codes.as_ptr().add(part * 8).cast());
                let place = _mm256_srli_epi32(codes, 5);
                let word = if small {
                    // The register wraps around after 8 words; codes behind them are not in the set.
                    let inside = _mm256_cmpeq_epi32(_mm256_max_epu32(place, first_eight), first_eight);
                    _mm256_and_si256(_mm256_permutevar8x32_epi32(table, place), inside)
                } else {
                    _mm256_i32gather_epi32(words.as_ptr().cast(), _mm256_min_epu32(place, last), 4)
                };
                let bit = _mm256_sub_epi32(highest_bit(), _mm256_and_si256(codes, highest_bit()));
                let sign = _mm256_sllv_epi32(word, bit);
                out |= u64::from(_mm256_movemask_ps(_mm256_castsi256_ps(sign)) as u32) << (part * 8);
            }
        }
        out
    }

    /// 31 in every lane: the number of the highest bit.
    #[target_feature(enable = "avx2")]
    fn highest_bit() -> __m256i {
        _mm256_set1_epi32(31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_and_the_portable_way_agree() {
        for (length, salt) in
            [(0usize, 1u32), (1, 2), (5, 3), (40, 4), (255, 5), (256, 6), (257, 7), (512, 8), (513, 9), (9000, 10)]
        {
            let hash = |n: u32| n.wrapping_mul(0x9e37_79b9).rotate_left(13) ^ salt;
            let bits = BooleanBuffer::collect_bool(length, |code| hash(code as u32) & 3 == 0);
            let set = CodeSet::new(&bits);
            for rows in [0usize, 1, 63, 64, 65, 300] {
                let codes: Vec<u32> = (0..rows as u32).map(|row| hash(row) % (length.max(1) as u32)).collect();
                let expected: Vec<bool> = codes.iter().map(|code| length > 0 && bits.value(*code as usize)).collect();
                let array = UInt32Array::from(codes);
                assert_eq!(set.mask(&array).iter().collect::<Vec<_>>(), expected, "{length} codes, {rows} rows");
                #[cfg(target_arch = "x86_64")]
                if rows >= 64 && is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has AVX2.
                    let word = unsafe { simd::word_avx2(&set.words, &array.values()[..64]) };
                    assert_eq!(word, set.word(&array.values()[..64]), "{length} codes");
                }
            }
        }
        // Codes under NULLs may be anything.
        let set = CodeSet::new(&BooleanBuffer::new_set(9));
        let codes = UInt32Array::new(vec![u32::MAX; 64].into(), Some(vec![false; 64].into()));
        assert_eq!(set.mask(&codes).len(), 64);
    }
}
